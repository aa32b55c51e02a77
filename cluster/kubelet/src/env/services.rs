//! The variables by which pods find services without DNS.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

/// Variables for a pod of `namespace`; always those of `default/kubernetes`, the namespace's own if `links` are wanted.
pub(super) fn variables<'a>(
    services: impl Iterator<Item = &'a Service>,
    namespace: &str,
    links: bool,
) -> BTreeMap<String, String> {
    let mut chosen: BTreeMap<&str, &Service> = BTreeMap::new();
    for service in services {
        let (Some(name), Some(home)) = (service.metadata.name.as_deref(), service.metadata.namespace.as_deref()) else {
            continue;
        };
        let ip = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default();
        if ip.is_empty() || ip == "None" {
            continue;
        }
        if home == namespace && (links || (home == "default" && name == "kubernetes")) {
            chosen.insert(name, service);
        } else if home == "default" && name == "kubernetes" {
            chosen.entry(name).or_insert(service);
        }
    }
    let mut out = BTreeMap::new();
    for (name, service) in chosen {
        describe(name, service, &mut out);
    }
    out
}

fn describe(name: &str, service: &Service, out: &mut BTreeMap<String, String>) {
    let Some(spec) = &service.spec else { return };
    let ports = spec.ports.as_deref().unwrap_or_default();
    let (Some(ip), Some(first)) = (spec.cluster_ip.as_deref(), ports.first()) else { return };
    let shown = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    let prefix = variable_name(name);
    out.insert(format!("{prefix}_SERVICE_HOST"), ip.to_owned());
    out.insert(format!("{prefix}_SERVICE_PORT"), first.port.to_string());
    for port in ports {
        if let Some(port_name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            out.insert(format!("{prefix}_SERVICE_PORT_{}", variable_name(port_name)), port.port.to_string());
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let url = format!("{}://{shown}:{}", protocol.to_lowercase(), port.port);
        if index == 0 {
            out.insert(format!("{prefix}_PORT"), url.clone());
        }
        let port_prefix = format!("{prefix}_PORT_{}_{}", port.port, protocol.to_uppercase());
        out.insert(port_prefix.clone(), url);
        out.insert(format!("{port_prefix}_PROTO"), protocol.to_lowercase());
        out.insert(format!("{port_prefix}_PORT"), port.port.to_string());
        out.insert(format!("{port_prefix}_ADDR"), ip.to_owned());
    }
}

fn variable_name(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(namespace: &str, name: &str, ip: &str, port: i32) -> Service {
        serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"clusterIP": ip, "ports": [{"name": "my-http", "port": port, "protocol": "TCP"}]},
        }))
        .unwrap()
    }

    #[test]
    fn links_are_those_of_the_namespace_and_the_api() {
        let all = [
            service("default", "kubernetes", "10.0.0.1", 443),
            service("shop", "data-base", "10.0.0.9", 3306),
            service("shop", "headless", "None", 1),
            service("other", "x", "10.0.0.7", 1),
        ];
        let linked = variables(all.iter(), "shop", true);
        assert_eq!(linked["DATA_BASE_SERVICE_HOST"], "10.0.0.9");
        assert_eq!(linked["DATA_BASE_SERVICE_PORT_MY_HTTP"], "3306");
        assert_eq!(linked["DATA_BASE_PORT"], "tcp://10.0.0.9:3306");
        assert_eq!(linked["DATA_BASE_PORT_3306_TCP_ADDR"], "10.0.0.9");
        assert_eq!(linked["KUBERNETES_SERVICE_HOST"], "10.0.0.1");
        assert!(!linked.keys().any(|key| key.starts_with("HEADLESS") || key.starts_with("X_")));
        let unlinked = variables(all.iter(), "shop", false);
        assert!(unlinked.keys().all(|key| key.starts_with("KUBERNETES_")));
    }
}
