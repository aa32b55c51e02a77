//! The files of volumes that are made from objects: ConfigMaps, Secrets, the downward API, tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::{Api, Client, ResourceExt};

use super::Sources;
use super::atomic::{File, Files};
use crate::env::fields;

const DEFAULT_MODE: i32 = 0o644;

/// A volume's files and how they are kept.
pub(super) struct Payload {
    pub(super) plugin: &'static str,
    /// Kept in memory only.
    pub(super) secret: bool,
    pub(super) files: Files,
}

/// The files of a volume, if it is one that is made from objects.
pub(super) async fn of(pod: &Pod, volume: &Volume, sources: &Sources<'_>) -> Result<Option<Payload>, String> {
    let mut files = Files::new();
    if let Some(map) = &volume.config_map {
        let optional = map.optional == Some(true);
        if let Some(object) = sources.references.config_map(&map.name, optional).map_err(|error| error.to_string())? {
            pick(&mut files, &map_bytes(object), map.items.as_deref(), map.default_mode, optional)?;
        }
        return Ok(Some(Payload { plugin: "configmap", secret: false, files }));
    }
    if let Some(secret) = &volume.secret {
        let optional = secret.optional == Some(true);
        let name = secret.secret_name.as_deref().unwrap_or_default();
        if let Some(object) = sources.references.secret(name, optional).map_err(|error| error.to_string())? {
            pick(&mut files, &secret_bytes(object), secret.items.as_deref(), secret.default_mode, optional)?;
        }
        return Ok(Some(Payload { plugin: "secret", secret: true, files }));
    }
    if let Some(downward) = &volume.downward_api {
        downward_files(pod, downward.items.as_deref().unwrap_or_default(), downward.default_mode, sources, &mut files)?;
        return Ok(Some(Payload { plugin: "downward-api", secret: false, files }));
    }
    if let Some(projected) = &volume.projected {
        for source in projected.sources.iter().flatten() {
            projection(pod, source, projected.default_mode, sources, &mut files).await?;
        }
        return Ok(Some(Payload { plugin: "projected", secret: true, files }));
    }
    Ok(None)
}

async fn projection(pod: &Pod, source: &VolumeProjection, mode: Option<i32>, sources: &Sources<'_>, files: &mut Files) -> Result<(), String> {
    if let Some(map) = &source.config_map {
        let optional = map.optional == Some(true);
        if let Some(object) = sources.references.config_map(&map.name, optional).map_err(|error| error.to_string())? {
            pick(files, &map_bytes(object), map.items.as_deref(), mode, optional)?;
        }
    }
    if let Some(secret) = &source.secret {
        let optional = secret.optional == Some(true);
        if let Some(object) = sources.references.secret(&secret.name, optional).map_err(|error| error.to_string())? {
            pick(files, &secret_bytes(object), secret.items.as_deref(), mode, optional)?;
        }
    }
    if let Some(downward) = &source.downward_api {
        downward_files(pod, downward.items.as_deref().unwrap_or_default(), mode, sources, files)?;
    }
    if let Some(token) = &source.service_account_token {
        let text = sources.tokens.get(sources.client, pod, token).await?;
        files.insert(token.path.clone(), File { bytes: text.into_bytes(), mode: token_mode(pod) });
    }
    Ok(())
}

/// A token is for the pod's user: everybody may read it only if nobody can tell who that is.
fn token_mode(pod: &Pod) -> u32 {
    let grouped = pod.spec.as_ref().and_then(|it| it.security_context.as_ref()).is_some_and(|it| it.fs_group.is_some());
    if grouped { 0o640 } else { 0o644 }
}

fn map_bytes(map: &ConfigMap) -> HashMap<&str, &[u8]> {
    let text = map.data.iter().flatten().map(|(key, value)| (key.as_str(), value.as_bytes()));
    let binary = map.binary_data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice()));
    text.chain(binary).collect()
}

fn secret_bytes(secret: &Secret) -> HashMap<&str, &[u8]> {
    secret.data.iter().flatten().map(|(key, value)| (key.as_str(), value.0.as_slice())).collect()
}

/// All keys under their names, or the chosen ones under theirs.
fn pick(files: &mut Files, data: &HashMap<&str, &[u8]>, items: Option<&[KeyToPath]>, mode: Option<i32>, optional: bool) -> Result<(), String> {
    let default = mode.unwrap_or(DEFAULT_MODE);
    let file = |bytes: &[u8], mode: i32| File { bytes: bytes.to_vec(), mode: mode.unsigned_abs() & 0o777 };
    let Some(items) = items.filter(|it| !it.is_empty()) else {
        files.extend(data.iter().map(|(key, bytes)| ((*key).to_owned(), file(bytes, default))));
        return Ok(());
    };
    for item in items {
        match data.get(item.key.as_str()) {
            Some(bytes) => {
                files.insert(item.path.clone(), file(bytes, item.mode.unwrap_or(default)));
            }
            None if optional => {}
            None => return Err(format!("references non-existent config key: {}", item.key)),
        }
    }
    Ok(())
}

fn downward_files(pod: &Pod, items: &[DownwardAPIVolumeFile], mode: Option<i32>, sources: &Sources<'_>, files: &mut Files) -> Result<(), String> {
    for item in items {
        let field = item.field_ref.as_ref().and_then(|it| fields::field(pod, &it.field_path, sources.facts));
        let resource = item.resource_field_ref.as_ref().and_then(|it| fields::resource(pod, None, it, sources.facts));
        let Some(text) = field.or(resource) else { return Err(format!("no value for the file {}", item.path)) };
        let mode = item.mode.or(mode).unwrap_or(DEFAULT_MODE).unsigned_abs() & 0o777;
        files.insert(item.path.clone(), File { bytes: text.into_bytes(), mode });
    }
    Ok(())
}

/// Service-account tokens by pod and audience, asked for anew in good time.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    kept: Mutex<HashMap<(String, String), (String, Instant)>>,
}

impl Tokens {
    async fn get(&self, client: &Client, pod: &Pod, projection: &ServiceAccountTokenProjection) -> Result<String, String> {
        let audience = projection.audience.clone().unwrap_or_default();
        let key = (pod.uid().unwrap_or_default(), audience.clone());
        if let Some((token, renew)) = self.kept().get(&key)
            && Instant::now() < *renew
        {
            return Ok(token.clone());
        }
        let seconds = projection.expiration_seconds.unwrap_or(3600);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: (!audience.is_empty()).then(|| vec![audience]),
                expiration_seconds: Some(seconds),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(pod.name_any()),
                    uid: pod.uid(),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let account = pod.spec.as_ref().and_then(|it| it.service_account_name.clone()).unwrap_or_else(|| "default".to_owned());
        let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
        let answer = api.create_token_request(&account, &kube::api::PostParams::default(), &request).await;
        let token = answer.map_err(|error| format!("failed to fetch token: {error}"))?.status.and_then(|it| it.token).unwrap_or_default();
        // Renewed after four fifths of its life, as the kubelet does.
        let renew = Instant::now() + Duration::from_secs(u64::try_from(seconds * 4 / 5).unwrap_or(60));
        self.kept().insert(key, (token.clone(), renew));
        Ok(token)
    }

    /// Forgets the tokens of a pod.
    pub(crate) fn forget(&self, uid: &str) {
        self.kept().retain(|(pod, _), _| pod != uid);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), (String, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
