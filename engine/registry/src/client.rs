//! What every command that fetches or publishes needs, gathered in one value.

use std::path::PathBuf;

use crate::Error;
use crate::cache::Cache;
use crate::oci::Registry;
use crate::oci::transport::Access;
use crate::oci::{Credentials, LoginFile};

/// How to reach servers, who we are there, and where things are kept here.
#[derive(Debug, Clone)]
pub struct Client {
    /// How to reach servers.
    pub access: Access,
    /// A login for this command; without it the file is asked.
    pub login: Option<Credentials>,
    /// The logins of this user.
    pub logins: LoginFile,
    /// What was fetched before.
    pub cache: Cache,
    /// The list of repositories, Helm's `repositories.yaml`.
    pub repositories: PathBuf,
}

impl Client {
    /// A registry by its host, with the login for it.
    pub async fn registry(&self, host: &str) -> Result<Registry, Error> {
        let login = match &self.login {
            Some(login) => Some(login.clone()),
            None => self.logins.find(host).await?,
        };
        Ok(Registry::open(host, &self.access, login)?)
    }
}
