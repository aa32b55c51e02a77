//! A chart as loaded: what its files say, before any values are given.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use kpkg_yaml::Map;

use crate::error::LoadError;
use crate::file_name::FileName;
use crate::load::read_file;
use crate::metadata::{Dependency, Lock, Metadata};

/// A file of a chart. Cloning shares name and contents.
#[derive(Debug, Clone)]
pub struct File {
    /// The path inside the chart.
    pub name: FileName,
    content: Content,
}

/// What a file holds, without a byte order mark.
#[derive(Debug, Clone)]
enum Content {
    // Not `Arc<str>`: the memory that a file was read into is kept as it is.
    Text(Arc<String>),
    /// Something that is not UTF-8.
    Bytes(Arc<Vec<u8>>),
    /// What is read when first asked for.
    Unread(Arc<Unread>),
}

#[derive(Debug)]
struct Unread {
    path: PathBuf,
    size: u64,
    read: OnceLock<Result<Content, LoadError>>,
}

impl Content {
    fn new(data: Vec<u8>) -> Self {
        match String::from_utf8(data) {
            Ok(text) => Self::Text(text.into()),
            Err(error) => Self::Bytes(error.into_bytes().into()),
        }
    }

    /// What was read; nothing if that failed, which [`Chart::check_read`] reports.
    fn read(&self) -> Option<&Self> {
        match self {
            Self::Unread(unread) => {
                let read = || read_file(&unread.path, unread.size).map(Self::new);
                unread.read.get_or_init(read).as_ref().ok()
            }
            held => Some(held),
        }
    }
}

impl File {
    /// A file with a name and contents.
    pub fn new(name: impl Into<FileName>, data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: Content::new(data.into()) }
    }

    /// A file that is read when its contents are first asked for.
    pub(crate) fn unread(name: impl Into<FileName>, path: PathBuf, size: u64) -> Self {
        let unread = Unread { path, size, read: OnceLock::new() };
        Self { name: name.into(), content: Content::Unread(Arc::new(unread)) }
    }

    /// The same file, seen from a folder: without the first so many bytes of its name.
    pub(crate) fn below(&self, folder: usize) -> Self {
        Self { name: self.name.after(folder), content: self.content.clone() }
    }

    /// The contents.
    pub fn data(&self) -> &[u8] {
        match self.content.read() {
            Some(Content::Text(text)) => text.as_bytes(),
            Some(Content::Bytes(bytes)) => bytes,
            _ => b"",
        }
    }

    /// The contents as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        match self.content.read() {
            Some(Content::Text(text)) => Cow::Borrowed(text),
            Some(Content::Bytes(bytes)) => kpkg_gounicode::lossy(bytes),
            _ => Cow::Borrowed(""),
        }
    }

    /// As templates are read, to be kept: a text is not copied; what is no text can be [revealed](kpkg_gounicode::revealed).
    pub(crate) fn shared_text(&self) -> Arc<String> {
        match self.content.read() {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Bytes(bytes)) => Arc::new(kpkg_gounicode::hidden(bytes)),
            _ => Arc::default(),
        }
    }

    /// Whether it is a file of a folder, rather than of an archive or at hand.
    pub(crate) fn is_of_folder(&self) -> bool {
        matches!(self.content, Content::Unread(_))
    }

    /// Whether it was read and is not UTF-8.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self.content.read(), Some(Content::Bytes(_)))
    }

    /// How many bytes there are, or are to read.
    pub(crate) fn size(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.len(),
            Content::Bytes(bytes) => bytes.len(),
            Content::Unread(unread) => usize::try_from(unread.size).unwrap_or(usize::MAX),
        }
    }

    /// Fails if the file was asked for and could not be read.
    fn check_read(&self) -> Result<(), LoadError> {
        match &self.content {
            Content::Unread(unread) if matches!(unread.read.get(), Some(Err(_))) => {
                // Once more, for the error.
                read_file(&unread.path, unread.size).map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.data() == other.data()
    }
}

impl Eq for File {}

/// A chart with its subcharts. Cloning shares the files' contents.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// `Chart.yaml`, with the dependencies of a `requirements.yaml`.
    pub metadata: Metadata,
    /// `Chart.lock` or `requirements.lock`.
    pub lock: Option<Lock>,
    /// Every file of the chart itself, as loaded.
    pub raw: Vec<File>,
    /// The files under `templates/`.
    pub templates: Vec<File>,
    /// The files that are nothing else: what `.Files` offers, CRDs among them.
    pub files: Vec<File>,
    /// `values.yaml`.
    pub values: Arc<Map>,
    /// `values.schema.json`.
    pub schema: Option<File>,
    /// The charts under `charts/`.
    pub dependencies: Vec<Chart>,
}

/// A file with custom resource definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crd {
    /// The path with the names of the charts it is in: `app/charts/sub/crds/x.yaml`.
    pub source: String,
    /// The file.
    pub file: File,
}

impl Chart {
    /// The chart's name; an alias, once dependencies are resolved.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Whether this is a library: its templates may be included, but render nothing themselves.
    pub fn is_library(&self) -> bool {
        self.metadata.kind.eq_ignore_ascii_case("library")
    }

    /// The `crds/` of this chart and of its subcharts.
    pub fn crds(&self) -> Vec<Crd> {
        let mut found = Vec::new();
        self.collect_crds(self.name(), &mut found);
        found
    }

    fn collect_crds(&self, path: &str, found: &mut Vec<Crd>) {
        let own = self.files.iter().filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name));
        found.extend(own.map(|file| Crd { source: format!("{path}/{}", file.name), file: file.clone() }));
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{path}/charts/{}", dependency.name()), found);
        }
    }

    /// Fails if a file of a chart loaded by [`load_to_render`](crate::load_to_render) was asked for and could not be read: it
    /// then counted as empty. [`render`](crate::render()) looks itself.
    pub fn check_read(&self) -> Result<(), LoadError> {
        self.templates.iter().chain(&self.files).try_for_each(File::check_read)?;
        self.dependencies.iter().try_for_each(Self::check_read)
    }

    /// Dependencies that `Chart.yaml` declares and `charts/` lacks.
    pub fn missing_dependencies(&self) -> Vec<&Dependency> {
        let present = |wanted: &&Dependency| !self.dependencies.iter().any(|chart| chart.name() == wanted.name);
        self.metadata.dependencies.iter().filter(present).collect()
    }
}

fn is_manifest(name: &str) -> bool {
    let extension = name.rsplit('/').next().and_then(|base| base.rsplit_once('.')).map(|(_, extension)| extension);
    extension.is_some_and(|found| ["yaml", "yml", "json"].iter().any(|known| found.eq_ignore_ascii_case(known)))
}
