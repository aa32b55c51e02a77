//! Objects as clients want to see them.

use crate::{
    accept::{Form, Include},
    registry,
    shelf::Object,
    tables,
};
use bytes::Bytes;
use kpkg_api::schema::Kind;
use serde_json::{Value, json};
use std::sync::Arc;

/// One object, as JSON.
pub(crate) fn object(kind: &'static Kind, form: Form, object: &Arc<Object>) -> Bytes {
    match form {
        Form::Object if std::ptr::eq(kind, registry::stored_kind(kind)) => object.json().clone(),
        Form::Object => registry::shown(kind, &object.value).to_string().into(),
        Form::Partial => partial(&object.value).to_string().into(),
        Form::Table(include) => {
            let metadata = json!({"resourceVersion": object.value["metadata"]["resourceVersion"]});
            table(kind, std::slice::from_ref(object), include, metadata, true)
        }
    }
}

/// The metadata only.
pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// A list, as JSON. `metadata` is the list's.
pub(crate) fn list(kind: &'static Kind, form: Form, objects: &[Arc<Object>], metadata: Value) -> Bytes {
    let (list_kind, api_version) = match form {
        Form::Object => (format!("{}List", kind.kind), kind.api_version()),
        Form::Partial => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        Form::Table(include) => return table(kind, objects, include, metadata, true),
    };
    // Put together from the objects' own bytes, which are encoded once.
    let mut body =
        format!(r#"{{"kind":"{list_kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#).into_bytes();
    for (at, item) in objects.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&self::object(kind, form, item));
    }
    body.extend_from_slice(b"]}\n");
    body.into()
}

/// A table, as JSON. `metadata` is the list's.
pub(crate) fn table(
    kind: &'static Kind,
    objects: &[Arc<Object>],
    include: Include,
    metadata: Value,
    with_columns: bool,
) -> Bytes {
    let shown: Vec<_> = objects.iter().map(|object| registry::shown(kind, &object.value)).collect();
    tables::table(kind, shown.iter().map(AsRef::as_ref), metadata, include, with_columns).to_string().into()
}
