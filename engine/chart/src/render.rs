//! A chart and its values into manifests, hooks and notes.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use kpkg_template::semver::is_compatible;
use kpkg_template::{
    Ambient, Entries, Error, Host, Limits, LookupRequest, Map, MapKind, Renderer, Templates, Value, helm_text, lossy,
    with_stack,
};

use crate::capabilities::Capabilities;
use crate::chart::{Chart, File};
use crate::coalesce::{coalesce, from_plain};
use crate::error::RenderError;
use crate::files::Files;
use crate::manifests::sort;
use crate::provenance::Watched;
use crate::rendered::{ClusterFacts, LookupKey, ReleaseInfo, Rendered, Values};

/// Renders a chart for a release: everything that `install` would apply, in its order.
///
/// Blocks the thread until it is done; in asynchronous code, call it on a blocking one.
pub fn render(
    chart: &Chart,
    values: &Values,
    release: &ReleaseInfo,
    facts: &ClusterFacts,
    ambient: &Ambient,
) -> Result<Rendered, RenderError> {
    let required = &chart.metadata.kube_version;
    if !required.is_empty() && !is_compatible(required, &facts.kube_version.normalized()) {
        return Err(RenderError::KubeVersion { required: required.clone(), found: facts.kube_version.version.clone() });
    }
    let (mut files, lookups) = render_files(values, release, facts, ambient)?;
    let (notes, subchart_notes) = take_notes(&mut files, chart.name());
    let (hooks, manifests) = sort(files)?;
    Ok(Rendered { manifests, hooks, notes, subchart_notes, lookups })
}

/// What templates wrote, by path, notes and hooks included.
pub fn render_files(
    values: &Values,
    release: &ReleaseInfo,
    facts: &ClusterFacts,
    ambient: &Ambient,
) -> Result<(BTreeMap<String, String>, Vec<LookupKey>), RenderError> {
    with_stack(|| Job { values, release, facts, ambient, lenient: false }.run())
}

/// What templates wrote, by path, when `required` and `fail` let everything pass.
pub(crate) fn render_leniently(
    values: &Values,
    release: &ReleaseInfo,
    facts: &ClusterFacts,
) -> Result<BTreeMap<String, String>, RenderError> {
    let ambient = Ambient::seeded(0, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    let job = Job { values, release, facts, ambient: &ambient, lenient: true };
    let (files, _) = with_stack(|| job.run())?;
    Ok(files)
}

/// Takes the notes out of the files: the chart's own, and those of its subcharts.
fn take_notes(files: &mut BTreeMap<String, String>, chart: &str) -> (String, Vec<String>) {
    let own = format!("{chart}/templates/NOTES.txt");
    let all: BTreeMap<String, String> = files.extract_if(.., |path, _| is_notes(path)).collect();
    let is_own = |path: &str| path.strip_suffix(".j2").unwrap_or(path) == own;
    let notes = all.get(&own).or_else(|| all.get(&format!("{own}.j2"))).cloned().unwrap_or_default();
    (notes, all.into_iter().filter(|(path, _)| !is_own(path)).map(|(_, text)| text).collect())
}

/// Whether a template writes notes rather than manifests.
fn is_notes(path: &str) -> bool {
    path.strip_suffix(".j2").unwrap_or(path).ends_with("NOTES.txt")
}

/// What to render.
pub(crate) struct Job<'a> {
    pub(crate) values: &'a Values,
    pub(crate) release: &'a ReleaseInfo,
    pub(crate) facts: &'a ClusterFacts,
    pub(crate) ambient: &'a Ambient,
    /// Let `required` and `fail` pass.
    pub(crate) lenient: bool,
}

/// A template file, and the scope it runs in.
struct Unit<'a> {
    path: String,
    base: String,
    file: &'a File,
    scope: Map,
}

impl Job<'_> {
    fn run(&self) -> Result<(BTreeMap<String, String>, Vec<LookupKey>), RenderError> {
        self.run_watched(None)
    }

    /// Renders; with a watcher, remembers how.
    pub(crate) fn run_watched(
        &self,
        mut watched: Option<&mut Watched>,
    ) -> Result<(BTreeMap<String, String>, Vec<LookupKey>), RenderError> {
        let chart = &*self.values.chart;
        let supplied = from_plain(&self.values.supplied);
        let all = coalesce(chart, &supplied, false).map_err(|problem| plain_failure(problem, Vec::new()))?;
        if let Some(watched) = &mut watched {
            watched.learn(&all);
        }
        let mut units = Vec::new();
        let root = Scope { release: self.release(), capabilities: Value::object(Capabilities::new(self.facts)) };
        root.collect(chart, chart.name(), true, all.with_kind(MapKind::Values), &mut units);
        // Of several templates with one path, as subcharts with one name have, the last counts.
        units.reverse();
        // Deeper paths first, then in reverse: a chart's own definitions replace those of its subcharts.
        units.sort_by_cached_key(|unit| Reverse((unit.path.matches('/').count(), unit.path.clone())));
        units.dedup_by(|left, right| left.path == right.path);
        let compiled = self.values.compiled.get_or_init(|| compile(&units)).as_ref();
        chart.check_read()?;
        let templates = compiled.map_err(|(path, error)| failure(path, error, Vec::new()))?;
        let host = Rc::new(Answers { facts: self.facts.clone(), missed: RefCell::default() });
        let mut renderer = Renderer::new(templates, host.clone(), self.ambient, Limits::default()).lint(self.lenient);
        if watched.is_some() {
            renderer = renderer.traced();
        }
        let mut files = BTreeMap::new();
        for unit in &units {
            if unit.path.rsplit('/').next().is_some_and(|base| base.starts_with('_')) {
                continue;
            }
            let about = Entries::from([
                ("Name".into(), unit.path.as_str().into()),
                ("BasePath".into(), unit.base.as_str().into()),
            ]);
            unit.scope.insert("Template".into(), Value::Map(Map::new(MapKind::Values, about)));
            let dot = Value::Map(unit.scope.with_kind(MapKind::Values));
            let text = renderer.render(&unit.path, &dot).map(into_text);
            if let (Some(watched), Some(trace)) = (&mut watched, renderer.take_trace()) {
                watched.note(&unit.path, text.as_deref().ok(), trace);
            }
            let text = match text {
                Ok(text) => text,
                Err(error) => {
                    chart.check_read()?;
                    return Err(failure(&unit.path, &error, host.missed()));
                }
            };
            files.insert(unit.path.clone(), text);
        }
        chart.check_read()?;
        Ok((files, host.missed()))
    }

    fn release(&self) -> Value {
        let entries: [(&str, Value); 6] = [
            ("Name", self.release.name.as_str().into()),
            ("Namespace", self.release.namespace.as_str().into()),
            ("IsUpgrade", self.release.is_upgrade.into()),
            ("IsInstall", (!self.release.is_upgrade).into()),
            ("Revision", Value::int(self.release.revision)),
            ("Service", "Helm".into()),
        ];
        Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

/// Parses the templates; which they are depends on the chart alone.
fn compile(units: &[Unit<'_>]) -> Result<Templates, (String, Error)> {
    Templates::parse(units.iter().map(|unit| (unit.path.as_str(), unit.file.shared_text())))
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| lossy(error.as_bytes()).into_owned())
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

/// Answers `lookup` from the facts, and remembers what they do not hold.
struct Answers {
    facts: ClusterFacts,
    missed: RefCell<BTreeSet<LookupKey>>,
}

impl Answers {
    fn missed(&self) -> Vec<LookupKey> {
        self.missed.borrow().iter().cloned().collect()
    }
}

impl Host for Answers {
    fn lookup(&self, request: &LookupRequest) -> Value {
        let LookupRequest { api_version, kind, namespace, name } = request.clone();
        let key = LookupKey { api_version, kind, namespace, name };
        if let Some(object) = self.facts.objects.get(&key) {
            return Value::from(object);
        }
        self.missed.borrow_mut().insert(key);
        Value::map(Entries::new())
    }

    fn host_by_name(&self, name: &str) -> String {
        self.facts.resolver.map(|resolve| resolve(name)).unwrap_or_default()
    }
}

fn failure(path: &str, error: &Error, lookups: Vec<LookupKey>) -> RenderError {
    RenderError::Template {
        text: helm_text(path, error),
        places: error.places().into_iter().cloned().collect(),
        problem: error.root_text().to_owned(),
        lookups,
    }
}

fn plain_failure(problem: String, lookups: Vec<LookupKey>) -> RenderError {
    RenderError::Template { text: problem.clone(), places: Vec::new(), problem, lookups }
}
