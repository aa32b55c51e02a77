//! Lists that are merged: paired by one key, in the order of the live list; `$setElementOrder`.

use super::{
    directive::{self, Directive, ORDER, PATCH},
    error::{Result, StrategicError},
    place::{Merging, Place},
    tree::{Kind, Tree},
    walk::Merge,
};
use crate::text::plain;

impl<'p, T: Tree, P: Place<'p>> Merge<'_, T, P> {
    /// Merges two lists; false if nothing is left.
    pub(super) fn list(&self, old: &mut T::Node, new: T::Node, place: Option<P>) -> Result<bool> {
        let (Some(merging), elements) = (place.and_then(P::merging), place.and_then(P::elements)) else {
            *old = new;
            return Ok(true);
        };
        let mut new = new;
        let (Some(list), Some(patch)) = (T::elements_mut(old), T::elements_mut(&mut new)) else { return Ok(true) };
        let patch = std::mem::take(patch);
        if self.mode.pairs_by_texts() {
            return self.pair_by_texts(list, patch, &merging, elements);
        }
        *list = self.pair_by_key(std::mem::take(list), patch, &merging, elements)?;
        Ok(true)
    }

    /// Merges two lists; elements of the patch keep the patch's order, the others fill in between.
    fn pair_by_key(
        &self,
        mut list: Vec<T::Node>,
        patch: Vec<T::Node>,
        merging: &Merging<'_>,
        elements: Option<P>,
    ) -> Result<Vec<T::Node>> {
        if list.is_empty() && patch.is_empty() {
            return Ok(list);
        }
        if !holds_objects::<T>(&list, &patch)? {
            let (order, live) = (Order::<T>::of(&patch, None), Order::of(&list, None));
            list.extend(patch);
            let mut kept: Vec<T::Node> = Vec::with_capacity(list.len());
            for item in list {
                if !kept.iter().any(|other| T::is_equal(other, &item)) {
                    kept.push(item);
                }
            }
            return Ok(arrange(kept, &order, &live));
        }
        let key = merging.merge_key.ok_or_else(|| StrategicError::NoKeyDeclared(merging.list.to_owned()))?;
        let patch = carry_out::<T>(&mut list, patch, key)?;
        let (order, live) = (Order::<T>::of(&patch, Some(key)), Order::of(&list, Some(key)));
        for element in patch {
            let value = T::get(&element, key).ok_or_else(|| no_key::<T>(&element, key))?;
            let partner = list.iter_mut().find(|old| T::get(old, key).is_some_and(|old| T::is_equal(old, value)));
            match partner {
                Some(old) => {
                    self.value(old, element, elements)?;
                }
                None => list.push(element),
            }
        }
        check_keys::<T>(&list, key)?;
        Ok(arrange(list, &order, &live))
    }

    /// `$setElementOrder`: merges each list that has one and arranges it, taking both out of the patch.
    pub(super) fn ordered_lists(&self, object: &mut T::Node, patch: &mut T::Node, place: Option<P>) -> Result<()> {
        let directives: Vec<String> =
            T::fields(patch).filter(|(name, _)| name.starts_with(ORDER)).map(|(name, _)| name.to_owned()).collect();
        for directive in directives {
            let Some(order) = T::remove(patch, &directive) else { continue };
            let order = T::elements(&order).ok_or_else(|| mismatch::<T>("list", &order))?;
            let name = directive.strip_prefix(ORDER).and_then(|rest| rest.strip_prefix('/'));
            let name = name.ok_or(StrategicError::BadElementOrder)?;
            let place = place.and_then(|place| place.field(name)).ok_or(StrategicError::BadElementOrder)?;
            let (old, new) = (take_list::<T>(object, name)?, take_list::<T>(patch, name)?);
            if let Some(merged) = self.ordered_list(old, new, order, place)? {
                T::insert(object, T::name(name), merged);
            }
        }
        Ok(())
    }

    fn ordered_list(
        &self,
        old: Option<T::Node>,
        new: Option<T::Node>,
        order: &[T::Node],
        place: P,
    ) -> Result<Option<T::Node>> {
        let elements = |node: &Option<T::Node>| node.as_ref().and_then(T::elements).unwrap_or_default().to_vec();
        let key = place.merging().and_then(|merging| merging.merge_key);
        check_order::<T>(&elements(&new), order, key)?;
        let live = Order::<T>::of(&elements(&old), key);
        let mut merged = match (old, new) {
            (None, None) => return Ok(None),
            (Some(old), None) => old,
            (None, Some(mut new)) => {
                directive::without_directives::<T>(&mut new);
                new
            }
            (Some(mut old), Some(new)) => {
                self.list(&mut old, new, Some(place))?;
                old
            }
        };
        let Some(list) = T::elements_mut(&mut merged) else { return Ok(None) };
        if let Some(key) = key {
            check_keys::<T>(list, key)?;
            check_keys::<T>(order, key)?;
        }
        *list = arrange(std::mem::take(list), &Order::of(order, key), &live);
        Ok(Some(merged))
    }
}

/// Carries out `$patch` in elements: deleting pairs, or replacing the whole list. What is left of the patch is merged.
fn carry_out<T: Tree>(list: &mut Vec<T::Node>, patch: Vec<T::Node>, key: &str) -> Result<Vec<T::Node>> {
    let mut plain = Vec::new();
    let mut replaces = false;
    for element in patch {
        match Directive::of::<T>(&element)? {
            None => plain.push(element),
            Some(Directive::Delete) => {
                let value = T::get(&element, key).ok_or_else(|| no_key::<T>(&element, key))?;
                list.retain(|old| !T::get(old, key).is_some_and(|old| T::is_equal(old, value)));
            }
            Some(Directive::Replace) => replaces = true,
            Some(Directive::Merge) => return Err(StrategicError::MergeInList),
        }
    }
    if replaces {
        *list = std::mem::take(&mut plain);
    }
    Ok(plain)
}

/// What tells the elements of a list apart, in its order.
struct Order<'k, T: Tree> {
    identities: Vec<Identity<T>>,
    key: Option<&'k str>,
}

/// What tells an element from others: the value of its key, or itself.
enum Identity<T: Tree> {
    Key(Option<T::Node>),
    Whole(T::Node),
}

impl<'k, T: Tree> Order<'k, T> {
    fn of(list: &[T::Node], key: Option<&'k str>) -> Self {
        let identity = |element: &T::Node| match key {
            Some(key) if T::kind(element) == Kind::Map => Identity::Key(T::get(element, key).cloned()),
            _ => Identity::Whole(element.clone()),
        };
        Self { identities: list.iter().map(identity).collect(), key }
    }

    /// Where the list has an element.
    fn place(&self, element: &T::Node) -> Option<usize> {
        self.identities.iter().position(|identity| self.is_of(identity, element))
    }

    fn is_of(&self, identity: &Identity<T>, element: &T::Node) -> bool {
        match (identity, self.key) {
            (Identity::Key(value), Some(key)) if T::kind(element) == Kind::Map => match (value, T::get(element, key)) {
                (Some(value), Some(other)) => T::is_equal(value, other),
                (None, None) => true,
                _ => false,
            },
            (Identity::Whole(value), _) => T::is_equal(value, element),
            (Identity::Key(_), _) => false,
        }
    }
}

/// Puts the elements that `order` names into its order, and the others between them as the live list has them.
fn arrange<T: Tree>(merged: Vec<T::Node>, order: &Order<'_, T>, live: &Order<'_, T>) -> Vec<T::Node> {
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for item in merged {
        match (order.place(&item), live.place(&item)) {
            (Some(place), live) => named.push((place, live, item)),
            (None, live) => others.push((live, item)),
        }
    }
    named.sort_by_key(|(place, ..)| *place);
    others.sort_by_key(|(live, _)| *live);
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some((_, right, _)), Some((left, _))) = (named.peek(), others.peek()) {
        let before = matches!((left, right), (Some(left), Some(right)) if left < right);
        arranged.extend(if before { others.next().map(|(_, item)| item) } else { named.next().map(|(.., item)| item) });
    }
    arranged.extend(named.map(|(.., item)| item));
    arranged.extend(others.map(|(_, item)| item));
    arranged
}

/// The elements of the patch must stand in the order that the directive gives.
fn check_order<T: Tree>(patch: &[T::Node], order: &[T::Node], key: Option<&str>) -> Result<()> {
    if order.is_empty() || patch.is_empty() {
        return Ok(());
    }
    let wanted = Order::<T>::of(order, key);
    let mut wanted = wanted.identities.iter().map(|identity| (&wanted, identity));
    for element in patch.iter().filter(|element| T::get(element, PATCH).is_none()) {
        if let (Some(key), Kind::Map) = (key, T::kind(element)) {
            T::get(element, key).ok_or_else(|| no_key::<T>(element, key))?;
        }
        if !wanted.any(|(order, identity)| order.is_of(identity, element)) {
            let text = |list: &[T::Node]| plain(&list.iter().map(T::to_json).collect());
            return Err(StrategicError::OrderMismatch { patch: text(patch), order: text(order) });
        }
    }
    Ok(())
}

/// Whether the elements are objects; all must be of one sort.
pub(super) fn holds_objects<T: Tree>(a: &[T::Node], b: &[T::Node]) -> Result<bool> {
    let mut all = a.iter().chain(b).map(|item| match T::kind(item) {
        Kind::List => Err(StrategicError::ListOfLists),
        kind => Ok(kind == Kind::Map),
    });
    let first = all.next().unwrap_or(Ok(false))?;
    for other in all {
        if other? != first {
            return Err(StrategicError::Mismatch { expected: "map", actual: "string" });
        }
    }
    Ok(first)
}

fn check_keys<T: Tree>(list: &[T::Node], key: &str) -> Result<()> {
    list.iter().try_for_each(|item| match T::kind(item) {
        Kind::Map if T::get(item, key).is_some() => Ok(()),
        Kind::Map => Err(no_key::<T>(item, key)),
        _ => Err(mismatch::<T>("map", item)),
    })
}

fn take_list<T: Tree>(map: &mut T::Node, name: &str) -> Result<Option<T::Node>> {
    match T::remove(map, name) {
        Some(other) if T::kind(&other) != Kind::List => Err(mismatch::<T>("list", &other)),
        list => Ok(list),
    }
}

fn no_key<T: Tree>(map: &T::Node, key: &str) -> StrategicError {
    StrategicError::NoMergeKey { map: plain(&T::to_json(map)), key: key.to_owned() }
}

fn mismatch<T: Tree>(expected: &'static str, actual: &T::Node) -> StrategicError {
    let actual = match T::to_json(actual) {
        serde_json::Value::Null => "nil",
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Number(_) => "int64",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "slice",
        serde_json::Value::Object(_) => "map",
    };
    StrategicError::Mismatch { expected, actual }
}
