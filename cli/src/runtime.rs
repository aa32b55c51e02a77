//! The asynchronous runtime of commands that talk to a cluster or a registry.

use anyhow::{Context, Result};

/// A small one: commands wait more than they work.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    // Whoever speaks TLS first decides by whose cryptography; a second decision changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
