//! Real packets in namespaces of the tests' own. Needs root, `unshare` and `ip`.

mod kit;
mod pods;
mod services;
