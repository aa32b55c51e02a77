//! A chart and its values into manifests, hooks and notes.

mod scope;
mod share;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use kpkg_template::semver::is_compatible;
use kpkg_template::{
    Ambient, Entries, Error, Host, Limits, LookupRequest, Map, Renderer, Templates, Value, helm_text, with_stack,
};

use self::scope::{Unit, units};
use crate::chart::Chart;
use crate::coalesce::{coalesce, from_plain};
use crate::error::RenderError;
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
    let (mut files, lookups) = with_stack(|| Job::new(values, release, facts, ambient).run())?;
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
    let (files, lookups) = with_stack(|| Job::new(values, release, facts, ambient).run())?;
    Ok((into_texts(files), lookups))
}

/// What templates wrote, by path, when `required` and `fail` let everything pass.
pub(crate) fn render_leniently(
    values: &Values,
    release: &ReleaseInfo,
    facts: &ClusterFacts,
) -> Result<BTreeMap<String, String>, RenderError> {
    let ambient = Ambient::seeded(0, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    let job = Job { lenient: true, ..Job::new(values, release, facts, &ambient) };
    let (files, _) = with_stack(|| job.run())?;
    Ok(into_texts(files))
}

/// Takes the notes out of the files: the chart's own, and those of its subcharts.
fn take_notes(files: &mut Files, chart: &str) -> (String, Vec<String>) {
    let own = format!("{chart}/templates/NOTES.txt");
    let all = into_texts(files.extract_if(.., |path, _| is_notes(path)).collect());
    let is_own = |path: &str| path.strip_suffix(".j2").unwrap_or(path) == own;
    let notes = all.get(&own).or_else(|| all.get(&format!("{own}.j2"))).cloned().unwrap_or_default();
    (notes, all.into_iter().filter(|(path, _)| !is_own(path)).map(|(_, text)| text).collect())
}

/// Whether a template writes notes rather than manifests.
fn is_notes(path: &str) -> bool {
    path.strip_suffix(".j2").unwrap_or(path).ends_with("NOTES.txt")
}

/// What templates wrote, by path; not all of it need be text.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What to render.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) values: &'a Values,
    pub(crate) release: &'a ReleaseInfo,
    pub(crate) facts: &'a ClusterFacts,
    pub(crate) ambient: &'a Ambient,
    /// Let `required` and `fail` pass.
    pub(crate) lenient: bool,
    /// See [`ALONE`].
    pub(crate) alone: u64,
}

/// Steps for each file, and for so many more, that templates take before other processors help. To get ready costs each of
/// them time, the more of it the more files there are.
const ALONE: u64 = 200;
const MORE_FILES: usize = 500;

impl<'a> Job<'a> {
    pub(crate) fn new(
        values: &'a Values,
        release: &'a ReleaseInfo,
        facts: &'a ClusterFacts,
        ambient: &'a Ambient,
    ) -> Self {
        Self { values, release, facts, ambient, lenient: false, alone: ALONE }
    }

    fn run(&self) -> Result<(Files, Vec<LookupKey>), RenderError> {
        self.run_watched(None)
    }

    /// Renders; with a watcher, remembers how.
    pub(crate) fn run_watched(
        &self,
        mut watched: Option<&mut Watched>,
    ) -> Result<(Files, Vec<LookupKey>), RenderError> {
        let chart = &*self.values.chart;
        let all = self.coalesced()?;
        if let Some(watched) = &mut watched {
            watched.learn(&all);
        }
        let units = units(self, &all);
        let compiled = self.values.compiled.get_or_init(|| compile(&units)).as_ref();
        chart.check_read()?;
        let templates = compiled.map_err(|(path, error)| failure(path, error, Vec::new()))?;
        let mut writer = Writer::new(self, templates, &units, Limits::default());
        if watched.is_some() {
            writer.renderer = writer.renderer.traced();
        }
        let mut files = BTreeMap::new();
        let units: Vec<&Unit<'_>> = units.iter().filter(|unit| !unit.is_partial()).collect();
        // What Jinja may take is bounded for the process, whose threads are then to be few.
        let mut may_share = watched.is_none() && !templates.has_jinja();
        let alone = self.alone.saturating_mul((units.len() + MORE_FILES) as u64);
        for (index, unit) in units.iter().enumerate() {
            if may_share && index <= units.len() / 2 && writer.renderer.steps() > alone {
                may_share = false;
                if let Some(rest) = writer.share(self, templates, index) {
                    files.extend(rest);
                    break;
                }
            }
            let text = writer.write(unit);
            if let (Some(watched), Some(trace)) = (&mut watched, writer.renderer.take_trace()) {
                let text = text.as_deref().map(kpkg_gounicode::lossy);
                watched.note(&unit.path, text.as_deref().ok(), trace);
            }
            let text = match text {
                Ok(text) => text,
                Err(error) => {
                    chart.check_read()?;
                    return Err(failure(&unit.path, &error, writer.host.missed()));
                }
            };
            files.insert(unit.path.clone(), text);
        }
        chart.check_read()?;
        Ok((files, writer.host.missed()))
    }

    /// All values, merged anew, for templates may change them.
    fn coalesced(&self) -> Result<Map, RenderError> {
        let supplied = from_plain(&self.values.supplied);
        coalesce(&self.values.chart, &supplied, false).map_err(|problem| plain_failure(problem, Vec::new()))
    }
}

/// Runs templates on the current thread.
struct Writer {
    renderer: Renderer,
    host: Rc<Answers>,
    /// Whether templates hide bytes that are no text.
    reveals: bool,
}

impl Writer {
    fn new(job: &Job<'_>, templates: &Templates, units: &[Unit<'_>], limits: Limits) -> Self {
        let host = Rc::new(Answers { facts: job.facts.clone(), missed: RefCell::default() });
        let renderer = Renderer::new(templates, host.clone(), job.ambient, limits).lint(job.lenient);
        Self { renderer, host, reveals: units.iter().any(|unit| unit.file.is_raw()) }
    }

    /// What a template writes.
    fn write(&mut self, unit: &Unit<'_>) -> Result<Vec<u8>, Error> {
        let written = self.renderer.render(&unit.path, &unit.dot())?;
        Ok(if self.reveals { kpkg_gounicode::revealed(&written) } else { written })
    }
}

/// Parses the templates; which they are depends on the chart alone.
fn compile(units: &[Unit<'_>]) -> Result<Templates, (String, Error)> {
    Templates::parse(units.iter().map(|unit| (unit.path.as_str(), unit.file.shared_text())))
}

fn into_texts(files: Files) -> BTreeMap<String, String> {
    let text =
        |bytes| String::from_utf8(bytes).unwrap_or_else(|error| kpkg_gounicode::lossy(error.as_bytes()).into_owned());
    files.into_iter().map(|(path, bytes)| (path, text(bytes))).collect()
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
