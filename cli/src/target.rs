//! Which cluster a command talks to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::connection::ConnectionArgs;

/// The environment's word for `--namespace`, as Helm knows it.
pub(crate) const NAMESPACE: &str = "HELM_NAMESPACE";

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
    #[arg(short, long, value_name = "NAME", env = NAMESPACE, hide_env = true)]
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

impl Target {
    /// The namespace to work in.
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Self::Named { namespace, .. } | Self::Embedded { namespace } => namespace,
        }
    }
}

impl TargetArgs {
    /// The namespace, if one was given.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !name.is_empty())
    }

    /// The namespace that templates see where no cluster is asked: Helm takes it from the kubeconfig even then.
    pub(crate) fn namespace_to_render(&self) -> String {
        match self.namespace() {
            Some(name) => name.to_owned(),
            None => context_namespace(self.kubeconfig.as_deref(), self.context.as_deref()),
        }
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
            return Ok(Target::Embedded { namespace: self.namespace().unwrap_or("default").to_owned() });
        };
        self.connection.put_over(&mut kubeconfig, self.context.as_deref());
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.context("cannot use the kubeconfig")?;
        let namespace = self.namespace().unwrap_or(&config.default_namespace).to_owned();
        Ok(Target::Named { config: Box::new(config), namespace })
    }
}

/// The namespace of a context, by default that in use, of a kubeconfig, by default the user's. Whatever is missing or cannot
/// be read is as if it said nothing.
pub(crate) fn context_namespace(kubeconfig: Option<&Path>, context: Option<&str>) -> String {
    let kubeconfig = match (kubeconfig, std::env::var_os("KUBECONFIG")) {
        (Some(path), _) => Kubeconfig::read_from(path).ok(),
        (None, Some(paths)) if !paths.is_empty() => Kubeconfig::from_env().ok().flatten(),
        (None, _) => std::env::var_os("HOME")
            .map(|home| Path::new(&home).join(".kube/config"))
            .filter(|path| path.exists())
            .and_then(|path| Kubeconfig::read_from(path).ok()),
    };
    let found = kubeconfig.and_then(|config| {
        let wanted = context.or(config.current_context.as_deref())?;
        let named = config.contexts.iter().find(|it| it.name == wanted)?;
        named.context.as_ref()?.namespace.clone().filter(|name| !name.is_empty())
    });
    found.unwrap_or_else(|| "default".to_owned())
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
