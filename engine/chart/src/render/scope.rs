//! What a chart's templates see, each with its own `.Template`.

use std::cmp::Reverse;

use kpkg_template::{Entries, Map, MapKind, Value};

use super::Job;
use crate::capabilities::Capabilities;
use crate::chart::{Chart, File};
use crate::files::Files;
use crate::rendered::ReleaseInfo;

/// A template file, and the scope it runs in.
pub(super) struct Unit<'a> {
    pub(super) path: String,
    pub(super) file: &'a File,
    base: String,
    scope: Map,
}

impl Unit<'_> {
    /// Whether it holds nothing but definitions for others.
    pub(super) fn is_partial(&self) -> bool {
        self.path.rsplit('/').next().is_some_and(|base| base.starts_with('_'))
    }

    /// The dot it begins with. The templates of a chart share it: until the next one's is asked for.
    pub(super) fn dot(&self) -> Value {
        let about =
            Entries::from([("Name".into(), self.path.as_str().into()), ("BasePath".into(), self.base.as_str().into())]);
        self.scope.insert("Template".into(), Value::Map(Map::new(MapKind::Values, about)));
        Value::Map(self.scope.with_kind(MapKind::Values))
    }
}

/// The templates of a chart and its subcharts in the order in which they are parsed and run; always the same for a job.
pub(super) fn units<'a>(job: &Job<'a>, values: &Map) -> Vec<Unit<'a>> {
    let chart: &'a Chart = &job.values.chart;
    let root = Scope { release: release(job.release), capabilities: Value::object(Capabilities::new(job.facts)) };
    let mut units = Vec::new();
    root.collect(chart, chart.name(), true, values.with_kind(MapKind::Values), &mut units);
    // Of several templates with one path, as subcharts with one name have, the last counts.
    units.reverse();
    // Deeper paths first, then in reverse: a chart's own definitions replace those of its subcharts.
    units.sort_by_cached_key(|unit| Reverse((unit.path.matches('/').count(), unit.path.clone())));
    units.dedup_by(|left, right| left.path == right.path);
    units
}

fn release(release: &ReleaseInfo) -> Value {
    let entries: [(&str, Value); 6] = [
        ("Name", release.name.as_str().into()),
        ("Namespace", release.namespace.as_str().into()),
        ("IsUpgrade", release.is_upgrade.into()),
        ("IsInstall", (!release.is_upgrade).into()),
        ("Revision", Value::int(release.revision)),
        ("Service", "Helm".into()),
    ];
    Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// What all charts of a release see.
struct Scope {
    release: Value,
    capabilities: Value,
}

impl Scope {
    /// Gathers the templates of a chart and its subcharts, each with its own scope; gives back the chart's.
    fn collect<'a>(&self, chart: &'a Chart, path: &str, is_root: bool, values: Map, units: &mut Vec<Unit<'a>>) -> Map {
        let mut about = kpkg_template::entries(&chart.metadata.to_template_map());
        about.insert("IsRoot".into(), is_root.into());
        let annotations = &chart.metadata.annotations;
        let kind = if annotations.is_empty() { MapKind::NilString } else { MapKind::String };
        let annotations = annotations.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect();
        about.insert("Annotations".into(), Value::Map(Map::new(kind, annotations)));
        let subcharts = Map::new(MapKind::Any, Entries::new());
        let entries: [(&str, Value); 6] = [
            ("Chart", Value::map(about)),
            ("Files", Value::object(Files::new(&chart.files))),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", Value::Map(values.clone())),
            ("Subcharts", Value::Map(subcharts.clone())),
        ];
        let scope = Map::new(MapKind::Any, entries.into_iter().map(|(key, value)| (key.into(), value)).collect());
        for child in &chart.dependencies {
            let inner = match values.get(child.name().as_bytes()) {
                Some(Value::Map(inner)) => inner.with_kind(MapKind::Values),
                _ => Map::new(MapKind::Values, Entries::new()),
            };
            let child_path = format!("{path}/charts/{}", child.name());
            let child_scope = self.collect(child, &child_path, false, inner, units);
            subcharts.insert(child.name().into(), Value::Map(child_scope));
        }
        let base = format!("{path}/templates");
        for file in &chart.templates {
            let name = file.name.rsplit('/').next().unwrap_or(&file.name);
            if chart.is_library() && !name.starts_with('_') {
                continue;
            }
            let unit = Unit { path: format!("{path}/{}", file.name), base: base.clone(), file, scope: scope.clone() };
            units.push(unit);
        }
        scope
    }
}
