#!/usr/bin/env bash
# Gradescope runs this once, when it builds the image of the autograder.
set -euo pipefail
if ! command -v cargo >/dev/null; then
    apt-get update
    apt-get install --yes curl gcc
    # The Rust of the machine that has exported this.
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --profile minimal --default-toolchain RUST_VERSION
    export PATH=$HOME/.cargo/bin:$PATH
fi
packages=(ASSIGNMENT_PACKAGES)
if [ ${#packages[@]} -gt 0 ]; then
    apt-get update
    apt-get install --yes "${packages[@]}"
fi
cd /autograder/source/project
cargo fetch
# What every submission is built with is built here, once.
cargo build --package zen-homework --package ASSIGNMENT_NAME
