//! Logging in: passwords and tokens, shown only to whom they are for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

use crate::Error;
use crate::challenge::Challenge;
use crate::credentials::Credentials;
use crate::transport::{Request, Transport, read_bounded, refused, shown};

const LONGEST_TOKEN: u64 = 1 << 20;

/// A header that answers a registry's challenge; `None` if there is no login that could.
pub(super) async fn answer(
    transport: &Transport,
    registry: &Url,
    challenge: &Challenge,
    scope: &str,
    credentials: Option<&Credentials>,
) -> Result<Option<HeaderValue>, Error> {
    match challenge {
        Challenge::Basic => Ok(credentials.and_then(basic)),
        Challenge::Bearer { realm, service, scope: wanted } => {
            if let Some(Credentials::Bearer(token)) = credentials {
                return Ok(bearer(token));
            }
            let realm = checked_realm(registry, realm)?;
            let trusted = credentials.filter(|_| may_see_login(registry, &realm));
            if credentials.is_some() && trusted.is_none() {
                tracing::warn!(
                    registry = shown(registry),
                    realm = shown(&realm),
                    "the login is not shown to this host"
                );
            }
            let scope = wanted.as_deref().unwrap_or(scope);
            token(transport, realm, service.as_deref(), scope, trusted).await.map(|token| bearer(&token))
        }
    }
}

/// A name and password as a header.
pub fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let value = match credentials {
        Credentials::Basic { username, password } => {
            format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
        }
        Credentials::Bearer(token) | Credentials::Identity(token) => format!("Bearer {token}"),
    };
    secret(&value)
}

fn bearer(token: &str) -> Option<HeaderValue> {
    secret(&format!("Bearer {token}"))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A realm is HTTPS, or plain where the registry itself is.
fn checked_realm(registry: &Url, realm: &str) -> Result<Url, Error> {
    let refuse = |to: &str, problem| Error::Redirect { from: shown(registry), to: to.to_owned(), problem };
    let url = Url::parse(realm).map_err(|_| refuse("somewhere", "the place for tokens is not a URL"))?;
    match (registry.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(url),
        _ => Err(refuse(&shown(&url), "tokens may only be had over TLS")),
    }
}

/// A login is shown to the registry's own host, and to hosts of the same organisation (`auth.docker.io`
/// for `registry-1.docker.io`): a registry cannot send it to a stranger.
fn may_see_login(registry: &Url, realm: &Url) -> bool {
    let (Some(own), Some(other)) = (registry.host_str(), realm.host_str()) else { return false };
    own == other
        || matches!((registry.domain(), realm.domain()), (Some(own), Some(other)) if organisation(own) == organisation(other) && organisation(own).is_some())
}

/// The last two labels of a host name, three where the last but one is as short as a registry's own (`co.uk`).
fn organisation(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.rsplit('.').collect();
    let wanted = if labels.get(1).is_some_and(|label| label.len() <= 3) && labels[0].len() == 2 { 3 } else { 2 };
    (labels.len() >= wanted).then(|| labels[..wanted].join("."))
}

async fn token(
    transport: &Transport,
    mut realm: Url,
    service: Option<&str>,
    scope: &str,
    credentials: Option<&Credentials>,
) -> Result<String, Error> {
    let mut query: Vec<(&str, &str)> = Vec::new();
    query.extend(service.map(|service| ("service", service)));
    query.extend((!scope.is_empty()).then_some(("scope", scope)));
    let request = if let Some(Credentials::Identity(token)) = credentials {
        query.extend([("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "kpkg")]);
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        Request::new(Method::POST, realm)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into())
    } else {
        realm.query_pairs_mut().extend_pairs(query);
        let mut request = Request::get(realm);
        request.authorization = credentials.and_then(basic);
        request
    };
    let answer = transport.send(&request).await?;
    if answer.status() != StatusCode::OK {
        return Err(refused(answer).await);
    }
    let body = read_bounded(answer, "the token", LONGEST_TOKEN).await?;
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = json["token"].as_str().or(json["access_token"].as_str());
    token
        .map(str::to_owned)
        .ok_or_else(|| Error::Document { what: shown(&request.url), problem: "its answer holds no token".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2026-48978: the place for tokens is the registry's to name, the login is not.
    #[test]
    fn a_login_is_shown_to_the_registry_and_its_kin_only() {
        let see = |registry: &str, realm: &str| {
            may_see_login(&Url::parse(registry).expect("valid"), &Url::parse(realm).expect("valid"))
        };
        assert!(see("https://registry-1.docker.io", "https://auth.docker.io/token"));
        assert!(see("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"));
        assert!(see("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"));
        assert!(!see("https://registry.example.com", "https://evil.org/token"));
        assert!(!see("https://a.co.uk", "https://b.co.uk/token"));
        assert!(!see("http://10.0.0.1:5000", "http://10.0.0.2/token"));
        assert!(!see("https://localhost", "https://example/token"));
    }

    #[test]
    fn tokens_come_over_tls_if_the_registry_does() {
        let registry = Url::parse("https://r.example").expect("valid");
        assert!(checked_realm(&registry, "http://r.example/token").is_err());
        assert!(checked_realm(&registry, "ftp://r.example/token").is_err());
        assert!(checked_realm(&registry, "https://r.example/token").is_ok());
    }
}
