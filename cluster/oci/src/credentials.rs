//! Logins: Docker's configuration file and its helper programs, read and written.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::Error;

const HELPER_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST: u64 = 4 << 20;
/// The user name by which helpers hand out identity tokens.
const TOKEN_USER: &str = "<token>";
/// What Docker calls its own registry.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A login at a registry or repository.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// A name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// A token to be exchanged for others.
    Identity(String),
    /// A token to be sent as it is.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)") // never in a log
    }
}

impl Credentials {
    /// One entry of Docker's `auths`; `None` if it is empty, as it is where a helper keeps the login.
    pub fn of_entry(entry: &Value) -> Result<Option<Self>, String> {
        decode(entry)
    }
}

/// Where logins are kept.
#[derive(Debug, Clone)]
pub struct LoginFile {
    /// Read in this order; the first is written.
    paths: Vec<PathBuf>,
}

impl LoginFile {
    /// This file and no other.
    pub fn at(path: PathBuf) -> Self {
        Self { paths: vec![path] }
    }

    /// Docker's file, and then Helm's, in these folders.
    pub fn of_user(docker: Option<PathBuf>, helm: Option<PathBuf>) -> Self {
        let docker = docker.map(|folder| folder.join("config.json"));
        let helm = helm.map(|folder| folder.join("registry/config.json"));
        Self { paths: docker.into_iter().chain(helm).collect() }
    }

    /// The login for exactly this host, if there is one.
    pub async fn find(&self, host: &str) -> Result<Option<Credentials>, Error> {
        for path in &self.paths {
            if let Some(found) = find_in(path, host).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Keeps a login, with the helper that the file names, or in the file itself, readable by its owner only.
    pub async fn store(&self, host: &str, username: &str, password: &str) -> Result<(), Error> {
        let path = self.written(host)?;
        let mut config = read(path, host)?.unwrap_or_else(|| json!({}));
        let key = key_of(host);
        if let Some(helper) = helper_of(&config, host) {
            let login = json!({ "ServerURL": key, "Username": username, "Secret": password });
            run_helper(&helper, "store", &login.to_string()).await.map_err(failed(host))?;
            return Ok(());
        }
        let auth = STANDARD.encode(format!("{username}:{password}"));
        config["auths"][key] = json!({ "auth": auth });
        write(path, &config, host)
    }

    /// Forgets a login; answers whether there was one.
    pub async fn erase(&self, host: &str) -> Result<bool, Error> {
        let path = self.written(host)?;
        let Some(mut config) = read(path, host)? else { return Ok(false) };
        let mut known = false;
        if let Some(helper) = helper_of(&config, host) {
            known = ask_helper(&helper, key_of(host)).await.map_err(failed(host))?.is_some();
            if known {
                run_helper(&helper, "erase", key_of(host)).await.map_err(failed(host))?;
            }
        }
        let mut in_file = false;
        if let Some(auths) = config["auths"].as_object_mut() {
            for key in keys(host) {
                in_file |= auths.remove(&key).is_some();
            }
        }
        if in_file {
            write(path, &config, host)?;
        }
        Ok(known || in_file)
    }

    fn written(&self, host: &str) -> Result<&Path, Error> {
        self.paths
            .first()
            .map(PathBuf::as_path)
            .ok_or_else(|| failed(host)("there is no home folder; name a file with --registry-config".to_owned()))
    }
}

fn failed(registry: &str) -> impl FnOnce(String) -> Error {
    let registry = registry.to_owned();
    move |problem| Error::Login { registry, problem }
}

/// The name under which Docker keeps a login.
fn key_of(host: &str) -> &str {
    if host == "docker.io" { DOCKER_HUB } else { host }
}

/// The names under which a login for this host may be kept: exactly this host, in the ways that Docker writes it.
fn keys(host: &str) -> Vec<String> {
    if host == "docker.io" {
        return [DOCKER_HUB, "index.docker.io", "docker.io", "registry-1.docker.io"].map(str::to_owned).to_vec();
    }
    let forms = ["", "https://", "http://"].map(|scheme| format!("{scheme}{host}"));
    forms.into_iter().chain(["v1", "v2"].map(|version| format!("https://{host}/{version}/"))).collect()
}

fn read(path: &Path, host: &str) -> Result<Option<Value>, Error> {
    let problem = |problem: String| failed(host)(format!("{}: {problem}", path.display()));
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem(error.to_string())),
    };
    if metadata.len() > LONGEST {
        return Err(problem("it is too long".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    // Serde's own message could quote what it found.
    let config: Value = serde_json::from_slice(&bytes)
        .map_err(|error| problem(format!("it is not JSON (line {}, column {})", error.line(), error.column())))?;
    if config.is_object() { Ok(Some(config)) } else { Err(problem("it is not a JSON object".to_owned())) }
}

fn write(path: &Path, config: &Value, host: &str) -> Result<(), Error> {
    let problem = |error: std::io::Error| failed(host)(format!("{}: {error}", path.display()));
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(problem)?;
    // Temporary files are made readable by their owner only, and the name stays so.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(problem)?;
    let text = serde_json::to_string_pretty(config).unwrap_or_default();
    file.write_all(text.as_bytes()).map_err(problem)?;
    file.persist(path).map_err(|error| problem(error.error))?;
    Ok(())
}

fn helper_of(config: &Value, host: &str) -> Option<String> {
    let own = keys(host).iter().find_map(|key| config["credHelpers"][key].as_str().map(str::to_owned));
    own.or_else(|| config["credsStore"].as_str().filter(|name| !name.is_empty()).map(str::to_owned))
}

async fn find_in(path: &Path, host: &str) -> Result<Option<Credentials>, Error> {
    let Some(config) = read(path, host)? else { return Ok(None) };
    if let Some(helper) = helper_of(&config, host) {
        for key in keys(host) {
            if let Some(found) = ask_helper(&helper, &key).await.map_err(failed(host))? {
                return Ok(Some(found));
            }
        }
    }
    let auth = keys(host).iter().find_map(|key| config["auths"].get(key).cloned());
    auth.map(|auth| decode(&auth)).transpose().map(Option::flatten).map_err(failed(host))
}

fn decode(auth: &Value) -> Result<Option<Credentials>, String> {
    let text = |key: &str| auth[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(token) = text("registrytoken") {
        return Ok(Some(Credentials::Bearer(token)));
    }
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credentials::Identity(token)));
    }
    if let (Some(username), Some(password)) = (text("username"), text("password")) {
        return Ok(Some(Credentials::Basic { username, password }));
    }
    let Some(encoded) = text("auth") else { return Ok(None) };
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| "its `auth` is not base64")?;
    let plain = String::from_utf8(bytes).map_err(|_| "its `auth` is not text")?;
    let (username, password) = plain.split_once(':').ok_or("its `auth` has no `:`")?;
    let password = password.trim_end_matches('\0');
    Ok(Some(Credentials::Basic { username: username.to_owned(), password: password.to_owned() }))
}

/// Asks `docker-credential-NAME`; `None` if it knows no login.
async fn ask_helper(helper: &str, key: &str) -> Result<Option<Credentials>, String> {
    let answer = match run_helper(helper, "get", key).await {
        Ok(answer) => answer,
        Err(problem) if problem.contains("credentials not found") => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let login: Value = serde_json::from_slice(&answer).map_err(|_| format!("docker-credential-{helper}: no JSON"))?;
    let (Some(username), Some(secret)) = (login["Username"].as_str(), login["Secret"].as_str()) else {
        return Err(format!("docker-credential-{helper}: its answer lacks a name or secret"));
    };
    Ok(Some(match username {
        TOKEN_USER => Credentials::Identity(secret.to_owned()),
        _ => Credentials::Basic { username: username.to_owned(), password: secret.to_owned() },
    }))
}

async fn run_helper(helper: &str, action: &str, input: &str) -> Result<Vec<u8>, String> {
    if !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(format!("`{}` is not the name of a credential helper", helper.escape_debug()));
    }
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| format!("{program}: {error}");
    let mut child = tokio::process::Command::new(&program)
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(failed)?;
    }
    let output = tokio::time::timeout(HELPER_TIMEOUT, child.wait_with_output())
        .await
        .map_err(|_| format!("{program} did not answer"))?
        .map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Err(format!("{program} failed: {}", said.trim().chars().take(200).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(json: &str, host: &str) -> Result<Option<Credentials>, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        LoginFile::at(path).find(host).await
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
    async fn a_broken_file_is_an_error_that_shows_no_secret() {
        for json in
            ["{", r#"{"auths":{"docker.io":{"auth":"s3cret!"}}}"#, r#"{"credsStore":"../../bin/sh"}"#, "[\"s3cret\"]"]
        {
            let error = found(json, "docker.io").await.unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[tokio::test]
    async fn logins_are_kept_and_forgotten_beside_what_else_the_file_holds() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/config.json");
        let file = LoginFile::at(path.clone());
        file.store("r.example", "user", "pass:word").await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.find("r.example").await.unwrap(), Some(basic("user", "pass:word")));
        let mut config = read(&path, "").unwrap().unwrap();
        config["HttpHeaders"] = json!({ "a": "b" });
        write(&path, &config, "").unwrap();
        assert!(file.erase("r.example").await.unwrap());
        assert!(!file.erase("r.example").await.unwrap());
        assert_eq!(read(&path, "").unwrap().unwrap()["HttpHeaders"]["a"], "b");
    }
}
