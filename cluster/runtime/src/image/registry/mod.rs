//! The way to registries.

mod pull;
mod push;
mod session;

pub(super) use pull::pull;
pub(super) use push::push;
