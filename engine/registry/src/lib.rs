//! Where charts are published and fetched: OCI registries, HTTP repositories, and what is kept of them here.
//!
//! A *reference* names a chart somewhere; [`resolve`] makes an archive of it, whichever kind it is, and everything
//! after that works on bytes whose digest was checked. Words: a *registry* speaks OCI's distribution protocol, a
//! *repository* is an `index.yaml` over HTTP, the *cache* holds what was fetched by digest, *provenance* is Helm's
//! `.prov` file, a *signature* is cosign's.
//!
//! - [`resolve`]: start here
//! - [`Client`]: logins, certificates, cache and configuration, gathered by the caller
//! - [`chart`]: charts in registries; [`oci`]: the protocol below, a crate that images use too
//! - [`repository`]: `index.yaml` read, searched and written
//! - [`dependency`]: what a chart needs, chosen, locked and fetched
//! - [`provenance`] and [`cosign`]: who made it
//! - [`bundle`]: a chart with its images, for machines without a network
//! - [`cache`]: content by digest, shared by processes
//!
//! It reads no environment and knows no terminal; it renders nothing and deploys nothing.

mod archive;
pub mod bundle;
pub mod cache;
pub mod chart;
mod client;
pub mod cosign;
pub mod dependency;
mod error;
mod pgp;
pub mod provenance;
pub mod repository;
mod resolve;
pub mod version;

pub use archive::Archive;
pub use chart::Fetched;
pub use client::{Client, Connections};
pub use error::Error;
pub use kpkg_oci as oci;
pub use kpkg_oci::{Access, Credentials, LoginFile, Reference};
pub use resolve::{Wanted, document, resolve};
