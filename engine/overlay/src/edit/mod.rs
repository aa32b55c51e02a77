//! Kustomization files edited as `kustomize edit` does: fields are written anew, comments between them stay.
//!
//! - [`edit`]: one change ([`Edit`]) to the file of a folder
//! - [`create`]: a new file for a folder that has none
//! - [`fix`]: deprecated fields become those that took their place
//!
//! A field keeps its place and the comments and empty lines before it; comments within a field move in front of it,
//! and its content is written in Kustomize's order. New fields come last, in a fixed order.

mod add;
mod create;
mod file;
mod fix;
mod glob;
mod lean;
mod pairs;
mod remove;
mod set;
mod variables;

use std::path::Path;

pub use add::Addition;
pub use create::{Draft, create};
pub use file::KustomizationFile;
pub use fix::{Fixed, fix};
pub(crate) use lean::lean_kustomization;
pub use pairs::{DataKind, NewValues, Sources};
pub use remove::Removal;
pub use set::Setting;

use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::remote::Remote;

/// A patch, as it stands in a kustomization; empty parts are left out.
#[derive(Debug, Clone, Default)]
pub struct PatchArgs {
    /// The file.
    pub path: String,
    /// The patch itself.
    pub patch: String,
    /// The parts of its target: `group`, `version`, `kind`, `name`, `namespace`, `annotationSelector`, `labelSelector`.
    pub target: Vec<(&'static str, String)>,
}

impl PatchArgs {
    fn to_json(&self) -> serde_json::Value {
        let target: serde_json::Map<_, _> = self
            .target
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| ((*name).to_owned(), text.as_str().into()))
            .collect();
        let mut patch = serde_json::Map::new();
        for (name, text) in [("path", &self.path), ("patch", &self.patch)] {
            if !text.is_empty() {
                patch.insert(name.to_owned(), text.as_str().into());
            }
        }
        if !target.is_empty() {
            patch.insert("target".to_owned(), target.into());
        }
        patch.into()
    }

    fn refuse_both(&self) -> Result<()> {
        if self.path.is_empty() || self.patch.is_empty() {
            return Ok(());
        }
        Err(Error::rule("patch and path can't be set at the same time"))
    }
}

/// One change to a kustomization file.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Something more.
    Add(Addition),
    /// Something less.
    Remove(Removal),
    /// A value in the place of another.
    Set(Setting),
}

/// Where an edit happens, and what it has to say.
struct Context<'a> {
    folder: &'a Path,
    remote: Option<&'a dyn Remote>,
    notes: Vec<String>,
}

impl Context<'_> {
    fn open(&self) -> Result<KustomizationFile> {
        KustomizationFile::open(self.folder)
    }

    fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Files that a pattern matches; none is worth a note.
    fn glob(&mut self, pattern: &str) -> Result<Vec<String>> {
        let found = glob::glob(self.folder, pattern)?;
        if found.is_empty() {
            self.note(format!("{pattern} has no match"));
        }
        Ok(found)
    }

    /// Files that a pattern matches, or what else it names: a folder elsewhere.
    fn glob_or_remote(&self, pattern: &str) -> Result<Vec<String>> {
        let found = glob::glob(self.folder, pattern).within(|| "error checking the filesystem".to_owned())?;
        if found.is_empty() {
            let entered = Folder::first(self.folder, true)?.enter(pattern, self.remote);
            entered.map_err(|error| Error::rule(format!("{pattern} has no match: {}", error.chain())))?;
            return Ok(vec![pattern.to_owned()]);
        }
        Ok(found)
    }
}

/// Changes the kustomization file of a folder. Answers what the user should know.
pub fn edit(folder: &Path, edit: &Edit, remote: Option<&dyn Remote>) -> Result<Vec<String>> {
    let mut context = Context { folder, remote, notes: Vec::new() };
    match edit {
        Edit::Add(addition) => add::add(addition, &mut context),
        Edit::Remove(removal) => remove::remove(removal, &mut context),
        Edit::Set(setting) => set::set(setting, &mut context),
    }?;
    Ok(context.notes)
}

/// Labels or annotations from arguments, `key:value` each.
fn texts_of(args: &[String], kind: &str) -> Result<Vec<(String, String)>> {
    let read = |arg: &String| match arg.split_once(':') {
        Some(("", _)) => Err(Error::rule(format!("invalid {kind}: '{arg}' (need k:v pair where v may be quoted)"))),
        Some((key, value)) => {
            let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            Ok((key.to_owned(), bare.unwrap_or(value).to_owned()))
        }
        None => Ok((arg.clone(), String::new())),
    };
    args.iter().map(read).collect()
}

/// The options of `buildMetadata` from one argument.
fn build_metadata(args: &[String]) -> Result<Vec<String>> {
    const KNOWN: [&str; 3] = ["originAnnotations", "transformerAnnotations", "managedByLabel"];
    match args {
        [] => Err(Error::rule("must specify a buildMetadata option")),
        [list] => list
            .split(',')
            .map(str::to_owned)
            .map(|option| {
                if KNOWN.contains(&option.as_str()) {
                    Ok(option)
                } else {
                    Err(Error::rule(format!("invalid buildMetadata option: {option}")))
                }
            })
            .collect(),
        several => Err(Error::rule(format!(
            "too many arguments: [{}]; to provide multiple buildMetadata options, please separate options by comma",
            several.join(" ")
        ))),
    }
}
