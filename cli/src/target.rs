//! Which cluster a command talks to.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::connection::ConnectionArgs;

/// The flags that choose a cluster and a namespace in it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TargetArgs {
    /// Context of the kubeconfig to use
    #[arg(long, value_name = "NAME", alias = "kube-context")]
    context: Option<String>,

    /// Path of the kubeconfig
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Namespace to work in
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,

    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The cluster that was chosen.
pub(crate) enum Target {
    /// One that the user named: by flag, or by a KUBECONFIG with a current context.
    Named { config: Box<kube::Config>, namespace: String },
    /// The embedded one.
    Embedded { namespace: String },
}

impl TargetArgs {
    /// The namespace, if one was given.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Resolves flags over environment over the embedded cluster.
    pub(crate) async fn resolve(&self) -> Result<Target> {
        let kubeconfig = match (&self.kubeconfig, std::env::var_os("KUBECONFIG")) {
            (Some(path), _) => Some(read(path)?),
            (None, Some(paths)) if !paths.is_empty() => Kubeconfig::from_env().context("cannot read KUBECONFIG")?,
            (None, _) if self.context.is_some() => Some(Kubeconfig::read().context("cannot read the kubeconfig")?),
            (None, _) => None,
        };
        let kubeconfig = kubeconfig.or_else(|| self.connection.names_server().then(Kubeconfig::default));
        let named = kubeconfig.filter(|it| {
            self.kubeconfig.is_some()
                || self.context.is_some()
                || self.connection.names_server()
                || it.current_context.as_ref().is_some_and(|name| !name.is_empty())
        });
        let Some(mut kubeconfig) = named else {
            return Ok(Target::Embedded { namespace: self.namespace.clone().unwrap_or_else(|| "default".to_owned()) });
        };
        self.connection.put_over(&mut kubeconfig, self.context.as_deref());
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.context("cannot use the kubeconfig")?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok(Target::Named { config: Box::new(config), namespace })
    }
}

fn read(path: &PathBuf) -> Result<Kubeconfig> {
    Kubeconfig::read_from(path).with_context(|| format!("cannot read kubeconfig {}", path.display()))
}

impl TargetArgs {
    /// Connects to the chosen cluster, which must run; with the namespace to work in.
    pub(crate) async fn connect(&self, embedded: &crate::embedded::EmbeddedArgs) -> Result<(kube::Client, String)> {
        match self.resolve().await? {
            Target::Named { config, namespace } => {
                Ok((kube::Client::try_from(*config).context("cannot connect to the cluster")?, namespace))
            }
            Target::Embedded { namespace } => Ok((embedded.connect().await?, namespace)),
        }
    }
}
