//! A conversation with one registry.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use reqwest::Response;
use url::Url;

use crate::challenge::{self, Challenge};
use crate::credentials::Credentials;
use crate::manifest::{DOCKER_LIST, DOCKER_MANIFEST, INDEX, LONGEST_MANIFEST, MANIFEST};
use crate::reference::Reference;
use crate::transport::{Access, Request, Transport, onward, read_bounded, refused, same_origin, shown};
use crate::{Error, auth, digest_of};

const LONGEST_TAGS: u64 = 8 << 20;
const MAX_TAG_PAGES: usize = 1000;

/// One registry, with the login for it.
#[derive(Debug)]
pub struct Registry {
    pub(super) transport: Transport,
    pub(super) host: String,
    base: Url,
    credentials: Option<Credentials>,
    /// What the registry accepted so far, by scope.
    granted: Mutex<HashMap<String, HeaderValue>>,
}

impl Registry {
    /// A registry by its host.
    pub fn open(host: &str, access: &Access, credentials: Option<Credentials>) -> Result<Self, Error> {
        Self::over(Transport::new(access)?, host, access.plain_http, credentials)
    }

    /// The same over connections that are there already.
    pub fn over(
        transport: Transport,
        host: &str,
        plain_http: bool,
        credentials: Option<Credentials>,
    ) -> Result<Self, Error> {
        let scheme = if plain_http { "http" } else { "https" };
        let address = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let base = Url::parse(&format!("{scheme}://{address}/v2/"))
            .map_err(|_| Error::Reference { reference: host.to_owned(), problem: "the host is not valid" })?;
        Ok(Self { transport, host: host.to_owned(), base, credentials, granted: Mutex::default() })
    }

    /// Whether the registry accepts the login.
    pub async fn check_login(&self) -> Result<(), Error> {
        let answer = self.call("", Request::get(self.base.clone())).await?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(answer).await) }
    }

    /// The manifest of a reference, and its digest. What was asked for by digest has that digest.
    pub async fn manifest(&self, reference: &Reference) -> Result<(Bytes, String), Error> {
        let url = self.url(&format!("{}/manifests/{}", reference.repository, reference.wanted()))?;
        let accept = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
        let request = Request::get(url).header(header::ACCEPT, &accept);
        let answer = self.call(&pull_scope(&reference.repository), request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Error::NotFound { what: reference.to_string() });
        }
        if !answer.status().is_success() {
            return Err(refused(answer).await);
        }
        let claimed = answer.headers().get("docker-content-digest").and_then(|it| it.to_str().ok()).map(str::to_owned);
        let what = format!("the manifest of {reference}");
        let bytes = read_bounded(answer, &what, LONGEST_MANIFEST).await?;
        let found = digest_of(&bytes);
        // A registry that is asked by tag says what it sent: a proxy that changed it is found out.
        let expected = reference.digest.clone().or(claimed.filter(|it| it.starts_with("sha256:")));
        match expected {
            Some(expected) if expected != found => Err(Error::Digest { what, found, expected }),
            _ => Ok((bytes, found)),
        }
    }

    /// All tags of a repository, as the registry orders them.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut url = self.url(&format!("{repository}/tags/list"))?;
        let mut tags = Vec::new();
        for _ in 0..MAX_TAG_PAGES {
            let answer = self.call(&pull_scope(repository), Request::get(url.clone())).await?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Err(Error::NotFound { what: format!("{}/{repository}", self.host) });
            }
            if !answer.status().is_success() {
                return Err(refused(answer).await);
            }
            let next = next_page(&answer)?;
            let what = format!("the tags of {}/{repository}", self.host);
            let bytes = read_bounded(answer, &what, LONGEST_TAGS).await?;
            let page: Page = serde_json::from_slice(&bytes)
                .map_err(|_| Error::Document { what, problem: "the answer is not a list of tags".to_owned() })?;
            tags.extend(page.tags.unwrap_or_default());
            match next {
                Some(next) if same_origin(&next, &self.base) => url = next,
                _ => return Ok(tags),
            }
        }
        Ok(tags)
    }

    /// Puts a manifest under a tag or its digest; answers its digest.
    pub async fn put_manifest(
        &self,
        repository: &str,
        name: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<String, Error> {
        let digest = digest_of(&bytes);
        let url = self.url(&format!("{repository}/manifests/{name}"))?;
        let request = Request::new(Method::PUT, url).header(header::CONTENT_TYPE, media_type).body(bytes.into());
        let answer = self.call(&push_scope(repository), request).await?;
        if !answer.status().is_success() {
            return Err(refused(answer).await);
        }
        match answer.headers().get("docker-content-digest").and_then(|it| it.to_str().ok()) {
            Some(found) if found.starts_with("sha256:") && found != digest => Err(Error::Digest {
                what: format!("what {}/{repository}:{name} became", self.host),
                found: found.to_owned(),
                expected: digest,
            }),
            _ => Ok(digest),
        }
    }

    /// Sends with the login, if the registry asks for one; a token that is no longer good is replaced once.
    pub(super) async fn call(&self, scope: &str, mut request: Request) -> Result<Response, Error> {
        // Whatever place a registry names, the login is for the registry alone.
        let own = same_origin(&request.url, &self.base);
        if own {
            request.authorization = self.known(scope);
        }
        let answer = self.transport.send(&request).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || !own || !same_origin(answer.url(), &self.base) {
            return Ok(answer);
        }
        let Some(challenge) = challenge_of(&answer) else { return Err(self.denied(answer).await) };
        let granted = auth::answer(&self.transport, &self.base, &challenge, scope, self.credentials.as_ref()).await?;
        let Some(granted) = granted else { return Err(self.denied(answer).await) };
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.to_owned(), granted.clone());
        request.authorization = Some(granted);
        let answer = self.transport.send(&request).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Err(self.denied(answer).await);
        }
        Ok(answer)
    }

    fn known(&self, scope: &str) -> Option<HeaderValue> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned()
    }

    async fn denied(&self, answer: Response) -> Error {
        let message = match refused(answer).await {
            Error::Unauthorized { message, .. } | Error::Status { message, .. } => message,
            other => other.to_string(),
        };
        let message = if self.credentials.is_none() {
            format!("{message}; there is no login for it (`kpkg login {}`)", self.host)
        } else {
            format!("{message}; the login was not accepted")
        };
        Error::Unauthorized { host: self.host.clone(), message }
    }

    /// Below `/v2/`.
    pub(super) fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|_| Error::Reference { reference: path.to_owned(), problem: "it makes no URL" })
    }

    /// Where an upload goes on.
    pub(super) fn location(answer: &Response) -> Result<Url, Error> {
        let missing =
            || Error::Document { what: shown(answer.url()), problem: "it names no place to upload to".to_owned() };
        onward(answer.url(), answer.headers().get(header::LOCATION).ok_or_else(missing)?)
    }
}

fn challenge_of(answer: &Response) -> Option<Challenge> {
    let all = answer.headers().get_all(header::WWW_AUTHENTICATE);
    let read: Vec<Challenge> = all.iter().filter_map(|value| challenge::parse(value.to_str().ok()?)).collect();
    read.iter().find(|it| matches!(it, Challenge::Bearer { .. })).or(read.first()).cloned()
}

/// The `Link` to the next page of a list.
fn next_page(answer: &Response) -> Result<Option<Url>, Error> {
    let link = answer.headers().get(HeaderName::from_static("link")).and_then(|link| link.to_str().ok());
    let target =
        link.and_then(|link| link.strip_prefix('<')?.split_once('>')).filter(|(_, rest)| rest.contains("next"));
    let Some((target, _)) = target else { return Ok(None) };
    let Ok(target) = HeaderValue::from_str(target) else { return Ok(None) };
    onward(answer.url(), &target).map(Some)
}

pub(super) fn pull_scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

pub(super) fn push_scope(repository: &str) -> String {
    format!("repository:{repository}:pull,push")
}
