//! Directives: fields of a patch that say how to merge and are no values.

use super::{
    error::{Result, StrategicError},
    mode::Mode,
    texts::is_void,
    tree::{Kind, Tree},
};
use crate::text::plain;

/// How an object, or the list an element stands in, is merged.
pub(super) const PATCH: &str = "$patch";
/// Takes scalars out of a list.
pub(super) const DELETE_FROM: &str = "$deleteFromPrimitiveList";
/// The order of a list.
pub(super) const ORDER: &str = "$setElementOrder";
/// The fields that an object keeps.
pub(super) const RETAIN: &str = "$retainKeys";

/// What `$patch` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    /// What `$patch` says in an object, if it is there.
    pub(super) fn of<T: Tree>(map: &T::Node) -> Result<Option<Self>> {
        let Some(value) = T::get(map, PATCH) else { return Ok(None) };
        match &*T::text(value) {
            "merge" => Ok(Some(Self::Merge)),
            "replace" => Ok(Some(Self::Replace)),
            "delete" => Ok(Some(Self::Delete)),
            _ => Err(unknown::<T>(map)),
        }
    }

    /// Takes `$patch` out of an object.
    pub(super) fn take<T: Tree>(mode: Mode, map: &mut T::Node) -> Result<Self> {
        match Self::of::<T>(map)? {
            None => Ok(Self::Merge),
            Some(Self::Merge) if !mode.may_say_merge() => Err(unknown::<T>(map)),
            Some(directive) => {
                T::remove(map, PATCH);
                Ok(directive)
            }
        }
    }

    /// What a list says of itself by an element that holds nothing but `$patch`; such elements are taken out,
    /// and empty ones with them.
    pub(super) fn take_from_list<T: Tree>(list: &mut Vec<T::Node>) -> Result<Self> {
        let first = list.iter().find(|element| T::get(element, PATCH).is_some());
        let Some(element) = first.filter(|element| T::len(element) == 1) else { return Ok(Self::Merge) };
        let directive = Self::of::<T>(element)?;
        let is_it = |element: &T::Node| matches!(Self::of::<T>(element), Ok(Some(other)) if Some(other) == directive);
        list.retain(|element| !is_it(element) && !is_void::<T>(element));
        Ok(directive.unwrap_or(Self::Merge))
    }
}

/// An error about an object's `$patch`.
pub(super) fn unknown<T: Tree>(map: &T::Node) -> StrategicError {
    let directive = T::get(map, PATCH).map(|value| plain(&T::to_json(value))).unwrap_or_default();
    StrategicError::BadDirective { directive, map: plain(&T::to_json(map)) }
}

/// `$retainKeys`: what the directive does not name is dropped from the object.
pub(super) fn retain_keys<T: Tree>(object: &mut T::Node, patch: &mut T::Node) -> Result<()> {
    let Some(directive) = T::remove(patch, RETAIN) else { return Ok(()) };
    let keys = T::elements(&directive).ok_or(StrategicError::BadRetainKeys)?;
    let is_retained = |name: &str| keys.iter().any(|key| T::kind(key) == Kind::Scalar && T::text(key) == name);
    let is_directive = |name: &str| name.starts_with(DELETE_FROM) || name.starts_with(ORDER);
    if T::fields(patch).any(|(name, value)| T::kind(value) != Kind::Null && !is_directive(name) && !is_retained(name)) {
        return Err(StrategicError::BadRetainKeys);
    }
    T::retain(object, |name, _| is_retained(name));
    Ok(())
}

/// `$deleteFromPrimitiveList`: takes scalars out of a list.
pub(super) fn delete_from<T: Tree>(object: &mut T::Node, name: &str, deleted: &T::Node) -> Result<()> {
    let (Some(list), Some(deleted)) = (T::get_mut(object, name).and_then(T::elements_mut), T::elements(deleted)) else {
        return Ok(());
    };
    super::list::holds_objects::<T>(list, deleted)?;
    list.retain(|item| !deleted.iter().any(|gone| T::is_equal(gone, item)));
    Ok(())
}

/// A part that goes in as it is but for its nulls and for objects that are directives; false if it is one itself.
pub(super) fn clean<T: Tree>(node: &mut T::Node) -> bool {
    match T::kind(node) {
        Kind::Map if T::get(node, PATCH).is_some_and(|value| T::kind(value) != Kind::Null) => return false,
        Kind::Map => T::retain(node, |_, value| T::kind(value) != Kind::Null && clean::<T>(value)),
        Kind::List => {
            if let Some(list) = T::elements_mut(node) {
                list.retain_mut(clean::<T>);
            }
        }
        Kind::Null | Kind::Scalar => {}
    }
    true
}

/// The value without objects that are directives; false if it is one itself.
pub(super) fn without_directives<T: Tree>(node: &mut T::Node) -> bool {
    match T::kind(node) {
        Kind::Map if T::get(node, PATCH).is_some() => return false,
        Kind::Map => T::retain(node, |_, value| without_directives::<T>(value)),
        Kind::List => {
            if let Some(list) = T::elements_mut(node) {
                list.retain_mut(without_directives::<T>);
            }
        }
        Kind::Null | Kind::Scalar => {}
    }
    true
}
