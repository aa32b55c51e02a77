//! The template parser and the engine, fuzzed by cargo-fuzz.
#![no_main]

#[path = "../doors/template.rs"]
mod door;

libfuzzer_sys::fuzz_target!(|text: &str| door::run(text));
