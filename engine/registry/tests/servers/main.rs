//! The client against real servers (Debian's `docker-registry` and `nginx`), the real Helm, and servers that lie.
//!
//! Tests whose program is not installed pass without testing; `cargo xtask test` installs them all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test says that it was skipped")]

mod crowd;
mod helm;
mod hostile;
mod kit;
mod pgp;
mod registry;
mod repository;
