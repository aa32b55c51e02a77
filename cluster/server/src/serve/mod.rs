//! Ways into the API server and to the kubelet: TLS for everyone, and no sockets inside.

mod client;
mod dialer;
mod identity;
mod listener;

pub(crate) use client::client;
pub(crate) use dialer::LocalNode;
pub(crate) use listener::{Listener, bind};

#[cfg(test)]
mod tests;
