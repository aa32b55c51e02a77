//! `pods/binding`: the scheduler's decision.

use super::{decode, done, spoken};
use crate::{
    ApiServer, accept,
    body::Decoded,
    failure::Result,
    http::Call,
    path::ResourcePath,
    registry::{Context, Step, well_known},
    reply,
    shelf::Object,
};
use axum::body::Body;
use http::{Response, StatusCode};
use kpkg_api::{meta, schema, status::Status, text::quote, validate::FieldError};
use serde_json::{Value, json};

pub(super) async fn handle(call: &Call<'_>, path: &ResourcePath, name: &str, body: Body) -> Result<Response<Body>> {
    let binding = decode(call, body, spoken("", "v1", "Binding")).await?;
    bind(call, &call.context()?, path, name, &binding).await
}

/// The same by `POST /api/v1/namespaces/NAMESPACE/bindings`, where the body names the pod.
pub(crate) async fn bind_by_collection(
    call: &Call<'_>,
    context: &Context,
    path: &ResourcePath,
    decoded: Decoded,
) -> Result<Response<Body>> {
    let mut binding = decoded.value;
    schema::conform(path.kind.type_(), &mut binding).map_err(|error| Status::bad_request(error.to_string()))?;
    let name = meta::name(&binding).to_owned();
    if name.is_empty() {
        return Err(invalid("", FieldError::required("metadata.name", "name or generateName is required")));
    }
    bind(call, context, path, &name, &binding).await
}

async fn bind(
    call: &Call<'_>,
    context: &Context,
    path: &ResourcePath,
    name: &str,
    binding: &Value,
) -> Result<Response<Body>> {
    let (_, encoding) = accept::objects(&call.parts.headers, accept::Include::None)?;
    let own = meta::name(binding);
    if !own.is_empty() && own != name {
        return Err(Status::bad_request(format!("name in URL does not match name in Binding object: {name} != {own}")));
    }
    call.server.bind(context, path.namespace.as_deref().unwrap_or_default(), name, binding).await?;
    Ok(reply::encoded(StatusCode::CREATED, encoding, &done()))
}

fn invalid(name: &str, fault: FieldError) -> Status {
    Status::invalid_kind("", "Binding", name, &[fault])
}

impl ApiServer {
    /// Assigns a pod to a node.
    async fn bind(&self, context: &Context, namespace: &str, name: &str, binding: &Value) -> Result<()> {
        let target = &binding["target"];
        let kind = target["kind"].as_str().unwrap_or_default();
        if !matches!(kind, "" | "Node") {
            let fault = FieldError::not_supported("target.kind", kind, &["Node", "<empty>"]);
            return Err(invalid(name, fault));
        }
        let node = target["name"].as_str().unwrap_or_default();
        if node.is_empty() {
            return Err(invalid(name, FieldError::required("target.name", "")));
        }
        let mut decide = |pod: &Object| assign(context, name, &pod.value, node, binding);
        self.modify(context, well_known("", "Pod"), Some(namespace), name, &mut decide).await.map(drop)
    }
}

fn assign(context: &Context, name: &str, pod: &Value, node: &str, binding: &Value) -> Result<Step> {
    let conflict = |why: &str| Err(Status::conflict("", "pods/binding", name, why));
    let uid = meta::uid(binding);
    if !uid.is_empty() && uid != meta::uid(pod) {
        let own = meta::uid(pod);
        return conflict(&format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"));
    }
    if meta::deletion_timestamp(pod).is_some() {
        return conflict(&format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let current = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    if !current.is_empty() {
        return conflict(&format!("pod {name} is already assigned to node {}", quote(current)));
    }
    if pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
        return conflict(&format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let mut new = pod.clone();
    new["spec"]["nodeName"] = node.into();
    for sort in ["annotations", "labels"] {
        for (key, value) in meta::strings(&binding["metadata"][sort]) {
            let all = meta::metadata_mut(&mut new).entry(sort).or_insert_with(|| json!({}));
            all[key] = value.into();
        }
    }
    set_scheduled(&mut new, &context.now_text());
    Ok(Step::Write(new))
}

fn set_scheduled(pod: &mut Value, now: &str) {
    let conditions = &mut pod["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let Some(conditions) = conditions.as_array_mut() else { return };
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
    }));
}
