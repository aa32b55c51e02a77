//! HTTP as registries and repositories need it: a login goes to the host it is for and nowhere else.
//!
//! Redirects are followed by hand: whatever leaves the origin (scheme, host and port) loses its login, and
//! nothing goes from TLS to the open. Failures that may pass are tried again, with pauses.

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use reqwest::Response;
use url::Url;

use crate::Error;
use crate::inflow::Inflow;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 10;
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How much of an error's text is shown.
const LONGEST_MESSAGE: usize = 300;

/// How to reach servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// Speak HTTP without TLS.
    pub plain_http: bool,
    /// Accept any certificate.
    pub insecure: bool,
    /// Trust the authorities in this file besides.
    pub ca_file: Option<PathBuf>,
    /// A certificate of our own.
    pub cert_file: Option<PathBuf>,
    /// The key of [`Self::cert_file`].
    pub key_file: Option<PathBuf>,
    /// How long a server may be silent; a minute if not said.
    pub patience: Option<Duration>,
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// With what, for every host that a redirect leads to.
    pub headers: HeaderMap,
    /// For the origin of `url` only.
    pub authorization: Option<HeaderValue>,
    /// What.
    pub body: Bytes,
    /// Whether sending it twice does no harm.
    pub repeatable: bool,
}

impl Request {
    /// A request without headers, login and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), authorization: None, body: Bytes::new(), repeatable: true }
    }

    /// Asks for something.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// The same with a header; a value that cannot be one is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }
}

/// A client for HTTP. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Transport {
    client: reqwest::Client,
}

impl Transport {
    /// A client that reaches servers so.
    pub fn new(access: &Access) -> Result<Self, Error> {
        // Several parts of a program may do this; the first one wins, and all choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("kpkg/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(access.patience.unwrap_or(READ_TIMEOUT))
            .tls_danger_accept_invalid_certs(access.insecure);
        if let Some(path) = &access.ca_file {
            let pem = std::fs::read(path).map_err(Error::file("read", path))?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|_| Error::Setting(format!("{} holds no certificates", path.display())))?;
            if authorities.is_empty() {
                return Err(Error::Setting(format!("{} holds no certificates", path.display())));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        match (&access.cert_file, &access.key_file) {
            (Some(certificate), Some(key)) => {
                let mut pem = std::fs::read(certificate).map_err(Error::file("read", certificate))?;
                pem.push(b'\n');
                pem.extend(std::fs::read(key).map_err(Error::file("read", key))?);
                let identity = reqwest::Identity::from_pem(&pem).map_err(|_| {
                    Error::Setting(format!(
                        "{} and {} are no certificate with its key",
                        certificate.display(),
                        key.display()
                    ))
                })?;
                builder = builder.identity(identity);
            }
            (None, None) => {}
            _ => return Err(Error::Setting("a certificate needs its key, and a key its certificate".to_owned())),
        }
        let client = builder.build().map_err(|source| Error::Transport { url: "any server".to_owned(), source })?;
        Ok(Self { client })
    }

    /// Sends, follows redirects, and tries again what may pass. Answers of any status come back.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let outcome = self.follow(request).await;
            // Whoever was silent once for so long is asked once more and not for minutes.
            let silent = matches!(&outcome, Err(Error::Transport { source, .. }) if source.is_timeout());
            if attempt == ATTEMPTS || !request.repeatable || (silent && attempt > 1) {
                return outcome;
            }
            let wait = match &outcome {
                Ok(answer) if is_passing(answer.status()) => retry_after(answer).unwrap_or(pause),
                Err(Error::Transport { source, .. }) if may_pass(source) => pause,
                _ => return outcome,
            };
            tracing::debug!(url = shown(&request.url), attempt, "trying again");
            tokio::time::sleep(wait.min(LONGEST_PAUSE)).await;
            pause *= 2;
        }
        unreachable!("the loop ends at its last attempt")
    }

    async fn follow(&self, request: &Request) -> Result<Response, Error> {
        let mut url = request.url.clone();
        let mut method = request.method.clone();
        let mut body = request.body.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut sent = self.client.request(method.clone(), url.clone()).headers(request.headers.clone());
            if let Some(authorization) = request.authorization.as_ref().filter(|_| same_origin(&url, &request.url)) {
                sent = sent.header(header::AUTHORIZATION, authorization.clone());
            }
            if !body.is_empty() || matches!(method, Method::POST | Method::PUT | Method::PATCH) {
                sent = sent.header(header::CONTENT_LENGTH, body.len()).body(body.clone());
            }
            let failed = |source: reqwest::Error| Error::Transport { url: shown(&url), source: source.without_url() };
            let answer = sent.send().await.map_err(failed)?;
            if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED {
                return Ok(answer);
            }
            let Some(location) = answer.headers().get(header::LOCATION) else { return Ok(answer) };
            url = onward(&url, location)?;
            if matches!(answer.status(), StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER)
                && !matches!(method, Method::GET | Method::HEAD)
            {
                method = Method::GET;
                body = Bytes::new();
            }
        }
        Err(Error::Redirect { from: shown(&request.url), to: shown(&url), problem: "there were too many redirects" })
    }
}

/// Where a `Location` leads; never from TLS to the open, never to anything but HTTP.
pub fn onward(from: &Url, location: &HeaderValue) -> Result<Url, Error> {
    let refuse = |to: &str, problem| Error::Redirect { from: shown(from), to: to.to_owned(), problem };
    let text = location.to_str().map_err(|_| refuse("somewhere", "the location is not a text"))?;
    let url = from.join(text).map_err(|_| refuse("somewhere", "the location is not a URL"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if from.scheme() == "http" => Ok(url),
        "http" => Err(refuse(&shown(&url), "it is not encrypted")),
        _ => Err(refuse(&shown(&url), "it is not HTTP")),
    }
}

/// Whether two URLs have scheme, host and port in common.
pub fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// Whether the failure lies on the way, and not in what was asked.
pub fn may_pass(error: &reqwest::Error) -> bool {
    if error.is_builder() || error.is_redirect() {
        return false;
    }
    // A certificate stays wrong however often it is looked at, and who resolves names has tried again by itself.
    let causes = chain(error);
    !causes.contains("certificate") && !causes.contains("dns error")
}

/// An error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A URL to show: without login, and without the query, which may hold a signature.
pub fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

/// Reads a body to its end, if it is not longer than `limit`.
pub async fn read_bounded(mut answer: Response, what: &str, limit: u64) -> Result<Bytes, Error> {
    let too_large = || Error::TooLarge { what: what.to_owned(), limit };
    if answer.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let url = shown(answer.url());
    let mut bytes = BytesMut::new();
    while let Some(chunk) =
        answer.chunk().await.map_err(|source| Error::Transport { url: url.clone(), source: source.without_url() })?
    {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Writes a body that is not longer than `limit` to `sink`, on a thread of its own; hands the sink back, with the
/// digest of what came.
pub async fn receive<S: std::io::Write + Send + 'static>(
    mut answer: Response,
    what: &str,
    limit: u64,
    sink: S,
) -> Result<(S, String), Error> {
    let too_large = || Error::TooLarge { what: what.to_owned(), limit };
    let lost = |source| Error::Sink { what: what.to_owned(), source };
    if answer.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut inflow = Inflow::new(sink);
    let mut fill = async || {
        let url = shown(answer.url());
        let broken = |source: reqwest::Error| Error::Transport { url: url.clone(), source: source.without_url() };
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if inflow.size() + chunk.len() as u64 > limit {
                return Err(too_large());
            }
            if inflow.take(&chunk).await.is_break() {
                return Ok(()); // ending it says why
            }
        }
        Ok(())
    };
    if let Err(error) = fill().await {
        return Err(inflow.stop().await.map_or(error, lost));
    }
    inflow.finish().await.map_err(lost)
}

/// The error that an answer of another status than the wanted one stands for.
pub async fn refused(answer: Response) -> Error {
    let (url, status) = (shown(answer.url()), answer.status());
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_html = kind.starts_with("text/html");
    let body = read_bounded(answer, "the answer", 64 << 10).await.unwrap_or_default();
    let message = if is_html { "a web page, not what was asked for".to_owned() } else { message(&body, status) };
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let host = Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or(url);
        return Error::Unauthorized { host, message };
    }
    Error::Status { url, status: status.as_u16(), message }
}

/// The messages of a registry's error, or the text as far as it can be shown.
fn message(body: &[u8], status: StatusCode) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let errors = json.as_ref().and_then(|json| json["errors"].as_array());
    let said: Vec<String> = errors
        .into_iter()
        .flatten()
        .filter_map(|error| Some(format!("{} ({})", error["message"].as_str()?, error["code"].as_str()?)))
        .collect();
    let text = if said.is_empty() { String::from_utf8_lossy(body).into_owned() } else { said.join("; ") };
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST_MESSAGE).collect();
    if text.trim().is_empty() { status.canonical_reason().unwrap_or("nothing more").to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("valid")
    }

    #[test]
    fn nothing_leads_from_tls_to_the_open() {
        let lead =
            |from: &str, to: &str| onward(&url(from), &HeaderValue::from_str(to).expect("valid")).map(String::from);
        assert_eq!(lead("https://a/x/y", "../z").expect("relative"), "https://a/z");
        assert_eq!(lead("http://a/x", "http://b/z").expect("open to open"), "http://b/z");
        assert!(lead("https://a/x", "http://a/x").is_err());
        assert!(lead("http://a/x", "file:///etc/passwd").is_err());
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        assert_eq!(shown(&url("https://u:p@h:8443/a?X-Signature=s#f")), "https://h:8443/a");
    }

    #[test]
    fn origins_differ_by_port_and_scheme() {
        assert!(same_origin(&url("https://a/x"), &url("https://a:443/y")));
        for other in ["http://a/x", "https://a:444/x", "https://b.a/x"] {
            assert!(!same_origin(&url("https://a/x"), &url(other)), "{other}");
        }
    }
}
