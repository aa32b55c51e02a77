//! The machine that all controllers share.
mod key;
pub use key::Key;
