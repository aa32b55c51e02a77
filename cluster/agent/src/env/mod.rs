//! A container's environment: literals, references, the downward API and services' addresses.

mod expand;
pub(crate) mod fields;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, Service};
use kube::ResourceExt;

use crate::references::References;
pub(crate) use expand::expand;

/// Why a container cannot be configured; the text is the kubelet's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// What an environment is made from besides the pod.
pub(crate) struct Sources<'a> {
    pub(crate) references: &'a References,
    pub(crate) services: &'a [Service],
    pub(crate) facts: &'a fields::Facts,
}

/// The environment of `container`, in order; a later entry wins.
pub(crate) fn environment(pod: &Pod, container: &Container, sources: &Sources<'_>) -> Result<Vec<(String, String)>, ConfigError> {
    let mut env: Vec<(String, String)> = Vec::new();
    let namespace = pod.namespace().unwrap_or_default();
    let links = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    env.extend(service_variables(sources.services, &namespace, links));
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        if let Some(map) = &source.config_map_ref
            && let Some(data) = sources.references.config_map(&map.name, map.optional == Some(true))?
        {
            env.extend(data.data.iter().flatten().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
        }
        if let Some(secret) = &source.secret_ref
            && let Some(data) = sources.references.secret(&secret.name, secret.optional == Some(true))?
        {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            env.extend(data.data.iter().flatten().map(|(key, value)| (format!("{prefix}{key}"), text(&value.0))));
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value(pod, container, variable, sources, &env)? {
            env.push((variable.name.clone(), value));
        }
    }
    Ok(last_wins(env))
}

/// One entry a name: the last value at the place of the first.
fn last_wins(env: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::with_capacity(env.len());
    let mut places = std::collections::HashMap::new();
    for (name, value) in env {
        match places.get(&name) {
            Some(place) => kept[*place] = (name, value),
            None => {
                places.insert(name.clone(), kept.len());
                kept.push((name, value));
            }
        }
    }
    kept
}

fn value(
    pod: &Pod,
    container: &Container,
    variable: &EnvVar,
    sources: &Sources<'_>,
    before: &[(String, String)],
) -> Result<Option<String>, ConfigError> {
    let lookup = |name: &str| before.iter().rev().find(|(it, _)| it == name).map(|(_, value)| value.clone());
    if let Some(value) = variable.value.as_ref().filter(|value| !value.is_empty()) {
        return Ok(Some(expand(value, lookup)));
    }
    let Some(from) = &variable.value_from else { return Ok(Some(String::new())) };
    if let Some(field) = &from.field_ref {
        return fields::field(pod, &field.field_path, sources.facts).map(Some).ok_or_else(|| {
            ConfigError(format!("unsupported fieldPath: {}", field.field_path))
        });
    }
    if let Some(resource) = &from.resource_field_ref {
        return fields::resource(pod, Some(container), resource, sources.facts)
            .map(Some)
            .ok_or_else(|| ConfigError(format!("unsupported container resource : {}", resource.resource)));
    }
    let namespace = pod.namespace().unwrap_or_default();
    if let Some(key) = &from.config_map_key_ref {
        let optional = key.optional == Some(true);
        let Some(map) = sources.references.config_map(&key.name, optional)? else { return Ok(None) };
        return match map.data.as_ref().and_then(|data| data.get(&key.key)) {
            Some(value) => Ok(Some(value.clone())),
            None if optional => Ok(None),
            None => Err(ConfigError(format!("couldn't find key {} in ConfigMap {namespace}/{}", key.key, key.name))),
        };
    }
    if let Some(key) = &from.secret_key_ref {
        let optional = key.optional == Some(true);
        let Some(secret) = sources.references.secret(&key.name, optional)? else { return Ok(None) };
        return match secret.data.as_ref().and_then(|data| data.get(&key.key)) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
            None if optional => Ok(None),
            None => Err(ConfigError(format!("couldn't find key {} in Secret {namespace}/{}", key.key, key.name))),
        };
    }
    Ok(Some(String::new()))
}

/// The variables of services: of the pod's namespace if it wants links, and always those of
/// `default/kubernetes`, by which pods find the API server.
fn service_variables(services: &[Service], namespace: &str, links: bool) -> Vec<(String, String)> {
    let mut env = Vec::new();
    for service in services {
        let is_master = service.namespace().as_deref() == Some("default") && service.name_any() == "kubernetes";
        let linked = links && service.namespace().as_deref() == Some(namespace);
        let Some(spec) = service.spec.as_ref().filter(|_| is_master || linked) else { continue };
        let Some(ip) = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty() && *ip != "None") else { continue };
        let Some(first) = spec.ports.as_ref().and_then(|ports| ports.first()) else { continue };
        let name = service.name_any().to_uppercase().replace('-', "_");
        env.push((format!("{name}_SERVICE_HOST"), ip.to_owned()));
        env.push((format!("{name}_SERVICE_PORT"), first.port.to_string()));
        for port in spec.ports.iter().flatten() {
            if let Some(port_name) = port.name.as_deref().filter(|it| !it.is_empty()) {
                let port_name = port_name.to_uppercase().replace('-', "_");
                env.push((format!("{name}_SERVICE_PORT_{port_name}"), port.port.to_string()));
            }
        }
        let url = |port: i32, protocol: &str| format!("{}://{ip}:{port}", protocol.to_lowercase());
        env.push((format!("{name}_PORT"), url(first.port, first.protocol.as_deref().unwrap_or("TCP"))));
        for port in spec.ports.iter().flatten() {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let prefix = format!("{name}_PORT_{}_{protocol}", port.port);
            env.push((prefix.clone(), url(port.port, protocol)));
            env.push((format!("{prefix}_PROTO"), protocol.to_lowercase()));
            env.push((format!("{prefix}_PORT"), port.port.to_string()));
            env.push((format!("{prefix}_ADDR"), ip.to_owned()));
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> T {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn values_come_from_everywhere_and_expand() {
        let pod: Pod = from(serde_json::json!({
            "metadata": {"name": "p", "namespace": "n", "labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "64Mi"}}, "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)-$$(A)-$(NONE)-$(KUBERNETES_SERVICE_HOST)"},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
                {"name": "F", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": true}}},
            ]}]},
        }));
        let service: Service = from(serde_json::json!({
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}]},
        }));
        let mut references = References::default();
        references.add_config_map(from(serde_json::json!({"metadata": {"name": "m"}, "data": {"k": "v"}})));
        let facts = fields::Facts::default();
        let sources = Sources { references: &references, services: &[service], facts: &facts };
        let container = &pod.spec.as_ref().unwrap().containers[0];
        let env = environment(&pod, container, &sources).unwrap();
        let get = |name: &str| env.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
        assert_eq!(get("B"), Some("1-$(A)-$(NONE)-10.0.0.1"));
        assert_eq!((get("C"), get("D"), get("E"), get("F")), (Some("v"), Some("x"), Some("64"), None));
        assert_eq!(get("KUBERNETES_PORT_443_TCP"), Some("tcp://10.0.0.1:443"));
    }

    #[test]
    fn what_is_missing_is_named_as_the_kubelet_names_it() {
        let pod: Pod = from(serde_json::json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [
            {"name": "c", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}}));
        let references = References::of_namespace("n");
        let facts = fields::Facts::default();
        let sources = Sources { references: &references, services: &[], facts: &facts };
        let error = environment(&pod, &pod.spec.as_ref().unwrap().containers[0], &sources).unwrap_err();
        assert_eq!(error.to_string(), "secret \"s\" not found");
    }
}
