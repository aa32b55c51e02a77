//! The task of one pod.

use std::{
    fs,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kpkg_runtime::ContainerState;
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    act::RETRY,
    backoff::{Backoff, since},
    decide::decide,
    event::PodEvents,
    messages,
    observed::{Observed, all_containers},
    pod_name, terminate,
};
use crate::{
    doors::{Attached, chain},
    env::PodFacts,
    kubelet::Shared,
    podfiles::is_host_network,
    probe::{Asker, Board, Runners},
    resources::{misfit, pod_requests},
    status::{self, Failed, StartErrors, Writer},
    volumes::{self, NotReady, ReadyVolumes, Sources},
};

/// How often a pod's volumes are looked after when nothing else wakes the worker.
const REFRESH: Duration = Duration::from_secs(60);
/// First and longest delay between tries to mount volumes.
const MOUNT_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(122));
/// How often deleting the pod's object is tried again.
const DELETE_RETRY: Duration = Duration::from_secs(1);

/// What others leave for a worker.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pod: Mutex<Delivery>,
    pub(crate) wake: Arc<Notify>,
    /// Fires when the pod is to end.
    pub(super) stop: CancellationToken,
}

#[derive(Debug, Clone)]
struct Delivery {
    pod: Arc<Pod>,
    /// The API has no such pod any more.
    gone: bool,
}

impl Mailbox {
    pub(super) fn new(pod: Arc<Pod>, gone: bool) -> Self {
        let mailbox = Self {
            pod: Mutex::new(Delivery { pod: pod.clone(), gone }),
            wake: Arc::new(Notify::new()),
            stop: CancellationToken::new(),
        };
        mailbox.deliver(pod, gone);
        mailbox
    }

    /// Leaves a new version of the pod.
    pub(super) fn deliver(&self, pod: Arc<Pod>, gone: bool) {
        let ends = gone || pod.metadata.deletion_timestamp.is_some();
        let old = std::mem::replace(
            &mut *self.pod.lock().unwrap_or_else(PoisonError::into_inner),
            Delivery { pod: pod.clone(), gone },
        );
        if ends {
            self.stop.cancel();
        }
        if gone || asks_for_work(&old.pod, &pod) {
            self.wake.notify_one();
        }
    }

    /// The pod was removed from the API.
    pub(super) fn vanished(&self) {
        let pod = self.latest();
        self.deliver(pod, true);
    }

    /// The pod as it was last heard of.
    pub(crate) fn latest(&self) -> Arc<Pod> {
        self.delivery().pod
    }

    fn delivery(&self) -> Delivery {
        self.pod.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a new version of a pod is more than the echo of the status that we wrote ourselves.
fn asks_for_work(old: &Pod, new: &Pod) -> bool {
    let spec = |pod: &Pod| {
        (pod.metadata.generation, pod.metadata.deletion_timestamp.clone(), pod.metadata.deletion_grace_period_seconds)
    };
    let words = |pod: &Pod| (pod.metadata.labels.clone(), pod.metadata.annotations.clone());
    spec(old) != spec(new) || words(old) != words(new) || status::of_others(old) != status::of_others(new)
}

/// What comes next.
enum Next {
    /// Wait for a wake-up, at most so long.
    Wait(Duration),
    /// The pod is no more.
    Done,
}

/// One pod's worker; [`Worker::run`] is its task.
pub(crate) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) pod: Arc<Pod>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) events: PodEvents,
    pub(super) backoff: Backoff<String>,
    pub(super) start_errors: StartErrors,
    pub(super) place: Option<Attached>,
    board: Arc<Board>,
    runners: Runners,
    writer: Writer,
    failed: Option<Failed>,
    /// The status asked for last; the watch brings it back later.
    said: Mutex<Option<PodStatus>>,
    mount_delay: Duration,
    volumes: Option<(ReadyVolumes, tokio::time::Instant)>,
    /// Nothing runs any more, and the last status is written.
    ended: bool,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, mailbox: Arc<Mailbox>) -> Self {
        let pod = mailbox.latest();
        let board = Arc::new(Board::default());
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        Self {
            events: PodEvents::new(shared.recorder.clone(), &pod),
            writer: Writer::start(shared.objects.client().clone(), &pod),
            runners: Runners::new(board.clone(), mailbox.wake.clone()),
            place: shared.network.find(&uid),
            backoff: Backoff::new(),
            start_errors: StartErrors::new(),
            failed: None,
            said: Mutex::default(),
            mount_delay: MOUNT_RETRY.0,
            volumes: None,
            ended: false,
            board,
            shared,
            pod,
            mailbox,
        }
    }

    /// Runs until the pod is no more, or the kubelet ends.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let next = tokio::select! {
                next = self.sync() => next,
                () = shutdown.cancelled() => return,
            };
            let Next::Wait(wait) = next else { break };
            tokio::select! {
                () = self.mailbox.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => return,
            }
        }
        self.shared.forget(self.uid());
    }

    pub(super) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The address at which the pod's containers are reached.
    pub(super) fn address(&self) -> IpAddr {
        self.place.as_ref().map_or(self.shared.config.node_ip, |place| place.ip)
    }

    fn pod_ip(&self) -> Option<IpAddr> {
        if is_host_network(&self.pod) {
            Some(self.shared.config.node_ip)
        } else {
            self.place.as_ref().map(|place| place.ip)
        }
    }

    pub(super) fn facts(&self) -> PodFacts {
        PodFacts {
            host_ip: self.shared.config.node_ip,
            pod_ip: self.pod_ip(),
            allocatable: self.shared.machine.allocatable,
        }
    }

    async fn sync(&mut self) -> Next {
        let delivery = self.mailbox.delivery();
        self.pod = delivery.pod;
        if self.ended {
            return self.leave(delivery.gone).await;
        }
        if delivery.gone || self.pod.metadata.deletion_timestamp.is_some() {
            return self.end(delivery.gone).await;
        }
        let phase = self.pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return self.end(false).await;
        }
        let observed = self.observe();
        if let Some(failed) = self.rejected(&observed).or_else(|| self.too_old()) {
            self.failed = Some(failed);
            return self.end(false).await;
        }
        // Before the first status: what the last kubelet knew of the probes is part of it.
        self.watch_probes(&observed);
        self.publish(&observed);
        let wait = self.advance(&observed).await;
        let observed = self.observe();
        self.watch_probes(&observed);
        let status = self.status(&observed, false);
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) && !self.mailbox.stop.is_cancelled() {
            return self.end(false).await;
        }
        self.writer.set(status);
        let wait = wait.unwrap_or(REFRESH).min(self.until_deadline().unwrap_or(REFRESH));
        Next::Wait(wait)
    }

    /// One round of volumes, decision and action.
    async fn advance(&mut self, observed: &Observed) -> Option<Duration> {
        if let Err(error) = self.make_directory() {
            tracing::warn!(pod = %pod_name(&self.pod), %error, "cannot make the pod's directory");
            return Some(RETRY);
        }
        let volumes = match self.prepare_volumes().await {
            Ok(volumes) => volumes,
            Err(NotReady { message }) => {
                self.events.warning("FailedMount", message);
                let delay = self.mount_delay;
                self.mount_delay = (delay * 2).min(MOUNT_RETRY.1);
                return Some(delay);
            }
        };
        let actions = decide(&self.pod, observed, &*self.board);
        self.act(observed, actions, &volumes).await
    }

    fn make_directory(&self) -> std::io::Result<()> {
        let directory = self.shared.config.pod_dir(self.uid());
        let note = directory.join("pod.json");
        if note.exists() {
            return Ok(());
        }
        fs::create_dir_all(&directory)?;
        // What the next kubelet needs to end this pod properly if the API forgets it in between.
        fs::write(note, serde_json::to_vec(&*self.pod)?)
    }

    /// Volumes are brought up to date when something asked for it or a minute went by, not at each probe's verdict.
    async fn prepare_volumes(&mut self) -> Result<ReadyVolumes, NotReady> {
        let fresh = !self.shared.take_dirty(self.uid());
        if let Some((volumes, at)) = &self.volumes
            && fresh
            && at.elapsed() < REFRESH
        {
            return Ok(volumes.clone());
        }
        let facts = self.facts();
        let sources =
            Sources { pod: &self.pod, facts: &facts, objects: &self.shared.objects, tokens: &self.shared.tokens };
        let volumes = volumes::prepare(&sources, &self.shared.config.pod_dir(self.uid())).await?;
        self.mount_delay = MOUNT_RETRY.0;
        self.volumes = Some((volumes.clone(), tokio::time::Instant::now()));
        Ok(volumes)
    }

    /// What the runtime has of this pod, with the containers' last words.
    pub(super) fn observe(&self) -> Observed {
        let sandboxes = self.shared.runtime.sandboxes(Some(self.uid()));
        let mut containers: Vec<_> =
            sandboxes.iter().flat_map(|sandbox| self.shared.runtime.containers(&sandbox.id)).collect();
        containers.iter_mut().for_each(messages::add);
        Observed::new(sandboxes, containers)
    }

    fn watch_probes(&mut self, observed: &Observed) {
        let running = |id: &_| {
            observed
                .containers
                .iter()
                .any(|container| container.id == *id && container.state == ContainerState::Running)
        };
        self.runners.retain(running);
        let asker = Asker { runtime: self.shared.runtime.clone(), ip: self.address() };
        for (role, container) in all_containers(&self.pod) {
            if let Some(status) = observed.latest(&container.name) {
                self.runners.watch(&self.pod, role, &container, status, &asker, &self.events);
            }
        }
    }

    fn status(&self, observed: &Observed, terminal: bool) -> PodStatus {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pod = (*self.pod).clone();
        if let Some(said) = said.clone() {
            pod.status = Some(status::with_others(said, pod.status.as_ref()));
        }
        let status = status::generate(&status::Input {
            pod: &pod,
            observed,
            verdicts: &*self.board,
            start_errors: &self.start_errors,
            host_ip: self.shared.config.node_ip,
            pod_ip: self.pod_ip().filter(|_| !observed.sandboxes.is_empty()),
            terminal,
            failed: self.failed.as_ref(),
            now: Timestamp::now(),
        });
        *said = Some(status.clone());
        status
    }

    fn publish(&self, observed: &Observed) {
        self.writer.set(self.status(observed, false));
    }

    /// Why the node does not take the pod; pods that ran here before are taken.
    fn rejected(&self, observed: &Observed) -> Option<Failed> {
        let request = pod_requests(&self.pod);
        let known = !observed.sandboxes.is_empty();
        let (reason, message): (String, String) = self.shared.admit(self.uid(), request, known, misfit)?;
        self.events.warning(&reason, message.trim_start_matches("Pod was rejected: "));
        Some(Failed { reason, message })
    }

    fn deadline(&self) -> Option<Duration> {
        let seconds = self.pod.spec.as_ref()?.active_deadline_seconds?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }

    fn age(&self) -> Duration {
        let started = self.pod.status.as_ref().and_then(|status| status.start_time.as_ref());
        started.map_or(Duration::ZERO, |started| since(started.0, Timestamp::now()))
    }

    fn until_deadline(&self) -> Option<Duration> {
        Some(self.deadline()?.saturating_sub(self.age()).max(Duration::from_millis(100)))
    }

    fn too_old(&self) -> Option<Failed> {
        let deadline = self.deadline()?;
        if self.age() < deadline {
            return None;
        }
        let message = "Pod was active on the node longer than the specified deadline";
        self.events.normal("DeadlineExceeded", message);
        Some(Failed { reason: "DeadlineExceeded".to_owned(), message: message.to_owned() })
    }

    /// Ends the pod: containers, sandbox, network, volumes, last status.
    async fn end(&mut self, gone: bool) -> Next {
        self.runners.stop_restarting();
        self.kill_patiently().await;
        let observed = self.observe();
        self.runners.retain(|_| false);
        let uid = self.uid().to_owned();
        if let Err(error) = self.shared.network.detach(&uid).await {
            tracing::warn!(pod = %pod_name(&self.pod), %error, "cannot remove the pod from its network");
            return Next::Wait(DELETE_RETRY);
        }
        let status = self.status(&observed, true);
        self.shared.release(&uid);
        if !gone {
            self.writer.flush(status).await;
        }
        let directory = self.shared.config.pod_dir(&uid);
        let removed = tokio::task::spawn_blocking(move || volumes::mounts::remove_tree(&directory)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(pod = %pod_name(&self.pod), %error, "cannot remove the pod's volumes");
            return Next::Wait(DELETE_RETRY);
        }
        self.ended = true;
        let gone = self.mailbox.delivery().gone;
        self.leave(gone).await
    }

    /// Kills everything, and hurries when the grace period is shortened on the way.
    async fn kill_patiently(&mut self) {
        let mut hooks = true;
        loop {
            let grace = terminate::grace(&self.pod);
            let observed = self.observe();
            if observed.running().next().is_some() {
                self.publish(&observed);
            }
            let mailbox = self.mailbox.clone();
            let shorter = async {
                loop {
                    mailbox.wake.notified().await;
                    let pod = mailbox.latest();
                    if terminate::grace(&pod) < grace {
                        return pod;
                    }
                }
            };
            tokio::select! {
                () = self.kill_everything(&observed, grace, hooks) => return,
                pod = shorter => self.pod = pod,
            }
            hooks = false;
        }
    }

    /// The pod has ended here. Once it is deleted, its leftovers and then its object go.
    async fn leave(&mut self, gone: bool) -> Next {
        if !gone && self.pod.metadata.deletion_timestamp.is_none() {
            return Next::Wait(Duration::from_secs(3600));
        }
        for sandbox in self.observe().sandboxes {
            if let Err(error) = self.shared.runtime.remove_sandbox(&sandbox.id).await {
                tracing::warn!(pod = %pod_name(&self.pod), error = %chain(&error), "cannot remove the pod's sandbox");
                return Next::Wait(DELETE_RETRY);
            }
        }
        let meta = &self.pod.metadata;
        let (namespace, name) =
            (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        let _ = fs::remove_dir_all(self.shared.config.pod_log_dir(namespace, name, self.uid()));
        if gone {
            return Next::Done;
        }
        let delete = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: meta.uid.clone(), resource_version: None }),
            ..DeleteParams::default()
        };
        match Api::<Pod>::namespaced(self.shared.objects.client().clone(), namespace).delete(name, &delete).await {
            Ok(_) => Next::Done,
            Err(kube::Error::Api(answer)) if answer.code == 404 || answer.code == 409 => Next::Done,
            Err(error) => {
                tracing::warn!(pod = %pod_name(&self.pod), error = %chain(&error), "cannot delete the pod's object");
                Next::Wait(DELETE_RETRY)
            }
        }
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
