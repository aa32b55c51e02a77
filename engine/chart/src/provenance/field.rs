//! The name of a field of an object: `Deployment/web:spec.template.spec.containers[0].image`.

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// The object's kind.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// Keys, and numbers of list items; none for the whole object.
    pub path: Vec<String>,
}

/// Why a text names no field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` names no field: write KIND/NAME:PATH, such as `Deployment/web:spec.replicas`")]
pub struct BadField {
    /// The text.
    pub text: String,
}

impl std::str::FromStr for FieldPath {
    type Err = BadField;

    fn from_str(text: &str) -> Result<Self, BadField> {
        let bad = || BadField { text: text.to_owned() };
        let (object, path) = text.split_once(':').unwrap_or((text, ""));
        let (kind, name) =
            object.split_once('/').filter(|(kind, name)| !kind.is_empty() && !name.is_empty()).ok_or_else(bad)?;
        Ok(Self { kind: kind.to_owned(), name: name.to_owned(), path: parts(path).ok_or_else(bad)? })
    }
}

/// Parts between dots; what stands in brackets or quotes is one part, dots and all.
fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.strip_prefix('.').unwrap_or(text);
    while !rest.is_empty() {
        let (part, after) = if let Some(inner) = rest.strip_prefix('[') {
            let (part, after) = inner.split_once(']')?;
            (part.trim_matches(['"', '\'']), after)
        } else if let Some(inner) = rest.strip_prefix('"') {
            inner.split_once('"')?
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            rest.split_at(end)
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part.to_owned());
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    Some(parts)
}

impl Display for FieldPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.kind, self.name, dotted(&self.path))
    }
}

/// A path as users write it.
pub(crate) fn dotted(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if part.contains(['.', '/']) || part.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{part}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_paths() {
        let cases: [(&str, &[&str]); 4] = [
            ("Deployment/web:spec.replicas", &["spec", "replicas"]),
            ("Pod/a:spec.containers[0].image", &["spec", "containers", "0", "image"]),
            ("Service/a:metadata.annotations[a.b/c]", &["metadata", "annotations", "a.b/c"]),
            ("Service/a:", &[]),
        ];
        for (text, want) in cases {
            let field: FieldPath = text.parse().expect(text);
            assert_eq!(field.path, want, "{text}");
            assert_eq!(field.to_string(), text);
        }
        for text in ["", "Deployment", "/web:x", "A/b:c..d", "A/b:c[0"] {
            assert!(text.parse::<FieldPath>().is_err(), "{text}");
        }
    }
}
