//! New charts: what they are made of, and how they are written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::chart::File;
use crate::description::yaml;
use crate::error::LoadError;
use crate::load;
use crate::metadata::Metadata;

/// Stands in starters for the name of the chart to make.
const PLACEHOLDER: &str = "<CHARTNAME>";

/// The longest name of a chart.
const MAX_NAME: usize = 250;

/// What a new chart is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starter {
    /// Go templates, as Helm's own starter has.
    Go,
    /// Jinja templates.
    Jinja,
    /// A chart in some folder or archive.
    Chart(PathBuf),
}

/// Why a chart was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The name is no name for a chart.
    #[error("chart name must match the regular expression \"^[a-zA-Z0-9._-]+$\": {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// The name is too long, or there is none.
    #[error("chart name must be between 1 and {MAX_NAME} characters: {name:?}")]
    Length {
        /// The name.
        name: String,
    },
    /// The starter cannot be used.
    #[error("could not load {path}")]
    Starter {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The destination is taken by something that is no folder.
    #[error("file {path} already exists and is not a directory")]
    Taken {
        /// The destination.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A file of a starter: its name in the chart, and its text.
type Embedded = (&'static str, &'static str);

static COMMON: [Embedded; 3] = [
    ("Chart.yaml", include_str!("common/Chart.yaml")),
    ("values.yaml", include_str!("common/values.yaml")),
    (".helmignore", include_str!("common/helmignore")),
];

/// In the order in which Helm writes its own, which shows where files are replaced.
static GO: [Embedded; 9] = [
    ("templates/ingress.yaml", include_str!("go/ingress.yaml")),
    ("templates/httproute.yaml", include_str!("go/httproute.yaml")),
    ("templates/deployment.yaml", include_str!("go/deployment.yaml")),
    ("templates/service.yaml", include_str!("go/service.yaml")),
    ("templates/serviceaccount.yaml", include_str!("go/serviceaccount.yaml")),
    ("templates/hpa.yaml", include_str!("go/hpa.yaml")),
    ("templates/NOTES.txt", include_str!("go/NOTES.txt")),
    ("templates/_helpers.tpl", include_str!("go/_helpers.tpl")),
    ("templates/tests/test-connection.yaml", include_str!("go/tests/test-connection.yaml")),
];

static JINJA: [Embedded; 9] = [
    ("templates/ingress.yaml.j2", include_str!("jinja/ingress.yaml.j2")),
    ("templates/httproute.yaml.j2", include_str!("jinja/httproute.yaml.j2")),
    ("templates/deployment.yaml.j2", include_str!("jinja/deployment.yaml.j2")),
    ("templates/service.yaml.j2", include_str!("jinja/service.yaml.j2")),
    ("templates/serviceaccount.yaml.j2", include_str!("jinja/serviceaccount.yaml.j2")),
    ("templates/hpa.yaml.j2", include_str!("jinja/hpa.yaml.j2")),
    ("templates/NOTES.txt.j2", include_str!("jinja/NOTES.txt.j2")),
    ("templates/_names.j2", include_str!("jinja/_names.j2")),
    ("templates/tests/test-connection.yaml.j2", include_str!("jinja/tests/test-connection.yaml.j2")),
];

/// Makes a chart in a folder, whose last part is its name. Files that are there already are replaced,
/// others stay. Answers which files of a starter of our own were replaced.
pub fn create(folder: &Path, starter: &Starter) -> Result<Vec<PathBuf>, CreateError> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(CreateError::Length { name });
    }
    if !name.chars().all(is_fine) {
        return Err(CreateError::Name { name });
    }
    if folder.exists() && !folder.is_dir() {
        return Err(CreateError::Taken { path: folder.to_owned() });
    }
    let mut replaced = Vec::new();
    for file in files(starter, &name)? {
        let path = folder.join(&*file.name);
        if path.exists() {
            replaced.push(path.clone());
        }
        write(&path, file.data())?;
    }
    if matches!(starter, Starter::Chart(_)) {
        return Ok(Vec::new());
    }
    let charts = folder.join("charts");
    std::fs::create_dir_all(&charts).map_err(|source| CreateError::Write { path: charts, source })?;
    Ok(replaced)
}

fn files(starter: &Starter, name: &str) -> Result<Vec<File>, CreateError> {
    let fill = |text: &str| text.replace(PLACEHOLDER, name);
    let embedded = |files: &[Embedded]| {
        COMMON.iter().chain(files).map(|(path, text)| File::new(*path, fill(text).as_bytes())).collect()
    };
    match starter {
        Starter::Go => Ok(embedded(&GO)),
        Starter::Jinja => Ok(embedded(&JINJA)),
        Starter::Chart(path) => {
            let failed = |source| CreateError::Starter { path: path.clone(), source };
            let files = load::read_files(path).map_err(failed)?;
            load::load_files(files.clone()).map_err(failed)?;
            Ok(files.into_iter().map(|file| filled(file, name)).collect())
        }
    }
}

/// A starter's file for a chart of some name: templates and values have the placeholder filled in, and
/// `Chart.yaml` begins anew.
fn filled(file: File, name: &str) -> File {
    match &*file.name {
        "Chart.yaml" => {
            let text = |text: &str| text.to_owned();
            let metadata = Metadata {
                api_version: text("v2"),
                app_version: text("0.1.0"),
                description: text("A Helm chart for Kubernetes"),
                name: text(name),
                kind: text("application"),
                version: text("0.1.0"),
                ..Metadata::default()
            };
            File::new(file.name, yaml(&metadata).as_bytes())
        }
        path if path == "values.yaml" || path.starts_with("templates/") => {
            let text = file.text().replace(PLACEHOLDER, name).into_bytes();
            File::new(file.name, text)
        }
        _ => file,
    }
}

fn write(path: &Path, data: &[u8]) -> Result<(), CreateError> {
    let failed = |source| CreateError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::write(path, data).map_err(failed)
}

#[cfg(test)]
mod tests;
