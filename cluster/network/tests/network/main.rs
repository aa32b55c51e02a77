//! Real packets in namespaces of the tests' own. Needs root, `unshare` and `ip`.

mod kit;
mod names;
mod pods;
mod services;
