//! `/etc/hosts`.

use std::{fmt::Write, net::IpAddr};

use k8s_openapi::api::core::v1::HostAlias;

use super::PodHost;

/// A pod's own file.
pub(super) fn managed(ip: Option<IpAddr>, host: &PodHost, aliases: &[HostAlias]) -> String {
    let mut out = "# Kubernetes-managed hosts file.\n\
        127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::0\tip6-localnet\n\
        fe00::0\tip6-mcastprefix\n\
        fe00::1\tip6-allnodes\n\
        fe00::2\tip6-allrouters\n"
        .to_owned();
    if let Some(ip) = ip {
        // Writing to a String cannot fail.
        let _ = match &host.domain {
            Some(domain) => writeln!(out, "{ip}\t{name}.{domain}\t{name}", name = host.name),
            None => writeln!(out, "{ip}\t{}", host.name),
        };
    }
    add_aliases(&mut out, aliases);
    out
}

/// The node's file, for pods in its network.
pub(super) fn of_node(node: &str, aliases: &[HostAlias]) -> String {
    let mut out = format!("# Kubernetes-managed hosts file (host network).\n{node}");
    add_aliases(&mut out, aliases);
    out
}

fn add_aliases(out: &mut String, aliases: &[HostAlias]) {
    if aliases.is_empty() {
        return;
    }
    out.push_str("\n# Entries added by HostAliases.\n");
    for alias in aliases {
        let _ = writeln!(out, "{}\t{}", alias.ip, alias.hostnames.as_deref().unwrap_or_default().join("\t"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases() {
        let host = PodHost { name: "web-0".to_owned(), domain: Some("web.shop.svc.cluster.local".to_owned()) };
        let alias = HostAlias { ip: "10.0.0.9".to_owned(), hostnames: Some(vec!["a".to_owned(), "b".to_owned()]) };
        let text = managed("10.1.0.2".parse().ok(), &host, &[alias]);
        assert!(text.contains("10.1.0.2\tweb-0.web.shop.svc.cluster.local\tweb-0\n"), "{text}");
        assert!(text.ends_with("\n\n# Entries added by HostAliases.\n10.0.0.9\ta\tb\n"), "{text}");
    }
}
