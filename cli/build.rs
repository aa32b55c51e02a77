//! Links the program to a fixed address on Linux.
//!
//! A program that can be loaded anywhere has its pointers, tens of thousands of them, adjusted at each start: time
//! before every command, and a megabyte of memory that containers' shims, which are this same program, cannot share.
//! Libraries, stacks and heaps keep their random places.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
