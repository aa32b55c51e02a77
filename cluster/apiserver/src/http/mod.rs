//! The HTTP side: from a request to a target, from an outcome to an answer.

mod collection;
mod item;
mod layers;
mod paths;
mod stream;

use crate::{
    ApiServer, Identity,
    body::{self, Decoded},
    failure::Result,
    path::{ResourcePath, Target},
    query::Query,
    registry::Context,
    reply, subresource,
};
use axum::{Router, body::Body, extract::State};
use bytes::Bytes;
use http::{Method, Request, Response, request::Parts};
use kpkg_api::status::Status;
use std::sync::Arc;

/// The router: all paths go to one place, through the layers.
pub(crate) fn router(server: Arc<ApiServer>) -> Router {
    layers::wrap(Router::new().fallback(dispatch).with_state(server.clone()), server)
}

/// A request whose path is understood and whose sender is known and allowed.
pub(crate) struct Call<'a> {
    pub(crate) server: &'a Arc<ApiServer>,
    pub(crate) parts: &'a mut Parts,
    pub(crate) query: Query,
    pub(crate) identity: Identity,
}

async fn dispatch(State(server): State<Arc<ApiServer>>, request: Request<Body>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    // Both are put there by the layers.
    let Some(target) = parts.extensions.get::<Arc<Target>>().cloned() else { return reply::no_such_path() };
    let identity = parts.extensions.get::<Identity>().cloned().unwrap_or_else(Identity::anonymous);
    let query = Query::parse(parts.uri.query());
    let mut call = Call { server: &server, parts: &mut parts, query, identity };
    let outcome = match &*target {
        Target::Resource(path) => call.resource(path, body).await,
        Target::Review(path) => call.review(path, body).await,
        other => call.path(other).await,
    };
    outcome.unwrap_or_else(|status| reply::failure(&status))
}

impl Call<'_> {
    async fn resource(&mut self, path: &ResourcePath, body: Body) -> Result<Response<Body>> {
        match (&path.name, path.subresource) {
            (Some(name), Some(part)) => subresource::handle(self, path, name, part, body).await,
            (Some(name), None) => self.item(path, name, body).await,
            (None, _) => self.collection(path, body).await,
        }
    }

    /// The method, as what is to be done.
    pub(crate) fn method(&self) -> &Method {
        &self.parts.method
    }

    pub(crate) fn context(&self) -> Result<Context> {
        Context::new(self.identity.clone(), &self.query, &self.parts.headers)
    }

    /// Reads and decodes the body as an object of a type.
    pub(crate) async fn decode(&self, body: Body, type_: &kpkg_api::schema::Type) -> Result<Decoded> {
        let bytes = body::read(body).await?;
        body::decode(&self.parts.headers, &bytes, type_)
    }

    /// The same for bodies that may be empty.
    pub(crate) fn decode_options(&self, bytes: &Bytes) -> Result<Decoded> {
        if bytes.is_empty() {
            return Ok(Decoded::default());
        }
        body::decode(&self.parts.headers, bytes, body::delete_options())
    }
}

/// The answer to a method that a path does not know.
pub(crate) fn method_not_allowed<T>() -> Result<T> {
    Err(Status::method_not_allowed())
}
