//! A conversation with one registry about one repository.

use std::time::Duration;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::login;
use crate::image::{Credentials, ImageError, ImageName, PullOptions};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A client that knows how to log in.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) auth: RegistryAuth,
    pub(super) name: ImageName,
}

impl Session {
    pub(super) async fn open(name: &ImageName, options: &PullOptions) -> Result<Self, ImageError> {
        // Several parts of a program may do this; the first one wins, and all choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = options.plain_http || is_loopback(&name.registry);
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent: concat!("kpkg/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| failed("reach the registry of", name, error))?;
        let credentials = match &options.credentials {
            Some(credentials) => Some(credentials.clone()),
            None => login::find(&name.registry).await?,
        };
        let auth = match credentials {
            None => RegistryAuth::Anonymous,
            Some(Credentials::Basic { username, password }) => RegistryAuth::Basic(username, password),
            Some(Credentials::Bearer(token)) => RegistryAuth::Bearer(token),
        };
        Ok(Self { client, auth, name: name.clone() })
    }

    /// The name as the client wants it, by tag or digest.
    pub(super) fn reference(&self) -> Reference {
        match (&self.name.digest, &self.name.tag) {
            (Some(digest), _) => self.by_digest(digest),
            (None, tag) => Reference::with_tag(
                self.name.registry.clone(),
                self.name.repository.clone(),
                tag.clone().unwrap_or_else(|| "latest".to_owned()),
            ),
        }
    }

    pub(super) fn by_digest(&self, digest: &str) -> Reference {
        Reference::with_digest(self.name.registry.clone(), self.name.repository.clone(), digest.to_owned())
    }
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

/// What an error of the client means.
pub(super) fn failed(operation: &'static str, name: impl ToString, error: OciDistributionError) -> ImageError {
    let absent = match &error {
        OciDistributionError::ImageManifestNotFoundError(_)
        | OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => true,
        OciDistributionError::ServerError { code, .. } => matches!(code, 401 | 403 | 404),
        OciDistributionError::RequestError(error) => {
            error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 403 | 404))
        }
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| {
            matches!(
                error.code,
                OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::NotFound
                    | OciErrorCode::Denied
                    | OciErrorCode::Unauthorized
            )
        }),
        _ => false,
    };
    let (reference, source) = (name.to_string(), Box::new(error));
    if absent {
        ImageError::NotInRegistry { reference, source }
    } else {
        ImageError::Registry { operation, reference, source }
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
