//! Strategic merge as Kustomize does it.
//!
//! It differs from the API server's: elements of a patch come first, keys are compared as texts, of all directives
//! only `$patch` is known, and what is missing in the object is merged with itself, so that nulls and directives in
//! new parts are carried out too. Some of what follows from Kustomize's way of pairing elements looks odd; it is kept,
//! for the output shows it.

use std::collections::BTreeMap;

use kpkg_yaml::node::{Fields, Node, Scalar};

use crate::error::{Error, Result};
use crate::merge_list;
use crate::schema::{Schema, Schemas};
use crate::tree::{kind_name, set_field};

const DIRECTIVE: &str = "$patch";

/// What a patch says of an object or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directive {
    Merge,
    Replace,
    Delete,
}

/// The two nodes that become one.
#[derive(Debug)]
pub(crate) enum Sources {
    /// The object's and the patch's.
    Both(Option<Node>, Option<Node>),
    /// One that is new and stands for both.
    Same(Node),
}

/// Applies a patch to a document; `None` if the patch deletes it.
pub(crate) fn strategic(object: Node, patch: Node, schemas: &Schemas) -> Result<Option<Node>> {
    Merger { schemas }.walk(Sources::Both(Some(object), Some(patch)), None)
}

/// One application of a patch.
#[derive(Clone, Copy)]
pub(crate) struct Merger<'a> {
    schemas: &'a Schemas,
}

fn present(node: Option<&Node>) -> Option<&Node> {
    node.filter(|node| !node.is_null())
}

impl Sources {
    fn nodes(&self) -> [Option<&Node>; 2] {
        match self {
            Self::Both(object, patch) => [object.as_ref(), patch.as_ref()],
            Self::Same(node) => [Some(node), Some(node)],
        }
    }

    /// The kind of the first node that is there; all that are there must be of that kind.
    fn kind(&self) -> Result<Option<&'static str>> {
        let [object, patch] = self.nodes().map(|node| present(node).map(kind_name));
        match (object, patch) {
            (Some(expected), Some(found)) if expected != found => Err(Error::Shape { expected, found }),
            (object, patch) => Ok(object.or(patch)),
        }
    }
}

impl<'a> Merger<'a> {
    /// Merges two nodes; `None` if nothing is left.
    pub(crate) fn walk(self, sources: Sources, schema: Option<Schema<'a>>) -> Result<Option<Node>> {
        let schema = schema.or_else(|| self.schema_of(&sources));
        match sources.kind()? {
            Some("SequenceNode") => match schema.and_then(Schema::pairing) {
                Some(pairing) => merge_list::walk(self, sources, schema, &pairing),
                None => Ok(latest(sources)),
            },
            Some("ScalarNode") => Ok(latest(sources)),
            _ => self.walk_map(sources, schema),
        }
    }

    /// The schema of an object that states its kind.
    fn schema_of(self, sources: &Sources) -> Option<Schema<'a>> {
        sources.nodes().into_iter().flatten().find_map(|node| {
            let text = |key: &str| node.get(key).filter(|value| !value.is_null()).map_or("", Node::text);
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            if api_version.is_empty() || kind.is_empty() { None } else { self.schemas.of_kind(api_version, kind) }
        })
    }

    fn walk_map(self, sources: Sources, schema: Option<Schema<'a>>) -> Result<Option<Node>> {
        let (object, patch) = match sources {
            Sources::Same(node) => return self.walk_same_map(node, schema),
            Sources::Both(object, patch) => (object, patch),
        };
        let Some(object) = object.filter(|object| !object.is_null() || is_kept_null(object, patch.is_none())) else {
            return match patch {
                Some(patch) => self.walk_same_map(patch, schema),
                None => Ok(None),
            };
        };
        let Node::Map(fields) = object else {
            return Ok(Some(object));
        };
        let Some(mut patch) = patch else {
            return self.walk_fields(fields, BTreeMap::new(), schema).map(Some);
        };
        if patch.is_null() {
            return Ok(None);
        }
        match map_directive(&mut patch)? {
            Directive::Delete => Ok(None),
            Directive::Replace => self.walk_same_fields(patch, schema).map(Some),
            Directive::Merge => {
                let Node::Map(patch) = patch else { return Ok(None) };
                let mut by_name = BTreeMap::new();
                for (key, value) in patch {
                    // Of a key that is given twice, the first counts.
                    by_name.entry(key.text.clone()).or_insert((key, value));
                }
                self.walk_fields(fields, by_name, schema).map(Some)
            }
        }
    }

    /// Merges the fields of an object with those of a patch.
    fn walk_fields(
        self,
        object: Fields,
        mut patch: BTreeMap<String, (Scalar, Node)>,
        schema: Option<Schema<'a>>,
    ) -> Result<Node> {
        let mut merged = Fields::default();
        for (key, old) in object {
            let new = patch.remove(&key.text).map(|(_, value)| value);
            let inner = schema.and_then(|schema| schema.field(&key.text));
            let style = old.as_scalar().map(|scalar| scalar.style);
            let keeps_null = new.is_none();
            if let Some(mut value) = self.walk(Sources::Both(Some(old), new), inner)?
                && (keeps_null || !value.is_null())
            {
                if let (Node::Scalar(scalar), Some(style)) = (&mut value, style) {
                    scalar.style = style;
                }
                merged.push(key, value);
            }
        }
        for (name, (key, new)) in patch {
            let inner = schema.and_then(|schema| schema.field(&name));
            if let Some(value) = self.walk(Sources::Both(None, Some(new)), inner)?.filter(|value| !value.is_null()) {
                let mut one = Fields::default();
                set_field(&mut one, &name, value);
                merged.extend(one.into_iter().map(|(bare, value)| (Scalar { style: key.style, ..bare }, value)));
            }
        }
        Ok(Node::Map(merged))
    }

    fn walk_same_map(self, mut node: Node, schema: Option<Schema<'a>>) -> Result<Option<Node>> {
        if node.is_null() {
            return Ok(Some(node));
        }
        // A directive that is not known is only an error where there is something to patch.
        if matches!(map_directive(&mut node), Ok(Directive::Delete)) {
            return Ok(None);
        }
        self.walk_same_fields(node, schema).map(Some)
    }

    fn walk_same_fields(self, node: Node, schema: Option<Schema<'a>>) -> Result<Node> {
        let Node::Map(fields) = node else { return Ok(node) };
        let mut merged = Fields::default();
        for (key, value) in fields {
            let inner = schema.and_then(|schema| schema.field(&key.text));
            if let Some(value) = self.walk(Sources::Same(value), inner)?.filter(|value| !value.is_null()) {
                merged.push(key, value);
            }
        }
        Ok(Node::Map(merged))
    }
}

/// A null that is written out stays if a patch says nothing of it; an empty one goes.
fn is_kept_null(node: &Node, unpatched: bool) -> bool {
    unpatched && !node.text().is_empty()
}

/// The patch's node, or the object's if the patch has none.
fn latest(sources: Sources) -> Option<Node> {
    match sources {
        Sources::Both(object, patch) => patch.or(object),
        Sources::Same(node) => Some(node),
    }
}

/// What a patch of an object says; the directive is taken out.
fn map_directive(patch: &mut Node) -> Result<Directive> {
    let Some(fields) = patch.as_map_mut() else { return Ok(Directive::Merge) };
    let Some(value) = fields.get(DIRECTIVE) else { return Ok(Directive::Merge) };
    let directive = directive(value.text())?;
    fields.remove(DIRECTIVE);
    Ok(directive)
}

fn directive(text: &str) -> Result<Directive> {
    match text {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(Error::rule(format!("unknown patch strategy '{other}'"))),
    }
}

/// What a patch of a list says: an element that holds nothing but the directive.
pub(crate) fn list_directive(patch: &mut Vec<Node>) -> Result<Directive> {
    let first = patch.iter().filter_map(Node::as_map).find(|fields| fields.get(DIRECTIVE).is_some());
    let Some(value) = first.filter(|fields| fields.len() == 1).and_then(|fields| fields.get(DIRECTIVE)) else {
        return Ok(Directive::Merge);
    };
    let text = value.text().to_owned();
    let directive = directive(&text)?;
    patch.retain(|element| element.get(DIRECTIVE).is_none_or(|value| value.text() != text));
    Ok(directive)
}
