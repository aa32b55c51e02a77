//! Variables turned into replacements: where `$(NAME)` stands becomes a target, and gets a placeholder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kpkg_gopath::clean;
use kpkg_yaml::node::Node;
use serde_json::{Map, Value, json};

use super::file::KustomizationFile;
use crate::documents::read_documents;
use crate::error::{Error, Result};
use crate::id::split_api_version;
use crate::kustomization::KUSTOMIZATION_NAMES;

/// The files that a kustomization reads, and the patches among them.
#[derive(Debug, Default)]
struct Touched {
    files: Vec<String>,
    patches: BTreeMap<String, Value>,
}

/// Turns the variables of a kustomization into replacements.
pub(super) fn to_replacements(file: &mut KustomizationFile, folder: &Path) -> Result<()> {
    let Some(Value::Array(vars)) = file.get("vars").cloned() else { return Ok(()) };
    let mut touched = Touched::default();
    touched.add(folder, "", file.list("resources"), file.list("patches"))?;
    let mut replacements = Vec::new();
    for var in &vars {
        let name = var.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut targets = Vec::new();
        for path in &touched.files {
            add_targets(&mut targets, name, path, &touched, folder)?;
        }
        let mut replacement = json!({"source": source(var)});
        if !targets.is_empty() {
            replacement["targets"] = targets.into();
        }
        replacements.push(replacement);
        set_placeholders(name, &touched.files, folder)?;
    }
    file.set("replacements", replacements);
    file.take("vars");
    Ok(())
}

impl Touched {
    fn add(&mut self, folder: &Path, below: &str, resources: &[Value], patches: &[Value]) -> Result<()> {
        let joined = |path: &str| clean(&if below.is_empty() { path.to_owned() } else { format!("{below}/{path}") });
        for path in resources.iter().filter_map(Value::as_str).map(joined) {
            for name in KUSTOMIZATION_NAMES {
                let Ok(text) = fs::read_to_string(folder.join(&path).join(name)) else { continue };
                let invalid = |error: kpkg_yaml::Error| Error::invalid("Kustomization", error.to_string());
                let sub = kpkg_yaml::read(&text).map_err(invalid)?.to_json();
                let list = |field: &str| sub.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
                self.add(folder, &path, &list("resources"), &list("patches"))?;
            }
            self.files.push(path);
        }
        for patch in patches {
            if let Some(path) = patch.get("path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
                let path = joined(path);
                self.patches.insert(path.clone(), patch.clone());
                self.files.push(path);
            }
        }
        Ok(())
    }
}

fn source(var: &Value) -> Value {
    let text = |part: &str, name: &str| {
        var.get(part).and_then(|part| part.get(name)).and_then(Value::as_str).unwrap_or_default()
    };
    let (group, version) = split_api_version(text("objref", "apiVersion"));
    json!({
        "group": group,
        "version": version,
        "kind": text("objref", "kind"),
        "name": text("objref", "name"),
        "namespace": text("objref", "namespace"),
        "fieldPath": text("fieldref", "fieldPath"),
    })
}

/// A place where a variable stands, and how it is told apart from the text around it.
struct Place {
    path: String,
    options: Option<Value>,
}

fn add_targets(targets: &mut Vec<Value>, name: &str, path: &str, touched: &Touched, folder: &Path) -> Result<()> {
    let Ok(text) = fs::read_to_string(folder.join(path)) else { return Ok(()) };
    let Ok(nodes) = read_documents(&text, path) else { return Ok(()) };
    for node in &nodes {
        let mut places = Vec::new();
        find(node, &format!("$({name})"), &mut Vec::new(), &mut places)
            .map_err(|error| Error::rule(format!("error with {path}: {}", error.chain())))?;
        for place in places {
            let select = match touched.patches.get(path) {
                Some(patch) if !changes_id(patch) => patched(patch, node),
                _ => identity(node),
            };
            let mut target = json!({"select": select, "fieldPaths": [place.path]});
            if let Some(options) = place.options {
                target["options"] = options;
            }
            targets.push(target);
        }
    }
    Ok(())
}

fn option(patch: &Value, name: &str) -> bool {
    patch.get("options").and_then(|options| options.get(name)).and_then(Value::as_bool).unwrap_or_default()
}

/// Whether a patch may change both name and kind, so that its own say what it makes.
fn changes_id(patch: &Value) -> bool {
    option(patch, "allowNameChange") && option(patch, "allowKindChange")
}

fn metadata<'a>(node: &'a Node, name: &str) -> &'a str {
    node.get("metadata").and_then(|metadata| metadata.get(name)).map_or("", Node::text)
}

fn identity(node: &Node) -> Value {
    let text = |name: &str| node.get(name).map_or("", Node::text);
    let (group, version) = split_api_version(text("apiVersion"));
    json!({
        "group": group,
        "version": version,
        "kind": text("kind"),
        "name": metadata(node, "name"),
        "namespace": metadata(node, "namespace"),
    })
}

/// What a patch is applied to.
fn patched(patch: &Value, node: &Node) -> Value {
    let mut select: Map<String, Value> = patch.get("target").and_then(Value::as_object).cloned().unwrap_or_default();
    if option(patch, "allowNameChange") {
        select.insert("name".to_owned(), metadata(node, "name").into());
    }
    if option(patch, "allowKindChange") {
        select.insert("kind".to_owned(), node.get("kind").map_or("", Node::text).into());
    }
    if !metadata(node, "namespace").is_empty() {
        select.insert("namespace".to_owned(), metadata(node, "namespace").into());
    }
    select.into()
}

fn find(node: &Node, variable: &str, path: &mut Vec<String>, places: &mut Vec<Place>) -> Result<()> {
    match node {
        Node::List(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                find(item, variable, path, places)?;
                path.pop();
            }
        }
        Node::Map(fields) => {
            for (key, value) in fields.iter() {
                let key = key.text.trim();
                path.push(if key.contains('.') { format!("[{key}]") } else { key.to_owned() });
                find(value, variable, path, places)?;
                path.pop();
            }
        }
        Node::Scalar(scalar) if scalar.text.contains(variable) => {
            places.push(Place { path: path.join("."), options: delimited(&scalar.text, variable)? });
        }
        Node::Scalar(_) => {}
    }
    Ok(())
}

/// How a variable is told apart from the text around it: the letter beside it, and its place between such letters.
fn delimited(text: &str, variable: &str) -> Result<Option<Value>> {
    if text == variable {
        return Ok(None);
    }
    let at = text.find(variable).unwrap_or_default();
    let (before, after) = (&text[..at], &text[at + variable.len()..]);
    let (delimiter, index) = match (before.chars().next_back(), after.chars().next()) {
        (None, Some(after)) => (after, 0),
        (Some(before), None) => (before, text.split(before).count() - 1),
        (Some(left), Some(right)) if left == right => {
            let index = text.split(left).position(|part| part == variable).unwrap_or_default();
            (left, index)
        }
        _ => {
            return Err(Error::rule(format!("cannot convert all vars to replacements; {variable} is not delimited")));
        }
    };
    Ok(Some(json!({"delimiter": delimiter.to_string(), "index": index})))
}

fn set_placeholders(name: &str, files: &[String], folder: &Path) -> Result<()> {
    for path in files {
        let path = folder.join(path);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let changed = text.replace(&format!("$({name})"), &format!("{name}_PLACEHOLDER"));
        fs::write(&path, changed).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}
