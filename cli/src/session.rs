//! A command's connection: the cluster, the namespace, the records.

use anyhow::{Context, Result};
use kpkg_release::store::{Driver, RecordStore};
use kpkg_release::{Cluster, History};

use crate::embedded::EmbeddedArgs;
use crate::printer::Printer;
use crate::target::{Target, TargetArgs};

/// The flags that say where a release lives.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,

    #[command(flatten)]
    pub(crate) embedded: EmbeddedArgs,

    /// What holds the release records
    #[arg(long, value_enum, env = "HELM_DRIVER", default_value = "secret", hide_env_values = true)]
    storage: Storage,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Storage {
    /// Secrets
    #[value(alias = "secrets", alias = "")]
    Secret,
    /// ConfigMaps
    #[value(alias = "configmaps")]
    Configmap,
}

/// A connection.
pub(crate) struct Session {
    /// The cluster.
    pub(crate) cluster: Cluster,
    /// The namespace to work in.
    pub(crate) namespace: String,
    /// What holds records.
    pub(crate) driver: Driver,
    /// Whether it is the embedded cluster.
    pub(crate) embedded: bool,
}

impl PlaceArgs {
    /// What holds records.
    pub(crate) fn driver(&self) -> Driver {
        match self.storage {
            Storage::Secret => Driver::Secret,
            Storage::Configmap => Driver::ConfigMap,
        }
    }

    /// Connects to a cluster that runs.
    pub(crate) async fn session(&self) -> Result<Session> {
        let embedded = matches!(self.target.resolve().await?, Target::Embedded { .. });
        let (client, namespace) = self.target.connect(&self.embedded).await?;
        self.connected(client, namespace, embedded).await
    }

    /// Connects; the embedded cluster is started if it does not run.
    pub(crate) async fn started(&self, printer: &Printer) -> Result<Session> {
        match self.target.resolve().await? {
            Target::Named { config, namespace } => {
                let client = kube::Client::try_from(*config).context("cannot connect to the cluster")?;
                self.connected(client, namespace, false).await
            }
            Target::Embedded { namespace } => {
                self.connected(self.embedded.start(printer).await?, namespace, true).await
            }
        }
    }

    /// Connects for reading records: the cluster's kinds are not asked for.
    pub(crate) async fn records(&self, all_namespaces: bool) -> Result<(RecordStore, String)> {
        let (client, namespace) = self.target.connect(&self.embedded).await?;
        let store = if all_namespaces {
            RecordStore::all(client, self.driver())
        } else {
            RecordStore::namespaced(client, &namespace, self.driver())
        };
        Ok((store, namespace))
    }

    /// The revisions of a release that must exist.
    pub(crate) async fn history(&self, name: &str) -> Result<History> {
        let (store, namespace) = self.records(false).await?;
        let history = History::read(&store, name, &namespace).await?;
        history.existing()?;
        Ok(history)
    }

    async fn connected(&self, client: kube::Client, namespace: String, embedded: bool) -> Result<Session> {
        Ok(Session { cluster: Cluster::connect(client).await?, namespace, driver: self.driver(), embedded })
    }
}

impl Session {
    /// The records.
    pub(crate) fn store(&self) -> RecordStore {
        let store = RecordStore::namespaced(self.cluster.client().clone(), &self.namespace, self.driver);
        store.with_keys(&crate::secrets::at_hand().unwrap_or_default().into())
    }

    /// The revisions of a release, if there are any.
    pub(crate) async fn history(&self, name: &str) -> Result<History> {
        Ok(History::read(&self.store(), name, &self.namespace).await?)
    }
}
