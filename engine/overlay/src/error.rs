//! Why an overlay cannot be built.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::remote::without_logins;

/// Why an overlay cannot be built. The chain of sources leads from the folder that was asked for to the cause.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Something went wrong within a larger step.
    #[error("{doing}")]
    In {
        /// The step.
        doing: String,
        /// What went wrong.
        #[source]
        source: Box<Error>,
    },
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path does not lead to what it should.
    #[error("{problem}: {path}")]
    Path {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A path does not lead to a folder.
    #[error("must build at directory: '{0}': file is not directory")]
    NotAFolder(PathBuf),
    /// A file lies outside of the folder that may use it.
    #[error("security; file '{path}' is not in or below '{root}'")]
    Outside {
        /// The file.
        path: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// A folder leads back to itself.
    #[error("cycle detected: candidate root '{candidate}' contains visited root '{visited}'")]
    Cycle {
        /// The folder named.
        candidate: PathBuf,
        /// The folder that is being built.
        visited: PathBuf,
    },
    /// A folder has no kustomization file.
    #[error("unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{0}'")]
    NoKustomization(PathBuf),
    /// A folder has several kustomization files.
    #[error("Found multiple kustomization files under: {0}")]
    ManyKustomizations(PathBuf),
    /// A kustomization or a configuration does not have the form it must have.
    #[error("invalid {what}: {problem}")]
    Invalid {
        /// What has the wrong form.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A text is not YAML.
    #[error("MalformedYAMLError: {source} in {place}")]
    Yaml {
        /// The file, or where else the text stands.
        place: String,
        /// What is wrong.
        #[source]
        source: kpkg_yaml::Error,
    },
    /// A document is no Kubernetes object.
    #[error("{problem}{}", at(*line))]
    NotAnObject {
        /// What it lacks.
        problem: String,
        /// The line it begins at.
        line: Option<u32>,
    },
    /// Two resources have one identity.
    #[error("may not add resource with an already registered id: {0}")]
    Duplicate(String),
    /// No resource is meant, or several are.
    #[error("{count} matches for Id {id}; failed to find unique target for patch {id}")]
    Target {
        /// The identity looked for.
        id: String,
        /// `no` or `multiple`.
        count: &'static str,
    },
    /// A generated resource cannot be merged.
    #[error("{0}")]
    Merge(String),
    /// A node of a resource is of another form than a rule needs.
    #[error("wrong node kind: expected {expected} but got {found}")]
    Shape {
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A rule cannot be carried out.
    #[error("{0}")]
    Rule(String),
    /// A JSON patch cannot be applied.
    #[error("JSON patch does not apply")]
    JsonPatch(#[from] kpkg_api::patch::JsonPatchError),
    /// A remote resource is asked for and cannot be had.
    #[error("cannot fetch {url}: {problem}")]
    Remote {
        /// The address.
        url: String,
        /// Why.
        problem: String,
    },
}

/// What the functions here return.
pub type Result<T> = std::result::Result<T, Error>;

fn at(line: Option<u32>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

impl Error {
    /// A file that cannot be read, in the words that Kustomize has for it.
    pub(crate) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let source = match source.kind() {
            kind @ io::ErrorKind::NotFound => io::Error::new(kind, "no such file or directory"),
            kind @ io::ErrorKind::PermissionDenied => io::Error::new(kind, "permission denied"),
            _ => source,
        };
        Self::Read { path: path.into(), source }
    }

    pub(crate) fn rule(problem: impl Into<String>) -> Self {
        Self::Rule(problem.into())
    }

    /// What cannot be fetched, and why, without logins that stand in either.
    pub fn remote(url: &str, problem: &str) -> Self {
        Self::Remote { url: without_logins(url), problem: without_logins(problem) }
    }

    pub(crate) fn invalid(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), problem: problem.into() }
    }

    /// The whole chain in one line, as Kustomize prints it.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        text
    }
}

/// Says within which step an error arose.
pub(crate) trait Within<T> {
    /// Wraps the error, if there is one.
    fn within(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Error>> Within<T> for std::result::Result<T, E> {
    fn within(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::In { doing: without_logins(&doing()), source: Box::new(error.into()) })
    }
}
