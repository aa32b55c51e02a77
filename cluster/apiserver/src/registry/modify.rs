//! Changing one object, however many others are at it.

use super::{Context, not_found};
use crate::{
    ApiServer, custom,
    failure::Result,
    shelf::{Object, Write},
};
use kpkg_api::{
    meta,
    schema::Kind,
    status::{MODIFIED, Status},
};
use kpkg_store::Precondition;
use serde_json::Value;
use std::sync::Arc;

/// How often a change is made anew before the client is told to.
const ATTEMPTS: usize = 16;

/// What is to become of an object.
pub(crate) enum Step {
    Write(Value),
    Keep,
    Remove,
}

/// What became of an object.
#[derive(Debug)]
pub(crate) enum Modified {
    Written(Arc<Object>),
    Kept(Arc<Object>),
    Removed(Arc<Object>),
}

impl Modified {
    /// The object as it now is, or last was.
    pub(crate) fn into_object(self) -> Arc<Object> {
        match self {
            Self::Written(object) | Self::Kept(object) | Self::Removed(object) => object,
        }
    }
}

/// Decides what becomes of an object as it is; called anew when another write was faster.
pub(crate) type Decide<'a> = &'a mut (dyn FnMut(&Object) -> Result<Step> + Send);

impl ApiServer {
    /// Changes an object as `decide` says.
    pub(crate) async fn modify(
        &self,
        context: &Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        decide: Decide<'_>,
    ) -> Result<Modified> {
        let shelf = self.shelf(kind);
        let key = shelf.key(namespace, name);
        let mut current = shelf.get(&key).await?;
        for _ in 0..ATTEMPTS {
            let object = current.ok_or_else(|| not_found(kind, name))?;
            let step = match decide(&object)? {
                // What changes nothing is not written.
                Step::Write(value) if value == object.value => Step::Keep,
                step => step,
            };
            let write = match step {
                Step::Keep => return Ok(Modified::Kept(object)),
                Step::Write(value) if context.dry_run => {
                    return Ok(Modified::Written(Arc::new(Object::new(object.revision, value))));
                }
                Step::Remove if context.dry_run => return Ok(Modified::Removed(object)),
                Step::Write(value) => shelf
                    .put(key.clone(), value, Precondition::ModRevision(object.revision))
                    .await?
                    .map(Modified::Written),
                Step::Remove => shelf.delete(key.clone(), &object).await?.map(Modified::Removed),
            };
            match write {
                Ok(modified) => {
                    if custom::is_definition(kind) {
                        self.serve_customs().await?;
                    }
                    return Ok(modified);
                }
                Err(newer) => current = newer,
            }
        }
        Err(Status::modified(kind.group, kind.plural, name))
    }
}

impl Write {
    fn map(self, done: impl FnOnce(Arc<Object>) -> Modified) -> std::result::Result<Modified, Option<Arc<Object>>> {
        match self {
            Self::Done(object) => Ok(done(object)),
            Self::Lost(newer) => Err(newer),
        }
    }
}

/// Fails unless the object is still the one that the client has seen. Empty means any.
pub(super) fn check_preconditions(kind: &Kind, object: &Value, uid: &str, resource_version: &str) -> Result<()> {
    let name = meta::name(object);
    let conflict = |why: &str| Err(Status::conflict(kind.group, kind.plural, name, why));
    let own = meta::uid(object);
    if !uid.is_empty() && uid != own {
        return conflict(&format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"));
    }
    let own = meta::resource_version(object);
    if !resource_version.is_empty() && resource_version != own {
        return conflict(&format!(
            "Precondition failed: ResourceVersion in precondition: {resource_version}, ResourceVersion in object meta: {own}"
        ));
    }
    Ok(())
}

/// Fails unless a new version of an object was made from this one.
pub(super) fn check_version(kind: &Kind, old: &Value, new: &Value) -> Result<()> {
    check_preconditions(kind, old, meta::uid(new), "")?;
    let version = meta::resource_version(new);
    if !version.is_empty() && version != "0" && version != meta::resource_version(old) {
        return Err(Status::conflict(kind.group, kind.plural, meta::name(old), MODIFIED));
    }
    Ok(())
}
