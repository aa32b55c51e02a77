//! Names of images, normalised as Docker does.

use std::fmt;
use std::str::FromStr;

use super::ImageError;

const DEFAULT_REGISTRY: &str = "docker.io";
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

/// A full name of an image: `nginx` is `docker.io/library/nginx:latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    /// The registry, with a port if not the usual one.
    pub registry: String,
    /// The repository in the registry.
    pub repository: String,
    /// The tag; `latest` if neither tag nor digest was given.
    pub tag: Option<String>,
    /// The digest, `sha256:...`.
    pub digest: Option<String>,
}

impl ImageName {
    /// The name without tag and digest.
    pub fn familiar_repository(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository by digest.
    pub fn with_digest(&self, digest: &str) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }

    /// The name with its tag and without its digest, if it has a tag.
    pub fn tagged(&self) -> Option<String> {
        self.tag.as_ref().map(|tag| format!("{}/{}:{tag}", self.registry, self.repository))
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageName {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        parse(text).map_err(|problem| ImageError::Reference { reference: text.to_owned(), problem: problem.to_owned() })
    }
}

fn parse(text: &str) -> Result<ImageName, &'static str> {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(checked_digest(digest)?)),
        None => (text, None),
    };
    let (name, tag) = split_tag(name)?;
    let (registry, repository) = split_registry(name);
    let repository = match registry {
        DEFAULT_REGISTRY if !repository.contains('/') => format!("library/{repository}"),
        _ => repository.to_owned(),
    };
    check_registry(registry)?;
    check_repository(&repository)?;
    if registry.len() + repository.len() + 1 > LONGEST_NAME {
        return Err("the name is longer than 255 characters");
    }
    let tag = match (tag, &digest) {
        (None, None) => Some("latest".to_owned()),
        (tag, _) => tag.map(str::to_owned),
    };
    Ok(ImageName { registry: registry.to_owned(), repository, tag, digest })
}

fn split_tag(name: &str) -> Result<(&str, Option<&str>), &'static str> {
    let after_slash = name.rfind('/').map_or(0, |at| at + 1);
    let Some(colon) = name[after_slash..].find(':').map(|at| at + after_slash) else {
        return Ok((name, None));
    };
    let tag = &name[colon + 1..];
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if tag.is_empty() || tag.len() > LONGEST_TAG || tag.starts_with(['.', '-']) || !tag.bytes().all(legal) {
        return Err("the tag is not valid");
    }
    Ok((&name[..colon], Some(tag)))
}

/// The first part is a registry if it could not be a user's name on Docker Hub.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase) =>
        {
            let first = if first == "index.docker.io" { DEFAULT_REGISTRY } else { first };
            (first, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    }
}

fn check_registry(registry: &str) -> Result<(), &'static str> {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let legal = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                })
        }
    };
    if legal && port.is_none_or(|port| port.parse::<u16>().is_ok()) {
        Ok(())
    } else {
        Err("the registry is not a host name")
    }
}

fn check_repository(repository: &str) -> Result<(), &'static str> {
    if repository.chars().any(char::is_uppercase) {
        return Err("the repository must be lower case");
    }
    if repository.split('/').all(is_path_component) { Ok(()) } else { Err("the repository is not valid") }
}

/// Letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    if !ends.iter().all(|end| end.is_some_and(|byte| alphanumeric(*byte))) {
        return false;
    }
    part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn checked_digest(digest: &str) -> Result<String, &'static str> {
    let hex = digest.strip_prefix("sha256:").ok_or("only sha256 digests are supported")?;
    if is_sha256(hex) { Ok(digest.to_owned()) } else { Err("the digest is not valid") }
}

/// Whether `hex` is 64 lower-case hexadecimal digits.
pub(crate) fn is_sha256(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_become_what_docker_makes_of_them() {
        let cases = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.29", "docker.io/library/nginx:1.29"),
            ("bitnami/redis", "docker.io/bitnami/redis:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/a/b:c", "localhost:5000/a/b:c"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("a__b/c-d--e.f", "docker.io/a__b/c-d--e.f:latest"),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<ImageName>().unwrap().to_string(), want, "{text}");
        }
        let both = format!("nginx:1@{D}").parse::<ImageName>().unwrap();
        assert_eq!(both.to_string(), format!("docker.io/library/nginx:1@{D}"));
        let digest = format!("nginx@{D}").parse::<ImageName>().unwrap();
        assert_eq!((digest.tag, digest.digest.as_deref()), (None, Some(D)));
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        let long = "a".repeat(300);
        for text in [
            "",
            "Nginx",
            "nginx:",
            "nginx:-x",
            "a//b",
            "../etc",
            "a/../b",
            "nginx@sha256:12",
            "nginx@md5:00",
            "-a",
            "a-",
            "a...b",
            "a b",
            "http://x/y",
            "x.y:port/z",
            "a:b:c",
            &long,
        ] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }
}
