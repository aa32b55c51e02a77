//! From the command line and the environment to a [`Client`]: who we are, and where things are kept.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kpkg_registry::cache::Cache;
use kpkg_registry::{Access, Client, Connections, Credentials, Fetched, LoginFile, Wanted};

/// The flags that say how to reach a registry or repository.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct AccessArgs {
    /// Speak HTTP without TLS to registries
    #[arg(long)]
    pub(crate) plain_http: bool,

    /// Accept any certificate
    #[arg(long, visible_alias = "insecure")]
    insecure_skip_tls_verify: bool,

    /// Trust the authorities in this file besides those of the system
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Certificate of our own
    #[arg(long, value_name = "FILE")]
    cert_file: Option<PathBuf>,

    /// Key of `--cert-file`; one without the other is not used
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,

    /// Logins, in Docker's format [default: Docker's own file, then Helm's]
    #[arg(long, value_name = "FILE", env = "HELM_REGISTRY_CONFIG", hide_env_values = true)]
    registry_config: Option<PathBuf>,

    /// List of repositories [default: Helm's]
    #[arg(long, value_name = "FILE", env = "HELM_REPOSITORY_CONFIG")]
    repository_config: Option<PathBuf>,

    /// Where to keep what was fetched
    #[arg(long, value_name = "DIR", env = "KPKG_CACHE")]
    cache_dir: Option<PathBuf>,
}

/// The flags that name a login for one command.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct LoginArgs {
    /// Name to log in with
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Password to log in with
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
}

/// The flags of commands that take a chart from wherever it is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ChartArgs {
    /// Version of the chart, or a range of versions; the newest if left out
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub(crate) version: String,

    /// Let pre-releases count as newest
    #[arg(long)]
    pub(crate) devel: bool,

    /// Take the chart from the repository at this URL
    #[arg(long, value_name = "URL")]
    repo: Option<String>,

    /// Show the login to other hosts that the repository's index names
    #[arg(long)]
    pass_credentials: bool,

    /// Use the digests of images in this file, which `kpkg lock` wrote
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    pub(crate) access: AccessArgs,

    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

/// The flags that say whose charts are trusted.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TrustArgs {
    /// Check the chart's provenance file (PGP); a missing one is a failure
    #[arg(long)]
    verify: bool,

    /// Public keys for `--verify` [default: ~/.gnupg/pubring.gpg]
    #[arg(long, value_name = "FILE")]
    keyring: Option<PathBuf>,

    /// Check the chart's cosign signature with this public key
    #[arg(long, value_name = "FILE")]
    verify_key: Option<PathBuf>,
}

/// GnuPG's file of that name.
pub(crate) fn keyring(given: Option<&PathBuf>, name: &str) -> Result<PathBuf> {
    match (given, std::env::var_os("HOME")) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(home)) => Ok(PathBuf::from(home).join(".gnupg").join(name)),
        (None, None) => anyhow::bail!("there is no home folder; name a keyring by --keyring"),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl TrustArgs {
    /// Whether a chart on this machine may be used: only what comes with its proof.
    pub(crate) fn check_local(&self, reference: &str, archive: &std::path::Path) -> Result<()> {
        if self.verify_key.is_some() {
            anyhow::bail!("`{reference}` is not in a registry: cosign's signatures are kept there");
        }
        if self.verify {
            if archive.is_dir() {
                anyhow::bail!("unpacked charts cannot be verified: `{reference}` is a folder");
            }
            check_file(archive, self.keyring.as_ref())?;
        }
        Ok(())
    }

    /// Checks what was fetched.
    async fn check(&self, client: &Client, fetched: &Fetched) -> Result<()> {
        if self.verify {
            let missing = || format!("{} has no provenance file", fetched.source);
            let provenance = fetched.provenance.as_ref().with_context(missing)?;
            let ring = keyring(self.keyring.as_ref(), "pubring.gpg")?;
            let archive = fetched.archive.bytes()?;
            kpkg_registry::provenance::verify(&archive, &fetched.file_name(), provenance, &ring, now())?;
        }
        if let Some(path) = &self.verify_key {
            let Some(digest) = &fetched.manifest_digest else {
                anyhow::bail!("{} did not come from a registry: cosign's signatures are kept there", fetched.source);
            };
            let reference: kpkg_registry::Reference = fetched.source.parse()?;
            let key = kpkg_registry::cosign::PublicKey::read(path)?;
            let registry = client.registry(&reference.host).await?;
            kpkg_registry::cosign::verify(&registry, &reference, digest, &key).await?;
        }
        Ok(())
    }
}

/// Checks an archive against the provenance file beside it.
pub(crate) fn check_file(
    archive: &std::path::Path,
    ring: Option<&PathBuf>,
) -> Result<kpkg_registry::provenance::Verified> {
    let name = archive.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut beside = archive.to_owned().into_os_string();
    beside.push(".prov");
    let beside = PathBuf::from(beside);
    let read = |path: &std::path::Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let ring = keyring(ring, "pubring.gpg")?;
    Ok(kpkg_registry::provenance::verify(&read(archive)?, &name, &read(&beside)?, &ring, now())?)
}

impl AccessArgs {
    /// What the registry crate works with.
    pub(crate) fn client(&self, login: Option<Credentials>) -> Result<Client> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let below = |variable: &str, folder: &str| {
            let own = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
            own.or_else(|| home.as_ref().map(|home| home.join(folder)))
        };
        let helm = std::env::var_os("HELM_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| below("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("helm")));
        let cache = match &self.cache_dir {
            Some(folder) => Some(folder.clone()),
            None => below("XDG_CACHE_HOME", ".cache").map(|folder| folder.join("kpkg")),
        };
        let repositories = match &self.repository_config {
            Some(file) => Some(file.clone()),
            None => helm.as_ref().map(|folder| folder.join("repositories.yaml")),
        };
        let logins = match &self.registry_config {
            Some(file) => LoginFile::at(file.clone()),
            None => LoginFile::of_user(below("DOCKER_CONFIG", ".docker"), helm),
        };
        let missing = "there is no home folder: set HOME, or name the place by a flag";
        Ok(Client {
            access: Access {
                plain_http: self.plain_http,
                insecure: self.insecure_skip_tls_verify,
                ca_file: self.ca_file.clone(),
                cert_file: self.cert_file.clone(),
                key_file: self.key_file.clone(),
                patience: None,
            },
            login,
            logins,
            cache: Cache::at(cache.context(missing)?),
            repositories: repositories.context(missing)?,
            connections: Connections::default(),
        })
    }
}

impl LoginArgs {
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let username = self.username.clone()?;
        Some(Credentials::Basic { username, password: self.password.clone().unwrap_or_default() })
    }
}

impl ChartArgs {
    /// The client for these flags.
    pub(crate) fn client(&self) -> Result<Client> {
        self.access.client(self.login.credentials())
    }

    /// What is asked for.
    pub(crate) fn wanted(&self, provenance: bool) -> Wanted {
        Wanted {
            version: self.version.clone(),
            devel: self.devel,
            repository: self.repo.clone(),
            provenance,
            pass_credentials: self.pass_credentials,
        }
    }

    /// Those that take charts from a repository by its URL.
    pub(crate) fn of_repository(url: &str) -> Self {
        Self { repo: Some(url.to_owned()), ..Self::default() }
    }

    /// Puts the lock's digests into what was rendered, if a lock was named.
    pub(crate) fn pin(&self, mut rendered: kpkg_chart::Rendered) -> Result<kpkg_chart::Rendered> {
        if let Some(path) = &self.lock {
            crate::lock::Lock::read(path)?.apply(&mut rendered)?;
        }
        Ok(rendered)
    }

    /// Whether a chart on this machine may be used.
    pub(crate) fn check_local(&self, reference: &str, archive: &std::path::Path) -> Result<()> {
        self.trust.check_local(reference, archive)
    }

    /// Whether charts are taken from a repository that a flag names.
    pub(crate) fn names_repository(&self) -> bool {
        self.repo.is_some()
    }

    /// Whether a reference leads away from this machine: `oci://...`, a URL, a repository's chart.
    pub(crate) fn is_remote(&self, reference: &str) -> bool {
        self.repo.is_some()
            || ["oci://", "http://", "https://"].iter().any(|scheme| reference.starts_with(scheme))
            || reference.contains('/')
    }
}

/// The largest file of values that is fetched.
const LONGEST_VALUES: u64 = 16 << 20;

/// Fetches a file of values by its URL; answers its contents, and where it came from without a login.
pub(crate) fn fetch_document(url: &str) -> Result<(Vec<u8>, String)> {
    let client = AccessArgs::default().client(None)?;
    blocking(|| async { Ok(kpkg_registry::document(&client, url, LONGEST_VALUES).await?) })
}

/// Runs work on a thread of its own: a runtime cannot be started inside another one.
pub(crate) fn blocking<T: Send, F: Future<Output = Result<T>>>(work: impl FnOnce() -> F + Send) -> Result<T> {
    let run = || crate::runtime::runtime()?.block_on(work());
    match std::thread::scope(|scope| scope.spawn(run).join()) {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Fetches a chart; for callers that may already run inside a runtime.
pub(crate) fn fetch(reference: &str, args: &ChartArgs, provenance: bool) -> Result<Fetched> {
    let (client, wanted) = (args.client()?, args.wanted(provenance || args.trust.verify));
    blocking(|| async {
        let fetched = kpkg_registry::resolve(&client, reference, &wanted).await?;
        args.trust.check(&client, &fetched).await?;
        Ok(fetched)
    })
}
