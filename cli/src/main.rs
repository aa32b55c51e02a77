//! The `kpkg` command.
fn main() {}
