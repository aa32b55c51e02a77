//! Repositories and files elsewhere, fetched by `git` and `curl`.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kpkg_overlay::{Address, Error, Remote, without_logins};

/// The longest file that is fetched.
const LONGEST_FILE: u64 = 64 << 20;

/// Repositories and files elsewhere, fetched with `git` and kept in a cache.
#[derive(Debug)]
pub(crate) struct Fetcher {
    cache: PathBuf,
}

impl Fetcher {
    /// With the cache of this user.
    pub(crate) fn new() -> Self {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        Self { cache: cache.unwrap_or_else(std::env::temp_dir).join("kpkg/overlays") }
    }

    fn fetch(&self, address: &Address) -> Result<PathBuf, String> {
        let repository = Repository::of(address);
        let folder = self.cache.join(repository.key(&address.reference));
        // A commit never changes; anything else is asked for again.
        let is_commit = address.reference.len() == 40 && address.reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit && folder.join(".git/kpkg-complete").exists() {
            return Ok(folder);
        }
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let git = |args: &[&str]| repository.git(&folder, args, address.timeout);
        git(&["init", "--quiet"])?;
        // Submodules may be named relative to it.
        git(&["config", "remote.origin.url", &repository.url])?;
        let reference = if address.reference.is_empty() { "HEAD" } else { &address.reference };
        git(&["fetch", "--quiet", "--depth=1", "--", &repository.url, reference])?;
        git(&["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "FETCH_HEAD"])?;
        if address.submodules && folder.join(".gitmodules").exists() {
            git(&["submodule", "update", "--quiet", "--init", "--recursive"])?;
        }
        std::fs::write(folder.join(".git/kpkg-complete"), "").map_err(|error| error.to_string())?;
        Ok(folder)
    }
}

/// A repository, and how git may get at it. A login in its address is in no argument, file or message.
#[derive(Debug)]
struct Repository {
    /// Its address without a login.
    url: String,
    /// The scheme and the host with the login, and without, if there is one.
    login: Option<(String, String)>,
}

impl Repository {
    fn of(address: &Address) -> Self {
        let host = without_logins(&address.host);
        let login = (host != address.host).then(|| (address.host.clone(), host.clone()));
        Self { url: format!("{host}{}", address.path), login }
    }

    /// The name of its folder in the cache.
    fn key(&self, reference: &str) -> String {
        let letter = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        format!("{}@{reference}", self.url).chars().map(letter).collect()
    }

    fn git(&self, folder: &Path, args: &[&str], timeout: Option<Duration>) -> Result<(), String> {
        /// A server that sends nothing for so many seconds is given up.
        const STALLED: u64 = 30;
        let stalled = timeout.map_or(STALLED, |limit| limit.as_secs().clamp(1, STALLED));
        let mut git = Command::new("git");
        git.current_dir(folder)
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", protocols(&self.url))
            .env("GIT_HTTP_LOW_SPEED_LIMIT", "1")
            .env("GIT_HTTP_LOW_SPEED_TIME", stalled.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some((with_login, without)) = &self.login {
            let settings = std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.parse::<usize>().ok());
            let at = settings.unwrap_or(0);
            git.env("GIT_CONFIG_COUNT", (at + 1).to_string())
                .env(format!("GIT_CONFIG_KEY_{at}"), format!("url.{with_login}.insteadOf"))
                .env(format!("GIT_CONFIG_VALUE_{at}"), without);
        }
        let mut child = git.spawn().map_err(|error| format!("cannot run git: {error}"))?;
        if let Some(limit) = timeout {
            wait(&mut child, limit)?;
        }
        let output = child.wait_with_output().map_err(|error| format!("cannot run git: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// What git may speak to get a repository and the submodules that it names: what came from elsewhere does not lead
/// git to repositories on this machine.
fn protocols(repository: &str) -> &'static str {
    let is_elsewhere = repository.contains("://") && !repository.starts_with("file://");
    if is_elsewhere { "git:http:https:ssh" } else { "file:git:http:https:ssh" }
}

/// Waits for a program to end, for so long at most.
fn wait(child: &mut Child, limit: Duration) -> Result<(), String> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if waited >= limit {
            drop(child.kill());
            drop(child.wait());
            return Err(format!("hit {}s timeout running git", limit.as_secs()));
        }
        std::thread::sleep(PAUSE);
        waited += PAUSE;
    }
    Ok(())
}

/// A line of curl's settings.
fn setting(name: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n").replace('\r', r"\r");
    format!("{name} = \"{value}\"\n")
}

impl Remote for Fetcher {
    fn get(&self, url: &str) -> kpkg_overlay::Result<Vec<u8>> {
        let failed = |problem: String| Error::remote(url, &problem);
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--silent", "--show-error", "--location", "--max-time", "60"]);
        curl.args(["--proto", "=http,https", "--config", "-"]);
        curl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let cannot = |error: std::io::Error| failed(format!("cannot run curl: {error}"));
        let mut child = curl.spawn().map_err(cannot)?;
        // A login in the address would be seen among the arguments.
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let written = stdin.write_all(setting("url", url).as_bytes());
        drop(stdin);
        // Not by a flag of curl's: it would believe what the server says of the length.
        let mut bytes = Vec::new();
        let output = child.stdout.take().expect("standard output is a pipe");
        output.take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
        if bytes.len() as u64 > LONGEST_FILE {
            drop(child.kill());
            drop(child.wait());
            return Err(failed(format!("it is larger than {LONGEST_FILE} bytes")));
        }
        let output = child.wait_with_output().map_err(cannot)?;
        if output.status.success() && written.is_ok() {
            return Ok(bytes);
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    fn clone_repository(&self, url: &str) -> kpkg_overlay::Result<kpkg_overlay::Clone> {
        let failed = |problem: String| Error::remote(url, &problem);
        let address = Address::parse(url).ok_or_else(|| failed("no address of a repository".to_owned()))?;
        let root = self.fetch(&address).map_err(failed)?;
        let folder = root.join(address.folder.trim_start_matches('/'));
        Ok(kpkg_overlay::Clone { root, folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_elsewhere_leads_to_no_repository_here() {
        for (repository, want) in [
            ("https://example.com/a/b.git", false),
            ("ssh://git@example.com/a", false),
            ("file:///a/b", true),
            ("/a/b", true),
        ] {
            assert_eq!(protocols(repository).starts_with("file:"), want, "{repository}");
        }
    }
}
