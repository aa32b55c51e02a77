//! Admission: what must hold beyond the object itself, and what is added to it on the way in.

pub(crate) mod namespace;
mod pod;
mod service_account;
mod storage_class;

use crate::{ApiServer, failure::Result};
use kpkg_api::schema::Kind;
use serde_json::Value;

/// Admits a new object; may add to it.
pub(crate) async fn create(server: &ApiServer, kind: &'static Kind, object: &mut Value) -> Result<()> {
    namespace::may_create(server, kind, object).await?;
    match (kind.group, kind.kind) {
        ("", "Pod") => {
            service_account::admit(server, object).await?;
            pod::admit(server, object).await
        }
        ("", "PersistentVolumeClaim") => {
            storage_class::admit(server, object).await?;
            storage_class::protect(kind, object);
            Ok(())
        }
        ("", "PersistentVolume") => {
            storage_class::protect(kind, object);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Admits a new version of an object; may change it.
pub(crate) fn update(kind: &Kind, new: &mut Value) {
    if kind.is("", "Pod") {
        pod::admit_update(new);
    }
}
