//! The build: from a folder to resources, stage by stage.

use std::cell::{Ref, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kpkg_yaml::node::{Node, node_text};

use crate::charts::Charts;
use crate::error::{Error, Result, Within};
use crate::fieldspec::FieldSpec;
use crate::files::{Folder, Reads};
use crate::function::Functions;
use crate::id::{CLUSTER, Id};
use crate::kustomization::{HelmChart, HelmGlobals, SortOptions, Texts};
use crate::order::{KindOrder, SortKey};
use crate::remote::{Remote, is_repository};
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::set::ResourceSet;
use crate::target::Target;
use crate::trace::{self, Field, Story};
use crate::transform::TextTransformer;

/// What a build may do and use.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// Whether files outside of a kustomization's folder may be read.
    pub unrestricted: bool,
    /// Whether resources get the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
    /// Whether the order read is kept, unless the kustomization says otherwise.
    pub keep_order: bool,
    /// Whether patches that change nothing and targets that match nothing are reported.
    pub strict: bool,
    /// The way to what lies elsewhere, if it may be used.
    pub remote: Option<&'a dyn Remote>,
    /// What renders charts, if charts may be used.
    pub charts: Option<&'a dyn Charts>,
    /// What runs functions, if programs may be run.
    pub functions: Option<&'a dyn Functions>,
    /// Whether lists in custom resources merge by the keys that definitions among the resources declare.
    pub list_keys: bool,
    /// Fields whose making is to be told.
    pub trace: &'a [Field],
    /// Where to note which files are read.
    pub reads: Option<&'a Reads>,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("unrestricted", &self.unrestricted)
            .field("keep_order", &self.keep_order)
            .finish_non_exhaustive()
    }
}

/// What a build makes.
#[derive(Debug)]
pub struct Built {
    /// The documents, in order.
    pub documents: Vec<Node>,
    /// What the user should know: deprecated fields, unused variables.
    pub warnings: Vec<String>,
    /// What `strict` found.
    pub findings: Vec<String>,
    /// The file that each document was read from, seen from the folder; empty for what was generated.
    pub sources: Vec<String>,
    /// How the fields asked for came to be.
    pub stories: Vec<Story>,
}

impl Built {
    /// The documents as Kustomize writes them.
    pub fn text(&self) -> Result<String> {
        let mut text = String::new();
        for (at, document) in self.documents.iter().enumerate() {
            if at > 0 {
                text.push_str("---\n");
            }
            let written = node_text(document);
            text.push_str(&written.map_err(|source| Error::Yaml { place: describe(document), source })?);
        }
        Ok(text)
    }
}

impl Built {
    /// The documents as Kustomize writes them into a folder: names and contents of files.
    pub fn files(&self) -> Result<Vec<(String, String)>> {
        let namespaces: Vec<&str> =
            self.documents.iter().map(|document| Id::of(document).effective_namespace()).collect();
        let mut distinct: Vec<&str> = namespaces.iter().copied().filter(|it| *it != CLUSTER).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let file = |(document, &namespace): (&Node, &&str)| {
            let id = Id::of(document);
            let kind = [id.group, id.version, id.kind].into_iter().filter(|part| !part.is_empty());
            let name = format!("{}_{}.yaml", kind.collect::<Vec<_>>().join("_"), id.name).to_lowercase();
            let is_told_apart = distinct.len() > 1 && namespace != CLUSTER;
            let name = if is_told_apart { format!("{}_{name}", namespace.to_lowercase()) } else { name };
            let json = document.to_json().map_err(|source| Error::Yaml { place: describe(document), source })?;
            Ok((name.replace(['/', '\\'], "-"), kpkg_yaml::write_json(&json)))
        };
        self.documents.iter().zip(&namespaces).map(file).collect()
    }
}

fn describe(document: &Node) -> String {
    Id::of(document).to_string()
}

/// Builds a folder, or a repository's.
pub fn build(path: &str, options: &Options<'_>) -> Result<Built> {
    let folder = if is_repository(path) {
        Folder::first_remote(path, options.remote)?
    } else {
        Folder::first(Path::new(path), !options.unrestricted)?
    };
    run(folder, options, Vec::new())
}

/// Applies an overlay to documents that were made elsewhere: they come before the overlay's own resources.
pub fn apply(path: &Path, documents: Vec<Node>, options: &Options<'_>) -> Result<Built> {
    documents.iter().try_for_each(crate::documents::check)?;
    let given = documents.into_iter().map(Resource::new).collect();
    run(Folder::first(path, !options.unrestricted)?, options, given)
}

/// Applies an overlay to manifests: a chart's, or any others.
pub fn apply_to_text(path: &Path, manifests: &str, options: &Options<'_>) -> Result<Built> {
    apply_to_files(path, [("", manifests)], options)
}

/// Applies an overlay to manifests, each with the name of its file.
pub fn apply_to_files<'a>(
    path: &Path,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    options: &Options<'_>,
) -> Result<Built> {
    let mut given = Vec::new();
    for (source, text) in files {
        let place = if source.is_empty() { "the manifests" } else { source };
        let mut resources = crate::documents::read_resources(text, place)?;
        let source: Rc<str> = source.into();
        resources.iter_mut().for_each(|resource| resource.memory.source = Rc::clone(&source));
        given.append(&mut resources);
    }
    run(Folder::first(path, !options.unrestricted)?, options, given)
}

fn run(folder: Rc<Folder>, options: &Options<'_>, given: Vec<Resource>) -> Result<Built> {
    if let Some(reads) = options.reads {
        folder.note_reads(reads);
    }
    let session = Session::new(options, folder.root.clone());
    let target = Target::load(folder, &session)?;
    let asks = |name: &str| target.kustomization().build_metadata.iter().any(|asked| asked == name);
    let (origins, changes) = (asks("originAnnotations"), asks("transformerAnnotations"));
    let managed = options.managed_by_label || asks("managedByLabel");
    let sort_options = target.kustomization().sort_options.clone();

    let mut set = target.build(given)?;
    match &sort_options {
        None if options.keep_order => {}
        other => sort(&mut set, other.as_ref())?,
    }
    if managed {
        label_managed(&mut set)?;
    }
    let stories = trace::stories(options.trace, set.as_slice());
    let mut documents = Vec::with_capacity(set.len());
    let mut sources = Vec::with_capacity(set.len());
    for mut resource in set.into_list() {
        resource.finish(origins, changes)?;
        documents.push(resource.node);
        sources.push(resource.memory.source.to_string());
    }
    let (warnings, findings) = (session.warnings.take(), session.findings.take());
    Ok(Built { documents, warnings, findings, sources, stories })
}

fn label_managed(set: &mut ResourceSet) -> Result<()> {
    let texts: Texts = [("app.kubernetes.io/managed-by".to_owned(), "kustomize-v5.8.1".to_owned())].into();
    TextTransformer { texts, specs: vec![FieldSpec::everywhere("metadata/labels", true)] }.apply(set)
}

/// Sorts resources: as asked, or in the usual order.
pub(crate) fn sort(set: &mut ResourceSet, options: Option<&SortOptions>) -> Result<()> {
    let order = match options {
        None => KindOrder::usual(),
        Some(options) => match (options.order.as_str(), &options.legacy_sort_options) {
            ("fifo", None) => return Ok(()),
            ("fifo", Some(_)) => {
                return Err(Error::rule(
                    "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not \
                     'legacy'",
                ));
            }
            ("legacy", None) => KindOrder::usual(),
            ("legacy", Some(kinds)) => KindOrder::new(kinds.order_first.clone(), kinds.order_last.clone()),
            _ => return Err(Error::rule("the field 'sortOptions.order' must be one of [fifo, legacy]")),
        },
    };
    let list = std::mem::take(set.list_mut());
    let mut keyed: Vec<(SortKey, Resource)> =
        list.into_iter().map(|resource| (order.key(&resource.id()), resource)).collect();
    keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
    set.append_all(keyed.into_iter().map(|(_, resource)| resource))
}

/// What all folders of one build share.
pub(crate) struct Session<'a> {
    options: &'a Options<'a>,
    /// The folder that is built.
    root: PathBuf,
    schemas: RefCell<Schemas>,
    warnings: RefCell<Vec<String>>,
    findings: RefCell<Vec<String>>,
}

impl<'a> Session<'a> {
    fn new(options: &'a Options<'a>, root: PathBuf) -> Self {
        Self { options, root, schemas: RefCell::default(), warnings: RefCell::default(), findings: RefCell::default() }
    }

    /// The way from the folder that is built to another.
    pub(crate) fn place(&self, folder: &Path) -> String {
        let way = crate::localize::relative(&self.root, folder);
        if way == Path::new(".") { String::new() } else { format!("{}/", way.display()) }
    }

    /// Notes what fields have become, if they are traced.
    pub(crate) fn observe(&self, set: &mut ResourceSet, by: impl Fn() -> String) {
        if !self.options.trace.is_empty() {
            trace::observe(self.options.trace, set, &by);
        }
    }

    pub(crate) fn remote(&self) -> Option<&'a dyn Remote> {
        self.options.remote
    }

    pub(crate) fn schemas(&self) -> Ref<'_, Schemas> {
        self.schemas.borrow()
    }

    /// Takes over a schema that a kustomization brings.
    pub(crate) fn set_schema(&self, openapi: &Texts, folder: &Folder) -> Result<()> {
        let version = openapi.get("version");
        let Some(path) = openapi.get("path") else {
            return match version.map(String::as_str) {
                None | Some("") => Ok(()),
                Some("v1.21.2") => {
                    self.schemas.borrow_mut().set_built_in();
                    Ok(())
                }
                Some(_) => Err(Error::rule("the specified OpenAPI version is not built in")),
            };
        };
        if version.is_some() {
            return Err(Error::rule("builtin version and custom schema provided, cannot use both"));
        }
        let text = folder.read_text(path, self.remote())?;
        let invalid = |problem: String| Error::invalid(format!("schema file {path}"), problem);
        let definitions = if text.trim_start().starts_with('{') {
            serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?
        } else {
            kpkg_yaml::read(&text).map_err(|error| invalid(error.to_string()))?.to_json()
        };
        self.schemas.borrow_mut().set_custom(definitions);
        Ok(())
    }

    /// Notes that resources were read.
    pub(crate) fn note_resources(&self, resources: &[Resource]) {
        let mut schemas = self.schemas.borrow_mut();
        resources.iter().for_each(|resource| schemas.note_use(&resource.id()));
        let definitions =
            resources.iter().filter(|it| self.options.list_keys && it.kind() == "CustomResourceDefinition");
        // A definition that is no JSON fails where it is written.
        definitions.filter_map(|it| it.node.to_json().ok()).for_each(|json| schemas.add_definition(&json));
    }

    pub(crate) fn warn(&self, text: String) {
        self.warnings.borrow_mut().push(text);
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.options.strict
    }

    /// Notes how many resources a target selects.
    pub(crate) fn note_selected(&self, source: &str, count: usize) {
        if self.is_strict() && count == 0 {
            self.findings.borrow_mut().push(format!("the target of patch {source} matches no resource"));
        }
    }

    /// Notes that a patch left a resource as it was.
    pub(crate) fn note_unchanged(&self, patch: &str) {
        self.findings.borrow_mut().push(format!("patch {patch} changes nothing"));
    }

    /// What runs functions, if they may be run.
    pub(crate) fn functions(&self) -> Option<&'a dyn Functions> {
        self.options.functions
    }

    /// Whether charts may be rendered.
    pub(crate) fn has_charts(&self) -> bool {
        self.options.charts.is_some()
    }

    /// Renders a chart.
    pub(crate) fn inflate(&self, chart: &HelmChart, globals: &HelmGlobals, folder: &Folder) -> Result<Vec<Resource>> {
        let Some(charts) = self.options.charts else {
            return Err(Error::rule("must specify --enable-helm"));
        };
        crate::charts::permitted(chart, globals, folder).within(|| format!("rendering chart {}", chart.name))?;
        let text = charts.render(chart, globals, &folder.root).within(|| format!("rendering chart {}", chart.name))?;
        let mut resources = crate::documents::read_resources(&text, &chart.name)?;
        for resource in &mut resources {
            resource.memory.from_chart = true;
        }
        Ok(resources)
    }
}
