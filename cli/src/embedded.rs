//! The embedded cluster as a target: found, started when it is wanted, and its image store.

use std::path::PathBuf;

use anyhow::Result;
#[cfg(not(target_os = "linux"))]
use anyhow::bail;
use kube::Client;

use crate::printer::Printer;

/// Which embedded cluster is meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct EmbeddedArgs {
    /// Name of the embedded cluster
    #[arg(long = "cluster", env = "KPKG_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: Option<String>,

    /// Data directory of the embedded cluster
    #[arg(long, env = "KPKG_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
mod linux {
    use anyhow::Context;
    use kpkg_server::{Layout, Request};
    use kube::config::{KubeConfigOptions, Kubeconfig};

    use super::{Client, EmbeddedArgs, PathBuf, Printer, Result};

    impl EmbeddedArgs {
        fn request(&self) -> Request {
            Request { name: self.cluster.clone(), data_dir: self.data_dir.clone(), ..Request::default() }
        }

        /// Starts the cluster unless it runs.
        pub(crate) async fn start(&self, printer: &Printer) -> Result<Client> {
            let started = crate::commands::cluster::start(&self.request(), printer).await?;
            if !started.was_running {
                printer.say(&format!("started the embedded cluster `{}`", started.settings.name));
            }
            client(&started.layout).await
        }

        /// The cluster as it is; it must have been started.
        pub(crate) async fn connect(&self) -> Result<Client> {
            let layout = self.request().layout()?;
            if !layout.kubeconfig().exists() {
                return Err(anyhow::anyhow!(crate::failure::Hint(
                    "`kpkg cluster start` starts the embedded one; `--context` or `--kubeconfig` name another"
                        .to_owned()
                ))
                .context("there is no cluster to talk to"));
            }
            client(&layout).await
        }

        /// Where the cluster keeps its images.
        pub(crate) fn image_root(&self) -> Result<PathBuf> {
            Ok(self.request().layout()?.runtime())
        }
    }

    async fn client(layout: &Layout) -> Result<Client> {
        let kubeconfig = Kubeconfig::read_from(layout.kubeconfig()).context("cannot read the cluster's kubeconfig")?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Client::try_from(config.context("cannot use the cluster's kubeconfig")?)
            .context("cannot connect to the cluster")
    }
}

#[cfg(not(target_os = "linux"))]
impl EmbeddedArgs {
    pub(crate) async fn start(&self, _printer: &Printer) -> Result<Client> {
        self.connect().await
    }

    pub(crate) async fn connect(&self) -> Result<Client> {
        bail!("the embedded cluster needs Linux; name another cluster with `--context` or `--kubeconfig`")
    }
}
