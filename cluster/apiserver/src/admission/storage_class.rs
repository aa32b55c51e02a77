//! Claims that name no class get the default one; what is in use is protected from deletion.

use crate::{ApiServer, failure::Result, registry::well_known};
use kpkg_api::{meta, schema::Kind};
use serde_json::{Value, json};

const IS_DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const LEGACY_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// Gives a claim the default class: the newest of those marked so.
pub(super) async fn admit(server: &ApiServer, claim: &mut Value) -> Result<()> {
    // An empty name is a choice: no class.
    if claim["spec"]["storageClassName"].is_string() || meta::annotation(claim, LEGACY_CLASS).is_some() {
        return Ok(());
    }
    let classes = server.shelf(well_known("storage.k8s.io", "StorageClass")).all(None).await?;
    let newest = classes
        .iter()
        .filter(|class| meta::annotation(&class.value, IS_DEFAULT) == Some("true"))
        .max_by_key(|class| class.value["metadata"]["creationTimestamp"].as_str());
    if let Some(class) = newest {
        meta::child_mut(claim, "spec").insert("storageClassName".to_owned(), meta::name(&class.value).into());
    }
    Ok(())
}

/// Keeps a claim or a volume from being deleted while it is in use; the controllers lift it.
pub(super) fn protect(kind: &Kind, object: &mut Value) {
    let finalizer =
        if kind.kind == "PersistentVolume" { "kubernetes.io/pv-protection" } else { "kubernetes.io/pvc-protection" };
    if meta::finalizers(object).any(|own| own == finalizer) {
        return;
    }
    let finalizers = meta::metadata_mut(object).entry("finalizers").or_insert_with(|| json!([]));
    if let Some(finalizers) = finalizers.as_array_mut() {
        finalizers.push(finalizer.into());
    }
}
