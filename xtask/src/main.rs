//! Chores of this workspace: `cargo xtask demo|test|...`.
fn main() {}
