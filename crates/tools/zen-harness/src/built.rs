//! Where the programs and folders of this workspace are now: a clone may have
//! been renamed or copied since it was built.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The program with this name, of the package whose test this is.
#[macro_export]
macro_rules! program {
    ($($name:tt)+) => {
        $crate::built::program(
            $($name)+,
            env!(concat!("CARGO_BIN_EXE_", $($name)+)),
            env!("CARGO_MANIFEST_DIR"),
        )
    };
}

/// The folder of the package that calls this.
#[macro_export]
macro_rules! folder {
    () => {
        $crate::built::folder(env!("CARGO_MANIFEST_DIR"))
    };
}

/// See [`program!`](crate::program).
///
/// # Panics
///
/// The test was built in another folder, and Cargo does not tell where the
/// program is.
pub fn program(name: &str, built_as: &str, built_in: &str) -> String {
    // Since 1.94, Cargo also sets this variable when it runs a test.
    if let Ok(path) = env::var(format!("CARGO_BIN_EXE_{name}")) {
        return path;
    }
    let here = env::var_os("CARGO_MANIFEST_DIR");
    let has_moved =
        here.is_some_and(|it| Path::new(&it) != Path::new(built_in));
    assert!(
        !has_moved,
        "this was built in {built_in}, which has been moved or copied: run \
        `cargo clean --package {name}` once"
    );
    built_as.into()
}

/// A folder for a test's temporary files, in Cargo's target directory.
pub fn scratch() -> io::Result<PathBuf> {
    let test = env::current_exe()?;
    let built = test.ancestors().nth(2).unwrap_or(&test);
    let scratch = built.join("scratch");
    fs::create_dir_all(&scratch)?;
    Ok(scratch)
}

/// See [`folder!`](crate::folder). It is the folder that Cargo names, or the
/// one in the current clone, or the one at the time of the build.
pub fn folder(built_in: &str) -> PathBuf {
    let built_in = Path::new(built_in);
    let name = built_in.file_name().unwrap_or_default();
    let told = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let told = told.filter(|it| it.file_name() == Some(name));
    let around = || {
        let room = built_in.parent()?.file_name()?;
        let inside = Path::new("crates").join(room).join(name);
        let here = env::current_dir().ok()?;
        let all = here.ancestors().map(|it| it.join(&inside));
        all.into_iter().find(|it| it.join("Cargo.toml").is_file())
    };
    told.or_else(around).unwrap_or_else(|| built_in.into())
}
