//! The archive loader, fuzzed by cargo-fuzz.
#![no_main]

#[path = "../doors/archive.rs"]
mod door;

libfuzzer_sys::fuzz_target!(|input: &[u8]| door::run(input));
