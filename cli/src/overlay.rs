//! What overlays may use besides files: charts, rendered by our own engine, and repositories.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use kpkg_chart::listing::{self, Selection};
use kpkg_chart::values::{self, Checks, Input};
use kpkg_chart::{Ambient, ClusterFacts, KubeVersion, ReleaseInfo};
use kpkg_overlay::{Charts, Error, Functions, HelmChart, HelmGlobals, Remote};

use crate::render;

/// Charts that lie below a kustomization.
#[derive(Debug, Default)]
pub(crate) struct LocalCharts {
    /// API versions that all charts may ask for.
    pub(crate) api_versions: Vec<String>,
    /// The Kubernetes version that charts see unless they name one.
    pub(crate) kube_version: Option<String>,
}

impl Charts for LocalCharts {
    fn render(&self, chart: &HelmChart, globals: &HelmGlobals, folder: &Path) -> kpkg_overlay::Result<String> {
        self.render_chart(chart, globals, folder).map_err(|error| Error::Rule(format!("{error:#}")))
    }
}

impl LocalCharts {
    fn render_chart(&self, wanted: &HelmChart, globals: &HelmGlobals, folder: &Path) -> Result<String> {
        let home = if globals.chart_home.is_empty() { "charts" } else { &globals.chart_home };
        let path = chart_path(wanted, &folder.join(home))?;
        let chart = kpkg_chart::load(&path).with_context(|| format!("cannot load chart {}", path.display()))?;
        render::check_dependencies(&chart)?;
        let values = values::merge_with(&chart, &inputs(wanted, folder)?, Checks { schema: true })?;
        let name = if wanted.release_name.is_empty() { "release-name" } else { &wanted.release_name };
        let namespace = if wanted.namespace.is_empty() { "default" } else { &wanted.namespace };
        let release =
            ReleaseInfo { name: name.to_owned(), namespace: namespace.to_owned(), revision: 1, is_upgrade: false };
        let ambient = Ambient::new(rand::random(), jiff::Zoned::now());
        let rendered = kpkg_chart::render(&chart, &values, &release, &self.facts(wanted)?, &ambient)?;
        let selection = Selection { crds: wanted.include_crds, hooks: !wanted.skip_hooks, tests: !wanted.skip_tests };
        let crds = listing::crds(&values);
        let listed = listing::list(&crds, &rendered, selection);
        Ok(listing::text(&listing::manifest_text(&listed), &listed))
    }

    fn facts(&self, wanted: &HelmChart) -> Result<ClusterFacts> {
        let mut facts = ClusterFacts::default();
        let version = Some(&wanted.kube_version).filter(|version| !version.is_empty()).or(self.kube_version.as_ref());
        if let Some(text) = version {
            let parsed = KubeVersion::parse(text).map_err(anyhow::Error::msg);
            facts.kube_version = parsed.with_context(|| format!("invalid kube version '{text}'"))?;
        }
        facts.api_versions.extend(self.api_versions.iter().chain(&wanted.api_versions).cloned());
        Ok(facts)
    }
}

/// The folder or archive of a chart: by its name, or with its version as `helm pull` leaves it.
fn chart_path(wanted: &HelmChart, home: &Path) -> Result<PathBuf> {
    let versioned = format!("{}-{}", wanted.name, wanted.version);
    let candidates =
        [home.join(&versioned).join(&wanted.name), home.join(&wanted.name), home.join(format!("{versioned}.tgz"))];
    let found = candidates.into_iter().find(|path| path.exists());
    found.with_context(|| {
        format!("chart `{}` is not below {}; pull it there (`helm pull --untar`)", wanted.name, home.display())
    })
}

/// The values of a chart, the weakest first.
fn inputs(wanted: &HelmChart, folder: &Path) -> Result<Vec<Input>> {
    let read = |path: &str| -> Result<Input> {
        let path = folder.join(path);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Input::File { name: path.display().to_string(), text })
    };
    let inline = || -> Result<Input> {
        Ok(Input::File { name: "valuesInline".to_owned(), text: serde_json::to_string(&wanted.values_inline)? })
    };
    let mut list = Vec::new();
    let file = (!wanted.values_file.is_empty()).then(|| read(&wanted.values_file)).transpose()?;
    match wanted.values_merge.as_str() {
        _ if wanted.values_inline.is_empty() => list.extend(file),
        "" | "override" => {
            list.extend(file);
            list.push(inline()?);
        }
        "merge" => {
            list.push(inline()?);
            list.extend(file);
        }
        "replace" => list.push(inline()?),
        other => anyhow::bail!("valuesMerge must be one of override, replace or merge, not `{other}`"),
    }
    for path in &wanted.additional_values_files {
        list.push(read(path)?);
    }
    Ok(list)
}

/// Programs on this machine, run in the kustomization's folder.
#[derive(Debug)]
pub(crate) struct Programs;

impl Functions for Programs {
    fn run(&self, program: &str, folder: &Path, input: &str) -> kpkg_overlay::Result<String> {
        let failed = |problem: String| Error::Rule(format!("function {program}: {problem}"));
        let mut command = Command::new(folder.join(program));
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let input = input.to_owned();
        // Written beside the reading, so that neither side waits for the other.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        let written = writer.join().map_err(|_| failed("its input could not be written".to_owned()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        written.map_err(|error| failed(error.to_string()))?;
        String::from_utf8(output.stdout).map_err(|_| failed("its output is not text".to_owned()))
    }
}

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

    fn git(&self, folder: &Path, args: &[&str]) -> Result<String, String> {
        let mut git = Command::new("git");
        git.current_dir(folder)
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh");
        let output = git.output().map_err(|error| format!("cannot run git: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    fn fetch(&self, address: &Address) -> Result<PathBuf, String> {
        let key: String = format!("{}@{}", address.repository, address.reference)
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' })
            .collect();
        let folder = self.cache.join(key);
        // A commit never changes; anything else is asked for again.
        let is_commit = address.reference.len() == 40 && address.reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_commit && folder.join(".git/kpkg-complete").exists() {
            return Ok(folder);
        }
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        self.git(&folder, &["init", "--quiet"])?;
        let reference = if address.reference.is_empty() { "HEAD" } else { &address.reference };
        self.git(&folder, &["fetch", "--quiet", "--depth=1", "--", &address.repository, reference])?;
        self.git(&folder, &["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "FETCH_HEAD"])?;
        std::fs::write(folder.join(".git/kpkg-complete"), "").map_err(|error| error.to_string())?;
        Ok(folder)
    }
}

impl Remote for Fetcher {
    fn get(&self, url: &str) -> kpkg_overlay::Result<Vec<u8>> {
        let failed = |problem: String| Error::Remote { url: url.to_owned(), problem };
        let mut curl = Command::new("curl");
        curl.args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--max-time",
            "60",
            "--max-filesize",
            "67108864",
        ]);
        curl.args(["--proto", "=http,https", "--", url]);
        let output = curl.output().map_err(|error| failed(format!("cannot run curl: {error}")))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    fn clone_repository(&self, url: &str) -> kpkg_overlay::Result<kpkg_overlay::Clone> {
        let failed = |problem: String| Error::Remote { url: url.to_owned(), problem };
        let address = Address::parse(url).ok_or_else(|| failed("no address of a repository".to_owned()))?;
        let root = self.fetch(&address).map_err(failed)?;
        let folder = root.join(address.path.trim_start_matches('/'));
        Ok(kpkg_overlay::Clone { root, folder })
    }
}

/// A repository's address: `https://host/owner/name//folder?ref=main`.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    repository: String,
    path: String,
    reference: String,
}

impl Address {
    fn parse(url: &str) -> Option<Self> {
        let url = url.strip_prefix("git::").unwrap_or(url);
        let (url, query) = url.split_once('?').unwrap_or((url, ""));
        let asked = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
        };
        let reference = asked("ref").or_else(|| asked("version")).unwrap_or_default();
        let url = if url.starts_with("github.com/") { format!("https://{url}") } else { url.to_owned() };
        let host_at = url.find("://").map_or(0, |at| at + 3);
        if let Some(at) = url[host_at..].find("//") {
            let (repository, path) = url.split_at(host_at + at);
            return Some(Self { repository: repository.to_owned(), path: path[2..].to_owned(), reference });
        }
        if let Some(at) = url.find(".git/") {
            let (repository, path) = url.split_at(at + 4);
            return Some(Self { repository: repository.to_owned(), path: path[1..].to_owned(), reference });
        }
        // A repository has an owner and a name; what follows is a folder in it.
        let is_local = url.starts_with("file://");
        let slashes: Vec<usize> = url[host_at..].match_indices('/').map(|(at, _)| at + host_at).collect();
        let (repository, path) = match slashes.get(2) {
            Some(at) if !is_local => (url[..*at].to_owned(), url[at + 1..].to_owned()),
            _ => (url.clone(), String::new()),
        };
        (!repository.is_empty()).then_some(Self { repository, path, reference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("https://github.com/a/b//c/d?ref=v1", ("https://github.com/a/b", "c/d", "v1")),
            ("github.com/a/b/c?ref=v1", ("https://github.com/a/b", "c", "v1")),
            ("git@github.com:a/b.git/c", ("git@github.com:a/b.git", "c", "")),
            ("file:///tmp/r.git", ("file:///tmp/r.git", "", "")),
        ];
        for (url, (repository, path, reference)) in cases {
            let want = Address { repository: repository.into(), path: path.into(), reference: reference.into() };
            assert_eq!(Address::parse(url), Some(want), "{url}");
        }
    }
}
