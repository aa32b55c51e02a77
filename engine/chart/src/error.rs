//! What can be wrong with a chart or its values.

use std::io;
use std::path::PathBuf;

use kpkg_template::Place;
use thiserror::Error;

use crate::rendered::LookupKey;

/// Why a chart could not be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The path is neither a folder nor an archive that can be read.
    #[error("cannot read chart {path}")]
    Read {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of the chart cannot be read.
    #[error("error reading {path}")]
    ReadFile {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not an archive.
    #[error("file '{path}' does not appear to be a gzipped archive")]
    NotAnArchive {
        /// The path.
        path: PathBuf,
    },
    /// The archive is damaged.
    #[error("cannot unpack chart archive")]
    Archive(#[source] io::Error),
    /// The archive, or a file in it, may not be used.
    #[error("{0}")]
    Refused(String),
    /// A file of the chart says something that cannot be.
    #[error("{0}")]
    Invalid(String),
}

/// Why values could not be merged.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ValuesError {
    /// A values file is not a mapping in YAML.
    #[error("failed to parse {file}: {problem}")]
    File {
        /// Which file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A `--set` or its like cannot be parsed.
    #[error("failed parsing {option} data: {problem}")]
    Set {
        /// Which option.
        option: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A `--set-json` cannot be parsed.
    #[error("failed parsing --set-json data {text}: {problem}")]
    SetJson {
        /// What was given.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// The values and a dependency do not fit together.
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(String),
    /// The values break a schema.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
    Schema(String),
}

/// Why a chart could not be rendered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The chart does not work on this version of Kubernetes.
    #[error("chart requires kubeVersion: {required} which is incompatible with Kubernetes {found}")]
    KubeVersion {
        /// What the chart asks for.
        required: String,
        /// What there is.
        found: String,
    },
    /// A template is wrong or failed.
    #[error("{text}")]
    Template {
        /// What Helm prints.
        text: String,
        /// Where it happened, from the outermost call to the innermost.
        places: Vec<Place>,
        /// The innermost complaint.
        problem: String,
        /// What `lookup` asked for before it failed and the facts did not hold.
        lookups: Vec<LookupKey>,
    },
    /// A template wrote something that is not YAML.
    #[error("YAML parse error on {source_file}: {problem}")]
    Manifest {
        /// The template's path.
        source_file: String,
        /// What is wrong.
        problem: String,
        /// The line of the output to blame, from 1.
        line: Option<usize>,
        /// The document that was written.
        text: String,
    },
    /// A file that a template asked for cannot be read.
    #[error(transparent)]
    File(#[from] LoadError),
}

impl RenderError {
    /// What `lookup` asked for before the failure and the facts did not hold.
    pub fn lookups(&self) -> &[LookupKey] {
        match self {
            Self::Template { lookups, .. } => lookups,
            _ => &[],
        }
    }
}
