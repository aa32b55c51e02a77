//! The list of repositories: Helm's `repositories.yaml`, read and written in place.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::oci::Credentials;
use crate::{Error, oci};

const LONGEST: u64 = 16 << 20;

/// A repository, as Helm keeps it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repository {
    /// What it is called here.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// A login.
    pub username: String,
    /// Its password.
    pub password: String,
    /// A certificate of our own.
    #[serde(rename = "certFile")]
    pub cert_file: String,
    /// Its key.
    #[serde(rename = "keyFile")]
    pub key_file: String,
    /// More authorities to trust.
    #[serde(rename = "caFile")]
    pub ca_file: String,
    /// Accept any certificate.
    #[serde(rename = "insecure_skip_tls_verify")]
    pub insecure: bool,
    /// Show the login to other hosts that the index names.
    #[serde(rename = "pass_credentials_all")]
    pub pass_credentials: bool,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Repository({} at {})", self.name, self.shown())
    }
}

impl Repository {
    /// A repository that is not in the list; a login in the URL counts.
    pub fn unnamed(url: &str, login: Option<&Credentials>) -> Result<Self, Error> {
        let mut repository = Self { url: url.to_owned(), ..Self::default() };
        repository.base()?;
        repository.take_login();
        if let Some(Credentials::Basic { username, password }) = login {
            repository.username.clone_from(username);
            repository.password.clone_from(password);
        }
        Ok(repository)
    }

    /// A login that stands in the URL becomes a login, and the URL can be shown.
    fn take_login(&mut self) {
        let Ok(mut url) = Url::parse(&self.url) else { return };
        if url.username().is_empty() && url.password().is_none() {
            return;
        }
        if self.username.is_empty() {
            self.username = url.username().to_owned();
            self.password = url.password().unwrap_or_default().to_owned();
        }
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        self.url = url.into();
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "apiVersion")]
    api_version: String,
    generated: String,
    repositories: Vec<Repository>,
}

fn read(path: &Path) -> Result<Document, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Document::default()),
        Err(error) => return Err(oci::Error::file("read", path)(error).into()),
    };
    if metadata.len() > LONGEST {
        return Err(oci::Error::TooLarge { what: path.display().to_string(), limit: LONGEST }.into());
    }
    let bytes = fs::read(path).map_err(oci::Error::file("read", path))?;
    let wrong = || oci::Error::Document {
        what: path.display().to_string(),
        problem: "it is not a list of repositories".to_owned(),
    };
    let value = kpkg_yaml::read_bytes(&bytes).map_err(|_| wrong())?;
    if value.is_null() {
        return Ok(Document::default());
    }
    Ok(serde_json::from_value(value.to_json()).map_err(|_| wrong())?)
}

fn write(path: &Path, mut document: Document) -> Result<(), Error> {
    if document.generated.is_empty() {
        "0001-01-01T00:00:00Z".clone_into(&mut document.generated);
    }
    let json = serde_json::to_value(&document)
        .map_err(|error| oci::Error::Document { what: path.display().to_string(), problem: error.to_string() })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(oci::Error::file("make", folder))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(oci::Error::file("write into", folder))?;
    file.write_all(kpkg_yaml::write_json(&json).as_bytes()).map_err(oci::Error::file("write", path))?;
    file.persist(path).map_err(|error| oci::Error::file("write", path)(error.error))?;
    Ok(())
}

/// Changes the list while no other process does.
fn change<T>(path: &Path, edit: impl FnOnce(&mut Document) -> Result<T, Error>) -> Result<T, Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(oci::Error::file("make", folder))?;
    // The same file that Helm locks.
    let lock_path = path.with_extension("lock");
    let lock =
        File::options().create(true).append(true).open(&lock_path).map_err(oci::Error::file("open", &lock_path))?;
    lock.lock().map_err(oci::Error::file("lock", &lock_path))?;
    let mut document = read(path)?;
    let outcome = edit(&mut document)?;
    write(path, document)?;
    Ok(outcome)
}

/// All repositories, in the order in which they were added.
pub fn list(path: &Path) -> Result<Vec<Repository>, Error> {
    let mut all = read(path)?.repositories;
    all.iter_mut().for_each(Repository::take_login);
    Ok(all)
}

/// The repository of a name.
pub fn find(path: &Path, name: &str) -> Result<Repository, Error> {
    let found = list(path)?.into_iter().find(|repository| repository.name == name);
    found.ok_or_else(|| Error::NoRepository { name: name.to_owned() })
}

/// Adds a repository; answers false if it was there just so. Another one of the same name is replaced only if forced.
pub fn add(path: &Path, mut repository: Repository, force: bool) -> Result<bool, Error> {
    let name = &repository.name;
    if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') || name.chars().any(char::is_control) {
        return Err(oci::Error::Setting(format!("`{}` cannot be a repository's name", name.escape_debug())).into());
    }
    if crate::Reference::is_one(&repository.url) {
        return Err(oci::Error::Setting(
            "an OCI registry needs no repository: name its charts by `oci://...`".to_owned(),
        )
        .into());
    }
    repository.base()?;
    repository.take_login();
    change(path, |document| {
        let known = document.repositories.iter_mut().find(|known| known.name == repository.name);
        match known {
            Some(known) if *known == repository => Ok(false),
            Some(_) if !force => Err(oci::Error::Setting(format!(
                "repository name ({}) already exists, please specify a different name",
                repository.name
            ))
            .into()),
            Some(known) => {
                *known = repository;
                Ok(true)
            }
            None => {
                document.repositories.push(repository);
                Ok(true)
            }
        }
    })
}

/// Takes a repository off the list.
pub fn remove(path: &Path, name: &str) -> Result<Repository, Error> {
    change(path, |document| {
        let at = document.repositories.iter().position(|known| known.name == name);
        let at = at.ok_or_else(|| Error::NoRepository { name: name.to_owned() })?;
        Ok(document.repositories.remove(at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str, url: &str) -> Repository {
        Repository { name: name.into(), url: url.into(), ..Repository::default() }
    }

    #[test]
    fn repositories_are_added_changed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("helm/repositories.yaml");
        assert!(add(&path, repository("a", "https://a.example/charts"), false).unwrap());
        assert!(!add(&path, repository("a", "https://a.example/charts"), false).unwrap());
        assert!(add(&path, repository("a", "https://b.example"), false).is_err());
        assert!(add(&path, repository("a", "https://user:s3cret@b.example"), true).unwrap());
        let found = find(&path, "a").unwrap();
        assert_eq!(
            (found.url.as_str(), found.username.as_str(), found.password.as_str()),
            ("https://b.example/", "user", "s3cret")
        );
        assert!(!format!("{found:?}").contains("s3cret"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("apiVersion: \"\"\ngenerated: \"0001-01-01T00:00:00Z\"\nrepositories:\n- caFile: \"\"\n"),
            "{text}"
        );
        remove(&path, "a").unwrap();
        assert!(find(&path, "a").is_err());
    }

    #[test]
    fn names_and_places_that_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("repositories.yaml");
        for (name, url) in [
            ("a/b", "https://a"),
            ("..", "https://a"),
            ("", "https://a"),
            ("a\nb", "https://a"),
            ("a", "file:///etc"),
            ("a", "oci://a/b"),
            ("a", "nonsense"),
        ] {
            assert!(add(&path, repository(name, url), false).is_err(), "{name} {url}");
        }
    }
}
