//! A conversation with one registry about one repository.

use std::path::{Path, PathBuf};

use kpkg_oci::{Access, Error, LoginFile, Reference, Registry};

use crate::image::{ImageError, ImageName, PullOptions};

/// A registry that we are logged in to, and what is wanted of it.
pub(super) struct Session {
    pub(super) registry: Registry,
    pub(super) name: ImageName,
}

impl Session {
    pub(super) async fn open(name: &ImageName, options: &PullOptions) -> Result<Self, ImageError> {
        let plain_http = options.plain_http || is_loopback(&name.registry);
        let unreachable = |error| failed("reach the registry of", name, error);
        let credentials = match &options.credentials {
            Some(credentials) => Some(credentials.clone()),
            None => LoginFile::of_user(docker_folder(), None).find(&name.registry).await.map_err(unreachable)?,
        };
        let access = Access { plain_http, ..Access::default() };
        let registry = Registry::open(&name.registry, &access, credentials).map_err(unreachable)?;
        Ok(Self { registry, name: name.clone() })
    }

    /// The name as the registry knows it.
    pub(super) fn reference(&self) -> Reference {
        let ImageName { registry, repository, tag, digest } = self.name.clone();
        Reference { host: registry, repository, tag, digest }
    }

    pub(super) fn by_digest(&self, digest: &str) -> Reference {
        Reference { digest: Some(digest.to_owned()), tag: None, ..self.reference() }
    }
}

/// Where Docker keeps this user's logins.
fn docker_folder() -> Option<PathBuf> {
    let own = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    own.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".docker")))
}

/// Only there may a login travel in the open without being told.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What an error of the registry means for an image.
pub(super) fn failed(operation: &'static str, name: impl ToString, error: Error) -> ImageError {
    let reference = name.to_string();
    match error {
        Error::Digest { what, found, expected } => ImageError::Digest { what, found, expected },
        Error::Document { what, problem } => ImageError::Document { what, problem },
        Error::Login { registry, problem } => ImageError::Login { registry, problem },
        error if error.is_hidden() => ImageError::NotInRegistry { reference, source: Box::new(error) },
        error => ImageError::Registry { operation, reference, source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_spoken_to_in_the_open() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "[::1]"] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in ["docker.io", "localhost.example.com", "10.0.0.1:5000", "127.0.0.1.nip.io", "[fe80::1]"] {
            assert!(!is_loopback(registry), "{registry}");
        }
    }
}
