//! The files that a pod finds in `/etc`: hosts, resolv.conf, hostname.

mod hosts;
mod resolv;

use std::{fs, io, net::IpAddr, path::Path};

use k8s_openapi::api::core::v1::Pod;

use crate::KubeletConfig;

/// Host name and DNS domain of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodHost {
    pub(crate) name: String,
    pub(crate) domain: Option<String>,
}

/// Longest host name that the kernel takes.
const HOSTNAME: usize = 63;

/// The pod's name in its network.
pub(crate) fn pod_host(pod: &Pod, cluster_domain: &str) -> PodHost {
    let spec = pod.spec.as_ref();
    let set = |value: Option<&String>| value.filter(|value| !value.is_empty()).cloned();
    if let Some(name) = set(spec.and_then(|spec| spec.hostname_override.as_ref())) {
        return PodHost { name: truncated(name), domain: None };
    }
    let name =
        set(spec.and_then(|spec| spec.hostname.as_ref())).or_else(|| pod.metadata.name.clone()).unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let domain = set(spec.and_then(|spec| spec.subdomain.as_ref()))
        .map(|subdomain| format!("{subdomain}.{namespace}.svc.{cluster_domain}"));
    PodHost { name: truncated(name), domain }
}

fn truncated(mut name: String) -> String {
    name.truncate(HOSTNAME);
    name.truncate(name.trim_end_matches(['-', '.']).len());
    name
}

/// Whether a pod uses the machine's network.
pub(crate) fn is_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true)
}

/// Writes the three files into the pod's directory.
pub(crate) fn write(pod: &Pod, config: &KubeletConfig, directory: &Path, ip: Option<IpAddr>) -> io::Result<()> {
    let host = pod_host(pod, &config.cluster_domain);
    let aliases = pod.spec.as_ref().and_then(|spec| spec.host_aliases.as_deref()).unwrap_or_default();
    let hosts = if is_host_network(pod) {
        hosts::of_node(&fs::read_to_string("/etc/hosts").unwrap_or_default(), aliases)
    } else {
        hosts::managed(ip, &host, aliases)
    };
    let node = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let resolv = resolv::contents(pod, config, &node);
    write_if_changed(&directory.join("etc-hosts"), &hosts)?;
    write_if_changed(&directory.join("resolv.conf"), &resolv)?;
    let name = if is_host_network(pod) {
        fs::read_to_string("/etc/hostname").unwrap_or_default()
    } else {
        format!("{}\n", host.name)
    };
    write_if_changed(&directory.join("hostname"), &name)
}

/// Containers have the file mounted, so it is rewritten in place and never replaced.
fn write_if_changed(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|have| have == text) {
        return Ok(());
    }
    fs::write(path, text)?;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
}
