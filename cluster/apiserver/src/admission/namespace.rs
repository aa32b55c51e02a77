//! Nothing is made in a namespace that does not exist or is going away; some namespaces stay.

use crate::{ApiServer, failure::Result, registry::well_known};
use kpkg_api::{meta, schema::Kind, status::Status};
use serde_json::Value;

/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Fails unless the object's namespace exists and is there to stay.
pub(super) async fn may_create(server: &ApiServer, kind: &'static Kind, object: &Value) -> Result<()> {
    if !kind.namespaced {
        return Ok(());
    }
    let namespace = meta::namespace(object);
    let found = server.get(well_known("", "Namespace"), None, namespace).await?;
    if meta::deletion_timestamp(&found.value).is_none() && found.value["status"]["phase"] != "Terminating" {
        return Ok(());
    }
    let name = match meta::name(object) {
        "" => meta::generate_name(object),
        name => name,
    };
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let cause = format!("namespace {namespace} is being terminated");
    Err(Status::forbidden(kind.group, kind.plural, name, &why).with_cause(
        "NamespaceTerminating",
        &cause,
        "metadata.namespace",
    ))
}

/// Fails for namespaces that the cluster cannot do without.
pub(crate) fn may_delete(kind: &Kind, name: &str) -> Result<()> {
    if kind.is("", "Namespace") && IMMORTAL.contains(&name) {
        return Err(Status::forbidden("", kind.plural, name, "this namespace may not be deleted"));
    }
    Ok(())
}
