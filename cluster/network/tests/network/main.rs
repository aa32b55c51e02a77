//! Real packets in namespaces of the tests' own. Needs root, `unshare` and `ip`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod kit;
mod names;
mod pods;
mod services;
