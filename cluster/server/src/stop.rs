//! Stopping a cluster, and deleting every trace of it.

use std::{fs, io, path::Path, time::Duration};

use kpkg_network::{NetworkConfig, PodNetwork};
use kpkg_runtime::{Runtime, RuntimeConfig};
use rustix::mount::{UnmountFlags, unmount};

use crate::{Error, Layout, Request, Settings, preflight, process, registry, wiring};

/// How long the server may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stops the server. Containers go on, and the next start takes them up again; with `pods` they
/// are ended too, as by a reboot. Answers whether a server ran.
pub async fn stop(request: &Request, pods: bool) -> Result<bool, Error> {
    preflight::check_root()?;
    let layout = request.layout()?;
    layout.check()?;
    let settings = Settings::load(&layout)?.ok_or_else(|| Error::NoCluster { dir: layout.root().to_owned() })?;
    let ran = stop_server(&layout).await?;
    if pods {
        end_pods(&layout, &settings).await?;
    }
    Ok(ran)
}

/// Stops everything and removes every trace, also of a cluster that crashed or was never whole.
/// `progress` is told each step. Answers the settings of what was deleted, if it had any.
pub async fn delete(request: &Request, mut progress: impl FnMut(&str)) -> Result<Option<Settings>, Error> {
    preflight::check_root()?;
    let layout = request.layout()?;
    layout.check()?;
    let noted = registry::find(request.name()?)?.filter(|noted| noted.data_dir == layout.root());
    let settings = Settings::load(&layout)?.or(noted.map(|noted| noted.settings));
    // Without settings there are images at most; the check has seen to that.
    if settings.is_none() && !layout.root().exists() {
        return Err(Error::NoCluster { dir: layout.root().to_owned() });
    }
    progress("stopping the server");
    stop_server(&layout).await?;
    // Settings are written before anything is made outside the data directory.
    if let Some(settings) = &settings {
        progress("ending the pods");
        end_pods(&layout, settings).await?;
        remove_cgroups(&settings.cgroup());
    }
    progress("removing the files");
    let root = layout.root().to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_tree(&root)).await;
    removed.map_err(|error| Error::system("remove the files")(error.into()))??;
    if let Some(settings) = &settings {
        registry::remove(&layout, &settings.name)?;
    }
    Ok(settings)
}

async fn stop_server(layout: &Layout) -> Result<bool, Error> {
    let layout = layout.clone();
    let stopped = tokio::task::spawn_blocking(move || process::stop(&layout, PATIENCE)).await;
    stopped.map_err(|error| Error::system("stop the server")(error.into()))?
}

/// Ends every pod and takes the network down.
async fn end_pods(layout: &Layout, settings: &Settings) -> Result<(), Error> {
    Runtime::teardown(runtime_config(layout, settings)?).await?;
    PodNetwork::teardown(&network_config(layout, settings)?).await?;
    Ok(())
}

/// How the runtime of a cluster is opened.
pub(crate) fn runtime_config(layout: &Layout, settings: &Settings) -> Result<RuntimeConfig, Error> {
    Ok(RuntimeConfig {
        root: layout.runtime(),
        state: layout.runtime_state(),
        cgroup_root: format!("/{}", settings.cgroup()),
        shim_exe: std::env::current_exe().map_err(Error::system("find this program"))?,
    })
}

/// How the network of a cluster is opened.
pub(crate) fn network_config(layout: &Layout, settings: &Settings) -> Result<NetworkConfig, Error> {
    let address = wiring::node_address(settings);
    let Settings { name, pod_cidr, service_cidr, .. } = settings;
    Ok(NetworkConfig::new(name, *pod_cidr, *service_cidr, &layout.network(), address)?)
}

/// Removes the directory `root`, after everything mounted below it.
fn remove_tree(root: &Path) -> Result<(), Error> {
    // What is mounted on top of another mount appears only once that is gone.
    for _ in 0..10 {
        let mounts = mounts_below(root)?;
        if mounts.is_empty() {
            break;
        }
        for path in mounts.iter().rev() {
            let _ = unmount(path.as_str(), UnmountFlags::DETACH);
        }
    }
    // Removing through a mount would remove what is not ours.
    if let Some(path) = mounts_below(root)?.first() {
        return Err(Error::Mounted { path: path.into() });
    }
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", root)(error)),
        _ => Ok(()),
    }
}

/// Mount points below `root`, in the order they were mounted.
fn mounts_below(root: &Path) -> Result<Vec<String>, Error> {
    let path = Path::new("/proc/self/mountinfo");
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    let points = text.lines().filter_map(|line| Some(unescape(line.split(' ').nth(4)?)));
    Ok(points.filter(|point| Path::new(point).starts_with(root)).collect())
}

/// mountinfo writes blanks and backslashes as octal numbers.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

/// Removes control groups that the runtime left, in every hierarchy.
fn remove_cgroups(name: &str) {
    let base = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in std::iter::once(base.to_owned()).chain(hierarchies) {
        remove_cgroup(&hierarchy.join(name));
    }
}

fn remove_cgroup(path: &Path) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_cgroup(&entry.path());
    }
    if let Err(error) = fs::remove_dir(path) {
        tracing::warn!(%error, path = %path.display(), "cannot remove a control group");
    }
}
