//! The YAML reader, fuzzed by cargo-fuzz.
#![no_main]

#[path = "../doors/yaml.rs"]
mod door;

libfuzzer_sys::fuzz_target!(|text: &str| door::run(text));
