//! What a resource is called: group, version, kind, name and namespace.

use std::fmt;

use kpkg_yaml::node::Node;

use crate::scope::is_cluster_scoped;

/// The namespace of what has none.
pub(crate) const CLUSTER: &str = "_non_namespaceable_";
/// The namespace of what names none.
const DEFAULT: &str = "default";

/// Group, version and kind; an empty part of a selector matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

/// A name as it stands, borrowed from a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
}

/// Splits `apps/v1`; the core group is empty.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

// === impl Gvk ===

impl Gvk {
    /// Whether this selector selects an identity.
    pub(crate) fn selects(&self, id: &Id<'_>) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&self.kind, id.kind) && fits(&self.group, id.group) && fits(&self.version, id.version)
    }

    /// Whether another selector selects at least what this one names.
    pub(crate) fn is_selected_by(&self, other: &Gvk) -> bool {
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        fits(&other.kind, &self.kind) && fits(&other.group, &self.group) && fits(&other.version, &self.version)
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &'static str, value: &str| if value.is_empty() { text.to_owned() } else { value.to_owned() };
        write!(
            formatter,
            "{}.{}.{}",
            part("[noKind]", &self.kind),
            part("[noVer]", &self.version),
            part("[noGrp]", &self.group)
        )
    }
}

// === impl Id ===

impl<'a> Id<'a> {
    /// The identity that a document states.
    pub(crate) fn of(node: &'a Node) -> Self {
        let (group, version) = split_api_version(node.get("apiVersion").map_or("", Node::text));
        let metadata = node.get("metadata").filter(|metadata| !metadata.is_empty());
        let text = |key: &str| {
            metadata.and_then(|metadata| metadata.get(key)).filter(|value| !value.is_null()).map_or("", Node::text)
        };
        let kind = node.get("kind").map_or("", Node::text);
        Self { group, version, kind, name: text("name"), namespace: text("namespace") }
    }

    /// Whether objects of this kind are known to have no namespace.
    pub(crate) fn is_cluster_scoped(&self) -> bool {
        is_cluster_scoped(self.group, self.version, self.kind)
    }

    /// The namespace it counts as being in.
    pub(crate) fn effective_namespace(&self) -> &'a str {
        if self.is_cluster_scoped() {
            CLUSTER
        } else if self.namespace.is_empty() {
            DEFAULT
        } else {
            self.namespace
        }
    }

    /// Whether both name one object, in whatever namespace.
    pub(crate) fn same_but_namespace(&self, other: &Id<'_>) -> bool {
        self.name == other.name && self.kind == other.kind && self.group == other.group && self.version == other.version
    }

    /// Whether both name one object.
    pub(crate) fn same(&self, other: &Id<'_>) -> bool {
        self.same_but_namespace(other) && self.effective_namespace() == other.effective_namespace()
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gvk = Gvk { group: self.group.into(), version: self.version.into(), kind: self.kind.into() };
        let name = if self.name.is_empty() { "[noName]" } else { self.name };
        let namespace = if self.namespace.is_empty() { "[noNs]" } else { self.namespace };
        write!(formatter, "{gvk}/{name}.{namespace}")
    }
}
