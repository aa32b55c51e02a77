//! The life of sandboxes.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::client::Conversation;
use super::state::Sandbox;
use super::{Runtime, SHIMS, blocking};
use crate::durable;
use crate::error::{Result, RuntimeError};
use crate::record::{SandboxDir, SandboxRecord, VERSION};
use crate::resources::{Resources, Usage};
use crate::shim::protocol::Operation;
use crate::{SandboxConfig, SandboxFilter, SandboxId, SandboxStatus};

/// How long a shim may take to kill its pod before the pod is killed without it.
const SHUTDOWN: Duration = Duration::from_secs(10);
const LONGEST_HOSTNAME: usize = 64;

impl Runtime {
    /// Makes a sandbox and starts its shim.
    pub async fn run_pod_sandbox(self: &Arc<Self>, config: SandboxConfig) -> Result<SandboxId> {
        check(&config)?;
        let id = SandboxId::random();
        let group = config.cgroup_parent.clone().unwrap_or_else(|| format!("pod{}", config.uid));
        let root = self.config.cgroup_root.as_str();
        let record = SandboxRecord {
            version: VERSION,
            id: id.clone(),
            config,
            created_at: Timestamp::now(),
            cgroup: format!("{root}/{group}"),
            shims_cgroup: format!("{root}/{SHIMS}"),
            stopped: false,
        };
        let dir = SandboxDir::new(self.config.state.join("sandboxes").join(id.as_str()));
        let sandbox = Arc::new(Sandbox::new(dir.clone(), record.clone(), true));
        let (cgroups, program) = (self.cgroups.clone(), Arc::clone(&self.program));
        let made = blocking(move || {
            make_directories(&dir, &record)?;
            let cgroup = &record.cgroup;
            cgroups.create(cgroup).map_err(RuntimeError::file("make the control group", cgroup))?;
            cgroups
                .apply(cgroup, &record.config.resources)
                .map_err(RuntimeError::file("limit the control group", cgroup))?;
            let failed = |error: std::io::Error| RuntimeError::ShimStart {
                id: record.id.to_string(),
                problem: error.to_string(),
            };
            program.start(dir.path()).map_err(failed)
        });
        if let Err(error) = made.await {
            self.discard(&sandbox).await;
            return Err(error);
        }
        self.state.add_sandbox(id.clone(), Arc::clone(&sandbox));
        self.watch(&sandbox).await;
        if sandbox.is_alive() { Ok(id) } else { Err(RuntimeError::SandboxNotReady { id: id.to_string() }) }
    }

    /// Kills what runs in the sandbox and ends its shim; no error if that is done already.
    pub async fn stop_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        let sandbox = self.state.sandbox(id)?;
        if !sandbox.is_stopped() {
            sandbox.change(|record| record.stopped = true)?;
        }
        if sandbox.is_alive() {
            let asked = async {
                let mut conversation = Conversation::open(sandbox.dir.path(), Operation::Shutdown, &[]).await?;
                conversation.next().await
            };
            let in_time = tokio::time::timeout(SHUTDOWN, asked).await;
            if !matches!(in_time, Ok(Ok(_))) {
                tracing::warn!(sandbox = %id, "the shim does not end its pod; killing both");
                self.kill_shim(&sandbox).await?;
            }
            sandbox.dead().await;
        }
        Ok(())
    }

    /// Kills a shim that does not answer, with its pod.
    async fn kill_shim(&self, sandbox: &Sandbox) -> Result<()> {
        let (cgroups, record) = (self.cgroups.clone(), sandbox.record());
        let directory = sandbox.dir.path().to_owned();
        blocking(move || {
            for pid in cgroups.processes(&record.shims_cgroup) {
                let cwd = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()));
                if cwd.is_ok_and(|cwd| cwd == directory) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL); // it may have ended
                }
            }
            Ok(())
        })
        .await?;
        self.kill_containers(&sandbox.id).await
    }

    /// Removes the sandbox and its containers, stopping it first; no error if there is none.
    pub async fn remove_pod_sandbox(&self, id: &SandboxId) -> Result<()> {
        let sandbox = match self.state.sandbox(id) {
            Ok(sandbox) => sandbox,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        self.stop_pod_sandbox(id).await?;
        for container in self.state.containers_of(id) {
            self.remove_container(&container.record.id).await?;
        }
        self.discard(&sandbox).await;
        self.state.remove_sandbox(id);
        Ok(())
    }

    /// Removes what a sandbox has on disk and its control group.
    async fn discard(&self, sandbox: &Sandbox) {
        let (cgroups, cgroup, dir) = (self.cgroups.clone(), sandbox.cgroup.clone(), sandbox.dir.clone());
        let shared = self.state.sandboxes().iter().any(|other| other.id != sandbox.id && other.cgroup == cgroup);
        let removed = blocking(move || {
            if !shared {
                cgroups.remove(&cgroup).map_err(RuntimeError::file("remove the control group", &cgroup))?;
            }
            durable::remove_tree(dir.path()).map_err(RuntimeError::file("remove", dir.path()))
        });
        if let Err(error) = removed.await {
            tracing::error!(%error, "a sandbox leaves something behind");
        }
    }

    /// The sandbox as it is.
    pub fn pod_sandbox_status(&self, id: &SandboxId) -> Result<SandboxStatus> {
        Ok(self.state.sandbox(id)?.status())
    }

    /// All sandboxes that pass the filter.
    pub fn list_pod_sandboxes(&self, filter: &SandboxFilter) -> Vec<SandboxStatus> {
        let passes = |status: &SandboxStatus| {
            filter.pod_uid.as_ref().is_none_or(|uid| *uid == status.config.uid)
                && filter.state.is_none_or(|state| state == status.state)
        };
        self.state.sandboxes().iter().map(|sandbox| sandbox.status()).filter(passes).collect()
    }

    /// The usage of the whole pod.
    pub fn pod_sandbox_stats(&self, id: &SandboxId) -> Result<Usage> {
        let sandbox = self.state.sandbox(id)?;
        Ok(self.cgroups.usage(&sandbox.cgroup))
    }

    /// Changes the limits of the whole pod.
    pub fn update_pod_sandbox_resources(&self, id: &SandboxId, resources: &Resources) -> Result<()> {
        let sandbox = self.state.sandbox(id)?;
        let cgroup = &sandbox.cgroup;
        self.cgroups.apply(cgroup, resources).map_err(RuntimeError::file("limit the control group", cgroup))?;
        sandbox.change(|record| record.config.resources = resources.clone())
    }
}

fn make_directories(dir: &SandboxDir, record: &SandboxRecord) -> Result<()> {
    for path in [dir.path().to_owned(), dir.containers(), dir.pause_root()] {
        durable::private_directory(&path).map_err(RuntimeError::file("make", path))?;
    }
    dir.write(record).map_err(RuntimeError::file("write", dir.record()))
}

fn check(config: &SandboxConfig) -> Result<()> {
    let invalid = |field, problem: &str| Err(RuntimeError::Invalid { field, problem: problem.to_owned() });
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if !plain(&config.uid) || matches!(config.uid.as_str(), "." | "..") {
        return invalid("pod uid", "it must be letters, digits and dashes");
    }
    if config
        .cgroup_parent
        .as_ref()
        .is_some_and(|parent| !parent.split('/').all(|part| plain(part) && !part.starts_with('.')))
    {
        return invalid("cgroup parent", "it must be a relative path of plain names");
    }
    if config.hostname.as_ref().is_some_and(|name| !plain(name) || name.len() > LONGEST_HOSTNAME) {
        return invalid("host name", "it must be at most 64 letters, digits, dashes and dots");
    }
    if config.share_process_namespace && config.host_pid {
        return invalid("process namespace", "it cannot be the pod's and the machine's");
    }
    if config.sysctls.keys().any(String::is_empty) {
        return invalid("sysctls", "a name is empty");
    }
    Ok(())
}
