//! Values files that sops sealed, opened by the age keys at hand.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kpkg_secrets::sops::{self, Opened};
use kpkg_secrets::{Identity, SecretError};

use crate::failure::Hint;

/// The keys, where sops looks for them: SOPS_AGE_KEY, the file SOPS_AGE_KEY_FILE, `sops/age/keys.txt` in the
/// user's configuration.
pub(crate) fn at_hand() -> Result<Vec<Identity>> {
    keys(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn keys(variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Identity>> {
    let mut keys = Vec::new();
    if let Some(text) = variable("SOPS_AGE_KEY") {
        keys.extend(Identity::list(&text).context("SOPS_AGE_KEY")?);
    }
    if let Some(path) = variable("SOPS_AGE_KEY_FILE") {
        keys.extend(from_file(Path::new(&path)).with_context(|| format!("SOPS_AGE_KEY_FILE ({path})"))?);
    }
    let own = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")));
    if let Some(path) = own.map(|folder| folder.join("sops/age/keys.txt")).filter(|path| path.is_file()) {
        keys.extend(from_file(&path).with_context(|| path.display().to_string())?);
    }
    Ok(keys)
}

fn from_file(path: &Path) -> Result<Vec<Identity>> {
    Ok(Identity::list(&std::fs::read_to_string(path)?)?)
}

/// The text of a values file in clear.
pub(crate) fn in_clear(name: &str, text: String) -> Result<String> {
    Ok(open(name, &text)?.map_or(text, |opened| opened.text))
}

/// A values file in clear, if sops sealed it.
pub(crate) fn open(name: &str, text: &str) -> Result<Option<Opened>> {
    if !sops::is_sealed(text) {
        return Ok(None);
    }
    let keys = at_hand().context("cannot read the age keys")?;
    match sops::open(text, &keys) {
        Ok(opened) => Ok(Some(opened)),
        Err(error @ SecretError::NoIdentity(_)) => {
            let hint = "give the key by SOPS_AGE_KEY, SOPS_AGE_KEY_FILE or ~/.config/sops/age/keys.txt".to_owned();
            Err(anyhow::Error::new(error).context(format!("cannot open {name}")).context(Hint(hint)))
        }
        Err(error) => Err(error).with_context(|| format!("cannot open {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    #[test]
    fn keys_are_found_where_sops_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sops/age/keys.txt");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("# mine\n{KEY}\n")).unwrap();
        let of = |name: &'static str, value: String| keys(&move |it| (it == name).then(|| value.clone()));
        assert_eq!(of("SOPS_AGE_KEY", KEY.to_owned()).unwrap().len(), 1);
        assert_eq!(of("SOPS_AGE_KEY_FILE", path.display().to_string()).unwrap().len(), 1);
        assert_eq!(of("XDG_CONFIG_HOME", folder.path().display().to_string()).unwrap().len(), 1);
        assert!(of("HOME", folder.path().display().to_string()).unwrap().is_empty());
        let error = format!("{:#}", of("SOPS_AGE_KEY", "AGE-SECRET-KEY-1OOPS".to_owned()).unwrap_err());
        assert!(error.starts_with("SOPS_AGE_KEY: ") && !error.contains("OOPS"), "{error}");
    }
}
