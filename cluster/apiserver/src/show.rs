//! Objects as clients want to see them.

use crate::{
    ApiServer,
    accept::{Form, Include},
    custom::{self, Custom},
    registry,
    shelf::Object,
    tables,
};
use bytes::Bytes;
use kpkg_api::schema::Kind;
use serde_json::{Value, json};
use std::sync::Arc;

/// A kind, and how its objects are shown.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) kind: &'static Kind,
    /// What is known of it, if it is a custom one.
    custom: Option<Arc<Custom>>,
}

impl ApiServer {
    /// How objects of a kind are shown.
    pub(crate) fn view(&self, kind: &'static Kind) -> View {
        View { kind, custom: kind.custom.then(|| self.catalogs.current().custom(kind).cloned()).flatten() }
    }
}

/// One object, as JSON.
pub(crate) fn object(view: &View, form: Form, object: &Arc<Object>) -> Bytes {
    let kind = view.kind;
    match form {
        Form::Object if registry::is_own(kind, &object.value) => object.json().clone(),
        Form::Object => registry::shown(kind, &object.value).to_string().into(),
        Form::Partial => partial(&object.value).to_string().into(),
        Form::Table(include) => {
            let metadata = json!({"resourceVersion": object.value["metadata"]["resourceVersion"]});
            table(view, std::slice::from_ref(object), include, metadata, true)
        }
    }
}

/// The metadata only.
pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// A list, as JSON. `metadata` is the list's.
pub(crate) fn list(view: &View, form: Form, objects: &[Arc<Object>], metadata: Value) -> Bytes {
    let kind = view.kind;
    let (list_kind, api_version) = match form {
        Form::Object => (format!("{}List", kind.kind), kind.api_version()),
        Form::Partial => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        Form::Table(include) => return table(view, objects, include, metadata, true),
    };
    // Put together from the objects' own bytes, which are encoded once.
    let mut body =
        format!(r#"{{"kind":"{list_kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#).into_bytes();
    for (at, item) in objects.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&self::object(view, form, item));
    }
    body.extend_from_slice(b"]}\n");
    body.into()
}

/// A table, as JSON. `metadata` is the list's.
pub(crate) fn table(
    view: &View,
    objects: &[Arc<Object>],
    include: Include,
    metadata: Value,
    with_columns: bool,
) -> Bytes {
    let shown: Vec<_> = objects.iter().map(|object| registry::shown(view.kind, &object.value)).collect();
    let objects = shown.iter().map(AsRef::as_ref);
    let table = match &view.custom {
        Some(custom) => custom::table(custom, objects, metadata, include, with_columns),
        None => tables::table(view.kind, objects, metadata, include, with_columns),
    };
    table.to_string().into()
}
