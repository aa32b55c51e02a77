//! The merge of lists whose elements are paired.

use std::collections::BTreeSet;

use kpkg_yaml::node::{Fields, Node, Scalar};

use crate::error::{Error, Result};
use crate::merge::{Directive, Merger, Sources, list_directive};
use crate::schema::{Pairing, Schema};
use crate::tree::{kind_name, set_field};

/// The values of an element's keys.
type Values = Vec<String>;

/// Merges two lists; `None` if nothing is left.
pub(crate) fn walk<'a>(
    merger: Merger<'a>,
    sources: Sources,
    schema: Option<Schema<'a>>,
    pairing: &Pairing,
) -> Result<Option<Node>> {
    let (object, patch) = match sources {
        Sources::Same(Node::List(items)) => (items, None),
        Sources::Both(object, patch) => match (object, patch) {
            (Some(Node::List(object)), Some(Node::List(mut patch))) => match list_directive(&mut patch)? {
                Directive::Delete => return Ok(None),
                Directive::Replace => (patch, None),
                Directive::Merge => (object, Some(patch)),
            },
            (Some(Node::List(_)), Some(_)) => return Ok(None),
            (Some(Node::List(object)), None) => (object, Some(Vec::new())),
            (_, Some(Node::List(patch))) => (patch, None),
            _ => return Ok(None),
        },
        Sources::Same(other) => return Ok(Some(other)),
    };
    let merge = ListMerge { merger, elements: schema.and_then(Schema::elements), object, patch, items: Vec::new() };
    merge.run(pairing).map(|items| Some(Node::List(items)))
}

/// An element of the result: one of the object's, by its place, or another.
enum Item {
    Old(usize),
    New(Node),
}

/// A merge under way.
struct ListMerge<'a> {
    merger: Merger<'a>,
    elements: Option<Schema<'a>>,
    object: Vec<Node>,
    /// `None` if the object's list is new and stands for both.
    patch: Option<Vec<Node>>,
    items: Vec<Item>,
}

impl ListMerge<'_> {
    fn run(mut self, pairing: &Pairing) -> Result<Vec<Node>> {
        let (keys, mut list) = match pairing {
            Pairing::Keys(keys) => (keys.clone(), self.key_values(keys)),
            Pairing::Values => (vec![String::new()], self.scalar_values()),
        };
        if list.is_empty() {
            return Ok(self.object);
        }
        if keys.len() > 1 {
            complete(&mut list);
        }
        let mut removed = BTreeSet::new();
        let mut valid_keys = Vec::new();
        for values in &list {
            let valid_values;
            (valid_keys, valid_values) = valid(&list, values, &keys);
            self.merge_element(&valid_keys, &valid_values, &mut removed)?;
        }
        for at in 0..self.object.len() {
            if !removed.contains(&at) && !self.is_dropped(at) {
                self.append_old(at, &valid_keys)?;
            }
        }
        let mut object: Vec<Option<Node>> = self.object.into_iter().map(Some).collect();
        let items = self.items.into_iter();
        Ok(items
            .filter_map(|item| match item {
                Item::New(node) => Some(node),
                // An element may stand in the result twice; the second time it is copied from the first.
                Item::Old(at) => object[at].clone().or_else(|| object[at].take()),
            })
            .collect())
    }

    fn is_dropped(&self, at: usize) -> bool {
        self.object[at].is_null()
    }

    /// The key values of all elements, the patch's first.
    fn key_values(&self, keys: &[String]) -> Vec<Values> {
        let mut seen = BTreeSet::new();
        let elements = self.patch.iter().flatten().chain(&self.object);
        let values = elements.map(|element| keys.iter().map(|key| key_value(element, key)).collect::<Values>());
        values.filter(|values| seen.insert(values.clone())).collect()
    }

    fn scalar_values(&self) -> Vec<Values> {
        let mut seen = BTreeSet::new();
        let elements = self.patch.iter().flatten().chain(&self.object);
        elements
            .map(|element| element.text().to_owned())
            .filter(|text| seen.insert(text.clone()))
            .map(|text| vec![text])
            .collect()
    }

    /// Merges the elements with those key values into one, and puts it into the result.
    fn merge_element(&mut self, keys: &[String], values: &[String], removed: &mut BTreeSet<usize>) -> Result<()> {
        let (match_keys, match_values) = valid(&[values.to_vec()], values, keys);
        let old = find(&self.object, &match_keys, &match_values);
        let new = self.patch.as_ref().map(|patch| find(patch, &match_keys, &match_values));
        let old_node = old.map(|at| self.object[at].clone());
        let (sources, is_replaced) = match new {
            None => match old_node {
                Some(node) => (Sources::Same(node), false),
                None => (Sources::Both(None, None), false),
            },
            Some(new) => {
                let new_node = new.and_then(|at| self.patch.as_ref().map(|patch| patch[at].clone()));
                let is_replaced = new_node.as_ref().is_some_and(replaces);
                (Sources::Both(old_node, new_node), is_replaced)
            }
        };
        let merged = self.merger.walk(sources, self.elements)?;
        let merged = merged.filter(|node| !node.is_null() && !node.as_map().is_some_and(Fields::is_empty));
        let Some(mut merged) = merged else {
            self.remove_old(keys, values, removed);
            return Ok(());
        };
        for (key, value) in keys.iter().zip(values) {
            complete_key(&mut merged, key, value)?;
        }
        let item = match old {
            Some(at) if !is_replaced => {
                self.object[at] = merged;
                Item::Old(at)
            }
            _ => Item::New(merged),
        };
        self.set(Some(item), keys, values);
        Ok(())
    }

    fn remove_old(&mut self, keys: &[String], values: &[String], removed: &mut BTreeSet<usize>) {
        for at in 0..self.object.len() {
            let element = &self.object[at];
            let is_gone = element.is_null() || element.as_map().is_some_and(Fields::is_empty);
            if is_gone || (is_settable(element, keys, values) && has(element, keys, values)) {
                removed.insert(at);
            }
        }
    }

    fn node<'b>(&'b self, item: &'b Item) -> &'b Node {
        match item {
            Item::Old(at) => &self.object[*at],
            Item::New(node) => node,
        }
    }

    /// Puts an element in the place of those with the key values, or at the end; with nothing to put, takes them out.
    fn set(&mut self, element: Option<Item>, keys: &[String], values: &[String]) {
        let mut element = element;
        let mut kept = Vec::with_capacity(self.items.len() + 1);
        let mut found = false;
        for item in std::mem::take(&mut self.items) {
            let node = self.node(&item);
            if node.is_null() || node.as_map().is_some_and(Fields::is_empty) {
                continue;
            }
            if !is_settable(node, keys, values) {
                kept.push(item);
                continue;
            }
            if !has(node, keys, values) {
                if !values.is_empty() {
                    kept.push(item);
                }
                continue;
            }
            found = true;
            match &element {
                Some(Item::Old(at)) => kept.push(Item::Old(*at)),
                Some(Item::New(node)) => kept.push(Item::New(node.clone())),
                None => {}
            }
        }
        if !found && let Some(element) = element.take() {
            kept.push(element);
        }
        self.items = kept;
    }

    /// Puts an element of the object's into the result, after the patch's.
    fn append_old(&mut self, at: usize, keys: &[String]) -> Result<()> {
        let element = &self.object[at];
        if keys.first().is_some_and(String::is_empty) {
            let value = element.text().to_owned();
            self.set(Some(Item::Old(at)), keys, &[value]);
            return Ok(());
        }
        if !element.is_null() && element.as_map().is_none() {
            return Err(Error::Shape { expected: "MappingNode", found: kind_name(element) });
        }
        let mut values = Vec::new();
        for key in keys {
            match self.object[at].get(key) {
                Some(value) => values.push(value.text().to_owned()),
                None => self.items.push(Item::Old(at)),
            }
        }
        if keys.len() > 1 {
            self.set(None, keys, &values);
        }
        self.set(Some(Item::Old(at)), keys, &values);
        Ok(())
    }
}

/// Whether an element of a patch takes the place of the object's.
fn replaces(element: &Node) -> bool {
    element.get("$patch").is_some_and(|value| value.text() == "replace")
}

fn key_value(element: &Node, key: &str) -> String {
    element.get(key).filter(|value| !value.is_empty()).map_or("", Node::text).to_owned()
}

/// Gives an element the key that it was found by but does not have.
fn complete_key(element: &mut Node, key: &str, value: &str) -> Result<()> {
    match element {
        Node::Map(fields) if fields.get(key).is_none() && !value.is_empty() => {
            set_field(fields, key, Node::bare(value));
        }
        Node::Scalar(scalar) if key.is_empty() && !value.is_empty() => {
            *scalar = Scalar { style: scalar.style, line: scalar.line, ..Scalar::bare(value) };
        }
        _ => {}
    }
    Ok(())
}

/// The first element whose keys have exactly those values.
fn find(list: &[Node], keys: &[String], values: &[String]) -> Option<usize> {
    if keys.first().is_none_or(String::is_empty) {
        let value = values.first().map_or("", String::as_str);
        return list.iter().position(|element| element.text() == value);
    }
    list.iter().position(|element| {
        element.as_map().is_some_and(|fields| {
            keys.iter().zip(values).all(|(key, value)| fields.get(key).is_some_and(|found| found.text() == value))
        })
    })
}

/// Whether an element can be compared by keys: an object, unless scalars are compared.
fn is_settable(element: &Node, keys: &[String], values: &[String]) -> bool {
    let by_field =
        keys.first().is_some_and(|key| !key.is_empty()) && values.first().is_some_and(|value| !value.is_empty());
    element.as_map().is_some() || !by_field
}

/// Whether an element has the key values; an empty value stands for any, a missing one for the one before.
fn has(element: &Node, keys: &[String], values: &[String]) -> bool {
    let mut last = false;
    for (at, key) in keys.iter().enumerate() {
        if let Some(value) = values.get(at) {
            last = if key.is_empty() {
                element.as_scalar().is_some_and(|scalar| scalar.text == *value)
            } else {
                element.get(key).is_some_and(|found| value.is_empty() || found.text() == value)
            };
        }
        if !last {
            return false;
        }
    }
    last
}

/// Fills missing key values in from elements that agree in the others.
fn complete(list: &mut [Values]) {
    for left in 0..list.len() {
        for right in 0..list.len() {
            if let Some(united) = unite(&list[left], &list[right]) {
                list[left].clone_from(&united);
                list[right] = united;
            }
        }
    }
}

fn unite(left: &Values, right: &Values) -> Option<Values> {
    let mut common = false;
    let mut united = Vec::with_capacity(left.len());
    for (left, right) in left.iter().zip(right) {
        if left == right {
            common = true;
        } else if !left.is_empty() && !right.is_empty() {
            return None;
        }
        united.push(if left.is_empty() { right.clone() } else { left.clone() });
    }
    common.then_some(united)
}

/// The keys that some element has, and an element's values of them.
fn valid(list: &[Values], values: &[String], keys: &[String]) -> (Vec<String>, Vec<String>) {
    let used = |at: usize| list.iter().any(|values| values.get(at).is_some_and(|value| !value.is_empty()));
    let used: Vec<bool> = (0..keys.len()).map(used).collect();
    if !used.contains(&true) {
        return (keys.to_vec(), values.to_vec());
    }
    let kept_keys = keys.iter().zip(&used).filter(|(_, used)| **used).map(|(key, _)| key.clone()).collect();
    let kept_values =
        values.iter().zip(&used).filter(|(value, used)| !value.is_empty() || **used).map(|(value, _)| value.clone());
    (kept_keys, kept_values.collect())
}
