//! What configMap, secret, downwardAPI and projected volumes contain.

use std::path::PathBuf;

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, VolumeProjection},
};

use super::{
    atomic::{File, Files},
    token::Tokens,
};
use crate::{
    env::{self, PodFacts},
    objects::Objects,
};

/// What contents are made from.
pub(crate) struct Sources<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) facts: &'a PodFacts,
    pub(crate) objects: &'a Objects,
    pub(crate) tokens: &'a Tokens,
}

/// Permissions of files without a mode of their own.
const MODE: u32 = 0o644;

fn mode(own: Option<i32>, default: Option<i32>) -> u32 {
    own.or(default).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(MODE)
}

impl Sources<'_> {
    fn namespace(&self) -> &str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) async fn config_map(
        &self,
        name: &str,
        items: Option<&[KeyToPath]>,
        default: Option<i32>,
        optional: bool,
    ) -> Result<Files, String> {
        let Some(map) = self.objects.config_map(self.namespace(), name, optional).await? else {
            return Ok(Files::new());
        };
        pick(&config_map_entries(map), items, default, optional, "config")
    }

    pub(crate) async fn secret(
        &self,
        name: &str,
        items: Option<&[KeyToPath]>,
        default: Option<i32>,
        optional: bool,
    ) -> Result<Files, String> {
        let Some(secret) = self.objects.secret(self.namespace(), name, optional).await? else {
            return Ok(Files::new());
        };
        pick(&secret_entries(secret), items, default, optional, "secret")
    }

    pub(crate) fn downward(&self, items: &[DownwardAPIVolumeFile], default: Option<i32>) -> Result<Files, String> {
        let mut out = Files::new();
        for item in items {
            let text = match (&item.field_ref, &item.resource_field_ref) {
                (Some(field), _) => env::field(self.pod, self.facts, &field.field_path)?,
                (None, Some(resource)) => env::resource(self.pod, self.facts, resource, None)?,
                (None, None) => continue,
            };
            out.insert(
                PathBuf::from(&item.path),
                File { bytes: text.into_bytes(), mode: mode(item.mode, default), owner: None },
            );
        }
        Ok(out)
    }

    pub(crate) async fn projected(&self, sources: &[VolumeProjection], default: Option<i32>) -> Result<Files, String> {
        let mut out = Files::new();
        for source in sources {
            if let Some(map) = &source.config_map {
                out.extend(
                    self.config_map(&map.name, map.items.as_deref(), default, map.optional == Some(true)).await?,
                );
            }
            if let Some(secret) = &source.secret {
                out.extend(
                    self.secret(&secret.name, secret.items.as_deref(), default, secret.optional == Some(true)).await?,
                );
            }
            if let Some(downward) = &source.downward_api {
                out.extend(self.downward(downward.items.as_deref().unwrap_or_default(), default)?);
            }
            if let Some(token) = &source.service_account_token {
                let bytes = self.tokens.get(self.pod, token).await?.into_bytes();
                let owner = super::ownership::common_user(self.pod);
                let private = owner.is_some() || super::ownership::fs_group(self.pod).is_some();
                let mode = if private { 0o600 } else { mode(None, default) };
                out.insert(PathBuf::from(&token.path), File { bytes, mode, owner });
            }
        }
        Ok(out)
    }
}

fn config_map_entries(map: ConfigMap) -> Vec<(String, Vec<u8>)> {
    let text = map.data.into_iter().flatten().map(|(key, value)| (key, value.into_bytes()));
    let binary = map.binary_data.into_iter().flatten().map(|(key, ByteString(value))| (key, value));
    text.chain(binary).collect()
}

fn secret_entries(secret: Secret) -> Vec<(String, Vec<u8>)> {
    secret.data.into_iter().flatten().map(|(key, ByteString(value))| (key, value)).collect()
}

/// All entries, or those that `items` names.
fn pick(
    entries: &[(String, Vec<u8>)],
    items: Option<&[KeyToPath]>,
    default: Option<i32>,
    optional: bool,
    noun: &str,
) -> Result<Files, String> {
    let file = |bytes: &[u8], own| File { bytes: bytes.to_vec(), mode: mode(own, default), owner: None };
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        return Ok(entries.iter().map(|(key, bytes)| (PathBuf::from(key), file(bytes, None))).collect());
    };
    let mut out = Files::new();
    for item in items {
        match entries.iter().find(|(key, _)| *key == item.key) {
            Some((_, bytes)) => {
                out.insert(PathBuf::from(&item.path), file(bytes, item.mode));
            }
            None if optional => {}
            None => return Err(format!("references non-existent {noun} key: {}", item.key)),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_choose_rename_and_set_modes() {
        let entries = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())];
        let item = |key: &str, path: &str, mode| KeyToPath {
            key: key.to_owned(),
            path: path.to_owned(),
            mode,
            ..KeyToPath::default()
        };
        let all = pick(&entries, None, Some(0o400), false, "config").unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[&PathBuf::from("a")].mode, 0o400);
        let some = pick(&entries, Some(&[item("b", "x/y", Some(0o600))]), None, false, "config").unwrap();
        assert_eq!(some[&PathBuf::from("x/y")], File { bytes: b"2".to_vec(), mode: 0o600, owner: None });
        let missing = [item("z", "z", None)];
        assert_eq!(
            pick(&entries, Some(&missing), None, false, "config"),
            Err("references non-existent config key: z".to_owned())
        );
        assert_eq!(pick(&entries, Some(&missing), None, true, "secret"), Ok(Files::new()));
    }
}
