//! The server: its parts, and the router in front of them.

use crate::{
    Config, NodeDialer,
    allocate::Allocator,
    authn::Tokens,
    authz::{Authorizer, BuiltIn},
    catalog::Catalogs,
    http,
    registry::Registry,
};
use axum::Router;
use kpkg_store::Store;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// An API server. Its background tasks end when it is dropped.
pub struct ApiServer {
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) catalogs: Catalogs,
    pub(crate) allocator: Allocator,
    pub(crate) tokens: Tokens,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) nodes: Arc<dyn NodeDialer>,
    pub(crate) in_flight: Arc<Semaphore>,
    /// Cancelled when the server is dropped; background tasks end then.
    pub(crate) running: CancellationToken,
    _end: DropGuard,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiServer").finish_non_exhaustive()
    }
}

impl ApiServer {
    /// A server over a store. Must be called on a tokio runtime, on which its background tasks then run.
    ///
    /// # Panics
    /// If the configuration's signing key is not a P-256 key in PKCS#8.
    pub fn new(store: Arc<dyn Store>, config: Config, nodes: Arc<dyn NodeDialer>) -> Arc<Self> {
        let shutdown = CancellationToken::new();
        Arc::new(Self {
            registry: Registry::new(&store, &shutdown),
            catalogs: Catalogs::default(),
            allocator: Allocator::new(config.service_cidr, config.node_port_range.clone()),
            tokens: Tokens::new(&config).expect("the signing key is P-256 in PKCS#8"),
            authorizer: Arc::new(BuiltIn),
            nodes,
            in_flight: Arc::new(Semaphore::new(config.max_in_flight)),
            config,
            running: shutdown.clone(),
            _end: shutdown.drop_guard(),
        })
    }

    /// The HTTP API. Requests carry an [`Identity`](crate::Identity) as an extension, or a bearer token, or are anonymous.
    pub fn router(self: &Arc<Self>) -> Router {
        http::router(self.clone())
    }
}
