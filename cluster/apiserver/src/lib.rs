//! The Kubernetes API over a [`kpkg_store::Store`]: REST, watch, discovery, OpenAPI, tables, authentication,
//! authorization, admission and subresources.
//!
//! A request passes the layers (see `http::layers`, one visible list), is read into a `Target` (`path`), and handled by
//! the endpoint for it (`http`). What it does to objects is in `registry`, which knows no HTTP; what differs from kind to
//! kind is a row of [`kpkg_api::schema`] plus, where needed, rules in `strategy` and `admission`. Objects are kept on a
//! `shelf` per kind, decoded once and encoded once, whoever reads or watches.
//!
//! - [`ApiServer`]: start here.
//! - [`Config`]: what it must be told.
//! - [`Identity`]: who asks; an extension of the request.
//! - [`NodeDialer`]: the way to a node's kubelet, for logs, exec and the like.
//!
//! ```
//! use kpkg_apiserver::{ApiServer, Config, Identity, NoNodes};
//! use std::sync::Arc;
//! use tower::ServiceExt;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let config = Config::new(Config::new_signing_key());
//! let server = ApiServer::new(Arc::new(kpkg_store::Memory::default()), config, Arc::new(NoNodes));
//! server.bootstrap().await?;
//! let mut request = http::Request::get("/api/v1/namespaces/default").body(axum::body::Body::empty())?;
//! request.extensions_mut().insert(Identity::master("me"));
//! let response = server.router().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! Service accounts may read discovery and ask about themselves, and nothing else until roles are served.

mod accept;
mod admission;
mod allocate;
mod authn;
mod authz;
mod body;
mod bootstrap;
mod catalog;
mod config;
mod custom;
mod discovery;
mod expire;
mod failure;
mod http;
mod identity;
mod nodes;
mod openapi;
mod path;
mod query;
mod registry;
mod reply;
mod review;
mod server;
mod shelf;
mod show;
mod strategy;
mod subresource;
mod tables;

pub use config::{Cidr, CidrError, Config};
pub use identity::{Identity, MASTERS};
pub use nodes::{AsyncReadWrite, NoNodes, NodeDialer};
pub use server::ApiServer;
