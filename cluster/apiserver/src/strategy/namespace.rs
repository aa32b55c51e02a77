//! Namespaces: what is in them is deleted before they are.

use kpkg_api::meta;
use serde_json::{Value, json};

/// Who must let go of a namespace's content.
const FINALIZER: &str = "kubernetes";

/// A new namespace is held until its content is gone; it carries its name as a label.
pub(super) fn create(object: &mut Value) {
    let finalizers = object["spec"]["finalizers"].as_array().cloned().unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        let finalizers: Vec<_> = finalizers.into_iter().chain([json!(FINALIZER)]).collect();
        object["spec"] = json!({ "finalizers": finalizers });
    }
    label(object);
}

/// Finalizers are changed through `finalize` only.
pub(super) fn update(old: &Value, new: &mut Value) {
    super::copy(old, new, "spec");
    label(new);
}

fn label(object: &mut Value) {
    let name = meta::name(object).to_owned();
    let metadata = meta::metadata_mut(object);
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    labels["kubernetes.io/metadata.name"] = name.into();
}
