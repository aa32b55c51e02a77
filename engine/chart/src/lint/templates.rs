//! The templates, and what they write.

use std::path::Path;

use kpkg_yaml::{Map, Value};

use super::message::Severity::{Error, Warning};
use super::{Linter, Loaded, deprecations, manifests, names, workloads};
use crate::ValuesError;
use crate::provenance::watch_leniently;
use crate::render::render_leniently;
use crate::rendered::{ClusterFacts, ReleaseInfo, Values};
use crate::values::{Checks, merge_with};

const FOLDER: &str = "templates/";

/// What Helm's linter calls the release.
const RELEASE: &str = "test-release";

impl Linter<'_> {
    /// Renders, and checks what was written.
    pub(super) fn templates(&mut self, chart: Loaded<'_>) {
        if self.file("templates").is_some() {
            self.check("templates-folder", Error, FOLDER, Err("not a directory".to_owned()));
            return;
        }
        let is_there = self.files.iter().any(|file| file.name.starts_with(FOLDER));
        if !is_there && !Path::new(&self.folder).join(FOLDER).is_dir() {
            self.check("templates-folder", Warning, FOLDER, Err("directory does not exist".to_owned()));
            return;
        }
        let chart = match chart {
            Ok(chart) => chart,
            Err(error) => {
                self.check("templates-folder", Error, FOLDER, Err(error.to_string()));
                return;
            }
        };
        let checks = Checks { schema: !self.settings.skip_schema };
        let values = match merge_with(chart, self.settings.inputs, checks) {
            Ok(values) => values,
            Err(error @ ValuesError::Schema(_)) => {
                self.check("values-schema", Error, FOLDER, Err(error.to_string()));
                return;
            }
            // Helm's linter is silent here; what is wrong shows up when the chart is used.
            Err(_) => return,
        };
        let Some(written) = self.render(&values) else { return };
        if self.settings.strict_values {
            self.unread_values(&values, &watch_leniently(&values, &self.release(), &self.facts()));
        }
        for template in &chart.templates {
            let text = written.get(&format!("{}/{}", chart.name(), template.name)).map(String::as_str);
            if !self.template(&template.name, text.unwrap_or_default()) {
                return;
            }
        }
    }

    fn facts(&self) -> ClusterFacts {
        let mut facts = ClusterFacts::default();
        if let Some(version) = &self.settings.kube_version {
            facts.kube_version = version.clone();
        }
        facts
    }

    fn release(&self) -> ReleaseInfo {
        let namespace = self.settings.namespace.to_owned();
        ReleaseInfo { name: RELEASE.to_owned(), namespace, revision: 1, is_upgrade: false }
    }

    fn render(&mut self, values: &Values) -> Option<std::collections::BTreeMap<String, String>> {
        match render_leniently(values, &self.release(), &self.facts()) {
            Ok(written) => Some(written),
            Err(error) => {
                self.check("render", Error, FOLDER, Err(error.to_string()));
                None
            }
        }
    }

    /// Checks one template; `false` if Helm stops here.
    fn template(&mut self, name: &str, text: &str) -> bool {
        let (stem, is_jinja) = name.strip_suffix(".j2").map_or((name, false), |stem| (stem, true));
        let base = stem.rsplit('/').next().unwrap_or(stem);
        let extension = base.rfind('.').map_or("", |at| &base[at..]);
        if !is_jinja && ![".yaml", ".yml", ".tpl", ".txt"].contains(&extension) {
            let text =
                format!("file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt");
            self.check("template-extension", Error, name, Err(text));
        }
        if ![".yaml", ".yml"].iter().any(|known| known.eq_ignore_ascii_case(extension)) || text.trim().is_empty() {
            return true;
        }
        self.check("template-indent", Warning, name, top_indent(text));
        let kube = self.facts().kube_version;
        for head in manifests::heads(text) {
            let head = match head {
                Ok(Some(head)) => head,
                Ok(None) => continue,
                Err(problem) => {
                    return self.check("template-yaml", Error, name, Err(format!("unable to parse YAML: {problem}")));
                }
            };
            self.check("object-name", Warning, name, object_name(&head.kind, &head.name));
            self.check("deprecated-api", Warning, name, deprecations::check(&head.api_version, &head.kind, &kube));
            self.check("selector", Error, name, selector(&head.kind, &head.name, text));
            self.check("list-annotations", Error, name, list_annotations(&head.kind, text));
        }
        for object in manifests::objects(text) {
            for (rule, problem) in workloads::check(&object) {
                self.check(rule, Warning, name, Err(problem));
            }
        }
        true
    }
}

fn top_indent(text: &str) -> Result<(), String> {
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with([' ', '\t']) => Err(format!(
            "document starts with an illegal indent: {}, which may cause parsing problems",
            kpkg_template::quote(line.as_bytes())
        )),
        _ => Ok(()),
    }
}

fn object_name(kind: &str, name: &str) -> Result<(), String> {
    let mut complaints: Vec<String> = Vec::new();
    for complaint in names::complaints(kind, name) {
        let text = format!("metadata.name: Invalid value: {name:?}: {complaint}");
        if !complaints.contains(&text) {
            complaints.push(text);
        }
    }
    let all = match complaints.as_slice() {
        [] => return Ok(()),
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Err(format!("object name does not conform to Kubernetes naming requirements: {name:?}: {all}"))
}

fn selector(kind: &str, name: &str, text: &str) -> Result<(), String> {
    let needs = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"].contains(&kind);
    if !needs || text.contains("matchLabels") || text.contains("matchExpressions") {
        return Ok(());
    }
    Err(format!("a {kind} must contain matchLabels or matchExpressions, and {name:?} does not"))
}

fn list_annotations(kind: &str, text: &str) -> Result<(), String> {
    if kind != "List" {
        return Ok(());
    }
    let has_policy = |item: &Value| {
        let metadata = field(item, "metadata");
        metadata.and_then(|it| field(it, "annotations")).and_then(|it| field(it, "helm.sh/resource-policy")).is_some()
    };
    let items = |object: &Map| match object.get("items") {
        Some(Value::List(items)) => items.iter().any(has_policy),
        _ => false,
    };
    if manifests::objects(text).iter().any(items) {
        return Err("annotation 'helm.sh/resource-policy' within List objects are ignored".to_owned());
    }
    Ok(())
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(map) => map.get(name),
        _ => None,
    }
}
