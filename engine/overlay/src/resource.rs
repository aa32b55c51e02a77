//! A resource: its document, and what must be remembered of it while it is built.

use std::collections::BTreeMap;
use std::rc::Rc;

use kpkg_yaml::node::{Node, Scalar};

use crate::error::{Error, Result};
use crate::id::{Id, split_api_version};
use crate::origin::Origin;
use crate::trace::Chapter;
use crate::tree::{map_at, set_field, string_map};

/// Annotations that only ever last as long as a build does.
const BUILD_ANNOTATIONS: &[&str] = &[
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
    "internal.config.kubernetes.io/helm-generated",
];

/// What a generated resource does to one of the same identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Behavior {
    /// Nothing was said.
    #[default]
    Unspecified,
    /// There must be none.
    Create,
    /// It takes its place.
    Replace,
    /// Its data is added.
    Merge,
}

/// A name that a resource had earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) kind: String,
    pub(crate) name: String,
    /// As it counted then: `default` where there was none.
    pub(crate) namespace: String,
}

/// What is remembered of a resource while it is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) formers: Vec<Former>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    /// Variables that take their value from it.
    pub(crate) vars: Vec<String>,
    pub(crate) behavior: Behavior,
    /// Whether its name gets a hash of its content.
    pub(crate) needs_hash: bool,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
    /// Whether a generator made it.
    pub(crate) generated: bool,
    /// Whether it comes out of a chart, so that its namespace was set there.
    pub(crate) from_chart: bool,
    /// Where it comes from, if that is to be told.
    pub(crate) origin: Option<Origin>,
    /// What changed it, if that is to be told.
    pub(crate) transformations: Vec<Origin>,
    /// The file it was read from, empty if there is none.
    pub(crate) source: Rc<str>,
    /// What traced fields of it have been.
    pub(crate) story: Vec<Chapter>,
}

impl Memory {
    /// Whether Kustomize, which remembers in annotations, has given the resource any.
    pub(crate) fn is_in_annotations(&self) -> bool {
        self.generated
            || self.needs_hash
            || self.from_chart
            || self.origin.is_some()
            || !(self.formers.is_empty() && self.prefixes.is_empty() && self.suffixes.is_empty())
    }
}

/// A resource.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) node: Node,
    pub(crate) memory: Memory,
}

impl Resource {
    /// A resource of a document that has been checked.
    pub(crate) fn new(node: Node) -> Self {
        let mut resource = Self { node, memory: Memory::default() };
        resource.recall();
        resource
    }

    /// What it is called.
    pub(crate) fn id(&self) -> Id<'_> {
        Id::of(&self.node)
    }

    /// What it was called earlier, first to last.
    pub(crate) fn former_ids(&self) -> impl Iterator<Item = Id<'_>> {
        let (group, version) = split_api_version(self.node.get("apiVersion").map_or("", Node::text));
        self.memory.formers.iter().map(move |former| Id {
            group,
            version,
            kind: &former.kind,
            name: &former.name,
            namespace: &former.namespace,
        })
    }

    /// What it was called first.
    pub(crate) fn original_id(&self) -> Id<'_> {
        self.former_ids().next().unwrap_or_else(|| self.id())
    }

    pub(crate) fn name(&self) -> &str {
        self.id().name
    }

    pub(crate) fn namespace(&self) -> &str {
        self.id().namespace
    }

    pub(crate) fn kind(&self) -> &str {
        self.node.get("kind").map_or("", Node::text)
    }

    /// Remembers what it is called now.
    pub(crate) fn remember_id(&mut self) {
        let id = self.id();
        let former = Former {
            kind: id.kind.to_owned(),
            name: id.name.to_owned(),
            namespace: id.effective_namespace().to_owned(),
        };
        self.memory.formers.push(former);
    }

    pub(crate) fn set_name(&mut self, name: &str) -> Result<()> {
        set_field(map_at(&mut self.node, "metadata")?, "name", Node::bare(name));
        Ok(())
    }

    pub(crate) fn set_namespace(&mut self, namespace: &str) -> Result<()> {
        let metadata = map_at(&mut self.node, "metadata")?;
        if namespace.is_empty() {
            metadata.remove("namespace");
        } else {
            set_field(metadata, "namespace", Node::bare(namespace));
        }
        Ok(())
    }

    pub(crate) fn set_root(&mut self, field: &str, text: &str) {
        if let Some(fields) = self.node.as_map_mut() {
            set_field(fields, field, Node::bare(text));
        }
    }

    fn metadata_map(&self, field: &str) -> Option<&Node> {
        self.node.get("metadata").filter(|metadata| !metadata.is_empty())?.get(field)
    }

    pub(crate) fn labels(&self) -> Vec<(&str, &str)> {
        string_map(self.metadata_map("labels"))
    }

    pub(crate) fn annotations(&self) -> Vec<(&str, &str)> {
        string_map(self.metadata_map("annotations"))
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        match self.metadata_map("annotations") {
            Some(Node::Map(fields)) => fields.get(key).map(Node::text),
            _ => None,
        }
    }

    /// Writes labels or annotations anew, all as strings; none at all if there are none.
    pub(crate) fn set_texts(&mut self, field: &str, texts: BTreeMap<String, String>) -> Result<()> {
        let metadata = map_at(&mut self.node, "metadata")?;
        if texts.is_empty() {
            metadata.remove(field);
        } else {
            let fields = texts.into_iter().map(|(key, value)| (Scalar::bare(key), Node::string(value)));
            metadata.insert(field, Node::Map(fields.collect()));
        }
        Ok(())
    }

    /// Takes labels, annotations, name and namespace of another one, where it has none of its own.
    pub(crate) fn inherit(&mut self, other: &Resource) -> Result<()> {
        let merged = |theirs: Vec<(&str, &str)>, ours: Vec<(&str, &str)>| -> BTreeMap<String, String> {
            theirs.into_iter().chain(ours).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let labels = merged(other.labels(), self.labels());
        self.set_texts("labels", labels)?;
        let annotations = merged(other.annotations(), self.annotations());
        self.set_texts("annotations", annotations)?;
        self.set_name(other.name())?;
        self.set_namespace(other.namespace())?;
        let needs_hash = self.memory.needs_hash && other.memory.needs_hash;
        let old = other.memory.clone();
        let new = std::mem::take(&mut self.memory);
        let transformations = if new.transformations.is_empty() { old.transformations } else { new.transformations };
        self.memory = Memory { needs_hash, origin: new.origin.or(old.origin), transformations, ..other.memory.clone() };
        Ok(())
    }

    /// Takes over what annotations of an earlier build, or of a function, say.
    fn recall(&mut self) {
        const PREFIX: &str = "internal.config.kubernetes.io/";
        if !self.annotations().iter().any(|(key, _)| key.starts_with(PREFIX)) {
            return;
        }
        let list = |name: &str| -> Vec<String> {
            let text = self.annotation(&format!("{PREFIX}{name}"));
            text.map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default()
        };
        let enabled = |name: &str| self.annotation(&format!("{PREFIX}{name}")) == Some("enabled");
        let (names, namespaces, kinds) = (list("previousNames"), list("previousNamespaces"), list("previousKinds"));
        let formers = names.into_iter().zip(namespaces).zip(kinds);
        let formers = formers.map(|((name, namespace), kind)| Former { kind, name, namespace }).collect();
        self.memory = Memory {
            formers,
            prefixes: list("prefixes"),
            suffixes: list("suffixes"),
            behavior: Behavior::from(list("generatorBehavior").concat().as_str()),
            needs_hash: enabled("needsHashSuffix"),
            allow_name_change: enabled("allowNameChange"),
            allow_kind_change: enabled("allowKindChange"),
            ..Memory::default()
        };
    }

    /// Takes over, and out, what a generator that is a program says of a resource in annotations.
    pub(crate) fn take_options(&mut self) -> Result<()> {
        const HASH: &str = "kustomize.config.k8s.io/needs-hash";
        const BEHAVIOR: &str = "kustomize.config.k8s.io/behavior";
        self.memory.needs_hash |= match self.annotation(HASH) {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
            Some(other) => {
                return Err(Error::rule(format!("the annotation {HASH:?} contains an invalid value ({other:?})")));
            }
        };
        self.memory.behavior = Behavior::from(self.annotation(BEHAVIOR).unwrap_or_default());
        let annotations = self.annotations().into_iter().filter(|(key, _)| *key != HASH && *key != BEHAVIOR);
        let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.set_texts("annotations", annotations)
    }

    /// Writes what is remembered as annotations, for a function to pass on.
    pub(crate) fn annotate_memory(&mut self) -> Result<()> {
        const PREFIX: &str = "internal.config.kubernetes.io/";
        let memory = self.memory.clone();
        let formers = |part: fn(&Former) -> &str| memory.formers.iter().map(part).collect::<Vec<_>>().join(",");
        let switch = |on: bool| if on { "enabled".to_owned() } else { String::new() };
        let texts = [
            ("previousNames", formers(|former| &former.name)),
            ("previousNamespaces", formers(|former| &former.namespace)),
            ("previousKinds", formers(|former| &former.kind)),
            ("prefixes", memory.prefixes.join(",")),
            ("suffixes", memory.suffixes.join(",")),
            ("needsHashSuffix", switch(memory.needs_hash)),
        ];
        let mut annotations: BTreeMap<String, String> =
            self.annotations().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            annotations.insert(format!("{PREFIX}{name}"), text);
        }
        self.set_texts("annotations", annotations)
    }

    /// Writes what lasts: annotations as strings, those of the build gone, origins if they are asked for.
    pub(crate) fn finish(&mut self, origins: bool, transformations: bool) -> Result<()> {
        let annotations = self.annotations().into_iter().filter(|(key, _)| {
            !BUILD_ANNOTATIONS.contains(key)
                && (origins || *key != Origin::ANNOTATION)
                && (transformations || *key != Origin::CHANGES_ANNOTATION)
        });
        let mut annotations: BTreeMap<String, String> =
            annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if let Some(origin) = self.memory.origin.as_ref().filter(|_| origins) {
            annotations.insert(Origin::ANNOTATION.to_owned(), origin.text());
        }
        if transformations && !self.memory.transformations.is_empty() {
            annotations.insert(Origin::CHANGES_ANNOTATION.to_owned(), Origin::list_text(&self.memory.transformations));
        }
        self.set_texts("annotations", annotations)
    }

    /// Whether labels fit a selector as kubectl takes it.
    pub(crate) fn matches_labels(&self, selector: &str) -> Result<bool> {
        matches(selector, &self.labels())
    }

    /// Whether annotations fit a selector.
    pub(crate) fn matches_annotations(&self, selector: &str) -> Result<bool> {
        matches(selector, &self.annotations())
    }
}

fn matches(selector: &str, texts: &[(&str, &str)]) -> Result<bool> {
    if selector.is_empty() {
        return Ok(true);
    }
    let parsed: kpkg_api::selector::LabelSelector =
        selector.parse().map_err(|error| Error::rule(format!("invalid selector {selector:?}: {error}")))?;
    Ok(parsed.matches_with(|key| texts.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)))
}

impl From<&str> for Behavior {
    fn from(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }
}

impl Behavior {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }
}

impl Resource {
    /// Adds the entries of another ConfigMap or Secret under ours.
    pub(crate) fn merge_data(&mut self, other: &Resource, field: &str) -> Result<()> {
        let entries = |resource: &Resource| -> BTreeMap<String, String> {
            let Some(Node::Map(fields)) = resource.node.get(field) else { return BTreeMap::new() };
            let text = |value: &Node| if value.is_null() { String::new() } else { value.text().to_owned() };
            fields.iter().map(|(key, value)| (key.text.clone(), text(value))).collect()
        };
        let mut merged = entries(other);
        merged.extend(entries(self));
        let found = crate::tree::kind_name(&self.node);
        let fields = self.node.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })?;
        fields.remove(field);
        if !merged.is_empty() {
            let merged = merged.into_iter().map(|(key, value)| (Scalar::bare(key), Node::string(value)));
            fields.insert(field, Node::Map(merged.collect()));
        }
        Ok(())
    }
}
