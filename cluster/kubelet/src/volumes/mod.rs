//! A pod's volumes on the node.
//!
//! [`prepare`] brings every volume of a pod into being, or up to date, and says where each one is. [`container_mounts`] makes the
//! mounts of one container from that. Everything of a pod lies below its directory, so cleaning up is unmounting and
//! deleting that directory ([`mounts::remove_tree`]).

mod atomic;
mod content;
mod host_path;
pub(crate) mod mounts;
mod ownership;
mod token;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Container, Volume};
use kpkg_runtime::{Mount, Propagation};

pub(crate) use content::Sources;
pub(crate) use ownership::fs_group;
pub(crate) use token::Tokens;

use crate::{
    env::{Variables, expand},
    resources::whole,
};

/// A volume that is ready to be mounted into containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) path: PathBuf,
    pub(crate) readonly: bool,
}

/// Volumes by name.
pub(crate) type ReadyVolumes = BTreeMap<String, Ready>;

/// A volume that could not be made ready: the text of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotReady {
    pub(crate) message: String,
}

/// Makes all volumes of a pod ready, or brings their contents up to date.
pub(crate) async fn prepare(sources: &Sources<'_>, pod_dir: &Path) -> Result<ReadyVolumes, NotReady> {
    let volumes = sources.pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mut out = ReadyVolumes::new();
    for volume in volumes {
        let ready = prepare_one(sources, volume, pod_dir).await.map_err(|cause| NotReady {
            message: format!("MountVolume.SetUp failed for volume {:?} : {cause}", volume.name),
        })?;
        out.insert(volume.name.clone(), ready);
    }
    Ok(out)
}

async fn prepare_one(sources: &Sources<'_>, volume: &Volume, pod_dir: &Path) -> Result<Ready, String> {
    let place = |plugin: &str| pod_dir.join("volumes").join(format!("kubernetes.io~{plugin}")).join(&volume.name);
    if let Some(source) = &volume.config_map {
        let files = sources
            .config_map(&source.name, source.items.as_deref(), source.default_mode, source.optional == Some(true))
            .await?;
        return written(sources, &place("configmap"), &files, false);
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        let files =
            sources.secret(name, source.items.as_deref(), source.default_mode, source.optional == Some(true)).await?;
        return written(sources, &place("secret"), &files, true);
    }
    if let Some(source) = &volume.projected {
        let files = sources.projected(source.sources.as_deref().unwrap_or_default(), source.default_mode).await?;
        return written(sources, &place("projected"), &files, true);
    }
    if let Some(source) = &volume.downward_api {
        let files = sources.downward(source.items.as_deref().unwrap_or_default(), source.default_mode)?;
        return written(sources, &place("downward-api"), &files, true);
    }
    if let Some(source) = &volume.empty_dir {
        let memory = source.medium.as_deref() == Some("Memory");
        let limit = source
            .size_limit
            .as_ref()
            .map(whole)
            .and_then(|limit| u64::try_from(limit).ok())
            .filter(|limit| *limit > 0);
        let path = place("empty-dir");
        empty_dir(&path, memory, limit, fs_group(sources.pod)).map_err(|error| error.to_string())?;
        return Ok(Ready { path, readonly: false });
    }
    if let Some(source) = &volume.host_path {
        let path = PathBuf::from(&source.path);
        host_path::prepare(&path, source.type_.as_deref().unwrap_or_default())?;
        return Ok(Ready { path, readonly: false });
    }
    if let Some(source) = &volume.persistent_volume_claim {
        return claimed(sources, &source.claim_name, source.read_only == Some(true)).await;
    }
    Err("no volume plugin matched".to_owned())
}

/// Writes a volume's files; secrets never touch the disk.
fn written(sources: &Sources<'_>, path: &Path, files: &atomic::Files, in_memory: bool) -> Result<Ready, String> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(path)?;
        if in_memory {
            mounts::tmpfs(path, None)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
        if atomic::write(path, files)?
            && let Some(group) = fs_group(sources.pod)
        {
            ownership::give(path, group, true, false)?;
        }
        Ok(())
    };
    write().map_err(|error| error.to_string())?;
    Ok(Ready { path: path.to_owned(), readonly: true })
}

fn empty_dir(path: &Path, memory: bool, limit: Option<u64>, group: Option<u32>) -> io::Result<()> {
    let fresh = !path.exists();
    fs::create_dir_all(path)?;
    if memory {
        mounts::tmpfs(path, limit)?;
    }
    if fresh {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
        if let Some(group) = group {
            ownership::give(path, group, false, false)?;
        }
    }
    Ok(())
}

async fn claimed(sources: &Sources<'_>, name: &str, readonly: bool) -> Result<Ready, String> {
    let namespace = sources.pod.metadata.namespace.as_deref().unwrap_or_default();
    let claim = sources
        .objects
        .claim(namespace, name)
        .await?
        .ok_or_else(|| format!("persistentvolumeclaim {name:?} not found"))?;
    let bound = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
    let volume_name = claim.spec.and_then(|spec| spec.volume_name).filter(|volume| bound && !volume.is_empty());
    let volume_name = volume_name.ok_or("PVC is not bound")?;
    let volume = sources
        .objects
        .volume(&volume_name)
        .await?
        .and_then(|volume| volume.spec)
        .ok_or_else(|| format!("persistentvolume {volume_name:?} not found"))?;
    if let Some(source) = volume.host_path {
        let path = PathBuf::from(source.path);
        host_path::prepare(&path, source.type_.as_deref().unwrap_or_default())?;
        return Ok(Ready { path, readonly });
    }
    if let Some(source) = volume.local {
        let path = PathBuf::from(source.path);
        if !path.exists() {
            return Err(format!("path {:?} does not exist", path.display().to_string()));
        }
        if let Some(group) = fs_group(sources.pod).filter(|_| !readonly) {
            ownership::give(&path, group, false, ownership::only_on_mismatch(sources.pod))
                .map_err(|error| error.to_string())?;
        }
        return Ok(Ready { path, readonly });
    }
    Err("no volume plugin matched".to_owned())
}

/// The mounts of one container's volumes; sub-paths are opened safely and mounted below the pod's directory.
pub(crate) fn container_mounts(
    container: &Container,
    volumes: &ReadyVolumes,
    pod_dir: &Path,
    variables: &Variables,
) -> Result<Vec<Mount>, String> {
    let mut out = Vec::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let ready = volumes.get(&mount.name).ok_or_else(|| {
            format!("cannot find volume {:?} to mount into container {:?}", mount.name, container.name)
        })?;
        let sub_path = match (&mount.sub_path, &mount.sub_path_expr) {
            (_, Some(expression)) if !expression.is_empty() => Some(expanded_sub_path(expression, variables)?),
            (Some(path), _) if !path.is_empty() => Some(path.clone()),
            _ => None,
        };
        let host_path = match sub_path {
            None => ready.path.clone(),
            Some(sub_path) => {
                let target =
                    pod_dir.join("volume-subpaths").join(&mount.name).join(&container.name).join(index.to_string());
                let relative = checked_sub_path(&sub_path)?;
                mounts::bind_sub_path(&ready.path, &relative, &target).map_err(|error| {
                    tracing::warn!(volume = %mount.name, container = %container.name, %error, "sub-path refused");
                    // The reason could tell the pod about the node's files.
                    format!(
                        "failed to prepare subPath for volumeMount {:?} of container {:?}",
                        mount.name, container.name
                    )
                })?;
                target
            }
        };
        let container_path = Path::new("/").join(&mount.mount_path);
        out.push(Mount {
            host_path,
            container_path,
            readonly: mount.read_only == Some(true) || ready.readonly,
            propagation: match mount.mount_propagation.as_deref() {
                Some("HostToContainer" | "Bidirectional") => Propagation::HostToContainer,
                _ => Propagation::Private,
            },
        });
    }
    Ok(out)
}

fn expanded_sub_path(expression: &str, variables: &Variables) -> Result<String, String> {
    let missing = std::cell::Cell::new(false);
    let path = expand(expression, |name| {
        let value = variables.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone());
        missing.set(missing.get() || value.is_none());
        value
    });
    if missing.get() {
        return Err(format!("missing value for {expression:?}"));
    }
    Ok(path)
}

fn checked_sub_path(path: &str) -> Result<PathBuf, String> {
    if path.starts_with('/') {
        return Err(format!("error SubPath `{path}` must not be an absolute path"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err("must not contain '..'".to_owned());
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_path_expressions_need_all_their_variables() {
        let variables = vec![("POD".to_owned(), "web-0".to_owned())];
        assert_eq!(expanded_sub_path("data/$(POD)", &variables), Ok("data/web-0".to_owned()));
        assert!(expanded_sub_path("$(NONE)", &variables).is_err());
        assert!(checked_sub_path("/abs").is_err());
        assert!(checked_sub_path("a/../b").is_err());
        assert!(checked_sub_path("a..b").is_ok());
    }
}
