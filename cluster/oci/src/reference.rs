//! References to what a registry holds: `oci://host/path/name:tag@digest`.

use std::fmt;
use std::str::FromStr;

use crate::Error;

const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// A repository of a registry, and maybe one thing in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The registry's host, with a port if not the usual one.
    pub host: String,
    /// The repository in the registry.
    pub repository: String,
    /// The tag, as registries write it.
    pub tag: Option<String>,
    /// The digest, `sha256:...`.
    pub digest: Option<String>,
}

impl Reference {
    /// Whether a text is meant as such a reference.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("oci://")
    }

    /// The last part of the repository: a chart's name.
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// A thing below this repository.
    pub fn join(&self, name: &str, tag: &str) -> Result<Self, Error> {
        format!("oci://{}/{}/{name}:{tag}", self.host, self.repository).parse()
    }

    /// The same repository at another tag.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// `host/repository`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// What the registry is asked for: the digest if there is one, else the tag.
    pub fn wanted(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).map_err(|problem| Error::Reference { reference: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let rest = text.strip_prefix("oci://").ok_or("it does not begin with oci://")?;
    let (name, digest) = match rest.split_once('@') {
        Some((name, digest)) => (name, Some(checked_digest(digest)?)),
        None => (rest, None),
    };
    let (host, path) = name.split_once('/').ok_or("it names no repository")?;
    check_host(host)?;
    let (repository, tag) = match path.split_once(':') {
        // A version may be given as people write it; registries know no `+`.
        Some((repository, tag)) => (repository, Some(checked_tag(&tag.replace('+', "_"))?)),
        None => (path, None),
    };
    let repository = repository.trim_end_matches('/');
    if host.len() + repository.len() > LONGEST_NAME {
        return Err("it is longer than 255 characters");
    }
    if !repository.split('/').all(is_component) {
        return Err("the repository is not valid (lower case, digits, and `.`, `_`, `-` between)");
    }
    Ok(Reference { host: host.to_owned(), repository: repository.to_owned(), tag, digest })
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let legal = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        }),
    };
    if legal && port.is_none_or(|port| port.parse::<u16>().is_ok()) { Ok(()) } else { Err("the host is not valid") }
}

fn checked_tag(tag: &str) -> Result<String, &'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if tag.is_empty() || tag.len() > LONGEST_TAG || tag.starts_with(['.', '-']) || !tag.bytes().all(legal) {
        return Err("the tag is not valid");
    }
    Ok(tag.to_owned())
}

/// Lower-case letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_component(part: &str) -> bool {
    let ends = [part.bytes().next(), part.bytes().last()];
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    ends.iter().all(|end| end.is_some_and(alphanumeric))
        && part
            .split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-'))
}

/// A digest that can be checked.
pub fn checked_digest(digest: &str) -> Result<String, &'static str> {
    let hex = digest.strip_prefix("sha256:").ok_or("only sha256 digests are supported")?;
    let legal = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if legal { Ok(digest.to_owned()) } else { Err("the digest is not valid") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references() {
        let full: Reference = format!("oci://127.0.0.1:5000/a/b__c/web:1.0.0+x@{D}").parse().expect("valid");
        assert_eq!(full.to_string(), format!("127.0.0.1:5000/a/b__c/web:1.0.0_x@{D}"));
        assert_eq!((full.name(), full.wanted()), ("web", D));
        let plain: Reference = "oci://[::1]:5000/web".parse().expect("valid");
        assert_eq!((plain.host.as_str(), plain.wanted()), ("[::1]:5000", "latest"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "oci://",
            "oci://host",
            "oci:///a",
            "https://host/a",
            "oci://host/../a",
            "oci://host/A",
            "oci://host/a:",
            "oci://host/a:-x",
            "oci://host/a@md5:00",
            "oci://host/a@sha256:12",
            "oci://user:secret@host/a",
            "oci://ho st/a",
            "oci://host:port/a",
            "oci://host/a?x=y",
            "oci://host/a//b",
            "oci://host/a\n",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
