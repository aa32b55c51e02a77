//! The files that every container of a pod finds under `/etc`: hosts, hostname, resolv.conf.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// The most characters of a host name.
const MAX_HOSTNAME: usize = 63;

/// The pod's host name, and the full name if it has a subdomain.
pub(crate) fn hostname(pod: &Pod, cluster_domain: &str) -> (String, Option<String>) {
    let spec = pod.spec.as_ref();
    let asked = spec.and_then(|it| it.hostname.clone()).filter(|it| !it.is_empty());
    let mut name = asked.unwrap_or_else(|| pod.name_any());
    name.truncate(MAX_HOSTNAME);
    let name = name.trim_end_matches(['-', '.']).to_owned();
    let subdomain = spec.and_then(|it| it.subdomain.as_deref()).filter(|it| !it.is_empty());
    let full = subdomain.map(|it| format!("{name}.{it}.{}.svc.{cluster_domain}", pod.namespace().unwrap_or_default()));
    (name, full)
}

/// `/etc/hosts` of a pod with an address of its own.
pub(crate) fn hosts(pod: &Pod, ip: IpAddr, name: &str, full: Option<&str>) -> String {
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n",
    );
    match full {
        Some(full) => text.push_str(&format!("{ip}\t{full}\t{name}\n")),
        None => text.push_str(&format!("{ip}\t{name}\n")),
    }
    text.push_str(&aliases(pod));
    text
}

/// `/etc/hosts` of a pod in the machine's network: the machine's, and the pod's aliases.
pub(crate) fn host_network_hosts(pod: &Pod, machine: &str) -> String {
    format!("# Kubernetes-managed hosts file (host network).\n{machine}{}", aliases(pod))
}

fn aliases(pod: &Pod) -> String {
    let aliases = pod.spec.as_ref().and_then(|it| it.host_aliases.as_deref()).unwrap_or_default();
    if aliases.is_empty() {
        return String::new();
    }
    let line = |it: &k8s_openapi::api::core::v1::HostAlias| {
        format!("{}\t{}\n", it.ip, it.hostnames.as_deref().unwrap_or_default().join("\t"))
    };
    format!("\n# Entries added by HostAliases.\n{}", aliases.iter().map(line).collect::<String>())
}

/// `/etc/resolv.conf`, by the pod's DNS policy.
pub(crate) fn resolv_conf(pod: &Pod, dns: IpAddr, domain: &str, machine: &str) -> String {
    let spec = pod.spec.as_ref();
    let policy = spec.and_then(|it| it.dns_policy.as_deref()).unwrap_or("ClusterFirst");
    let host_network = spec.and_then(|it| it.host_network).unwrap_or(false);
    let mut conf = match policy {
        "None" => Conf::default(),
        "Default" => Conf::read(machine),
        "ClusterFirst" if host_network => Conf::read(machine),
        _ => Conf::cluster(&pod.namespace().unwrap_or_default(), dns, domain, &Conf::read(machine)),
    };
    if let Some(own) = spec.and_then(|it| it.dns_config.as_ref()) {
        conf.servers.extend(own.nameservers.iter().flatten().cloned());
        conf.searches.extend(own.searches.iter().flatten().cloned());
        for option in own.options.iter().flatten() {
            let name = option.name.clone().unwrap_or_default();
            conf.options.retain(|it| it.split(':').next() != Some(&name));
            conf.options.push(option.value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}:{value}")));
        }
    }
    conf.write()
}

#[derive(Debug, Default)]
struct Conf {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

impl Conf {
    fn read(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => conf.servers.extend(words.next().map(str::to_owned)),
                Some("search") => conf.searches = words.map(str::to_owned).collect(),
                Some("options") => conf.options = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
        conf
    }

    fn cluster(namespace: &str, dns: IpAddr, domain: &str, machine: &Self) -> Self {
        let mut searches = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.to_owned()];
        searches.extend(machine.searches.iter().filter(|it| *it != ".").cloned());
        Self { servers: vec![dns.to_string()], searches, options: vec!["ndots:5".to_owned()] }
    }

    fn write(&self) -> String {
        let mut text = String::new();
        if !self.searches.is_empty() {
            text.push_str(&format!("search {}\n", dedup(&self.searches).join(" ")));
        }
        for server in dedup(&self.servers) {
            text.push_str(&format!("nameserver {server}\n"));
        }
        if !self.options.is_empty() {
            text.push_str(&format!("options {}\n", self.options.join(" ")));
        }
        text
    }
}

fn dedup(list: &[String]) -> Vec<&str> {
    let mut kept: Vec<&str> = Vec::new();
    for item in list {
        if !kept.contains(&item.as_str()) {
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(spec: serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({"metadata": {"name": "p", "namespace": "n"}, "spec": spec})).unwrap()
    }

    #[test]
    fn policies_choose_the_servers() {
        let dns: IpAddr = "10.43.0.10".parse().unwrap();
        let machine = "nameserver 9.9.9.9\nsearch example.com\n";
        let conf = |spec| resolv_conf(&pod(spec), dns, "cluster.local", machine);
        let containers = serde_json::json!([]);
        assert_eq!(
            conf(serde_json::json!({"containers": containers})),
            "search n.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.43.0.10\noptions ndots:5\n"
        );
        assert_eq!(
            conf(serde_json::json!({"containers": containers, "dnsPolicy": "Default"})),
            "search example.com\nnameserver 9.9.9.9\n"
        );
        assert_eq!(
            conf(serde_json::json!({"containers": containers, "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "options": [{"name": "ndots", "value": "2"}]}})),
            "nameserver 1.1.1.1\noptions ndots:2\n"
        );
    }

    #[test]
    fn names_follow_hostname_and_subdomain() {
        let pod = pod(serde_json::json!({"containers": [], "hostname": "h", "subdomain": "s"}));
        assert_eq!(hostname(&pod, "cluster.local"), ("h".into(), Some("h.s.n.svc.cluster.local".into())));
        let text = hosts(&pod, "10.0.0.5".parse().unwrap(), "h", Some("h.s.n.svc.cluster.local"));
        assert!(text.ends_with("10.0.0.5\th.s.n.svc.cluster.local\th\n"), "{text}");
    }
}
