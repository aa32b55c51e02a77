//! Deprecated fields of a kustomization become those that took their place.

use std::path::Path;

use serde_json::{Value, json};

use super::file::KustomizationFile;
use super::variables;
use crate::build::{Options, build};
use crate::error::{Error, Result};

/// What a repair comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fixed {
    /// The folder builds to the same as before.
    Same,
    /// It builds to something else.
    Differs(String),
    /// It does not build any more, or did not before.
    Fails(String),
}

/// Brings the kustomization file of a folder up to date; variables become replacements if asked for, which changes
/// files of resources too.
pub fn fix(folder: &Path, with_variables: bool, options: &Options<'_>) -> Result<Fixed> {
    let built = || build(&folder.to_string_lossy(), options).and_then(|built| built.text());
    let before = built().unwrap_or_default();
    let mut file = KustomizationFile::open(folder)?;
    fix_patches(&mut file, folder);
    fix_labels(&mut file)?;
    if with_variables {
        variables::to_replacements(&mut file, folder)?;
    }
    file.write()?;
    Ok(match built() {
        Err(error) => Fixed::Fails(error.chain()),
        Ok(after) if after != before => Fixed::Differs(after),
        Ok(_) => Fixed::Same,
    })
}

fn fix_patches(file: &mut KustomizationFile, folder: &Path) {
    let mut patches = match file.take("patchesJson6902") {
        Some(Value::Array(patches)) => patches,
        _ => Vec::new(),
    };
    if let Some(Value::Array(merges)) = file.take("patchesStrategicMerge") {
        for merge in merges {
            let is_path = folder.join(merge.as_str().unwrap_or_default()).is_file();
            patches.push(if is_path { json!({"path": merge}) } else { json!({"patch": merge}) });
        }
    }
    if !patches.is_empty() {
        file.list_mut("patches").extend(patches);
    }
}

fn fix_labels(file: &mut KustomizationFile) -> Result<()> {
    let Some(Value::Object(common)) = file.get("commonLabels").cloned() else { return Ok(()) };
    if common.is_empty() {
        return Ok(());
    }
    let twice = file.list("labels").iter().filter_map(|label| label.get("pairs")?.as_object()).flatten();
    if let Some((name, _)) = twice.into_iter().find(|(name, _)| common.contains_key(*name)) {
        return Err(Error::rule(format!("label name '{name}' exists in both commonLabels and labels")));
    }
    file.list_mut("labels").push(json!({"pairs": common, "includeSelectors": true}));
    file.take("commonLabels");
    Ok(())
}
