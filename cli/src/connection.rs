//! Flags that say in place of a kubeconfig, or over it, how a cluster is reached; they are Helm's and kubectl's.

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

/// What of a connection the command line says.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection, over what the kubeconfig says")]
pub(crate) struct ConnectionArgs {
    /// Address of the API server
    #[arg(long, value_name = "URL", env = "HELM_KUBEAPISERVER", hide_env = true)]
    kube_apiserver: Option<String>,

    /// Bearer token
    #[arg(long, value_name = "TOKEN", env = "HELM_KUBETOKEN", hide_env = true)]
    kube_token: Option<String>,

    /// Act as this user
    #[arg(long, value_name = "NAME", env = "HELM_KUBEASUSER", hide_env = true)]
    kube_as_user: Option<String>,

    /// Act as a member of this group; several are allowed
    #[arg(long, value_name = "NAME", env = "HELM_KUBEASGROUPS", hide_env = true, value_delimiter = ',')]
    kube_as_group: Vec<String>,

    /// Trust the authorities in this file
    #[arg(long, value_name = "FILE", env = "HELM_KUBECAFILE", hide_env = true)]
    kube_ca_file: Option<String>,

    /// Name that the server's certificate must have
    #[arg(long, value_name = "NAME", env = "HELM_KUBETLS_SERVER_NAME", hide_env = true)]
    kube_tls_server_name: Option<String>,

    /// Accept any certificate of the server
    #[arg(long)]
    kube_insecure_skip_tls_verify: bool,
}

impl ConnectionArgs {
    /// Whether the flags alone say where a cluster is.
    pub(crate) fn names_server(&self) -> bool {
        self.kube_apiserver.is_some()
    }

    /// Puts what the flags say into the context that is used, which is made if there is none.
    pub(crate) fn put_over(&self, kubeconfig: &mut Kubeconfig, context: Option<&str>) {
        let name = context.or(kubeconfig.current_context.as_deref()).unwrap_or_default().to_owned();
        let known = kubeconfig.contexts.iter().find(|it| it.name == name).and_then(|it| it.context.clone());
        if known.is_none() && !self.names_server() {
            return;
        }
        let known = known.unwrap_or_default();
        let mut cluster = find(&kubeconfig.clusters, |it| it.name == known.cluster).and_then(|it| it.cluster);
        self.reach(cluster.get_or_insert_default());
        let mut user = find(&kubeconfig.auth_infos, |it| Some(&it.name) == known.user.as_ref());
        self.appear(user.get_or_insert_default().auth_info.get_or_insert_default());
        // Entries are shared between contexts: what is changed for one gets a name of its own.
        const OWN: &str = "kpkg: command line";
        kubeconfig.clusters.push(NamedCluster { name: OWN.to_owned(), cluster, ..NamedCluster::default() });
        kubeconfig.auth_infos.push(NamedAuthInfo { name: OWN.to_owned(), ..user.unwrap_or_default() });
        let used = Context { cluster: OWN.to_owned(), user: Some(OWN.to_owned()), ..known };
        kubeconfig.contexts.retain(|it| it.name != name);
        kubeconfig.contexts.push(NamedContext { name: name.clone(), context: Some(used), ..NamedContext::default() });
        kubeconfig.current_context.get_or_insert(name);
    }

    fn reach(&self, cluster: &mut Cluster) {
        if let Some(server) = &self.kube_apiserver {
            cluster.server = Some(server.clone());
        }
        if let Some(file) = &self.kube_ca_file {
            cluster.certificate_authority = Some(file.clone());
            cluster.certificate_authority_data = None;
        }
        if let Some(name) = &self.kube_tls_server_name {
            cluster.tls_server_name = Some(name.clone());
        }
        if self.kube_insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = Some(true);
        }
    }

    fn appear(&self, user: &mut AuthInfo) {
        if let Some(token) = &self.kube_token {
            user.token = Some(token.clone().into());
            user.token_file = None;
        }
        if let Some(name) = &self.kube_as_user {
            user.impersonate = Some(name.clone());
        }
        if !self.kube_as_group.is_empty() {
            user.impersonate_groups = Some(self.kube_as_group.clone());
        }
    }
}

fn find<T: Clone>(all: &[T], wanted: impl Fn(&T) -> bool) -> Option<T> {
    all.iter().find(|it| wanted(it)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_make_a_context() {
        let flags = ConnectionArgs {
            kube_apiserver: Some("https://10.0.0.1:6443".to_owned()),
            kube_token: Some("secret".to_owned()),
            ..ConnectionArgs::default()
        };
        let mut config = Kubeconfig::default();
        flags.put_over(&mut config, None);
        let server = config.clusters[0].cluster.as_ref().and_then(|it| it.server.as_deref());
        assert_eq!(server, Some("https://10.0.0.1:6443"));
        assert!(config.auth_infos[0].auth_info.as_ref().is_some_and(|it| it.token.is_some()));
        assert_eq!(config.contexts.len(), 1);
    }

    #[test]
    fn flags_change_the_context_that_is_used_and_no_other() {
        let text = "
clusters: [{name: c, cluster: {server: 'https://a', certificate-authority-data: eA==}}]
users: [{name: u, user: {username: x}}]
contexts: [{name: one, context: {cluster: c, user: u, namespace: n}}, {name: two, context: {cluster: c, user: u}}]
current-context: two
";
        let mut config = Kubeconfig::from_yaml(text).expect("valid");
        let flags = ConnectionArgs {
            kube_ca_file: Some("/ca".to_owned()),
            kube_as_user: Some("jane".to_owned()),
            ..ConnectionArgs::default()
        };
        flags.put_over(&mut config, Some("one"));
        let context = |name: &str| {
            let found = config.contexts.iter().find(|it| it.name == name).and_then(|it| it.context.clone());
            let found = found.expect("there");
            let cluster =
                find(&config.clusters, |it| it.name == found.cluster).and_then(|it| it.cluster).expect("there");
            let user = find(&config.auth_infos, |it| Some(&it.name) == found.user.as_ref()).expect("there");
            (found.namespace, cluster.server, cluster.certificate_authority, user.auth_info.expect("there").impersonate)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(context("one"), (text("n"), text("https://a"), text("/ca"), text("jane")));
        assert_eq!(context("two"), (None, text("https://a"), None, None));
        let untouched = config.contexts.len();
        ConnectionArgs::default().put_over(&mut Kubeconfig::default(), None);
        assert_eq!(config.contexts.len(), untouched);
    }
}
