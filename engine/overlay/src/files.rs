//! Files and folders: what a kustomization may read, and from where.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use crate::error::{Error, Result, Within};
use crate::kustomization::KUSTOMIZATION_NAMES;
use crate::remote::{Remote, is_http, is_repository};

/// The largest file that is read.
const MAX_FILE: u64 = 256 << 20;

/// A folder that is being built, and the folders that led to it.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Its real path.
    pub(crate) root: PathBuf,
    /// Whether files must lie in or below it.
    restricted: bool,
    referrer: Option<Rc<Folder>>,
    /// The clone that the folder lies in, if it came from a repository: its root and its address.
    clone: Option<(PathBuf, String)>,
    /// How far from the first folder this one is.
    depth: usize,
    reads: OnceCell<Reads>,
}

/// The files that builds read, or tried to, and what they were like right before.
#[derive(Debug, Clone, Default)]
pub struct Reads(Rc<RefCell<BTreeMap<PathBuf, Stamp>>>);

/// What tells a changed file: its time and its length; none if it is not there.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

impl Reads {
    fn note(&self, path: &Path) {
        self.0.borrow_mut().entry(path.to_owned()).or_insert_with(|| stamp(path));
    }

    /// Whether any of the files has changed, come or gone.
    pub fn have_changed(&self) -> bool {
        self.0.borrow().iter().any(|(path, before)| stamp(path) != *before)
    }

    /// Forgets all files.
    pub fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Why nothing can be fetched where there is no way to what lies elsewhere.
const UNREACHABLE: &str = "remote resources are not available";
/// How long a chain of folders may be.
const MAX_DEPTH: usize = 200;

impl Folder {
    /// The folder a build begins at.
    pub(crate) fn first(path: &Path, restricted: bool) -> Result<Rc<Self>> {
        let root = real_folder(path)?;
        Ok(Rc::new(Self { root, restricted, referrer: None, clone: None, depth: 0, reads: OnceCell::new() }))
    }

    /// The folder a build begins at, in a clone of a repository.
    pub(crate) fn first_remote(url: &str, remote: Option<&dyn Remote>) -> Result<Rc<Self>> {
        Self::cloned(url, remote, None)
    }

    /// A folder that this one names.
    pub(crate) fn enter(self: &Rc<Self>, path: &str, remote: Option<&dyn Remote>) -> Result<Rc<Self>> {
        if path.is_empty() {
            return Err(Error::rule("new root cannot be empty"));
        }
        if is_repository(path) {
            return Self::cloned(path, remote, Some(self));
        }
        if Path::new(path).is_absolute() {
            return Err(Error::rule(format!("new root '{path}' cannot be absolute")));
        }
        let root = real_folder(&self.root.join(path))?;
        if let Some((clone, _)) = self.containing_clone()
            && !root.starts_with(clone)
        {
            return Err(Error::rule(format!(
                "security; bases in kustomizations found in cloned git repos must be within the repo, but base '{}' is \
                 outside '{}'",
                root.display(),
                clone.display()
            )));
        }
        self.refuse_cycle(&root)?;
        self.child(root, self.restricted, None)
    }

    fn child(self: &Rc<Self>, root: PathBuf, restricted: bool, clone: Option<(PathBuf, String)>) -> Result<Rc<Self>> {
        if self.depth >= MAX_DEPTH {
            return Err(Error::rule(format!("more than {MAX_DEPTH} kustomizations lead to '{}'", root.display())));
        }
        let (referrer, reads) = (Some(Rc::clone(self)), self.reads.clone());
        Ok(Rc::new(Self { root, restricted, referrer, clone, depth: self.depth + 1, reads }))
    }

    fn cloned(url: &str, remote: Option<&dyn Remote>, referrer: Option<&Rc<Self>>) -> Result<Rc<Self>> {
        let mut at = referrer;
        while let Some(folder) = at {
            if folder.clone.as_ref().is_some_and(|(_, from)| from.starts_with(url)) {
                return Err(Error::rule(crate::remote::without_logins(&format!(
                    "cycle detected: URI '{url}' referenced by previous URI '{url}'"
                ))));
            }
            at = folder.referrer.as_ref();
        }
        let refused = || Error::remote(url, UNREACHABLE);
        let clone = remote.ok_or_else(refused)?.clone_repository(url)?;
        let (top, root) = (real_folder(&clone.root)?, real_folder(&clone.folder)?);
        if !root.starts_with(&top) {
            return Err(Error::Outside { path: root, root: top });
        }
        let clone = Some((top, url.to_owned()));
        match referrer {
            Some(referrer) => referrer.child(root, true, clone),
            None => {
                Ok(Rc::new(Self { root, restricted: true, referrer: None, clone, depth: 0, reads: OnceCell::new() }))
            }
        }
    }

    /// Notes from now on which files are read, here and in the folders that this one leads to.
    pub(crate) fn note_reads(&self, reads: &Reads) {
        // Noted twice, the first stands.
        drop(self.reads.set(reads.clone()));
    }

    /// The clone that this very folder was entered by: its root.
    pub(crate) fn own_clone(&self) -> Option<&Path> {
        self.clone.as_ref().map(|(root, _)| root.as_path())
    }

    fn containing_clone(&self) -> Option<&(PathBuf, String)> {
        self.clone.as_ref().or_else(|| self.referrer.as_ref()?.containing_clone())
    }

    fn refuse_cycle(&self, candidate: &Path) -> Result<()> {
        if self.root.starts_with(candidate) {
            return Err(Error::Cycle { candidate: candidate.to_owned(), visited: self.root.clone() });
        }
        self.referrer.as_ref().map_or(Ok(()), |referrer| referrer.refuse_cycle(candidate))
    }

    /// Whether a path leads to a folder.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        !is_http(path) && self.root.join(path).is_dir()
    }

    /// Whether a path leads to a chart: a folder with one and no kustomization, or an archive.
    pub(crate) fn is_chart(&self, path: &str) -> bool {
        let joined = self.root.join(path);
        let is_kustomized = || KUSTOMIZATION_NAMES.iter().any(|name| joined.join(name).exists());
        !is_http(path)
            && (joined.join("Chart.yaml").is_file() && !is_kustomized()
                || joined.extension().is_some_and(|end| end == "tgz") && joined.is_file())
    }

    /// The content of a file.
    pub(crate) fn read(&self, path: &str, remote: Option<&dyn Remote>) -> Result<Vec<u8>> {
        if is_http(path) {
            let refused = || Error::remote(path, UNREACHABLE);
            return remote.ok_or_else(refused)?.get(path);
        }
        let joined = self.root.join(path);
        if let Some(reads) = self.reads.get() {
            reads.note(&joined);
        }
        let real = self.permitted(&joined)?;
        let failed = |source| Error::read(joined.clone(), source);
        let size = fs::metadata(&real).map_err(failed)?.len();
        if size > MAX_FILE {
            return Err(Error::Path { path: path.to_owned(), problem: "the file is too large" });
        }
        fs::read(&real).map_err(failed)
    }

    /// The root of the repository that this folder came with, if it came with one.
    pub(crate) fn clone_root(&self) -> Option<&Path> {
        self.containing_clone().map(|(root, _)| root.as_path())
    }

    /// Where a file of this machine really is, if it may be read.
    pub(crate) fn permitted(&self, path: &Path) -> Result<PathBuf> {
        if !self.restricted {
            return Ok(path.to_owned());
        }
        // Most files lie in the folder itself, whose path is real: where the file is no link, so is its path.
        let is_plain = || fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
        if path.parent() == Some(self.root.as_path()) && is_plain() {
            return Ok(path.to_owned());
        }
        let real = fs::canonicalize(path).map_err(|source| Error::read(path.to_owned(), source))?;
        if real.is_dir() {
            return Err(Error::Path { path: path.display().to_string(), problem: "must resolve to a file" });
        }
        if !real.starts_with(&self.root) {
            return Err(Error::Outside { path: real, root: self.root.clone() });
        }
        Ok(real)
    }

    /// The content of a file of text.
    pub(crate) fn read_text(&self, path: &str, remote: Option<&dyn Remote>) -> Result<String> {
        let bytes = self.read(path, remote)?;
        String::from_utf8(bytes)
            .map_err(|_| Error::Path { path: path.to_owned(), problem: "the file is not valid UTF-8" })
    }

    /// The kustomization file and its name.
    pub(crate) fn kustomization(&self) -> Result<(String, &'static str)> {
        let mut found = None;
        for name in KUSTOMIZATION_NAMES {
            if let Ok(text) = self.read_text(name, None) {
                if found.is_some() {
                    return Err(Error::ManyKustomizations(self.root.clone()));
                }
                found = Some((text, name));
            }
        }
        found.ok_or_else(|| Error::NoKustomization(self.root.clone()))
    }
}

fn real_folder(path: &Path) -> Result<PathBuf> {
    let real = fs::canonicalize(path)
        .map_err(|source| Error::read(path, source))
        .within(|| "must build at directory: not a valid directory".to_owned())?;
    if real.is_dir() { Ok(real) } else { Err(Error::NotAFolder(real)) }
}
