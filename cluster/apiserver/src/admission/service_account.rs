//! Pods run as a service account, whose token is mounted into their containers.

use crate::{ApiServer, failure::Result, registry::well_known};
use kpkg_api::{meta, status::Status, text::quote};
use serde_json::{Value, json};

/// Where containers find the token.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What the volume's name begins with.
const VOLUME_PREFIX: &str = "kube-api-access-";
/// How long a mounted token is valid; kept a little over the hour after which it is renewed.
const TOKEN_SECONDS: i64 = 3607;
/// Marks pods that mirror a file on their node; those get no account.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Sets the account of a new pod and mounts its token.
pub(super) async fn admit(server: &ApiServer, pod: &mut Value) -> Result<()> {
    if meta::annotation(pod, MIRROR).is_some() {
        return Ok(());
    }
    let spec = meta::child_mut(pod, "spec");
    let name = match spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or_default() {
        "" => "default".to_owned(),
        name => name.to_owned(),
    };
    spec.insert("serviceAccountName".to_owned(), name.clone().into());
    // The field's older name is kept the same.
    spec.insert("serviceAccount".to_owned(), name.clone().into());
    let account = server.find(well_known("", "ServiceAccount"), Some(meta::namespace(pod)), &name).await?;
    let Some(account) = account else {
        let why = format!(
            "error looking up service account {}/{name}: serviceaccount {} not found",
            meta::namespace(pod),
            quote(&name)
        );
        let pod_name = match meta::name(pod) {
            "" => meta::generate_name(pod),
            name => name,
        };
        return Err(Status::forbidden("", "pods", pod_name, &why));
    };
    pull_secrets(&account.value, pod);
    let mounts = pod["spec"]["automountServiceAccountToken"]
        .as_bool()
        .or(account.value["automountServiceAccountToken"].as_bool())
        .unwrap_or(true);
    if mounts {
        mount(pod);
    }
    Ok(())
}

fn pull_secrets(account: &Value, pod: &mut Value) {
    let none = pod["spec"]["imagePullSecrets"].as_array().is_none_or(Vec::is_empty);
    if none && let Some(secrets) = account["imagePullSecrets"].as_array().filter(|secrets| !secrets.is_empty()) {
        pod["spec"]["imagePullSecrets"] = secrets.clone().into();
    }
}

/// Mounts the token into every container that has nothing at its place.
fn mount(pod: &mut Value) {
    let volume = volume_name(pod);
    let mut used = false;
    for list in ["/spec/initContainers", "/spec/containers"] {
        let containers = pod.pointer_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let mounts = list_mut(container, "volumeMounts");
            if mounts.iter().all(|mount| mount["mountPath"] != MOUNT_PATH) {
                mounts.push(json!({"name": volume, "readOnly": true, "mountPath": MOUNT_PATH}));
                used = true;
            }
        }
    }
    if used && !has_volume(pod, &volume) {
        list_mut(&mut pod["spec"], "volumes").push(token_volume(&volume));
    }
}

fn has_volume(pod: &Value, name: &str) -> bool {
    pod["spec"]["volumes"].as_array().into_iter().flatten().any(|volume| volume["name"] == name)
}

/// The volume's name: one that is there already, or a new one.
fn volume_name(pod: &Value) -> String {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let mut names = volumes.filter_map(|volume| volume["name"].as_str());
    match names.find(|name| name.starts_with(VOLUME_PREFIX)) {
        Some(name) => name.to_owned(),
        None => format!("{VOLUME_PREFIX}{}", crate::registry::random_suffix()),
    }
}

fn token_volume(name: &str) -> Value {
    json!({
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }},
                {"downwardAPI": {"items": [{
                    "path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                }]}},
            ],
        },
    })
}

fn list_mut<'a>(object: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    let list = &mut object[key];
    if !list.is_array() {
        *list = json!([]);
    }
    list.as_array_mut().expect("it was just made a list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_mounted_once() {
        let mut pod = json!({"spec": {"containers": [
            {"name": "a"},
            {"name": "b", "volumeMounts": [{"name": "own", "mountPath": MOUNT_PATH}]},
        ]}});
        mount(&mut pod);
        mount(&mut pod);
        let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
        assert_eq!(volumes.len(), 1);
        assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][0]["name"], volumes[0]["name"]);
        assert_eq!(pod["spec"]["containers"][1]["volumeMounts"], json!([{"name": "own", "mountPath": MOUNT_PATH}]));
    }
}
