//! Admission: what must hold beyond the object itself, and what is added to it on the way in.

pub(crate) mod namespace;
mod pod;
mod service_account;
mod storage_class;

use crate::{ApiServer, failure::Result, registry::Context};
use kpkg_api::schema::Kind;
use serde_json::Value;

/// Admits a new object; may add to it.
pub(crate) async fn create(
    server: &ApiServer,
    context: &mut Context,
    kind: &'static Kind,
    object: &mut Value,
) -> Result<()> {
    namespace::may_create(server, kind, object).await?;
    match (kind.group, kind.kind) {
        ("", "Pod") => {
            service_account::admit(server, object).await?;
            pod::admit(object);
            Ok(())
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
        _ => {
            let _ = context;
            Ok(())
        }
    }
}

/// Admits a new version of an object; may change it.
pub(crate) fn update(_context: &Context, kind: &'static Kind, _old: &Value, new: &mut Value) -> Result<()> {
    if kind.is("", "Pod") {
        pod::admit_update(new);
    }
    Ok(())
}
