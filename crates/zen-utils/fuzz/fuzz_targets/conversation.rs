//! The same conversations as in the property tests, but with a fuzzer that
//! looks for a way around them.
//!
//! ```sh
//! cd crates/zen-utils && cargo fuzz run -s none conversation
//! ```
//!
//! Without `-s none` it needs a nightly compiler.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::{arbitrary, fuzz_target};
use zen_utils::Timing;

#[path = "../../tests/it/oracle.rs"]
#[expect(dead_code, reason = "the property tests use more of it")]
mod oracle;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let seconds = |mask| {
        let time = Duration::from_secs(1);
        if choice & mask == 0 { Duration::ZERO } else { time }
    };
    let idle_timeout = Some(seconds(1)).filter(|time| !time.is_zero());
    let timing = Timing { idle_timeout, think: seconds(2) };
    // An error only says that the input was used up.
    oracle::converse(&mut Unstructured::new(input), timing).ok();
});
