//! What can be taken out of a kustomization.

use serde_json::{Map, Value};

use super::add::require;
use super::pairs::{self, DataKind};
use super::{Context, PatchArgs, build_metadata, glob};
use crate::error::{Error, Result};

/// Something that is taken out of a kustomization.
#[derive(Debug, Clone)]
pub enum Removal {
    /// Resources whose entries match patterns.
    Resources(Vec<String>),
    /// Transformers whose entries match patterns.
    Transformers(Vec<String>),
    /// Options of `buildMetadata`, as one argument with commas.
    BuildMetadata(Vec<String>),
    /// Labels by their keys, as one argument with commas.
    Labels {
        /// The keys.
        keys: Vec<String>,
        /// Whether it is no mistake if there is no such label.
        ignore: bool,
    },
    /// Annotations by their keys, as one argument with commas.
    Annotations {
        /// The keys.
        keys: Vec<String>,
        /// Whether it is no mistake if there is no such annotation.
        ignore: bool,
    },
    /// Generated ConfigMaps or Secrets by their names, as one argument with commas.
    Data {
        /// Which of the two.
        kind: DataKind,
        /// The names.
        names: Vec<String>,
        /// Their namespace.
        namespace: String,
    },
    /// A patch.
    Patch(PatchArgs),
}

pub(super) fn remove(removal: &Removal, context: &mut Context<'_>) -> Result<()> {
    match removal {
        Removal::Resources(patterns) => {
            require(patterns, "must specify a resource file")?;
            remove_paths(context, "resources", patterns)
        }
        Removal::Transformers(patterns) => {
            require(patterns, "must specify a transformer file")?;
            remove_paths(context, "transformers", patterns)
        }
        Removal::BuildMetadata(args) => {
            let options = build_metadata(args)?;
            let mut file = context.open()?;
            file.list_mut("buildMetadata").retain(|had| !options.iter().any(|option| had == option));
            file.write()
        }
        Removal::Labels { keys, ignore } => remove_texts(context, "commonLabels", "label", keys, *ignore),
        Removal::Annotations { keys, ignore } => {
            remove_texts(context, "commonAnnotations", "annotation", keys, *ignore)
        }
        Removal::Data { kind, names, namespace } => pairs::remove(*kind, names, namespace, context),
        Removal::Patch(patch) => remove_patch(patch, context),
    }
}

fn remove_paths(context: &Context<'_>, field: &str, patterns: &[String]) -> Result<()> {
    let mut file = context.open()?;
    let mut kept = Vec::new();
    for entry in file.list(field) {
        let mut goes = false;
        for pattern in patterns {
            goes |= glob::matches(pattern, entry.as_str().unwrap_or_default())?;
        }
        if !goes {
            kept.push(entry.clone());
        }
    }
    if kept.len() == file.list(field).len() {
        return Ok(());
    }
    file.set(field, kept);
    file.write()
}

fn remove_texts(context: &Context<'_>, field: &str, noun: &str, args: &[String], ignore: bool) -> Result<()> {
    let [list] = args else {
        let problem =
            if args.is_empty() { "must specify label" } else { "labels must be comma-separated, with no spaces" };
        return Err(Error::rule(problem));
    };
    if list.split(',').any(str::is_empty) {
        return Err(Error::rule("invalid label: '' (name is empty)"));
    }
    let mut file = context.open()?;
    if file.get(field).is_none() && !ignore {
        return Err(Error::rule(format!("{field} is not defined in kustomization file")));
    }
    let map: &mut Map<String, Value> = file.map_mut(field);
    for key in list.split(',') {
        if map.remove(key).is_none() && !ignore {
            return Err(Error::rule(format!("{noun} {key} is not defined in kustomization file")));
        }
    }
    file.write()
}

fn remove_patch(patch: &PatchArgs, context: &mut Context<'_>) -> Result<()> {
    patch.refuse_both()?;
    let mut file = context.open()?;
    let places: Vec<usize> = file.patch_places(&patch.to_json()).collect();
    if places.is_empty() {
        context.note(format!("patch {} doesn't exist in kustomization file", patch.patch));
        return Ok(());
    }
    let mut at = 0;
    file.list_mut("patches").retain(|_| {
        at += 1;
        !places.contains(&(at - 1))
    });
    file.write()
}
