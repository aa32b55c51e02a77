//! Serves the API over plain HTTP on a loopback port, with everything in memory and everybody an administrator.
//!
//! `cargo run -p kpkg-apiserver --example serve -- 8001`, then `kubectl --server http://127.0.0.1:8001 get namespaces`.
//! Without controllers a namespace has no service account, so the example makes the one of `default`.

use axum::{extract::Request, middleware};
use kpkg_apiserver::{ApiServer, Config, Identity, NoNodes};
use std::{error::Error, sync::Arc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let port = std::env::args().nth(1).map_or(Ok(8001), |text| text.parse::<u16>())?;
    let config = Config::new(Config::new_signing_key());
    let server = ApiServer::new(Arc::new(kpkg_store::Memory::default()), config, Arc::new(NoNodes));
    server.bootstrap().await?;
    let everybody = middleware::from_fn(async |mut request: Request, next: middleware::Next| {
        if !request.headers().contains_key(http::header::AUTHORIZATION) {
            request.extensions_mut().insert(Identity::master("admin"));
        }
        next.run(request).await
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    tracing::info!("serving on http://{}", listener.local_addr()?);
    axum::serve(listener, server.router().layer(everybody)).await?;
    Ok(())
}
