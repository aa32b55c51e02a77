//! What every command that fetches or publishes needs, gathered in one value.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cache;
use crate::oci::transport::{Access, Transport};
use crate::oci::{Credentials, LoginFile, Registry};
use crate::{Error, oci};

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
    /// Servers that were spoken to already.
    pub connections: Connections,
}

/// Servers that were spoken to: certificates are read, and registries ask who we are, only once. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    transports: HashMap<Access, Transport>,
    registries: HashMap<(String, Access, Option<Credentials>), Arc<Registry>>,
}

impl Client {
    /// A registry by its host, with the login for it.
    pub async fn registry(&self, host: &str) -> Result<Arc<Registry>, Error> {
        let login = match &self.login {
            Some(login) => Some(login.clone()),
            None => self.logins.find(host).await?,
        };
        let key = (host.to_owned(), self.access.clone(), login.clone());
        let mut known = self.connections.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registry) = known.registries.get(&key) {
            return Ok(Arc::clone(registry));
        }
        let transport = known.transport(&self.access)?;
        let registry = Arc::new(Registry::over(transport, host, self.access.plain_http, login)?);
        known.registries.insert(key, Arc::clone(&registry));
        Ok(registry)
    }

    /// The way to servers that are reached so.
    pub(crate) fn transport(&self, access: &Access) -> Result<Transport, Error> {
        Ok(self.connections.known.lock().unwrap_or_else(PoisonError::into_inner).transport(access)?)
    }
}

impl Known {
    fn transport(&mut self, access: &Access) -> Result<Transport, oci::Error> {
        if let Some(transport) = self.transports.get(access) {
            return Ok(transport.clone());
        }
        let transport = Transport::new(access)?;
        self.transports.insert(access.clone(), transport.clone());
        Ok(transport)
    }
}
