//! What every request passes, outermost first.

use crate::{
    ApiServer, Identity,
    authz::{self, Attributes},
    path::{self, Target},
    query::Query,
    reply,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
};
use http::{Method, Response, StatusCode};
use kpkg_api::status::{Reason, Status};
use std::{any::Any, sync::Arc, time::Duration};
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};

/// How long a request may take that is not meant to take long.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Puts the layers around the router. The body's limit is not here but where bodies are read (`body::read`): streams that
/// pass through to a node have none.
pub(super) fn wrap(router: Router, server: Arc<ApiServer>) -> Router {
    // The last one added is the outermost.
    router
        .layer(from_fn_with_state(server.clone(), authorize))
        .layer(from_fn_with_state(server.clone(), authenticate))
        .layer(from_fn_with_state(server.clone(), limit))
        .layer(from_fn_with_state(server, find_target))
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::custom(panicked))
}

/// Whether a request may last: such requests are neither counted nor timed.
#[derive(Debug, Clone, Copy)]
struct LongRunning(bool);

fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(cause = text.unwrap_or("unknown"), "a request panicked");
    reply::failure(&Status::new(
        Reason::InternalError,
        "This request caused apiserver to panic. Look in the logs for details.",
    ))
}

async fn find_target(State(server): State<Arc<ApiServer>>, mut request: Request, next: Next) -> Response<Body> {
    let target = path::parse(&server.catalogs.current(), request.uri().path());
    let long = is_long_running(&target, request.method(), request.uri().query());
    request.extensions_mut().insert(Arc::new(target));
    request.extensions_mut().insert(LongRunning(long));
    next.run(request).await
}

fn is_long_running(target: &Target, method: &Method, query: Option<&str>) -> bool {
    let Target::Resource(path) = target else { return false };
    let streams = matches!(path.subresource.map(|part| part.name), Some("log" | "exec" | "attach" | "portforward"));
    streams || (method == Method::GET && path.name.is_none() && Query::parse(query).flag("watch"))
}

async fn limit(State(server): State<Arc<ApiServer>>, request: Request, next: Next) -> Response<Body> {
    if request.extensions().get::<LongRunning>().is_some_and(|long| long.0) {
        return next.run(request).await;
    }
    let Ok(_permit) = server.in_flight.try_acquire() else {
        let status = Status::too_many_requests("Too many requests, please try again later.", 1);
        return reply::failure(&status);
    };
    match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => reply::failure(&Status::timeout(
            "request did not complete within requested timeout - context deadline exceeded",
            0,
        )),
    }
}

async fn authenticate(State(server): State<Arc<ApiServer>>, mut request: Request, next: Next) -> Response<Body> {
    let vouched = request.extensions_mut().remove::<Identity>();
    let sender = server.authenticate(vouched, request.headers()).await;
    match sender.and_then(|sender| server.impersonate(sender, request.headers())) {
        Ok(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        Err(status) => reply::failure(&status),
    }
}

async fn authorize(State(server): State<Arc<ApiServer>>, request: Request, next: Next) -> Response<Body> {
    let (Some(target), Some(identity)) =
        (request.extensions().get::<Arc<Target>>(), request.extensions().get::<Identity>())
    else {
        return reply::text(StatusCode::INTERNAL_SERVER_ERROR, "a layer is missing");
    };
    let method = request.method().as_str().to_ascii_lowercase();
    let attributes = attributes(target, request.method(), &method, request.uri().path(), request.uri().query());
    if server.authorizer.allows(identity, &attributes) {
        return next.run(request).await;
    }
    let why = authz::refusal(identity, &attributes);
    reply::failure(&Status::forbidden(attributes.group, attributes.resource, attributes.name, &why))
}

fn attributes<'a>(
    target: &'a Target,
    method: &Method,
    method_name: &'a str,
    path: &'a str,
    query: Option<&str>,
) -> Attributes<'a> {
    match target {
        Target::Resource(target) => Attributes {
            verb: match target.subresource.map(|part| part.name) {
                // A GET that opens a conversation is not a reading.
                Some("exec" | "attach" | "portforward") => "create",
                _ => verb(method, target.name.is_some(), query),
            },
            group: target.kind.group,
            resource: target.kind.plural,
            subresource: target.subresource.map_or("", |part| part.name),
            namespace: target.namespace.as_deref().unwrap_or_default(),
            name: target.name.as_deref().unwrap_or_default(),
            path: "",
        },
        Target::Review(target) => Attributes {
            verb: "create",
            group: target.review.group,
            resource: target.review.plural,
            namespace: target.namespace.as_deref().unwrap_or_default(),
            ..Attributes::default()
        },
        _ => Attributes { verb: method_name, path, ..Attributes::default() },
    }
}

/// What a method does to an item or a collection.
fn verb(method: &Method, item: bool, query: Option<&str>) -> &'static str {
    match (method.as_str(), item) {
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        ("DELETE", false) => "deletecollection",
        (_, true) => "get",
        (_, false) if Query::parse(query).flag("watch") => "watch",
        (_, false) => "list",
    }
}
