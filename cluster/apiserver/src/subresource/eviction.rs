//! `pods/eviction`: a deletion that disruption budgets could refuse. No budgets are served, so none does.

use super::{decode, done, spoken};
use crate::{accept, failure::Result, http::Call, path::ResourcePath, registry::DeleteOptions, reply};
use axum::body::Body;
use http::{Response, StatusCode};
use kpkg_api::{meta, status::Status};

pub(super) async fn handle(call: &Call<'_>, path: &ResourcePath, name: &str, body: Body) -> Result<Response<Body>> {
    let (_, encoding) = accept::objects(&call.parts.headers, accept::Include::None)?;
    let eviction = decode(call, body, spoken("policy", "v1", "Eviction")).await?;
    let own = meta::name(&eviction);
    if own != name {
        return Err(Status::bad_request(format!("name in URL does not match name in Eviction object: {own}")));
    }
    let options = DeleteOptions::parse(&eviction["deleteOptions"], &call.query)?;
    let mut context = call.context()?;
    context.dry_run |= options.dry_run;
    call.server.delete(&context, path.kind, path.namespace.as_deref(), name, &options).await?;
    Ok(reply::encoded(StatusCode::CREATED, encoding, &done()))
}
