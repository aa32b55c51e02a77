//! Values files that sops sealed: what is in clear, and that nothing was changed.
//!
//! The text that comes out is the text that went in with the values in place of their sealed form, so
//! that every value stays on its line; only sops' own section is gone.

mod leaves;
mod metadata;
mod value;

use std::ops::Range;

use ring::digest::{Context, SHA512};

use crate::age::{Identity, Recipient};
use crate::error::{Result, SecretError};
use leaves::{Document, Leaf};
use metadata::Metadata;
use value::{Key, Plain};

/// A file in clear. It never prints its secrets by itself.
pub struct Opened {
    /// The YAML.
    pub text: String,
    /// The values that were sealed.
    pub secrets: Vec<String>,
    /// Whom the file was sealed for.
    pub recipients: Vec<Recipient>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("recipients", &self.recipients).finish_non_exhaustive()
    }
}

/// Whether a text is a YAML file of sops' making.
pub fn is_sealed(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == "sops:") && text.contains("ENC[AES256_GCM,")
}

/// Opens a file and checks that it is as sops left it.
///
/// # Errors
///
/// No identity opens it, values were changed, moved, added or dropped, or it is sealed by other means than age.
pub fn open(text: &str, identities: &[Identity]) -> Result<Opened> {
    let metadata = Metadata::read(text)?;
    let key = Key::new(&metadata.data_key(identities)?)?;
    let document = Document::read(text)?;
    let mut checksum = Context::new(&SHA512);
    if metadata.only_sealed_in_checksum {
        checksum.update(&metadata::ONLY_SEALED);
    }
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut secrets = Vec::new();
    for leaf in &document.leaves {
        let sealed = metadata.rule.seals(&leaf.path, &leaf.text)?;
        let plain = if sealed { key.open(leaf)? } else { Plain::in_clear(leaf) };
        if sealed || !metadata.only_sealed_in_checksum {
            checksum.update(plain.bytes.as_bytes());
        }
        if sealed {
            edits.push((place(text, leaf)?, plain.yaml));
            if !plain.bytes.is_empty() {
                secrets.push(plain.bytes);
            }
        }
    }
    let sum: String = checksum.finish().as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    if key.open_text(&metadata.checksum, &metadata.modified).as_deref() != Some(sum.as_str()) {
        return Err(SecretError::Mac);
    }
    // The lines of sops' own section stay, empty, so that those behind it keep their numbers.
    let section = document.section.clone();
    edits.push((section.clone(), "\n".repeat(text[section].matches('\n').count())));
    Ok(Opened { text: edited(text, edits), secrets, recipients: metadata.recipients()? })
}

/// Where in the text a sealed value stands, quotes included.
fn place(text: &str, leaf: &Leaf) -> Result<Range<usize>> {
    let rest = &text[leaf.start..];
    let quotes = usize::from(rest.starts_with(['"', '\'']));
    let end = leaf.start + leaf.text.len() + 2 * quotes;
    if rest[quotes..].starts_with(leaf.text.as_str()) && text.is_char_boundary(end.min(text.len())) && end <= text.len()
    {
        return Ok(leaf.start..end);
    }
    Err(SecretError::Sops(format!("the value at `{}` is not on one line", leaf.path.join("."))))
}

fn edited(text: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in edits {
        out.push_str(&text[at..range.start]);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests;
