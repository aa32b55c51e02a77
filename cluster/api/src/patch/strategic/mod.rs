//! Strategic merge patch: a merge patch that knows which lists are merged, and by which key.
//!
//! Objects are merged key by key; null deletes. A list is replaced unless its [`Place`] says that it is merged: lists
//! of objects are paired by their keys, lists of scalars are united. Directives in the patch say more:
//! `$patch: replace|delete|merge` in an object, `$deleteFromPrimitiveList/f`, `$setElementOrder/f` and `$retainKeys`
//! beside the fields.
//!
//! One implementation serves the API server and overlays. What they differ in is named: whose rules count is the
//! [`Mode`], in what form documents are kept is the [`Tree`], and where the knowledge of lists comes from is the
//! [`Place`]. The API server's are JSON and the type table ([`apply`]); [`merge`] takes any.

mod directive;
mod error;
mod list;
mod mode;
mod place;
mod texts;
mod tree;
mod walk;

pub use error::StrategicError;
pub use mode::Mode;
pub use place::{Merging, Place, Typed};
pub use tree::{Json, Kind, Tree};

use std::marker::PhantomData;

use error::Result;
use serde_json::Value;
use walk::Merge;

use crate::schema::Type;

/// Applies a patch to an object of a type. On failure the object is left half changed: work on a copy.
pub fn apply(mode: Mode, type_: &Type, object: &mut Value, patch: &Value) -> Result<()> {
    if !patch.is_object() {
        return Err(StrategicError::BadDocument);
    }
    if !object.is_object() {
        *object = Json::empty();
    }
    if !merge::<Json, _>(mode, object, patch.clone(), Some(Typed::Object(type_)), &|_, _| None)? {
        *object = Json::empty();
    }
    Ok(())
}

/// Merges a patch into an object of any form; false if the patch deletes it, which leaves it half changed, as failure
/// does.
///
/// `stated` tells what is known of an object, at the root or below, that states its `apiVersion` and `kind`. It is
/// asked only where nothing is known from the place that the object has.
pub fn merge<'p, T: Tree, P: Place<'p>>(
    mode: Mode,
    object: &mut T::Node,
    patch: T::Node,
    place: Option<P>,
    stated: &dyn Fn(&str, &str) -> Option<P>,
) -> Result<bool> {
    Merge::<T, P> { mode, stated, tree: PhantomData }.value(object, patch, place)
}

#[cfg(test)]
mod tests;
