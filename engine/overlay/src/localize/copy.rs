//! Files and folders that a kustomization names, copied.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kpkg_gopath::clean;
use serde_json::Value;

use super::missing_reference;
use super::place::{LOCALIZED, of_file, of_folder, relative};
use crate::documents::read_resources;
use crate::edit::lean_kustomization;
use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::kustomization::{KUSTOMIZATION, Strictness, conform};
use crate::remote::{Address, Remote, is_http, is_repository};

/// What copies one folder.
pub(super) struct Copier<'a> {
    pub(super) remote: Option<&'a dyn Remote>,
    /// Local files and folders must lie in here.
    pub(super) scope: PathBuf,
    /// The new folder, which nothing may name.
    pub(super) destination: PathBuf,
    pub(super) folder: Rc<Folder>,
    /// Where the copy of the folder goes.
    pub(super) copy: PathBuf,
    /// Whether only local folders led here.
    pub(super) is_local: bool,
}

impl Copier<'_> {
    /// Copies the folder's kustomization and what it names.
    pub(super) fn copy(&self) -> Result<()> {
        make_folder(&self.copy)?;
        let (text, name) = self.folder.kustomization()?;
        let invalid = |problem: String| Error::invalid("Kustomization", problem);
        let value = kpkg_yaml::read(&text).map_err(|error| invalid(error.to_string()))?.to_json();
        let mut fields = match value {
            Value::Null => serde_json::Map::new(),
            value => match conform(&value, &KUSTOMIZATION, Strictness::Full).map_err(invalid)? {
                Value::Object(fields) => fields,
                _ => return Err(invalid("it must be a mapping".to_owned())),
            },
        };
        self.fields(&mut fields)?;
        self.plugins(&mut fields)?;
        let path = self.copy.join(name);
        fs::write(&path, kpkg_yaml::write_json(&lean_kustomization(&fields)))
            .map_err(|source| Error::Write { path, source })
            .within(|| "unable to write localized kustomization file".to_owned())
    }

    /// Copies a file; the answer is how it is named in the copy.
    pub(super) fn file(&self, path: &str) -> Result<String> {
        if path.is_empty() {
            return Ok(String::new());
        }
        let content = self.load(path)?;
        self.write(path, &content)
    }

    /// Copies a file of a generator, `path` or `key=path`.
    pub(super) fn file_source(&self, source: &str) -> Result<String> {
        let invalid = || format!("invalid file source {source:?}");
        match crate::generate::file_source(source)? {
            (_, path) if path == source => self.file(&path).within(invalid),
            (key, path) => Ok(format!("{key}={}", self.file(&path).within(invalid)?)),
        }
    }

    pub(super) fn load(&self, path: &str) -> Result<Vec<u8>> {
        let content = self.folder.read(path, self.remote).within(|| "invalid file reference".to_owned())?;
        if self.is_local && !is_http(path) {
            let real = self.folder.root.join(self.clean_path(path)?);
            if real.starts_with(&self.destination) {
                return Err(Error::rule(format!(
                    "file {path:?} at \"{}\" enters localize destination \"{}\"",
                    real.display(),
                    self.destination.display()
                )));
            }
        }
        Ok(content)
    }

    /// The path of a file without links, seen from the folder.
    fn clean_path(&self, path: &str) -> Result<String> {
        let joined = self.folder.root.join(path);
        let real = fs::canonicalize(&joined).map_err(|source| Error::read(joined, source))?;
        Ok(relative(&self.folder.root, &real).to_string_lossy().into_owned())
    }

    /// Writes the copy of a file.
    pub(super) fn write(&self, path: &str, content: &[u8]) -> Result<String> {
        let name = if is_http(path) {
            self.refuse_localized(&format!("file {path:?}"))?;
            of_file(path)
        } else {
            self.clean_path(path)?
        };
        let target = self.copy.join(&name);
        make_folder(target.parent().unwrap_or(&self.copy))?;
        fs::write(&target, content)
            .map_err(|source| Error::Write { path: target, source })
            .within(|| format!("unable to localize file {path:?}"))?;
        Ok(name)
    }

    fn refuse_localized(&self, what: &str) -> Result<()> {
        if !self.folder.root.join(LOCALIZED).exists() {
            return Ok(());
        }
        let root = self.folder.root.display();
        Err(Error::rule(format!("{root} already contains {LOCALIZED} needed to store {what}")))
    }

    /// Copies a folder with a kustomization.
    pub(super) fn root(&self, path: &str) -> Result<String> {
        if path.is_empty() {
            return Ok(String::new());
        }
        let folder = self.folder.enter(path, self.remote).within(|| "invalid root reference".to_owned())?;
        let name = match folder.own_clone() {
            Some(clone) => {
                let address = Address::parse(path).ok_or_else(|| missing_reference(path))?;
                if address.reference.is_empty() {
                    return Err(missing_reference(path));
                }
                self.refuse_localized(&format!("root {path:?}"))?;
                of_folder(&address, &relative(clone, &folder.root))
            }
            None => {
                self.refuse_outside(&folder.root)?;
                relative(&self.folder.root, &folder.root).to_string_lossy().into_owned()
            }
        };
        let copier = Copier {
            remote: self.remote,
            scope: self.scope.clone(),
            destination: self.destination.clone(),
            is_local: self.is_local && folder.own_clone().is_none(),
            copy: PathBuf::from(clean(&self.copy.join(&name).to_string_lossy())),
            folder,
        };
        copier.copy().within(|| format!("unable to localize root {path:?}"))?;
        Ok(name)
    }

    fn refuse_outside(&self, root: &Path) -> Result<()> {
        if self.is_local && !root.starts_with(&self.scope) {
            let (root, scope) = (root.display(), self.scope.display());
            return Err(Error::rule(format!("root \"{root}\" outside localize scope \"{scope}\"")));
        }
        if self.is_local && root.starts_with(&self.destination) {
            let (root, into) = (root.display(), self.destination.display());
            return Err(Error::rule(format!("root \"{root}\" references into localize destination \"{into}\"")));
        }
        Ok(())
    }

    /// Copies a resource, whether it is a file or a folder.
    pub(super) fn resource(&self, path: &str) -> Result<String> {
        let as_file = if is_repository(path) {
            Err(Error::rule("URL is a git repository"))
        } else {
            self.load(path).and_then(|content| {
                read_resources(&String::from_utf8_lossy(&content), path)
                    .within(|| format!("invalid resource at file {path:?}"))?;
                self.write(path, &content)
            })
        };
        as_file.or_else(|file| {
            self.root(path).map_err(|root| {
                Error::rule(format!(
                    "could not localize path {path:?} as file: {}; could not localize path {path:?} as directory: {}",
                    file.chain(),
                    root.chain()
                ))
            })
        })
    }

    /// Copies the folder of charts, links aside; it may not be there.
    pub(super) fn chart_home(&self, home: &str) -> Result<String> {
        const DEFAULT: &str = "charts";
        let path = clean(if home.is_empty() { DEFAULT } else { home });
        if Path::new(&path).is_absolute() {
            return Err(Error::rule(format!("absolute path {home:?} not handled in alpha")));
        }
        let copied = self.copied_home(&path, path != DEFAULT).within(|| format!("unable to copy home {home:?}"))?;
        Ok(if home.is_empty() { String::new() } else { copied })
    }

    fn copied_home(&self, path: &str, clean_links: bool) -> Result<String> {
        if !self.folder.root.join(path).exists() {
            return Ok(path.to_owned());
        }
        let folder = self.folder.enter(path, self.remote).within(|| "invalid chart home".to_owned())?;
        self.refuse_outside(&folder.root).within(|| "invalid chart home".to_owned())?;
        let name = if clean_links {
            relative(&self.folder.root, &folder.root).to_string_lossy().into_owned()
        } else {
            path.to_owned()
        };
        let target = PathBuf::from(clean(&self.copy.join(&name).to_string_lossy()));
        if !target.exists() {
            copy_folder(&folder.root, &target).within(|| format!("unable to copy chart home {path:?}"))?;
        }
        Ok(name)
    }
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    make_folder(to)?;
    let failed = |source| Error::read(from.to_owned(), source);
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).map_err(|source| Error::Write { path: target, source })?;
        }
    }
    Ok(())
}
