//! `scale`: how many replicas, the same for all workloads.

use super::spoken;
use crate::{
    accept, body,
    failure::Result,
    http::Call,
    path::ResourcePath,
    registry::{Context, Make, Model, Part, Patch, refusal},
    reply,
};
use axum::body::Body;
use http::{Method, Response, StatusCode};
use kpkg_api::{
    apply, meta,
    schema::{self, Type},
    selector::LabelSelector,
    status::Status,
    validate::FieldError,
};
use serde_json::{Value, json};

pub(super) async fn handle(call: &Call<'_>, path: &ResourcePath, name: &str, body: Body) -> Result<Response<Body>> {
    let (_, encoding) = accept::objects(&call.parts.headers, accept::Include::None)?;
    let namespace = path.namespace.as_deref();
    let model = call.server.model(path.kind)?;
    if *call.method() == Method::GET {
        let object = call.server.get(path.kind, namespace, name).await?;
        return Ok(reply::encoded(StatusCode::OK, encoding, &scale_of(&model, &object.value)));
    }
    let context = call.context()?;
    let bytes = body::read(body).await?;
    let wanted = Wanted::decode(call, &bytes)?;
    let applied = |old: &Value| wanted.server_side(&context, &model, name, old);
    let changed = |old: &Value| wanted.apply(&model, name, old);
    let make = if wanted.is_apply() { Make::Apply(&applied) } else { Make::Update(&changed) };
    let changed = call.server.change(&context, path.kind, namespace, name, Part::Scale, make).await?.into_object();
    Ok(reply::encoded(StatusCode::OK, encoding, &scale_of(&model, &changed.value)))
}

fn type_() -> &'static Type {
    spoken("autoscaling", "v1", "Scale")
}

/// The scale that a client wants: all of it, or a patch.
enum Wanted {
    Scale(Value),
    Patch(Patch),
}

impl Wanted {
    fn decode(call: &Call<'_>, bytes: &[u8]) -> Result<Self> {
        let headers = &call.parts.headers;
        if *call.method() == Method::PATCH {
            return Patch::decode(body::media_type(headers), &call.query, bytes).map(Self::Patch);
        }
        body::decode(headers, bytes, type_()).map(|decoded| Self::Scale(decoded.value))
    }

    fn is_apply(&self) -> bool {
        matches!(self, Self::Patch(Patch::Apply { .. }))
    }

    /// The workload with the number of replicas applied that is wanted.
    fn server_side(&self, context: &Context, model: &Model, name: &str, old: &Value) -> Result<Value> {
        let Self::Patch(Patch::Apply { config, force }) = self else { return self.apply(model, name, old) };
        let mut wanted = json!({});
        if !config["spec"]["replicas"].is_null() {
            model.scale_paths().set(&mut wanted, config["spec"]["replicas"].clone());
        }
        let applied =
            model.write(context, Part::Scale, |writer| apply::apply(model.node(), Some(old), &wanted, writer, *force));
        let applied = applied.map_err(|error| refusal(config, error))?;
        let mut scale = scale_of(model, &applied);
        for key in ["resourceVersion", "uid"] {
            if let Some(value) = config["metadata"].get(key) {
                scale["metadata"][key] = value.clone();
            }
        }
        let mut new = Self::Scale(scale).apply(model, name, old)?;
        new["metadata"]["managedFields"] = applied["metadata"]["managedFields"].clone();
        Ok(new)
    }

    /// The workload with the wanted number of replicas.
    fn apply(&self, model: &Model, name: &str, old: &Value) -> Result<Value> {
        let mut scale = match self {
            Self::Scale(scale) => scale.clone(),
            Self::Patch(patch) => {
                let mut scale = scale_of(model, old);
                patch.apply(Some(type_()), &mut scale)?;
                scale
            }
        };
        schema::conform(type_(), &mut scale).map_err(|error| Status::bad_request(error.to_string()))?;
        let own = meta::name(&scale);
        if !own.is_empty() && own != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({own}) does not match the name on the URL ({name})"
            )));
        }
        let replicas = scale["spec"]["replicas"].as_i64().unwrap_or_default();
        if replicas < 0 {
            let fault = FieldError::invalid("spec.replicas", replicas, "must be greater than or equal to 0");
            return Err(Status::invalid_kind("autoscaling", "Scale", name, &[fault]));
        }
        let mut new = old.clone();
        model.scale_paths().set(&mut new, replicas.into());
        // The version and the identity that the client has seen, for the check of the update.
        for key in ["resourceVersion", "uid"] {
            if let Some(value) = scale["metadata"].get(key) {
                new["metadata"][key] = value.clone();
            }
        }
        Ok(new)
    }
}

/// A workload's scale.
fn scale_of(model: &Model, object: &Value) -> Value {
    let paths = model.scale_paths();
    let selector = match model {
        Model::BuiltIn(_) => selector_of(&object["spec"]["selector"]),
        Model::Custom(_) => paths.selector(object).to_owned(),
    };
    let (wanted, there) = paths.counts(object);
    let metadata: serde_json::Map<String, Value> = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), object["metadata"].get(key)?.clone())))
        .collect();
    let mut spec = json!({});
    if let Some(replicas) = wanted.filter(|replicas| *replicas != 0) {
        spec["replicas"] = replicas.into();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": spec,
        "status": {
            "replicas": there,
            "selector": selector,
        },
    })
}

/// A selector as text; that of a `ReplicationController` is a map of labels.
fn selector_of(selector: &Value) -> String {
    let is_plain = selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none();
    let labels = json!({"matchLabels": selector});
    let parsed = LabelSelector::from_json(if is_plain { &labels } else { selector });
    parsed.map(|selector| selector.to_string()).unwrap_or_default()
}
