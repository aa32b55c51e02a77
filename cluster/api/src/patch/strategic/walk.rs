//! The way through two documents: values, objects and their fields.

use std::marker::PhantomData;

use super::{
    directive::{self, DELETE_FROM, Directive},
    error::{Result, StrategicError},
    mode::Mode,
    place::Place,
    tree::{Kind, Tree},
};

/// One application of a patch.
pub(super) struct Merge<'a, T, P> {
    pub(super) mode: Mode,
    /// What is known of an object that states its `apiVersion` and `kind`.
    pub(super) stated: &'a dyn Fn(&str, &str) -> Option<P>,
    pub(super) tree: PhantomData<T>,
}

/// A part that only one of the two documents has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lone {
    /// Only the object has it; it is merged with nothing.
    Old,
    /// Only the patch has it.
    New,
    /// It stands within a part that only the patch has, and is merged with itself.
    Within,
}

impl Lone {
    /// What the parts of such a part are.
    fn inner(self) -> Self {
        if self == Self::Old { Self::Old } else { Self::Within }
    }
}

impl<'p, T: Tree, P: Place<'p>> Merge<'_, T, P> {
    /// Merges a value of a patch into an object's; false if it goes.
    pub(super) fn value(&self, old: &mut T::Node, mut new: T::Node, place: Option<P>) -> Result<bool> {
        let place = place.or_else(|| self.place_of(old)).or_else(|| self.place_of(&new));
        match (T::kind(old), T::kind(&new)) {
            (_, Kind::Null) => return Ok(false),
            (Kind::Map, Kind::Map) if !self.replaces(place) => return self.map(old, new, place),
            (Kind::List, Kind::List) => return self.list(old, new, place),
            (Kind::Map, Kind::Map) | (Kind::Scalar, Kind::Scalar) => {}
            (Kind::Null, _) if !self.is_new(&mut new, place)? => return Ok(false),
            (Kind::Null, _) => {}
            (..) if self.mode.replaces_other_kinds() => {
                if !self.is_new(&mut new, place)? {
                    return Ok(false);
                }
            }
            (expected, found) => return Err(StrategicError::OtherKind { expected, found }),
        }
        *old = new;
        Ok(true)
    }

    fn replaces(&self, place: Option<P>) -> bool {
        self.mode.replaces_objects() && place.is_some_and(P::is_replaced)
    }

    fn place_of(&self, node: &T::Node) -> Option<P> {
        let scalar = |name: &str| T::get(node, name).filter(|value| T::kind(value) == Kind::Scalar).map(T::text);
        let (api_version, kind) = (scalar("apiVersion")?, scalar("kind")?);
        if api_version.is_empty() || kind.is_empty() { None } else { (self.stated)(&api_version, &kind) }
    }

    /// Merges a patch into an object; false if it goes.
    fn map(&self, object: &mut T::Node, mut patch: T::Node, place: Option<P>) -> Result<bool> {
        match Directive::take::<T>(self.mode, &mut patch)? {
            Directive::Merge => {}
            Directive::Delete if self.mode.empties_deleted() => {
                *object = T::empty();
                return Ok(true);
            }
            Directive::Delete => return Ok(false),
            Directive::Replace => {
                if self.mode.merges_lone_parts() {
                    self.lone_fields(&mut patch, place, Lone::Within)?;
                }
                *object = patch;
                return Ok(true);
            }
        }
        if self.mode.has_list_directives() {
            directive::retain_keys::<T>(object, &mut patch)?;
            self.ordered_lists(object, &mut patch, place)?;
        }
        let mut patch = T::into_fields(patch);
        // Of a field that is given twice, the first counts.
        patch.sort_by(|(a, _), (b, _)| T::name_text(a).cmp(T::name_text(b)));
        patch.dedup_by(|(later, _), (first, _)| T::name_text(later) == T::name_text(first));
        if self.mode.merges_lone_parts() {
            let is_patched = |name: &str| patch.binary_search_by(|(other, _)| T::name_text(other).cmp(name)).is_ok();
            try_retain::<T>(object, |name, value| {
                Ok(is_patched(name) || self.lone(value, place.and_then(|place| place.field(name)), Lone::Old)?)
            })?;
        }
        patch.into_iter().try_for_each(|(name, value)| self.field(object, name, value, place))?;
        Ok(true)
    }

    fn field(&self, object: &mut T::Node, name: T::Name, mut value: T::Node, place: Option<P>) -> Result<()> {
        let text = T::name_text(&name);
        if self.mode.has_list_directives()
            && let Some(rest) = text.strip_prefix(DELETE_FROM)
        {
            let list = rest.strip_prefix('/').ok_or(StrategicError::BadPrimitiveList)?;
            return directive::delete_from::<T>(object, list, &value);
        }
        let place = place.and_then(|place| place.field(text));
        match T::get_mut(object, text) {
            Some(old) => {
                let style = T::style(old);
                if !self.value(old, value, place)? {
                    T::remove(object, text);
                } else if let Some(style) = style {
                    T::restyle(old, style);
                }
            }
            None => {
                if T::kind(&value) != Kind::Null && self.is_new(&mut value, place)? {
                    T::insert(object, name, value);
                }
            }
        }
        Ok(())
    }

    /// Makes a part that the object lacks ready to go in; false if nothing of it does.
    pub(super) fn is_new(&self, value: &mut T::Node, place: Option<P>) -> Result<bool> {
        if self.mode.merges_lone_parts() {
            self.lone(value, place, Lone::New)
        } else {
            Ok(directive::clean::<T>(value))
        }
    }

    /// Merges a part that only one document has; false if it goes.
    pub(super) fn lone(&self, node: &mut T::Node, place: Option<P>, side: Lone) -> Result<bool> {
        let place = place.or_else(|| self.place_of(node));
        match T::kind(node) {
            // A null that is written out stays if a patch says nothing of it; an empty one goes.
            Kind::Null => Ok(side == Lone::Old && !T::text(node).is_empty()),
            Kind::Scalar => Ok(true),
            Kind::List => self.lone_list(node, place, side),
            Kind::Map => {
                let directive = match side {
                    Lone::Old => Directive::Merge,
                    // A directive that is not known is no error where there is nothing to patch.
                    Lone::New => Directive::take::<T>(self.mode, node).unwrap_or(Directive::Merge),
                    Lone::Within => Directive::take::<T>(self.mode, node)?,
                };
                if directive == Directive::Delete {
                    return Ok(false);
                }
                self.lone_fields(node, place, side.inner()).map(|()| true)
            }
        }
    }

    /// Merges the fields of a part that only one document has; each of them is such a part.
    fn lone_fields(&self, node: &mut T::Node, place: Option<P>, side: Lone) -> Result<()> {
        try_retain::<T>(node, |name, value| self.lone(value, place.and_then(|place| place.field(name)), side))
    }
}

/// Drops the fields for which `keep` says no, up to the first error.
fn try_retain<T: Tree>(map: &mut T::Node, mut keep: impl FnMut(&str, &mut T::Node) -> Result<bool>) -> Result<()> {
    let mut failure = None;
    T::retain(map, |name, value| {
        failure.is_some()
            || keep(name, value).unwrap_or_else(|error| {
                failure = Some(error);
                true
            })
    });
    failure.map_or(Ok(()), Err)
}
