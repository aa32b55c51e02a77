//! Lists whose elements are paired by all their keys, compared as texts; the patch's elements come first.
//!
//! This is Kustomize's way. Some of what follows from it looks odd, above all where elements lack keys or repeat
//! them: an element may be found twice, and finds the lists as the elements before it have left them. It is kept, for
//! the output shows it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    directive::Directive,
    error::{Result, StrategicError},
    place::{Merging, Place},
    tree::{Kind, Tree},
    walk::{Lone, Merge},
};

/// The values of an element's keys.
type Values = Vec<String>;

impl<'p, T: Tree, P: Place<'p>> Merge<'_, T, P> {
    /// Merges two lists; false if nothing is left.
    pub(super) fn pair_by_texts(
        &self,
        list: &mut Vec<T::Node>,
        mut patch: Vec<T::Node>,
        merging: &Merging<'_>,
        elements: Option<P>,
    ) -> Result<bool> {
        *list = match Directive::take_from_list::<T>(&mut patch)? {
            Directive::Delete => return Ok(false),
            Directive::Replace => Pairs::of(self, elements, patch, None).run(merging)?,
            Directive::Merge => Pairs::of(self, elements, std::mem::take(list), Some(patch)).run(merging)?,
        };
        Ok(true)
    }

    /// Merges a list that only one document has; false if nothing is left.
    pub(super) fn lone_list(&self, node: &mut T::Node, place: Option<P>, side: Lone) -> Result<bool> {
        let Some(merging) = place.and_then(P::merging) else { return Ok(true) };
        let Some(list) = T::elements_mut(node) else { return Ok(true) };
        if side == Lone::Within && Directive::take_from_list::<T>(list)? == Directive::Delete {
            return Ok(false);
        }
        let patch = (side == Lone::Old).then(Vec::new);
        *list = Pairs::of(self, place.and_then(P::elements), std::mem::take(list), patch).run(&merging)?;
        Ok(true)
    }
}

/// More keys than any list of the built-in types has.
const MOST_KEYS: usize = 4;

/// A merge under way.
struct Pairs<'m, 'a, T: Tree, P> {
    merge: &'m Merge<'a, T, P>,
    elements: Option<P>,
    /// All elements there are. The lists below hold places in it.
    nodes: Vec<T::Node>,
    /// The object's list.
    old: Vec<usize>,
    /// The patch's list; `None` if the object's list is new and stands for both.
    patch: Option<Vec<usize>>,
    /// The result.
    items: Vec<usize>,
}

impl<'m, 'a, 'p, T: Tree, P: Place<'p>> Pairs<'m, 'a, T, P> {
    fn of(
        merge: &'m Merge<'a, T, P>,
        elements: Option<P>,
        mut nodes: Vec<T::Node>,
        patch: Option<Vec<T::Node>>,
    ) -> Self {
        let old = (0..nodes.len()).collect();
        let patch = patch.map(|patch| {
            let first = nodes.len();
            nodes.extend(patch);
            (first..nodes.len()).collect()
        });
        Self { merge, elements, nodes, old, patch, items: Vec::new() }
    }

    fn run(mut self, merging: &Merging<'_>) -> Result<Vec<T::Node>> {
        let mut keys = merging.keys();
        if keys.is_empty() {
            keys.push("");
        }
        if let Some(partners) = self.partners(&keys) {
            return self.merge_distinct(&keys, &partners);
        }
        let mut list = self.values(&keys);
        if keys.len() > 1 {
            complete(&mut list);
        }
        let used = used(&list, keys.len());
        let keys: Vec<&str> = chosen(&keys, &used);
        for values in &list {
            self.merge_element(&keys, &chosen(values, &used))?;
        }
        for at in std::mem::take(&mut self.old) {
            self.append(at, &keys)?;
        }
        Ok(self.into_list())
    }

    /// For each of the patch's elements the object's with the same keys, where all elements have all keys and no list
    /// repeats any.
    fn partners(&self, keys: &[&str]) -> Option<Vec<Option<usize>>> {
        let mut old = BTreeMap::new();
        for at in &self.old {
            if old.insert(identity::<T>(&self.nodes[*at], keys)?, *at).is_some() {
                return None;
            }
        }
        let patch = self.patch.as_deref().unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut partners = Vec::with_capacity(patch.len());
        for at in patch {
            let identity = identity::<T>(&self.nodes[*at], keys)?;
            partners.push(old.get(&identity).copied());
            if !seen.insert(identity) {
                return None;
            }
        }
        Some(partners)
    }

    /// What [`Pairs::run`] makes of lists whose elements differ in keys that all of them have: the patch's come first;
    /// those with several keys only if they are new.
    fn merge_distinct(mut self, keys: &[&str], partners: &[Option<usize>]) -> Result<Vec<T::Node>> {
        let mut is_settled = vec![false; self.old.len()];
        let mut is_paired = is_settled.clone();
        for (new, old) in self.patch.clone().unwrap_or_default().into_iter().zip(partners) {
            let is_left = self.merge_pair(*old, Some(new))?.is_some();
            if let Some(old) = *old {
                is_paired[old] = true;
                is_settled[old] = !is_left || keys.len() == 1;
            }
            if is_left && (old.is_none() || keys.len() == 1) {
                self.items.push(old.unwrap_or(new));
            }
        }
        for at in self.old.clone() {
            if !is_settled[at] && (is_paired[at] || self.merge_pair(Some(at), None)?.is_some()) {
                self.items.push(at);
            }
        }
        if keys == [""] {
            for at in &self.items {
                let text = T::text(&self.nodes[*at]).into_owned();
                complete_key::<T>(&mut self.nodes[*at], "", &text);
            }
        }
        Ok(self.into_list())
    }

    /// The elements of the result; one that stands in it several times is copied.
    fn into_list(self) -> Vec<T::Node> {
        let mut last = vec![0; self.nodes.len()];
        for (place, item) in self.items.iter().enumerate() {
            last[*item] = place;
        }
        let mut nodes = self.nodes;
        let items = self.items.into_iter().enumerate();
        items
            .map(|(place, item)| if last[item] == place { T::take(&mut nodes[item]) } else { nodes[item].clone() })
            .collect()
    }

    /// The key values of all elements, the patch's first; of scalars, their texts.
    fn values(&self, keys: &[&str]) -> Vec<Values> {
        let value = |element: &T::Node, key: &&str| match *key {
            "" => T::text(element).into_owned(),
            key => match T::get(element, key) {
                Some(value) if T::kind(value) == Kind::Scalar => T::text(value).into_owned(),
                _ => String::new(),
            },
        };
        let mut seen = BTreeSet::new();
        let elements = self.patch.iter().flatten().chain(&self.old);
        let values = elements.map(|at| keys.iter().map(|key| value(&self.nodes[*at], key)).collect::<Values>());
        values.filter(|values| seen.insert(values.clone())).collect()
    }

    /// Merges the elements with those key values into one, and puts it into the result.
    fn merge_element(&mut self, keys: &[&str], values: &[String]) -> Result<()> {
        let used = used(&[values.to_vec()], keys.len());
        let (match_keys, match_values) = (chosen(keys, &used), chosen(values, &used));
        let find = |list: &Vec<usize>| {
            list.iter().copied().find(|at| is_it::<T>(&self.nodes[*at], &match_keys, &match_values))
        };
        let (old, new) = (find(&self.old), self.patch.as_ref().and_then(find));
        match self.merge_pair(old, new)? {
            Some(at) => {
                for (key, value) in keys.iter().zip(values) {
                    complete_key::<T>(&mut self.nodes[at], key, value);
                }
                set::<T>(&self.nodes, &mut self.items, Some(at), keys, values);
            }
            None => set::<T>(&self.nodes, &mut self.old, None, keys, values),
        }
        Ok(())
    }

    /// Merges an element of the object's and one of the patch's; the place of what is left.
    fn merge_pair(&mut self, old: Option<usize>, new: Option<usize>) -> Result<Option<usize>> {
        let (at, is_left) = match (old, new) {
            (None, None) => return Ok(None),
            (Some(at), None) if self.patch.is_none() => (at, self.lone(at, Lone::Within)?),
            (Some(at), None) => (at, self.lone(at, Lone::Old)?),
            (None, Some(at)) => (at, self.lone(at, Lone::New)?),
            (Some(_), Some(at)) if Directive::of::<T>(&self.nodes[at])? == Some(Directive::Replace) => {
                (at, self.lone(at, Lone::Within)?)
            }
            (Some(at), Some(new)) => {
                let patch = self.nodes[new].clone();
                // Who finds the patch's element again finds it without the directive.
                Directive::take::<T>(self.merge.mode, &mut self.nodes[new])?;
                (at, self.merge.value(&mut self.nodes[at], patch, self.elements)?)
            }
        };
        Ok((is_left && !is_void::<T>(&self.nodes[at])).then_some(at))
    }

    fn lone(&mut self, at: usize, side: Lone) -> Result<bool> {
        self.merge.lone(&mut self.nodes[at], self.elements, side)
    }

    /// Puts an element of the object's into the result, after the patch's.
    fn append(&mut self, at: usize, keys: &[&str]) -> Result<()> {
        let element = &self.nodes[at];
        if keys.first().is_some_and(|key| key.is_empty()) {
            if T::kind(element) != Kind::Null {
                let value = T::text(element).into_owned();
                set::<T>(&self.nodes, &mut self.items, Some(at), keys, &[value]);
            }
            return Ok(());
        }
        match T::kind(element) {
            Kind::Map => {}
            // Without any key, it is taken for all that stands before it.
            Kind::Null => {
                self.items.clear();
                return Ok(());
            }
            found => return Err(StrategicError::OtherKind { expected: Kind::Map, found }),
        }
        let values: Values = keys.iter().filter_map(|key| Some(T::text(T::get(element, key)?).into_owned())).collect();
        // An element goes in once for each key that it lacks.
        self.items.extend(std::iter::repeat_n(at, keys.len() - values.len()));
        if keys.len() > 1 {
            set::<T>(&self.nodes, &mut self.items, None, keys, &values);
        }
        set::<T>(&self.nodes, &mut self.items, Some(at), keys, &values);
        Ok(())
    }
}

/// Puts an element in the place of those with the key values, or at the end; with nothing to put, takes them out.
fn set<T: Tree>(nodes: &[T::Node], list: &mut Vec<usize>, element: Option<usize>, keys: &[&str], values: &[String]) {
    let mut is_found = false;
    let mut keep = |item: &mut usize| {
        let node = &nodes[*item];
        if is_void::<T>(node) {
            return false;
        }
        if !is_comparable::<T>(node, keys, values) {
            return true;
        }
        if !has::<T>(node, keys, values) {
            return !values.is_empty();
        }
        is_found = true;
        *item = element.unwrap_or(*item);
        element.is_some()
    };
    list.retain_mut(&mut keep);
    if !is_found {
        list.extend(element);
    }
}

/// The texts of an element's keys, if it has all of them; a scalar's own is its key.
fn identity<'n, T: Tree>(element: &'n T::Node, keys: &[&str]) -> Option<[Cow<'n, str>; MOST_KEYS]> {
    let mut identity = [const { Cow::Borrowed("") }; MOST_KEYS];
    if keys.len() > MOST_KEYS {
        return None;
    }
    for (place, key) in identity.iter_mut().zip(keys) {
        let value = if key.is_empty() { Some(element) } else { T::get(element, key) };
        *place = T::text(value.filter(|value| T::kind(value) == Kind::Scalar)?);
        if place.is_empty() {
            return None;
        }
    }
    Some(identity)
}

/// Whether it is null or an object without fields.
pub(super) fn is_void<T: Tree>(node: &T::Node) -> bool {
    match T::kind(node) {
        Kind::Null => true,
        Kind::Map => T::len(node) == 0,
        Kind::Scalar | Kind::List => false,
    }
}

/// Gives an element the key that it was found by but does not have.
fn complete_key<T: Tree>(element: &mut T::Node, key: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    match T::kind(element) {
        Kind::Map if T::get(element, key).is_none() => T::insert(element, T::name(key), T::scalar(value, None)),
        Kind::Null | Kind::Scalar if key.is_empty() => *element = T::scalar(value, Some(element)),
        _ => {}
    }
}

/// Whether an element's keys have exactly those values.
fn is_it<T: Tree>(element: &T::Node, keys: &[&str], values: &[String]) -> bool {
    if keys.first().is_none_or(|key| key.is_empty()) {
        return T::text(element) == values.first().map_or("", String::as_str);
    }
    let fits = |(key, value): (&&str, &String)| T::get(element, key).is_some_and(|found| T::text(found) == **value);
    T::kind(element) == Kind::Map && keys.iter().zip(values).all(fits)
}

/// Whether an element can be compared by keys: an object, unless scalars are compared.
fn is_comparable<T: Tree>(element: &T::Node, keys: &[&str], values: &[String]) -> bool {
    let is_by_field =
        keys.first().is_some_and(|key| !key.is_empty()) && values.first().is_some_and(|value| !value.is_empty());
    !is_by_field || T::kind(element) == Kind::Map
}

/// Whether an element has the key values; an empty value stands for any, a missing one for the one before.
fn has<T: Tree>(element: &T::Node, keys: &[&str], values: &[String]) -> bool {
    let fits = |key: &str, value: &String| match key {
        "" => matches!(T::kind(element), Kind::Null | Kind::Scalar) && T::text(element) == **value,
        key => T::get(element, key).is_some_and(|found| value.is_empty() || T::text(found) == **value),
    };
    // Values may be fewer than keys, and without any there is nothing to have.
    !values.is_empty() && keys.iter().zip(values).all(|(key, value)| fits(key, value))
}

/// Fills missing key values in from elements that agree in the others.
fn complete(list: &mut [Values]) {
    if !list.iter().flatten().any(String::is_empty) {
        return;
    }
    for at in 0..list.len() {
        // What comes of it counts for the others only when it is their turn.
        let values = list[at].clone();
        for other in 0..list.len() {
            if let Some(united) = unite(&values, &list[other]) {
                list[at].clone_from(&united);
                list[other] = united;
            }
        }
    }
}

fn unite(left: &Values, right: &Values) -> Option<Values> {
    let mut is_common = false;
    let mut united = Vec::with_capacity(left.len());
    for (left, right) in left.iter().zip(right) {
        if left == right {
            is_common = true;
        } else if !left.is_empty() && !right.is_empty() {
            return None;
        }
        united.push(if left.is_empty() { right.clone() } else { left.clone() });
    }
    is_common.then_some(united)
}

/// Which keys some element has; all of them if no element has any.
fn used(list: &[Values], count: usize) -> Vec<bool> {
    let is_used = |at: usize| list.iter().any(|values| values.get(at).is_some_and(|value| !value.is_empty()));
    let used: Vec<bool> = (0..count).map(is_used).collect();
    if used.contains(&true) { used } else { vec![true; count] }
}

/// The items, which stand for keys, whose keys are used.
fn chosen<I: Clone>(items: &[I], used: &[bool]) -> Vec<I> {
    items.iter().zip(used).filter(|(_, used)| **used).map(|(item, _)| item.clone()).collect()
}
