//! Strategic merge of documents that keep how they were written, by Kustomize's rules.

use std::borrow::Cow;

use kpkg_api::patch::strategic::{self, Kind, Mode, StrategicError, Tree};
use kpkg_yaml::Style;
use kpkg_yaml::node::{Fields, Node, Scalar};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::schema::{Place, Schemas};
use crate::tree::set_field;

/// Applies a patch to a document; false if the patch deletes it.
pub(crate) fn merge(object: &mut Node, patch: Node, schemas: &Schemas) -> Result<bool> {
    let stated = |api_version: &str, kind: &str| schemas.of_kind(api_version, kind);
    strategic::merge::<Document, Place<'_>>(Mode::Kustomize, object, patch, None, &stated).map_err(Error::from)
}

impl From<StrategicError> for Error {
    fn from(error: StrategicError) -> Self {
        let name = |kind: Kind| match kind {
            Kind::Null | Kind::Scalar => "ScalarNode",
            Kind::List => "SequenceNode",
            Kind::Map => "MappingNode",
        };
        match error {
            StrategicError::OtherKind { expected, found } => {
                Self::Shape { expected: name(expected), found: name(found) }
            }
            StrategicError::BadDirective { directive, .. } => {
                Self::rule(format!("unknown patch strategy '{directive}'"))
            }
            other => Self::rule(other.to_string()),
        }
    }
}

/// Trees of YAML as documents.
#[derive(Debug, Clone, Copy)]
enum Document {}

impl Tree for Document {
    type Node = Node;
    type Style = Style;
    type Name = Scalar;

    fn kind(node: &Node) -> Kind {
        match node {
            Node::Scalar(scalar) if scalar.is_null() => Kind::Null,
            Node::Scalar(_) => Kind::Scalar,
            Node::List(_) => Kind::List,
            Node::Map(_) => Kind::Map,
        }
    }

    fn text(node: &Node) -> Cow<'_, str> {
        node.text().into()
    }

    fn is_equal(a: &Node, b: &Node) -> bool {
        a == b
    }

    fn to_json(node: &Node) -> Value {
        node.to_json().unwrap_or_else(|_| node.text().into())
    }

    fn empty() -> Node {
        Node::map()
    }

    fn name(text: &str) -> Scalar {
        Scalar::bare(text)
    }

    fn name_text(name: &Scalar) -> &str {
        &name.text
    }

    fn scalar(text: &str, old: Option<&Node>) -> Node {
        let bare = Scalar::bare(text);
        Node::Scalar(match old.and_then(Node::as_scalar) {
            Some(old) => Scalar { style: old.style, line: old.line, ..bare },
            None => bare,
        })
    }

    fn style(node: &Node) -> Option<Style> {
        node.as_scalar().map(|scalar| scalar.style)
    }

    fn restyle(node: &mut Node, style: Style) {
        if let Node::Scalar(scalar) = node {
            scalar.style = style;
        }
    }

    fn elements(node: &Node) -> Option<&[Node]> {
        node.as_list()
    }

    fn elements_mut(node: &mut Node) -> Option<&mut Vec<Node>> {
        node.as_list_mut()
    }

    fn len(node: &Node) -> usize {
        node.as_map().map_or(0, Fields::len)
    }

    fn get<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
        node.get(name)
    }

    fn get_mut<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
        node.get_mut(name)
    }

    fn remove(node: &mut Node, name: &str) -> Option<Node> {
        node.as_map_mut()?.remove(name)
    }

    fn insert(node: &mut Node, name: Scalar, value: Node) {
        let Some(fields) = node.as_map_mut() else { return };
        let mut one = Fields::default();
        set_field(&mut one, &name.text, value);
        fields.extend(one.into_iter().map(|(bare, value)| (Scalar { style: name.style, ..bare }, value)));
    }

    fn fields(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
        node.as_map().into_iter().flat_map(Fields::iter).map(|(name, value)| (name.text.as_str(), value))
    }

    fn retain(node: &mut Node, mut keep: impl FnMut(&str, &mut Node) -> bool) {
        if let Some(fields) = node.as_map_mut() {
            fields.retain(|name, value| keep(&name.text, value));
        }
    }

    fn into_fields(node: Node) -> Vec<(Scalar, Node)> {
        match node {
            Node::Map(fields) => fields.into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
