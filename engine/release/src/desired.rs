//! From rendered text to objects.

use std::collections::HashMap;

use kpkg_yaml::Value as Yaml;

use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};
use crate::order::{self, ChartOrder};
use crate::plan::Desired;
use crate::record::{Hook, Release};

/// Whether objects of an apiVersion and kind live in namespaces; `None` for a kind that is not known.
pub type Scope<'a> = &'a dyn Fn(&str, &str) -> Option<bool>;

/// A rendered document: the template that wrote it, and the text.
#[derive(Debug, Clone)]
pub struct Document {
    /// Such as `wordpress/templates/service.yaml`.
    pub source: String,
    /// One YAML document.
    pub text: String,
}

impl Desired {
    /// Reads rendered documents and hooks; objects without a namespace go to `namespace` if their
    /// kind lives in one, as `scope` knows it or as the definitions among the documents say.
    pub fn parse(
        crds: &[Document],
        documents: &[Document],
        hooks: &[Hook],
        namespace: &str,
        scope: Scope<'_>,
    ) -> Result<Self> {
        let coming = scopes(crds.iter().chain(documents));
        let namespaced = |api_version: &str, kind: &str| {
            let group = api_version.split_once('/').map_or("", |(group, _)| group);
            let key = (group.to_owned(), kind.to_owned());
            scope(api_version, kind).or_else(|| coming.get(&key).copied())
        };
        let parse = |document: &Document| objects(document, namespace, &namespaced);
        let all = |documents: &[Document]| -> Result<Vec<Object>> {
            let lists: Vec<Vec<Object>> = documents.iter().map(parse).collect::<Result<_>>()?;
            Ok(lists.into_iter().flatten().collect())
        };
        let mut ran = Vec::new();
        for hook in hooks {
            let document = Document { source: hook.path.clone(), text: hook.manifest.clone() };
            ran.extend(parse(&document)?.into_iter().map(|object| (hook.clone(), object)));
        }
        Ok(Self { crds: all(crds)?, objects: all(documents)?, hooks: ran, charts: ChartOrder::new() })
    }

    /// What a record says was installed; what it hides is masked.
    pub fn from_record(release: &Release, cluster: &Cluster) -> Result<Self> {
        let documents = split(&release.manifest);
        let mut desired = Self::parse(&[], &documents, &release.hooks, &release.namespace, &|version, kind| {
            cluster.is_namespaced(version, kind)
        })?;
        if let Some(text) = release.chart["metadata"]["annotations"][order::RESOURCES].as_str() {
            order::chart_order(release.chart_metadata("name"), text, &mut desired.charts);
        }
        Ok(desired)
    }
}

/// The text that records keep: each document behind its source line.
pub(crate) fn join(documents: &[Document]) -> String {
    documents.iter().map(|Document { source, text }| format!("---\n# Source: {source}\n{text}\n")).collect()
}

/// The reverse of [`join`], for records of Helm's making too.
pub(crate) fn split(manifest: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    // The last line's end is no part of the text, as it is not where a separator follows.
    let manifest = manifest.strip_suffix('\n').unwrap_or(manifest);
    for part in format!("\n{manifest}").split("\n---") {
        let blank = part.len() - part.trim_start().len();
        let text = &part[part[..blank].rfind('\n').map_or(blank, |at| at + 1)..];
        if text.trim().is_empty() {
            continue;
        }
        let source = text.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or("the recorded manifest");
        documents.push(Document { source: source.to_owned(), text: text.to_owned() });
    }
    documents
}

/// Which of the kinds that definitions bring, by group and kind, live in namespaces.
fn scopes<'a>(documents: impl Iterator<Item = &'a Document>) -> HashMap<(String, String), bool> {
    let definition = |document: &Document| {
        let json = kpkg_yaml::read(&document.text).ok()?.to_json();
        let spec = &json["spec"];
        let key = (spec["group"].as_str()?.to_owned(), spec["names"]["kind"].as_str()?.to_owned());
        (json["kind"] == "CustomResourceDefinition").then(|| (key, spec["scope"] == "Namespaced"))
    };
    documents.filter(|it| it.text.contains("CustomResourceDefinition")).filter_map(definition).collect()
}

/// The objects of one document: none if it holds nothing but comments, several if it is a list of them.
fn objects(document: &Document, namespace: &str, namespaced: Scope<'_>) -> Result<Vec<Object>> {
    let refuse = |problem: String| ReleaseError::Manifest { source_file: document.source.clone(), problem };
    // As in a stream of documents, every line has an end: a block that ends the text ends with it.
    let yaml: Yaml = kpkg_yaml::read(&format!("{}\n", document.text)).map_err(|error| refuse(error.to_string()))?;
    if yaml.is_null() {
        return Ok(Vec::new());
    }
    let mut value = yaml.to_json();
    let single = |value| object(document, value, namespace, namespaced);
    match listed(&mut value) {
        Some(items) => items.into_iter().map(single).collect(),
        None => Ok(vec![single(value)?]),
    }
}

/// The items of a `List`, or of a list of one kind (`ConfigMapList`), as objects of their own.
fn listed(value: &mut serde_json::Value) -> Option<Vec<serde_json::Value>> {
    let kind = value["kind"].as_str()?.strip_suffix("List")?.to_owned();
    let api_version = value["apiVersion"].clone();
    let serde_json::Value::Array(mut items) = value.get_mut("items")?.take() else { return None };
    for item in items.iter_mut().filter(|item| !kind.is_empty() && item["kind"].is_null()) {
        if let Some(item) = item.as_object_mut() {
            item.insert("kind".to_owned(), kind.clone().into());
            item.insert("apiVersion".to_owned(), api_version.clone());
        }
    }
    Some(items)
}

fn object(document: &Document, mut value: serde_json::Value, namespace: &str, namespaced: Scope<'_>) -> Result<Object> {
    let refuse = |problem: String| ReleaseError::Manifest { source_file: document.source.clone(), problem };
    let field = |path: &str| value.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let mut id = ObjectId {
        api_version: field("/apiVersion"),
        kind: field("/kind"),
        namespace: field("/metadata/namespace"),
        name: field("/metadata/name"),
    };
    for (text, name) in [(&id.api_version, "apiVersion"), (&id.kind, "kind"), (&id.name, "metadata.name")] {
        if text.is_empty() {
            return Err(refuse(format!("the object has no `{name}`")));
        }
    }
    match namespaced(&id.api_version, &id.kind) {
        Some(true) if id.namespace.is_empty() => {
            namespace.clone_into(&mut id.namespace);
            value["metadata"]["namespace"] = namespace.into();
        }
        Some(false) => id.namespace.clear(),
        Some(true) | None => {}
    }
    Ok(Object { id, value, source: document.source.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_splits_where_it_was_joined() {
        let document = |source: &str, text: &str| Document { source: source.into(), text: text.into() };
        let documents =
            [document("a/templates/x.yaml", "kind: A"), document("a/templates/y.yaml", "kind: B\ntext: a---b")];
        let joined = join(&documents);
        assert_eq!(
            joined,
            "---\n# Source: a/templates/x.yaml\nkind: A\n---\n# Source: a/templates/y.yaml\nkind: B\ntext: a---b\n"
        );
        let sources: Vec<_> = split(&joined).into_iter().map(|it| it.source).collect();
        assert_eq!(sources, ["a/templates/x.yaml", "a/templates/y.yaml"]);
    }

    #[test]
    fn lists_are_their_items() {
        let of = |text: &str| {
            let document = Document { source: "a/templates/x.yaml".into(), text: text.into() };
            let found = objects(&document, "n", &|_, _| Some(true)).unwrap();
            found.into_iter().map(|it| format!("{} {}", it.id.api_version, it.id)).collect::<Vec<_>>()
        };
        let mixed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n- {apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}\n";
        assert_eq!(of(mixed), ["v1 Secret/a", "apps/v1 Deployment/b"]);
        let alike = "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}, {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}]\n";
        assert_eq!(of(alike), ["v1 ConfigMap/a", "v1 ConfigMap/b"]);
        assert!(of("apiVersion: v1\nkind: List\nitems: []\n").is_empty());
    }

    #[test]
    fn a_block_at_the_end_is_the_same_when_rendered_and_when_recorded() {
        let text = |end: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  k: |{end}");
        let of = |document: &Document| objects(document, "n", &|_, _| Some(true)).unwrap().remove(0).value;
        for (end, want) in
            [("\n    a\n    b", "a\nb\n"), ("\n    a\n", "a\n"), ("-\n    a", "a"), ("+\n    a\n", "a\n\n")]
        {
            let document = Document { source: "a/templates/x.yaml".into(), text: text(end) };
            let rendered = of(&document);
            assert_eq!(rendered["data"]["k"], want, "{end:?}");
            for documents in [vec![document.clone()], vec![document.clone(), document]] {
                for recorded in split(&join(&documents)) {
                    assert_eq!(of(&recorded), rendered, "{end:?}");
                }
            }
        }
    }
}
