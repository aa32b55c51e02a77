//! Logins from Docker's configuration file and its helper programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use crate::image::{Credentials, ImageError};

/// What Docker calls its own registry in this file.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST: u64 = 4 << 20;
/// The user name by which helpers hand out identity tokens.
const TOKEN_USER: &str = "<token>";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    registrytoken: Option<String>,
}

/// The login for a registry, if this machine's user has one.
pub(super) async fn find(registry: &str) -> Result<Option<Credentials>, ImageError> {
    let Some(path) = config_path() else { return Ok(None) };
    find_in(&path, registry).await
}

fn config_path() -> Option<PathBuf> {
    let directory = std::env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".docker")))?;
    Some(directory.join("config.json"))
}

async fn find_in(path: &Path, registry: &str) -> Result<Option<Credentials>, ImageError> {
    let failed = |problem: String| ImageError::Login { registry: registry.to_owned(), problem };
    let bytes =
        crate::durable::read_bounded(path, LONGEST).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let config: ConfigFile =
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    let keys = keys(registry);
    let helper = keys.iter().find_map(|key| config.cred_helpers.get(key)).or(config.creds_store.as_ref());
    if let Some(helper) = helper {
        for key in &keys {
            if let Some(found) = ask_helper(helper, key).await.map_err(failed)? {
                return Ok(Some(found));
            }
        }
    }
    keys.iter().find_map(|key| config.auths.get(key)).map(decode).transpose().map(Option::flatten).map_err(failed)
}

/// The names under which a login for this registry may be kept: exactly this host, in the ways
/// that Docker writes it.
fn keys(registry: &str) -> Vec<String> {
    if registry == "docker.io" {
        return [DOCKER_HUB, "index.docker.io", "docker.io", "registry-1.docker.io"].map(str::to_owned).to_vec();
    }
    vec![
        registry.to_owned(),
        format!("https://{registry}"),
        format!("https://{registry}/v1/"),
        format!("https://{registry}/v2/"),
        format!("http://{registry}"),
    ]
}

fn decode(auth: &Auth) -> Result<Option<Credentials>, String> {
    if let Some(token) = auth.registrytoken.as_ref().filter(|token| !token.is_empty()) {
        return Ok(Some(Credentials::Bearer(token.clone())));
    }
    if let (Some(username), Some(password)) = (&auth.username, &auth.password) {
        return Ok(Some(Credentials::Basic { username: username.clone(), password: password.clone() }));
    }
    let Some(auth) = auth.auth.as_ref().filter(|auth| !auth.is_empty()) else { return Ok(None) };
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(auth.trim()).map_err(|_| "its `auth` is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "its `auth` is not text")?;
    let (username, password) = text.split_once(':').ok_or("its `auth` has no `:`")?;
    let password = password.trim_end_matches('\0');
    Ok(Some(Credentials::Basic { username: username.to_owned(), password: password.to_owned() }))
}

/// Asks `docker-credential-NAME`; `None` if it knows no login.
async fn ask_helper(helper: &str, key: &str) -> Result<Option<Credentials>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    if !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(format!("`{}` is not the name of a credential helper", helper.escape_debug()));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| format!("{program}: {error}");
    let mut child = tokio::process::Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(key.as_bytes()).await.map_err(failed)?;
    }
    let output = tokio::time::timeout(HELPER_TIMEOUT, child.wait_with_output())
        .await
        .map_err(|_| format!("{program} did not answer"))?
        .map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return if said.contains("credentials not found") {
            Ok(None)
        } else {
            Err(format!("{program} failed: {}", said.trim()))
        };
    }
    let answer: Answer = serde_json::from_slice(&output.stdout).map_err(|error| format!("{program}: {error}"))?;
    Ok(Some(match answer.username.as_str() {
        TOKEN_USER => Credentials::Bearer(answer.secret),
        _ => Credentials::Basic { username: answer.username, password: answer.secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(json: &str, registry: &str) -> Result<Option<Credentials>, ImageError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        find_in(&path, registry).await
    }

    fn basic(username: &str, password: &str) -> Credentials {
        Credentials::Basic { username: username.to_owned(), password: password.to_owned() }
    }

    #[tokio::test]
    async fn a_login_is_found_under_exactly_its_host() {
        let json = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpwOng="},"r.example:5000":{"username":"a","password":"b"}}}"#;
        assert_eq!(found(json, "docker.io").await.unwrap(), Some(basic("u", "p:x")));
        assert_eq!(found(json, "r.example:5000").await.unwrap(), Some(basic("a", "b")));
        for other in ["r.example", "r.example:5001", "evil.r.example:5000", "quay.io"] {
            assert_eq!(found(json, other).await.unwrap(), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_broken_file_is_an_error_and_a_missing_one_is_not() {
        assert!(found("{", "docker.io").await.is_err());
        assert!(found(r#"{"auths":{"docker.io":{"auth":"!"}}}"#, "docker.io").await.is_err());
        assert!(found(r#"{"credsStore":"../../bin/sh"}"#, "docker.io").await.is_err());
        assert_eq!(find_in(Path::new("/nonexistent"), "docker.io").await.unwrap(), None);
    }
}
