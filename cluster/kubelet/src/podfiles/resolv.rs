//! `/etc/resolv.conf` by `dnsPolicy` and `dnsConfig`.

use k8s_openapi::api::core::v1::Pod;

use super::is_host_network;
use crate::KubeletConfig;

/// glibc's limit, and Kubernetes'.
const NAMESERVERS: usize = 3;
const SEARCHES: usize = 32;

#[derive(Debug, Default)]
struct Resolv {
    nameservers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// The file's text; `node` is the text of the node's own.
pub(super) fn contents(pod: &Pod, config: &KubeletConfig, node: &str) -> String {
    let spec = pod.spec.as_ref();
    let policy = spec.and_then(|spec| spec.dns_policy.as_deref()).unwrap_or("ClusterFirst");
    let mut out = match policy {
        "None" => Resolv::default(),
        "Default" => parse(node),
        "ClusterFirst" if is_host_network(pod) => parse(node),
        _ => cluster_first(pod, config, node),
    };
    if let Some(dns) = spec.and_then(|spec| spec.dns_config.as_ref()) {
        append(&mut out.nameservers, dns.nameservers.iter().flatten());
        append(&mut out.searches, dns.searches.iter().flatten());
        for option in dns.options.iter().flatten() {
            let name = option.name.clone().unwrap_or_default();
            out.options.retain(|have| have.split(':').next() != Some(name.as_str()));
            out.options.push(match &option.value {
                Some(value) => format!("{name}:{value}"),
                None => name,
            });
        }
    }
    render(out)
}

fn cluster_first(pod: &Pod, config: &KubeletConfig, node: &str) -> Resolv {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let domain = &config.cluster_domain;
    let mut searches = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
    append(&mut searches, parse(node).searches.iter());
    Resolv { nameservers: vec![config.cluster_dns.to_string()], searches, options: vec!["ndots:5".to_owned()] }
}

fn append<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

fn parse(text: &str) -> Resolv {
    let mut out = Resolv::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => out.nameservers.extend(words.next().map(str::to_owned)),
            Some("search") => out.searches = words.filter(|word| *word != ".").map(str::to_owned).collect(),
            Some("options") => out.options.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    out
}

fn render(mut resolv: Resolv) -> String {
    resolv.nameservers.truncate(NAMESERVERS);
    resolv.searches.truncate(SEARCHES);
    let mut out = String::new();
    if !resolv.searches.is_empty() {
        out.push_str(&format!("search {}\n", resolv.searches.join(" ")));
    }
    for server in resolv.nameservers {
        out.push_str(&format!("nameserver {server}\n"));
    }
    if !resolv.options.is_empty() {
        out.push_str(&format!("options {}\n", resolv.options.join(" ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies() {
        let config = KubeletConfig::new("n", "/x", "10.0.0.1".parse().unwrap(), "10.96.0.10".parse().unwrap());
        let node = "nameserver 9.9.9.9\nsearch lan\noptions edns0\n";
        let cases = [
            (
                serde_json::json!({}),
                "search ns.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n",
            ),
            (serde_json::json!({"dnsPolicy": "Default"}), "search lan\nnameserver 9.9.9.9\noptions edns0\n"),
            (serde_json::json!({"hostNetwork": true}), "search lan\nnameserver 9.9.9.9\noptions edns0\n"),
            (
                serde_json::json!({"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"}),
                "search ns.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n",
            ),
            (
                serde_json::json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}}),
                "search a\nnameserver 1.1.1.1\noptions ndots:2 edns0\n",
            ),
        ];
        for (mut spec, want) in cases {
            spec["containers"] = serde_json::json!([]);
            let pod: Pod =
                serde_json::from_value(serde_json::json!({"metadata": {"namespace": "ns"}, "spec": spec})).unwrap();
            assert_eq!(contents(&pod, &config, node), want, "{spec}");
        }
    }
}
