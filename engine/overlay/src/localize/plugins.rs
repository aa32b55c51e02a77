//! Paths in the objects that configure built-in generators and transformers.

use kpkg_yaml::node::{Node, node_text};
use serde_json::{Map, Value};

use super::copy::Copier;
use super::fields::neither;
use crate::documents::read_resources;
use crate::error::{Error, Result, Within};
use crate::resource::Resource;

/// Fields of built-in plugins that are paths of files.
const PATHS: [(&str, &[&str]); 9] = [
    ("ConfigMapGenerator", &["env"]),
    ("ConfigMapGenerator", &["envs"]),
    ("SecretGenerator", &["env"]),
    ("SecretGenerator", &["envs"]),
    ("HelmChartInflationGenerator", &["valuesFile"]),
    ("HelmChartInflationGenerator", &["additionalValuesFiles"]),
    ("PatchTransformer", &["path"]),
    ("PatchJson6902Transformer", &["path"]),
    ("ReplacementTransformer", &["replacements", "path"]),
];

impl Copier<'_> {
    /// Copies what plugins name, and names the copies.
    pub(super) fn plugins(&self, fields: &mut Map<String, Value>) -> Result<()> {
        for field in ["generators", "transformers", "validators"] {
            for entry in fields.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Value::String(text) = entry {
                    *text = self.plugin_entry(text).within(|| format!("unable to localize {field} entry"))?;
                }
            }
        }
        Ok(())
    }

    fn plugin_entry(&self, entry: &str) -> Result<String> {
        let (resources, is_file) = match read_resources(entry, "the kustomization") {
            Ok(resources) => (resources, false),
            Err(inline) => {
                let read = |content: Vec<u8>| read_resources(&String::from_utf8_lossy(&content), entry);
                let loaded = self.load(entry).and_then(read);
                (loaded.map_err(|file| neither(entry, &inline, &file))?, true)
            }
        };
        let mut texts = Vec::with_capacity(resources.len());
        for mut resource in resources {
            self.plugin(&mut resource)?;
            let written = node_text(&resource.node);
            texts.push(written.map_err(|source| Error::Yaml { place: entry.to_owned(), source })?);
        }
        let text = texts.join("---\n");
        if is_file { self.write(entry, text.as_bytes()) } else { Ok(text) }
    }

    fn plugin(&self, resource: &mut Resource) -> Result<()> {
        if resource.node.get("apiVersion").map_or("", Node::text) != "builtin" {
            return Ok(());
        }
        let kind = resource.kind().to_owned();
        let node = &mut resource.node;
        for (_, path) in PATHS.iter().filter(|(of, _)| *of == kind) {
            each(node, path, &|path| self.file(path))?;
        }
        match kind.as_str() {
            "ConfigMapGenerator" | "SecretGenerator" => each(node, &["files"], &|source| self.file_source(source)),
            "PatchStrategicMergeTransformer" => each(node, &["paths"], &|entry| self.inline_or_file(entry)),
            "HelmChartInflationGenerator" if node.get("chartHome").is_none() => self.chart_home("").map(drop),
            "HelmChartInflationGenerator" => each(node, &["chartHome"], &|home| self.chart_home(home)),
            _ => Ok(()),
        }
    }
}

/// Applies a change to the texts at a path, through lists.
fn each(node: &mut Node, path: &[&str], localizer: &dyn Fn(&str) -> Result<String>) -> Result<()> {
    match (node, path) {
        (Node::List(items), path) => items.iter_mut().try_for_each(|item| each(item, path, localizer)),
        (Node::Scalar(scalar), []) => {
            scalar.text = localizer(&scalar.text)?;
            Ok(())
        }
        (node, [first, rest @ ..]) => node.get_mut(first).map_or(Ok(()), |inner| each(inner, rest, localizer)),
        (Node::Map(_), []) => Err(Error::rule("expected sequence or scalar node")),
    }
}
