//! Volumes: from the pod's spec to directories and files on the node, and back to nothing.
//!
//! Each volume is a path on the node. Paths of our own making live below the pod's directory and go
//! with it; those of the user (`hostPath`, claims) are only ever named, never emptied.

mod atomic;
mod ownership;
mod payload;
mod subpath;
mod teardown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, HostPathVolumeSource, PersistentVolume, PersistentVolumeClaim, Pod, Volume, VolumeMount,
};
use kpkg_runtime::{Mount, Propagation};
use kube::{Api, Client, ResourceExt};

use crate::env::fields::Facts;
use crate::references::References;

pub(crate) use payload::Tokens;
pub(crate) use teardown::teardown;

/// A pod's volumes by name, ready to be mounted.
pub(crate) type Volumes = BTreeMap<String, PathBuf>;

/// A volume that could not be set up; the text is the kubelet's.
#[derive(Debug, thiserror::Error)]
#[error("MountVolume.SetUp failed for volume {} : {reason}", kpkg_api::text::quote(.volume))]
pub(crate) struct VolumeError {
    volume: String,
    reason: String,
}

/// What volumes are made from.
pub(crate) struct Sources<'a> {
    pub(crate) client: &'a Client,
    pub(crate) references: &'a References,
    pub(crate) facts: &'a Facts,
    pub(crate) tokens: &'a Tokens,
}

/// Sets all volumes of a pod up, or brings those made from objects up to date.
pub(crate) async fn set_up(pod: &Pod, pod_dir: &Path, sources: &Sources<'_>) -> Result<Volumes, VolumeError> {
    let mut volumes = Volumes::new();
    let Some(spec) = pod.spec.as_ref() else { return Ok(volumes) };
    let group = spec.security_context.as_ref().and_then(|it| it.fs_group).and_then(|it| u32::try_from(it).ok());
    for volume in spec.volumes.iter().flatten() {
        let path = one(pod, volume, pod_dir, group, sources)
            .await
            .map_err(|reason| VolumeError { volume: volume.name.clone(), reason })?;
        volumes.insert(volume.name.clone(), path);
    }
    Ok(volumes)
}

/// Whether a pod has volumes whose content may change while it runs.
pub(crate) fn change(pod: &Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|it| it.volumes.as_deref()).unwrap_or_default();
    volumes.iter().any(|it| it.config_map.is_some() || it.secret.is_some() || it.projected.is_some() || it.downward_api.is_some())
}

async fn one(pod: &Pod, volume: &Volume, pod_dir: &Path, group: Option<u32>, sources: &Sources<'_>) -> Result<PathBuf, String> {
    let place = |plugin: &str| pod_dir.join("volumes").join(format!("kubernetes.io~{plugin}")).join(&volume.name);
    if let Some(empty) = &volume.empty_dir {
        let path = place("empty-dir");
        empty_dir(&path, empty, group).map_err(|error| error.to_string())?;
        return Ok(path);
    }
    if let Some(host) = &volume.host_path {
        return host_path(host);
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        return claimed(pod, &claim.claim_name, group, sources.client).await;
    }
    if let Some(payload) = payload::of(pod, volume, sources).await? {
        let path = place(payload.plugin);
        if payload.secret {
            // Secrets stay in memory.
            mount_tmpfs(&path, None).map_err(|error| error.to_string())?;
        }
        atomic::write(&path, &payload.files, group).map_err(|error| error.to_string())?;
        return Ok(path);
    }
    Err("the volume's type is not supported".to_owned())
}

fn empty_dir(path: &Path, source: &EmptyDirVolumeSource, group: Option<u32>) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if source.medium.as_deref() == Some("Memory") {
        let size = source.size_limit.as_ref().and_then(|it| it.0.parse::<kpkg_api::quantity::Quantity>().ok());
        mount_tmpfs(path, size.map(|it| it.value()))?;
    } else {
        std::fs::create_dir_all(path)?;
    }
    ownership::open_to_all(path)?;
    if let Some(group) = group {
        ownership::give_to_group(path, group)?;
    }
    Ok(())
}

/// Mounts a tmpfs unless one is there; `size` in bytes.
fn mount_tmpfs(path: &Path, size: Option<i64>) -> std::io::Result<()> {
    use rustix::mount::{MountFlags, mount};
    if teardown::is_mounted(path)? {
        return Ok(());
    }
    std::fs::create_dir_all(path)?;
    let options = size.filter(|it| *it > 0).map_or_else(String::new, |size| format!("size={size}"));
    let options = std::ffi::CString::new(options).unwrap_or_default();
    mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())?;
    Ok(())
}

/// Checks a path of the node against its type, and makes it where the type says so.
fn host_path(source: &HostPathVolumeSource) -> Result<PathBuf, String> {
    use std::os::unix::fs::FileTypeExt;
    let path = PathBuf::from(&source.path);
    let wanted = source.type_.as_deref().unwrap_or_default();
    if !path.exists() {
        let made = match wanted {
            "DirectoryOrCreate" => std::fs::create_dir_all(&path),
            "FileOrCreate" => std::fs::File::create(&path).map(drop),
            "" => std::fs::create_dir_all(&path),
            _ => return Err(format!("hostPath type check failed: {} is not a {}", source.path, noun(wanted))),
        };
        made.map_err(|error| format!("{}: {error}", source.path))?;
    }
    let kind = std::fs::metadata(&path).map_err(|error| format!("{}: {error}", source.path))?.file_type();
    let fits = match wanted {
        "Directory" | "DirectoryOrCreate" => kind.is_dir(),
        "File" | "FileOrCreate" => kind.is_file(),
        "Socket" => kind.is_socket(),
        "CharDevice" => kind.is_char_device(),
        "BlockDevice" => kind.is_block_device(),
        _ => true,
    };
    if fits { Ok(path) } else { Err(format!("hostPath type check failed: {} is not a {}", source.path, noun(wanted))) }
}

fn noun(kind: &str) -> &'static str {
    match kind {
        "Directory" | "DirectoryOrCreate" => "directory",
        "File" | "FileOrCreate" => "file",
        "Socket" => "socket file",
        "CharDevice" => "character device",
        _ => "block device",
    }
}

/// The path behind a bound claim.
async fn claimed(pod: &Pod, name: &str, group: Option<u32>, client: &Client) -> Result<PathBuf, String> {
    let namespace = pod.namespace().unwrap_or_default();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let claim = claims.get_opt(name).await.map_err(|error| error.to_string())?;
    let Some(claim) = claim else { return Err(format!("persistentvolumeclaim {} not found", kpkg_api::text::quote(name))) };
    let bound = claim.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Bound");
    let volume = claim.spec.as_ref().and_then(|it| it.volume_name.clone()).filter(|it| bound && !it.is_empty());
    let Some(volume) = volume else { return Err(format!("PVC {namespace}/{name} is not bound")) };
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let volume = volumes.get(&volume).await.map_err(|error| error.to_string())?;
    let spec = volume.spec.unwrap_or_default();
    let path = match (spec.host_path, spec.local) {
        (Some(host), _) => host_path(&host)?,
        (None, Some(local)) => PathBuf::from(local.path),
        (None, None) => return Err("only local and hostPath persistent volumes can be mounted".to_owned()),
    };
    if !path.exists() {
        return Err(format!("path {} of the volume does not exist", path.display()));
    }
    if let Some(group) = group {
        let always = pod
            .spec
            .as_ref()
            .and_then(|it| it.security_context.as_ref())
            .and_then(|it| it.fs_group_change_policy.as_deref())
            != Some("OnRootMismatch");
        if always || !ownership::belongs_to_group(&path, group) {
            let owned = path.clone();
            let given = tokio::task::spawn_blocking(move || ownership::give_to_group(&owned, group)).await;
            given.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        }
    }
    Ok(path)
}

/// A container's mounts of the pod's volumes. Sub-paths are opened inside their volume and pinned,
/// so that no link leads out of it, now or later.
pub(crate) fn mounts(
    pod_dir: &Path,
    container: &str,
    wanted: &[VolumeMount],
    volumes: &Volumes,
    expand: &dyn Fn(&str) -> String,
) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for (index, mount) in wanted.iter().enumerate() {
        let Some(volume) = volumes.get(&mount.name) else {
            return Err(format!("volume {} of the mount at {} is not set up", mount.name, mount.mount_path));
        };
        let sub = match (&mount.sub_path, &mount.sub_path_expr) {
            (Some(path), _) if !path.is_empty() => Some(path.clone()),
            (_, Some(expr)) if !expr.is_empty() => Some(expand(expr)),
            _ => None,
        };
        let host_path = match sub {
            None => volume.clone(),
            Some(sub) => {
                let pin = pod_dir.join("volume-subpaths").join(&mount.name).join(container).join(index.to_string());
                subpath::pin(volume, &sub, &pin).map_err(|error| format!("failed to prepare subPath for volumeMount {:?} of container {container:?}: {error}", mount.name))?;
                pin
            }
        };
        mounts.push(Mount {
            host_path,
            container_path: PathBuf::from(&mount.mount_path),
            readonly: mount.read_only == Some(true),
            propagation: match mount.mount_propagation.as_deref() {
                Some("HostToContainer" | "Bidirectional") => Propagation::HostToContainer,
                _ => Propagation::Private,
            },
        });
    }
    Ok(mounts)
}
