//! Listens to shims, and sees to what a lost one leaves.

use std::io;
use std::sync::Arc;

use super::client::Conversation;
use super::state::Sandbox;
use super::{EventKind, Runtime};
use crate::error::{Result, RuntimeError};
use crate::shim::protocol::{Operation, Reply};
use crate::{ContainerState, SandboxId};

const LOST: &str = "the pod's shim is gone, and its processes were killed";

impl Runtime {
    /// Listens to a sandbox's shim from now on. When this returns the containers' statuses are those
    /// on disk, and the sandbox is marked dead if its shim does not answer.
    pub(super) async fn watch(self: &Arc<Self>, sandbox: &Arc<Sandbox>) {
        match subscribe(sandbox).await {
            Ok(conversation) => {
                for container in self.state.containers_of(&sandbox.id) {
                    container.refresh();
                }
                let (runtime, sandbox) = (Arc::downgrade(self), Arc::clone(sandbox));
                tokio::spawn(async move {
                    listen(&runtime, conversation).await;
                    if let Some(runtime) = runtime.upgrade() {
                        runtime.lost(&sandbox).await;
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "no shim");
                self.lost(sandbox).await;
            }
        }
    }

    /// Sees to a sandbox whose shim is gone, on purpose or not.
    async fn lost(&self, sandbox: &Arc<Sandbox>) {
        let id = &sandbox.id;
        if let Err(error) = self.kill_containers(id).await {
            tracing::error!(sandbox = %id, %error, "processes of a pod survive it");
        }
        for container in self.state.containers_of(id) {
            container.refresh();
            if container.state() == ContainerState::Running {
                let status = container.status_record().lost(LOST);
                if let Err(error) = container.dir.write_status(&status) {
                    tracing::error!(container = %container.record.id, %error, "cannot write the end of a container");
                }
                container.set_status(status);
                self.tell(&container, EventKind::Exited);
            }
        }
        if !sandbox.is_stopped() {
            tracing::warn!(sandbox = %id, "the shim of a pod is gone");
        }
        sandbox.set_dead();
    }
}

impl Runtime {
    /// Kills all processes of a sandbox's containers. Its control group may have containers of
    /// another sandbox of the same pod as well; those live on.
    pub(super) async fn kill_containers(&self, sandbox: &SandboxId) -> Result<()> {
        let cgroups = self.cgroups.clone();
        let groups: Vec<String> =
            self.state.containers_of(sandbox).iter().map(|container| container.record.cgroup.clone()).collect();
        super::blocking(move || {
            let kill = |group: String| cgroups.kill(&group).map_err(RuntimeError::file("end the processes of", group));
            groups.into_iter().try_for_each(kill)
        })
        .await
    }
}

async fn subscribe(sandbox: &Sandbox) -> io::Result<Conversation> {
    let mut conversation = Conversation::open(sandbox.dir.path(), Operation::Subscribe, &[]).await?;
    match conversation.next().await? {
        Reply::Done => Ok(conversation),
        other => Err(io::Error::other(format!("unexpected reply {other:?}"))),
    }
}

/// Passes on what the shim tells, until it tells no more.
async fn listen(runtime: &std::sync::Weak<Runtime>, mut conversation: Conversation) {
    while let Ok(reply) = conversation.next().await {
        let (Reply::Changed { container, running }, Some(runtime)) = (reply, runtime.upgrade()) else { continue };
        let Ok(container) = runtime.state.container(&container) else { continue };
        container.refresh();
        runtime.tell(&container, if running { EventKind::Started } else { EventKind::Exited });
    }
}
