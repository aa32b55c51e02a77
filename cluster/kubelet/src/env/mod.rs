//! A container's environment.

mod downward;
mod expand;
mod services;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVarSource, Pod, Service};

pub(crate) use downward::{PodFacts, field, resource};
pub(crate) use expand::expand;

use crate::objects::Objects;

/// Variables in order.
pub(crate) type Variables = Vec<(String, String)>;

/// Puts a container's environment together; the error is the message of `CreateContainerConfigError`.
pub(crate) async fn environment(
    pod: &Pod,
    container: &Container,
    facts: &PodFacts,
    objects: &Objects,
    all_services: &[std::sync::Arc<Service>],
) -> Result<Variables, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let links = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    let services = services::variables(all_services.iter().map(AsRef::as_ref), namespace, links);
    let mut out = Ordered::default();
    for source in container.env_from.iter().flatten() {
        for (name, value) in from_source(source, namespace, objects).await? {
            out.set(name, value);
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (_, Some(source)) => match from_reference(source, pod, container, facts, objects).await? {
                Some(value) => value,
                None => continue,
            },
            (value, None) => expand(value.as_deref().unwrap_or_default(), |name| {
                out.get(name).or_else(|| services.get(name)).cloned()
            }),
        };
        out.set(variable.name.clone(), value);
    }
    for (name, value) in services {
        if out.get(&name).is_none() {
            out.set(name, value);
        }
    }
    Ok(out.list)
}

/// Variables by name that remember when each was first set.
#[derive(Default)]
struct Ordered {
    list: Variables,
    index: BTreeMap<String, usize>,
}

impl Ordered {
    fn get(&self, name: &str) -> Option<&String> {
        self.index.get(name).map(|at| &self.list[*at].1)
    }

    fn set(&mut self, name: String, value: String) {
        if let Some(at) = self.index.get(&name) {
            self.list[*at].1 = value;
        } else {
            self.index.insert(name.clone(), self.list.len());
            self.list.push((name, value));
        }
    }
}

async fn from_source(source: &EnvFromSource, namespace: &str, objects: &Objects) -> Result<Variables, String> {
    let prefix = source.prefix.as_deref().unwrap_or_default();
    let mut out = Vec::new();
    if let Some(reference) = &source.config_map_ref {
        if let Some(map) = objects.config_map(namespace, &reference.name, reference.optional == Some(true)).await? {
            out.extend(map.data.iter().flatten().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
        }
    } else if let Some(reference) = &source.secret_ref
        && let Some(secret) = objects.secret(namespace, &reference.name, reference.optional == Some(true)).await?
    {
        out.extend(
            secret
                .data
                .iter()
                .flatten()
                .map(|(key, value)| (format!("{prefix}{key}"), String::from_utf8_lossy(&value.0).into_owned())),
        );
    }
    // `=` and NUL cannot stand in a name.
    out.retain(|(name, _)| !name.is_empty() && !name.contains(['=', '\0']));
    Ok(out)
}

async fn from_reference(
    source: &EnvVarSource,
    pod: &Pod,
    container: &Container,
    facts: &PodFacts,
    objects: &Objects,
) -> Result<Option<String>, String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    if let Some(selector) = &source.field_ref {
        return field(pod, facts, &selector.field_path).map(Some);
    }
    if let Some(selector) = &source.resource_field_ref {
        return resource(pod, facts, selector, Some(container)).map(Some);
    }
    if let Some(selector) = &source.config_map_key_ref {
        let optional = selector.optional == Some(true);
        let Some(map) = objects.config_map(namespace, &selector.name, optional).await? else { return Ok(None) };
        return match map.data.as_ref().and_then(|data| data.get(&selector.key)) {
            Some(value) => Ok(Some(value.clone())),
            None if optional => Ok(None),
            None => Err(format!("couldn't find key {} in ConfigMap {namespace}/{}", selector.key, selector.name)),
        };
    }
    if let Some(selector) = &source.secret_key_ref {
        let optional = selector.optional == Some(true);
        let Some(secret) = objects.secret(namespace, &selector.name, optional).await? else { return Ok(None) };
        return match secret.data.as_ref().and_then(|data| data.get(&selector.key)) {
            Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
            None if optional => Ok(None),
            None => Err(format!("couldn't find key {} in Secret {namespace}/{}", selector.key, selector.name)),
        };
    }
    Ok(Some(String::new()))
}

/// Command and arguments with `$(NAME)` replaced.
pub(crate) fn expand_all(words: Option<&[String]>, variables: &[(String, String)]) -> Vec<String> {
    let lookup = |name: &str| variables.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone());
    words.unwrap_or_default().iter().map(|word| expand(word, lookup)).collect()
}

/// An exec probe's command: only literal variables of the container are known.
pub(crate) fn expand_probe_command(words: &[String], container: &Container) -> Vec<String> {
    let literals: Variables = container
        .env
        .iter()
        .flatten()
        .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)))
        .collect();
    expand_all(Some(words), &literals)
}
