//! The grammar of `--set` and its kin, fuzzed by cargo-fuzz.
#![no_main]

#[path = "../doors/set.rs"]
mod door;

libfuzzer_sys::fuzz_target!(|text: &str| door::run(text));
