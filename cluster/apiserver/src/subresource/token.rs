//! `serviceaccounts/token`: a token for a service account, bound to the pod that uses it.

use super::{decode, spoken};
use crate::{
    accept,
    authn::{Bound, Claims},
    failure::Result,
    http::Call,
    path::ResourcePath,
    registry::well_known,
    reply,
};
use axum::body::Body;
use http::{Response, StatusCode};
use jiff::SignedDuration;
use kpkg_api::{meta, status::Status, time, validate::FieldError};
use serde_json::{Value, json};

const DEFAULT_SECONDS: i64 = 3600;
const MIN_SECONDS: i64 = 600;
const MAX_SECONDS: i64 = 1 << 32;

pub(super) async fn handle(call: &Call<'_>, path: &ResourcePath, name: &str, body: Body) -> Result<Response<Body>> {
    let (_, encoding) = accept::objects(&call.parts.headers, accept::Include::None)?;
    let mut request = decode(call, body, spoken("authentication.k8s.io", "v1", "TokenRequest")).await?;
    let seconds = seconds(&request["spec"])
        .map_err(|fault| Status::invalid_kind("authentication.k8s.io", "TokenRequest", "", &[fault]))?;
    let namespace = path.namespace.as_deref().unwrap_or_default();
    let account = call.server.get(path.kind, Some(namespace), name).await?;
    let now = call.context()?.now;
    let expires = now + SignedDuration::from_secs(seconds);
    let mut claims = Claims {
        namespace: namespace.to_owned(),
        account: Bound { name: name.to_owned(), uid: meta::uid(&account.value).to_owned() },
        pod: None,
        secret: None,
        node: None,
        audiences: audiences(call, &request["spec"]),
        issued: now.as_second(),
        expires: expires.as_second(),
    };
    bind(call, &request["spec"]["boundObjectRef"], &mut claims).await?;
    let token = call.server.tokens.sign(&claims);
    request["kind"] = "TokenRequest".into();
    request["apiVersion"] = "authentication.k8s.io/v1".into();
    request["metadata"] = json!({
        "name": name,
        "namespace": namespace,
        "creationTimestamp": time::seconds(now),
    });
    request["spec"]["audiences"] = json!(claims.audiences);
    request["spec"]["expirationSeconds"] = seconds.into();
    request["status"] = json!({"token": token, "expirationTimestamp": time::seconds(expires)});
    Ok(reply::encoded(StatusCode::CREATED, encoding, &request))
}

fn seconds(spec: &Value) -> std::result::Result<i64, FieldError> {
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or(DEFAULT_SECONDS);
    let fault = |why| Err(FieldError::invalid("spec.expirationSeconds", seconds, why));
    match seconds {
        ..MIN_SECONDS => fault("may not specify a duration less than 10 minutes"),
        MIN_SECONDS..=MAX_SECONDS => Ok(seconds),
        _ => fault("may not specify a duration larger than 2^32 seconds"),
    }
}

fn audiences(call: &Call<'_>, spec: &Value) -> Vec<String> {
    let wanted: Vec<String> =
        spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if wanted.is_empty() { vec![call.server.tokens.default_audience().to_owned()] } else { wanted }
}

/// Ties the token to an object: it is void when the object is gone.
async fn bind(call: &Call<'_>, reference: &Value, claims: &mut Claims) -> Result<()> {
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    if !reference.is_object() {
        return Ok(());
    }
    let (kind, name) = (text("kind"), text("name"));
    if !matches!(kind, "Pod" | "Secret") {
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount to object of type {}/{kind}",
            text("apiVersion")
        )));
    }
    let object = call.server.get(well_known("", kind), Some(&claims.namespace), name).await?;
    let (uid, own) = (text("uid"), meta::uid(&object.value));
    if !uid.is_empty() && uid != own {
        let plural = if kind == "Pod" { "pods" } else { "secrets" };
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", plural, name, &why));
    }
    let bound = Bound { name: name.to_owned(), uid: own.to_owned() };
    if kind == "Secret" {
        claims.secret = Some(bound);
        return Ok(());
    }
    let pod = &object.value["spec"];
    if pod["serviceAccountName"] != claims.account.name.as_str() {
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
            claims.account.name
        )));
    }
    claims.pod = Some(bound);
    let node = pod["nodeName"].as_str().unwrap_or_default();
    if let Some(found) = call.server.find(well_known("", "Node"), None, node).await?.filter(|_| !node.is_empty()) {
        claims.node = Some(Bound { name: node.to_owned(), uid: meta::uid(&found.value).to_owned() });
    }
    Ok(())
}
