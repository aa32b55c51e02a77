//! Parts of objects with a path of their own.

mod binding;
mod eviction;
mod proxy;
mod scale;
mod token;

pub(crate) use binding::bind_by_collection;

use crate::{
    failure::Result,
    http::{Call, method_not_allowed},
    path::ResourcePath,
    registry::Part,
};
use axum::body::Body;
use http::{Method, Response};
use kpkg_api::{
    schema::{self, Subresource, Type},
    status::Status,
};
use serde_json::{Value, json};

/// Answers a request for a subresource.
pub(crate) async fn handle(
    call: &mut Call<'_>,
    path: &ResourcePath,
    name: &str,
    part: &Subresource,
    body: Body,
) -> Result<Response<Body>> {
    let verb = match *call.method() {
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        _ => return method_not_allowed(),
    };
    if !part.verbs.contains(&verb) {
        return method_not_allowed();
    }
    match part.name {
        "status" if verb == "get" => call.get(path, name).await,
        "status" => call.write(path, name, Part::Status, body).await,
        "finalize" => call.write(path, name, Part::Finalize, body).await,
        "scale" => scale::handle(call, path, name, body).await,
        "binding" => binding::handle(call, path, name, body).await,
        "eviction" => eviction::handle(call, path, name, body).await,
        "token" => token::handle(call, path, name, body).await,
        "log" => proxy::log(call, path, name).await,
        "exec" | "attach" | "portforward" => proxy::connect(call, path, name, part.name).await,
        _ => Err(Status::path_not_found()),
    }
}

/// The type of a kind that only subresources speak.
fn spoken(group: &str, version: &str, kind: &str) -> &'static Type {
    schema::type_of(group, version, kind).expect("the table has every kind that a subresource speaks")
}

/// Decodes a body and makes it conform to a type.
async fn decode(call: &Call<'_>, body: Body, type_: &Type) -> Result<Value> {
    let mut value = call.decode(body, type_).await?.value;
    schema::conform(type_, &mut value).map_err(|error| Status::bad_request(error.to_string()))?;
    Ok(value)
}

/// The answer to what has no object to show.
fn done() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}
