//! A kustomization file that is read, changed and written again.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::lean::{complete, lean};
use crate::error::{Error, Result};
use crate::kustomization::{
    API_VERSION, COMPONENT_API_VERSION, KUSTOMIZATION, KUSTOMIZATION_NAMES, Strictness, conform,
};

/// The order of fields that a file did not have before.
const ORDER: [&str; 33] = [
    "apiVersion",
    "kind",
    "metadata",
    "sortOptions",
    "resources",
    "bases",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "crds",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "configMapGenerator",
    "secretGenerator",
    "helmCharts",
    "helmChartInflationGenerator",
    "helmGlobals",
    "generatorOptions",
    "vars",
    "images",
    "replacements",
    "replicas",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "components",
    "openapi",
    "buildMetadata",
];

/// A field that the file has, and the comments and empty lines before it.
#[derive(Debug)]
struct Commented {
    field: &'static str,
    comment: String,
}

/// A kustomization file, open for changes.
#[derive(Debug)]
pub struct KustomizationFile {
    path: PathBuf,
    name: &'static str,
    order: Vec<Commented>,
    fields: Map<String, Value>,
}

impl KustomizationFile {
    /// Opens the kustomization file of a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let there: Vec<&str> = KUSTOMIZATION_NAMES.into_iter().filter(|name| folder.join(name).exists()).collect();
        let name = match there[..] {
            [] => return Err(Error::rule("Missing kustomization file 'kustomization.yaml'.")),
            [name] => name,
            _ => return Err(Error::rule(format!("Found multiple kustomization file: [{}]", there.join(" ")))),
        };
        let path = folder.join(name);
        if path.is_dir() {
            return Err(Error::rule(format!("{name} should be a file")));
        }
        let text = fs::read_to_string(&path).map_err(|source| Error::read(path.clone(), source))?;
        let invalid = |problem: String| Error::invalid("Kustomization", problem);
        let value = kpkg_yaml::read(&text).map_err(|error| invalid(error.to_string()))?;
        let value = if value.is_null() {
            json!({})
        } else {
            conform(&value.to_json(), &KUSTOMIZATION, Strictness::Full).map_err(invalid)?
        };
        let Value::Object(fields) = value else { return Err(invalid("it must be a mapping".to_owned())) };
        let mut file = Self { path, name, order: commented_fields(&text), fields };
        file.update();
        Ok(file)
    }

    /// The name of the file, without its folder.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Brings older names up to date.
    fn update(&mut self) {
        let kind = if self.text("kind").is_empty() { "Kustomization".to_owned() } else { self.text("kind").to_owned() };
        let version = if kind == "Component" { COMPONENT_API_VERSION } else { API_VERSION };
        self.set("kind", kind);
        if self.text("apiVersion").is_empty() {
            self.set("apiVersion", version);
        }
        for (old, new) in [("bases", "resources"), ("imageTags", "images")] {
            if let Some(Value::Array(more)) = self.fields.remove(old) {
                self.list_mut(new).extend(more);
            }
        }
        for generators in ["configMapGenerator", "secretGenerator"] {
            for args in self.list_mut(generators).iter_mut().filter_map(Value::as_object_mut) {
                if let Some(env) = args.remove("env").filter(|env| *env != "")
                    && let Value::Array(envs) = args.entry("envs").or_insert_with(|| json!([]))
                {
                    envs.push(env);
                }
            }
        }
        self.update_charts();
    }

    fn update_charts(&mut self) {
        const NAMES: [(&str, &str); 7] = [
            ("chartName", "name"),
            ("chartVersion", "version"),
            ("chartRepoUrl", "repo"),
            ("values", "valuesFile"),
            ("valuesLocal", "valuesInline"),
            ("valuesMerge", "valuesMerge"),
            ("releaseName", "releaseName"),
        ];
        let Some(Value::Array(charts)) = self.fields.remove("helmChartInflationGenerator") else { return };
        let mut globals = Map::new();
        for old in &charts {
            for (from, to) in [("helmHome", "configHome"), ("chartHome", "chartHome")] {
                if let Some(home) = old.get(from).filter(|home| **home != "") {
                    globals.insert(to.to_owned(), home.clone());
                }
            }
            let named = NAMES.iter().filter_map(|(from, to)| Some(((*to).to_owned(), old.get(from)?.clone())));
            let chart = Value::Object(named.collect());
            self.list_mut("helmCharts").push(chart);
        }
        if !globals.is_empty() {
            self.fields.entry("helmGlobals").or_insert(Value::Object(globals));
        }
    }

    /// Writes the file.
    pub fn write(&self) -> Result<()> {
        fs::write(&self.path, self.content()).map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    fn content(&self) -> String {
        let mut text = String::new();
        for Commented { field, comment } in &self.order {
            text.push_str(comment);
            text.push_str(&self.field_text(field));
        }
        for field in ORDER.iter().filter(|field| self.order.iter().all(|had| had.field != **field)) {
            text.push_str(&self.field_text(field));
        }
        text
    }

    fn field_text(&self, field: &str) -> String {
        let shape = KUSTOMIZATION.known().find(|(name, _)| *name == field).map(|(_, shape)| shape);
        let Some(mut value) = self.fields.get(field).zip(shape).and_then(|(value, shape)| lean(value, shape)) else {
            return String::new();
        };
        complete(field, &mut value);
        kpkg_yaml::write_json(&json!({ field: value }))
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field)
    }

    pub(super) fn list(&self, field: &str) -> &[Value] {
        self.fields.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn list_mut(&mut self, field: &str) -> &mut Vec<Value> {
        let value = self.fields.entry(field).or_insert_with(|| json!([]));
        if !value.is_array() {
            *value = json!([]);
        }
        value.as_array_mut().expect("made a list above")
    }

    pub(super) fn map_mut(&mut self, field: &str) -> &mut Map<String, Value> {
        map_in(&mut self.fields, field)
    }

    /// Whether a list of texts has one.
    pub(super) fn has(&self, field: &str, text: &str) -> bool {
        self.list(field).iter().any(|item| item == text)
    }
}

/// A mapping below a field, made if it is not there.
pub(super) fn map_in<'a>(fields: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    let value = fields.entry(field).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("made a mapping above")
}

/// The fields of a text in their order, each with what comments belong to it. What follows the last line break is no
/// line, and comments after the last field belong to none.
fn commented_fields(text: &str) -> Vec<Commented> {
    let mut fields: Vec<Commented> = Vec::new();
    let mut comment = String::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let bare = line.trim_start_matches(' ').trim_end_matches('\n');
        if bare.is_empty() || bare.starts_with('#') {
            comment.push_str(line);
        } else if let Some(field) = field_of(line) {
            fields.push(Commented { field, comment: std::mem::take(&mut comment) });
        } else if let Some(last) = fields.last_mut() {
            last.comment.push_str(&std::mem::take(&mut comment));
        }
    }
    fields
}

fn field_of(line: &str) -> Option<&'static str> {
    let (name, _) = line.split_once(':')?;
    ORDER.into_iter().find(|field| field.eq_ignore_ascii_case(name))
}
