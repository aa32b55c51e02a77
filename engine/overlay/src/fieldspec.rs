//! Where in which objects a rule applies, and the walk to those places.

use kpkg_yaml::node::{Node, Scalar, Tag};

use crate::error::{Error, Result, Within};
use crate::id::{Gvk, Id};
use crate::tree::{kind_name, split_path};

/// A path in objects of some kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) gvk: Gvk,
    /// As it was written.
    pub(crate) path: String,
    /// Whether a missing field is made.
    pub(crate) create: bool,
    parts: Vec<String>,
}

/// What is made where a field is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Create {
    /// Nothing.
    Nothing,
    /// A scalar, which is then set.
    Scalar,
    /// A mapping.
    Map,
}

impl FieldSpec {
    pub(crate) fn new(gvk: Gvk, path: &str, create: bool) -> Self {
        Self { gvk, path: path.to_owned(), create, parts: split_path(path, '/') }
    }

    /// A path in all objects.
    pub(crate) fn everywhere(path: &str, create: bool) -> Self {
        Self::new(Gvk::default(), path, create)
    }

    /// Whether adding the other one would add nothing.
    fn covers(&self, other: &FieldSpec) -> bool {
        self.path == other.path && self.gvk.is_selected_by(&other.gvk)
    }

    /// Calls `set` at every place in the object, if it is of the right kind.
    pub(crate) fn apply(
        &self,
        node: &mut Node,
        create: Create,
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        if self.gvk.selects(&Id::of(node)) { self.apply_to_any(node, create, set) } else { Ok(()) }
    }

    /// Calls `set` at every place in the object, of whatever kind it is.
    pub(crate) fn apply_to_any(
        &self,
        node: &mut Node,
        create: Create,
        set: &mut dyn FnMut(&mut Node) -> Result<()>,
    ) -> Result<()> {
        let create = if self.create { create } else { Create::Nothing };
        walk(node, &self.parts, create, set)
            .within(|| format!("considering field '{}' of object {}", self.path, Id::of(node)))
    }
}

fn walk(node: &mut Node, path: &[String], create: Create, set: &mut dyn FnMut(&mut Node) -> Result<()>) -> Result<()> {
    let Some((first, rest)) = path.split_first() else { return set(node) };
    match node {
        Node::Scalar(scalar) if scalar.is_null() => Ok(()),
        Node::Scalar(_) => Err(Error::rule("expected sequence or mapping node")),
        Node::List(items) => items.iter_mut().try_for_each(|item| walk(item, path, create, set)),
        Node::Map(_) => match field(node, first, rest.is_empty(), create)? {
            Some(inner) => walk(inner, rest, create, set),
            None => Ok(()),
        },
    }
}

/// The field a path leads to, made where that is wanted; null becomes what is wanted.
fn field<'a>(node: &'a mut Node, part: &str, last: bool, create: Create) -> Result<Option<&'a mut Node>> {
    let (name, sequence) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
    if name.is_empty() {
        return Err(Error::rule("cannot set or create an empty field name"));
    }
    if name.parse::<usize>().is_ok() {
        return Err(Error::Shape { expected: "SequenceNode", found: kind_name(node) });
    }
    let Node::Map(fields) = node else { return Ok(None) };
    let make: Option<fn() -> Node> = match create {
        _ if sequence => None,
        Create::Nothing => None,
        Create::Scalar if last => Some(|| Node::Scalar(Scalar::bare(""))),
        Create::Scalar | Create::Map => Some(Node::map),
    };
    let found = match make {
        Some(make) => Some(fields.get_or_insert_with(name, make)),
        None => fields.get_mut(name),
    };
    Ok(found.map(|inner| {
        if inner.is_null() {
            match make {
                Some(_) if last && create == Create::Scalar => {
                    *inner = Node::Scalar(Scalar::tagged(inner.text(), Tag::Unset));
                }
                Some(make) => *inner = make(),
                None if sequence => *inner = Node::List(Vec::new()),
                None => {}
            }
        }
        inner
    }))
}

/// Adds rules to rules; what is covered already is left out.
pub(crate) fn merge_specs(into: &mut Vec<FieldSpec>, incoming: &[FieldSpec]) -> Result<()> {
    for spec in incoming {
        match into.iter().find(|known| known.covers(spec)) {
            Some(known) if known.create != spec.create => return Err(Error::rule("conflicting fieldspecs")),
            Some(_) => {}
            None => into.push(spec.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kpkg_yaml::node::{NodeOptions, node_text, read_node};

    fn applied(spec: &FieldSpec, create: Create, text: &str) -> String {
        let mut node = read_node(text, NodeOptions::default()).expect("valid").expect("a document");
        let outcome = spec.apply(&mut node, create, &mut |node| {
            *node = Node::string("set");
            Ok(())
        });
        match outcome {
            Ok(()) => node_text(&node).expect("writes"),
            Err(error) => error.chain(),
        }
    }

    #[test]
    fn walks_lists_and_makes_fields() {
        let gvk = Gvk { kind: "A".into(), ..Gvk::default() };
        let cases = [
            (FieldSpec::everywhere("a/b", false), "a: [{b: 1}, {c: 2}]\n", "a:\n- b: set\n- c: 2\n"),
            (FieldSpec::everywhere("a/b", true), "x: 1\n", "a:\n  b: set\nx: 1\n"),
            (FieldSpec::everywhere("a/b", true), "a:\n", "a:\n  b: set\n"),
            (FieldSpec::everywhere("a[]/b", true), "a:\n", "a: []\n"),
            (FieldSpec::new(gvk, "a", true), "kind: B\n", "kind: B\n"),
        ];
        for (spec, text, want) in cases {
            assert_eq!(applied(&spec, Create::Scalar, text), want, "{text}");
        }
        assert!(applied(&FieldSpec::everywhere("a/b", false), Create::Nothing, "a: x\n").contains("expected sequence"));
    }
}
