//! The life of one pod on this node.
//!
//! A worker is one task. It looks at the pod's spec and at what the runtime has, decides the next
//! steps, takes them, and writes the status; then it sleeps until something wakes it: a new spec, an
//! event of the runtime, a probe's verdict, a pull that ended, or a time that has come.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, Secret, Service};
use kpkg_events::{Recorder, Severity};
use kpkg_runtime::{ContainerId, ContainerState};
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::{Resource, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, go_duration};
use super::decide::{Actions, decide, restart_policy};
use super::images::{Came, Pull};
use super::observed::{Observed, Role, all_containers, app_containers, ephemeral_containers, init_containers};
use super::{hooks, start, stop};
use crate::doors::chain;
use crate::env::{Sources, fields::Facts};
use crate::kubelet::Shared;
use crate::probe::{ProbeKind, Prober};
use crate::references::References;
use crate::status::{self, Reason, View, Waiting};
use crate::volumes::{self, Volumes};

/// How long a quiet worker sleeps at most.
const IDLE: Duration = Duration::from_secs(60);
/// How often volumes made from objects are brought up to date.
const REFRESH: Duration = Duration::from_secs(10);
/// The pause after something failed that may work the next time.
const RETRY: Duration = Duration::from_secs(2);

/// One pod's worker.
pub(crate) struct Worker {
    pub(super) shared: Arc<Shared>,
    uid: String,
    wake: Arc<Notify>,
    prober: Prober,
    ip: Mutex<Option<IpAddr>>,
    state: tokio::sync::Mutex<State>,
}

/// What a worker remembers between two looks.
struct State {
    backoff: Backoff<String>,
    waiting: Waiting,
    failed: Option<Reason>,
    volumes: Volumes,
    /// The last thing told about, so that a lasting trouble is not an event every two seconds.
    told: Option<(String, Timestamp)>,
}

/// What a worker does after a look.
enum After {
    /// Sleep, at most this long.
    Sleep(Duration),
    /// The pod is gone from this node.
    Gone,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, uid: String, wake: Arc<Notify>) -> Self {
        let prober = Prober::new(shared.cri.clone(), shared.recorder.clone(), wake.clone());
        let state = State {
            backoff: Backoff::new(),
            waiting: Waiting::new(),
            failed: None,
            volumes: Volumes::new(),
            told: None,
        };
        Self { shared, uid, wake, prober, ip: Mutex::default(), state: tokio::sync::Mutex::new(state) }
    }

    pub(super) fn config(&self) -> &crate::KubeletConfig {
        &self.shared.config
    }

    /// The pod's address, or the node's for a pod in the node's network.
    pub(super) fn pod_ip(&self) -> Option<IpAddr> {
        *self.ip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after the pod until it is gone. `pod` is `None` once the API server has it no more.
    pub(crate) async fn run(self, mut pods: watch::Receiver<Option<Arc<Pod>>>, shutdown: CancellationToken) {
        let mut last: Option<Arc<Pod>> = None;
        loop {
            let current = pods.borrow_and_update().clone();
            let exists = current.is_some();
            let Some(pod) = current.or_else(|| last.clone()) else { return };
            last = Some(pod.clone());
            let after = tokio::select! {
                after = self.look(&pod, exists) => after,
                () = shutdown.cancelled() => break,
            };
            let After::Sleep(time) = after else { break };
            tokio::select! {
                _ = pods.changed() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(time) => {}
                () = shutdown.cancelled() => break,
            }
        }
        self.prober.stop();
    }

    fn observe(&self) -> Observed {
        let sandboxes = self.shared.cri.sandboxes(Some(&self.uid));
        let containers = sandboxes.iter().flat_map(|it| self.shared.cri.containers(&it.id)).collect();
        Observed::new(sandboxes, containers)
    }

    async fn look(&self, pod: &Arc<Pod>, exists: bool) -> After {
        let mut state = self.state.lock().await;
        if !exists || pod.metadata.deletion_timestamp.is_some() {
            return self.end(pod, exists, &mut state).await;
        }
        if has_ended(pod) {
            return self.rest(pod).await;
        }
        let mut next = IDLE;
        if let Some(left) = self.deadline(pod, &mut state) {
            next = next.min(left);
        }
        let observed = self.observe();
        if state.failed.is_some() {
            self.stop_all(pod, &observed, stop::grace(pod)).await;
        } else {
            next = next.min(self.advance(pod, &observed, &mut state).await);
        }
        self.probe(pod);
        if let Err(error) = self.report(pod, &state).await {
            tracing::debug!(pod = %pod.name_any(), error = chain(&error), "the status could not be written");
            next = next.min(RETRY);
        }
        After::Sleep(next)
    }

    /// Takes the next steps; how long until there may be more.
    async fn advance(&self, pod: &Arc<Pod>, observed: &Observed, state: &mut State) -> Duration {
        let actions = decide(pod, observed, &self.prober);
        let first = observed.sandboxes.is_empty();
        if let Some(ip) = self.shared.network.find(&self.uid).map(|it| it.ip).filter(|_| !is_host_network(pod)) {
            self.set_ip(Some(ip));
        } else if is_host_network(pod) {
            self.set_ip(Some(self.config().node_ip));
        }
        if actions.kill_pod && !first {
            self.stop_all(pod, observed, stop::grace(pod)).await;
        }
        if actions == (Actions { kill_pod: actions.kill_pod, ..Actions::default() }) {
            return self.refresh(pod, state).await;
        }
        let references = match References::fetch(&self.shared.client, pod).await {
            Ok(references) => references,
            Err(error) => return self.trouble(pod, state, "FailedSync", &chain(&error)),
        };
        let facts = self.facts();
        if let Err(wait) = self.prepare(pod, &references, &facts, state).await {
            return wait;
        }
        if let Some(attempt) = actions.create_sandbox
            && let Err(error) = self.create_sandbox(pod, attempt).await
        {
            return self.trouble(pod, state, "FailedCreatePodSandBox", &format!("Failed to create pod sandbox: {error}"));
        }
        self.kill(pod, observed, &actions).await;
        let facts = self.facts();
        self.start_all(pod, &actions, &references, &facts, state).await
    }

    fn facts(&self) -> Facts {
        Facts {
            pod_ip: self.pod_ip(),
            host_ip: Some(self.config().node_ip),
            node_cpu_milli: self.shared.machine.cpu_milli,
            node_memory: self.shared.machine.memory,
        }
    }

    fn set_ip(&self, ip: Option<IpAddr>) {
        *self.ip.lock().unwrap_or_else(PoisonError::into_inner) = ip;
    }

    /// Sets the volumes up.
    async fn prepare(&self, pod: &Arc<Pod>, references: &References, facts: &Facts, state: &mut State) -> Result<(), Duration> {
        let client = &self.shared.client;
        let sources = volumes::Sources { client, references, facts, tokens: &self.shared.tokens };
        let dir = self.config().pod_dir(&self.uid);
        match volumes::set_up(pod, &dir, &sources).await {
            Ok(volumes) => {
                state.volumes = volumes;
                Ok(())
            }
            Err(error) => Err(self.trouble(pod, state, "FailedMount", &chain(&error))),
        }
    }

    /// Brings volumes made from objects up to date.
    async fn refresh(&self, pod: &Arc<Pod>, state: &mut State) -> Duration {
        if !volumes::change(pod) || self.observe().running().next().is_none() {
            return IDLE;
        }
        if let Ok(references) = References::fetch(&self.shared.client, pod).await {
            let facts = self.facts();
            if let Err(wait) = self.prepare(pod, &references, &facts, state).await {
                return wait;
            }
        }
        REFRESH
    }

    async fn create_sandbox(&self, pod: &Arc<Pod>, attempt: u32) -> Result<(), String> {
        let netns = if is_host_network(pod) {
            self.set_ip(Some(self.config().node_ip));
            None
        } else {
            let place = self.shared.network.attach(&self.uid).await.map_err(|error| error.to_string())?;
            self.set_ip(Some(place.ip));
            Some(place.netns)
        };
        start::write_pod_files(self, pod, self.pod_ip()).map_err(|error| error.to_string())?;
        let config = start::sandbox(self, pod, attempt, netns);
        self.shared.cri.run_sandbox(config).await.map(drop).map_err(|error| chain(&error))
    }

    async fn kill(&self, pod: &Pod, observed: &Observed, actions: &Actions) {
        let specs = all_containers(pod);
        for kill in &actions.kill {
            let Some((_, container)) = specs.iter().find(|(_, it)| it.name == kill.name) else { continue };
            let Some(live) = observed.containers.iter().find(|it| it.id == kill.id) else { continue };
            let own = kill.probe.and_then(|kind| kind.of(container)).and_then(|it| it.termination_grace_period_seconds);
            let grace = own.map_or_else(|| stop::grace(pod), |it| Duration::from_secs(u64::try_from(it).unwrap_or(0)));
            self.stop_container(pod, container, live, &kill.message, grace).await;
        }
    }

    async fn start_all(&self, pod: &Arc<Pod>, actions: &Actions, references: &References, facts: &Facts, state: &mut State) -> Duration {
        let services = self.shared.services();
        let sources = Sources { references, services: &services, facts };
        let pick = |list: &[Container], chosen: &[usize], role| -> Vec<(Role, Container)> {
            chosen.iter().filter_map(|index| Some((role, list.get(*index)?.clone()))).collect()
        };
        let mut wanted = pick(&ephemeral_containers(pod), &actions.start_ephemeral, Role::Ephemeral);
        wanted.extend(pick(init_containers(pod), &actions.start_init, Role::Init));
        wanted.extend(pick(app_containers(pod), &actions.start, Role::App));
        let mut next = IDLE;
        for (_, container) in &wanted {
            match self.start(pod, container, &sources, state).await {
                Ok(None) => {
                    state.waiting.remove(&container.name);
                    // There may be more to do at once: the next init container, say.
                    next = Duration::ZERO;
                }
                Ok(Some(wait)) => next = next.min(wait),
                Err(reason) => {
                    let message = format!("Error: {}", reason.message);
                    self.tell(pod, &container.name, Severity::Warning, "Failed", &message);
                    state.waiting.insert(container.name.clone(), reason);
                    next = next.min(RETRY * 5);
                }
            }
        }
        next
    }

    /// Starts a container, unless it must wait: for its image or for its turn after crashes.
    async fn start(&self, pod: &Arc<Pod>, container: &Container, sources: &Sources<'_>, state: &mut State) -> Result<Option<Duration>, Reason> {
        let observed = self.observe();
        let before = observed.latest(&container.name).cloned();
        let now = Timestamp::now();
        if let Some(ended) = before.as_ref().filter(|it| it.state == ContainerState::Exited) {
            let at = ended.finished_at.unwrap_or(ended.created_at);
            if let Some(left) = state.backoff.remaining_since(&container.name, at, now) {
                self.tell_backoff(pod, container, state);
                return Ok(Some(left));
            }
        }
        let image = match self.image(pod, container, sources, state)? {
            Ok(image) => image,
            Err(wait) => return Ok(Some(wait)),
        };
        if let Some(ended) = before.as_ref().filter(|it| it.state == ContainerState::Exited) {
            state.backoff.next(container.name.clone(), ended.finished_at.unwrap_or(ended.created_at), now);
        }
        let attempt = before.as_ref().map_or(0, |it| it.attempt + 1);
        let plan =
            start::Plan { worker: self, pod, container, sources, volumes: &state.volumes, attempt, image_user: &image };
        let config = start::configure(&plan)?;
        let Some(sandbox) = observed.ready_sandbox() else { return Ok(Some(RETRY)) };
        let failed = |error: &dyn std::error::Error| Reason::new("CreateContainerError", chain(error));
        let id = self.shared.cri.create_container(&sandbox.id, config).await.map_err(|error| failed(&error))?;
        self.tell(pod, &container.name, Severity::Normal, "Created", &format!("Container created: {}", container.name));
        self.shared.cri.start_container(&id).await.map_err(|error| Reason::new("RunContainerError", chain(&error)))?;
        self.tell(pod, &container.name, Severity::Normal, "Started", &format!("Container started: {}", container.name));
        self.post_start(pod, container, &id).await;
        self.forget_old(&container.name, &observed).await;
        Ok(None)
    }

    fn tell_backoff(&self, pod: &Arc<Pod>, container: &Container, state: &mut State) {
        let about = format!("{}_{}({})", pod.name_any(), pod.namespace().unwrap_or_default(), self.uid);
        let told = format!("Back-off restarting failed container {} in pod {about}", container.name);
        let delay = state.backoff.delay(&container.name).unwrap_or_default();
        let message = format!("back-off {} restarting failed container={} pod={about}", go_duration(delay), container.name);
        let known = state.waiting.insert(container.name.clone(), Reason::new("CrashLoopBackOff", message.clone()));
        if known.is_none_or(|it| it.message != message) {
            self.tell(pod, &container.name, Severity::Warning, "BackOff", &told);
        }
    }

    /// The image's user, once the image is here; how long to wait if it is not.
    fn image(&self, pod: &Arc<Pod>, container: &Container, sources: &Sources<'_>, state: &mut State) -> Result<Result<String, Duration>, Reason> {
        let reference = container.image.clone().unwrap_or_default();
        let policy = container.image_pull_policy.as_deref().unwrap_or("IfNotPresent");
        let secrets = pull_secrets(pod, sources.references);
        let name = &container.name;
        match self.shared.images.ensure(&self.uid, &reference, policy, &secrets, &self.wake) {
            Pull::Here(facts, came) => {
                let message = match came {
                    Came::Present => format!("Container image {reference:?} already present on machine"),
                    Came::Pulled(time) => {
                        let seconds = time.as_secs_f64();
                        format!("Successfully pulled image {reference:?} in {seconds:.3}s ({seconds:.3}s including waiting). Image size: {} bytes.", facts.size)
                    }
                };
                self.tell(pod, name, Severity::Normal, "Pulled", &message);
                Ok(Ok(facts.user))
            }
            Pull::Pulling(new) => {
                if new {
                    self.tell(pod, name, Severity::Normal, "Pulling", &format!("Pulling image {reference:?}"));
                }
                Ok(Err(IDLE))
            }
            Pull::Failed(error) => {
                self.tell(pod, name, Severity::Warning, "Failed", &format!("Failed to pull image {reference:?}: {error}"));
                Err(Reason::new("ErrImagePull", error)).inspect_err(|_: &Reason| self.wake.notify_one())
            }
            Pull::Waiting(error) => {
                let message = format!("Back-off pulling image {reference:?}: ErrImagePull: {error}");
                let known = state.waiting.insert(name.clone(), Reason::new("ImagePullBackOff", message));
                if known.is_none_or(|it| it.reason != "ImagePullBackOff") {
                    self.tell(pod, name, Severity::Normal, "BackOff", &format!("Back-off pulling image {reference:?}"));
                    self.tell(pod, name, Severity::Warning, "Failed", "Error: ImagePullBackOff");
                }
                Ok(Err(self.shared.images.retry_in(&self.uid, &reference).unwrap_or(RETRY)))
            }
            Pull::Never => Err(Reason::new(
                "ErrImageNeverPull",
                format!("Container image {reference:?} is not present with pull policy of Never"),
            )),
            Pull::Invalid(error) => Err(Reason::new("InvalidImageName", error)),
        }
    }

    async fn post_start(&self, pod: &Pod, container: &Container, id: &ContainerId) {
        let Some(hook) = container.lifecycle.as_ref().and_then(|it| it.post_start.as_ref()) else { return };
        let ran = hooks::run(&*self.shared.cri, pod, container, id, hook, self.pod_ip(), stop::grace(pod)).await;
        if let Err(error) = ran {
            container_event(&self.shared.recorder, pod, &container.name, Severity::Warning, "FailedPostStartHook", error);
            let _ = self.shared.cri.stop_container(id, stop::grace(pod), None).await;
        }
    }

    /// Of the containers that ended, the last one is kept for its log and its exit code.
    async fn forget_old(&self, name: &str, observed: &Observed) {
        let ended = observed.containers.iter().filter(|it| it.name == name && it.state == ContainerState::Exited);
        for old in ended.skip(1) {
            let _ = self.shared.cri.remove_container(&old.id).await;
        }
    }

    /// Probes exactly the containers that run.
    fn probe(&self, pod: &Arc<Pod>) {
        let observed = self.observe();
        let running: Vec<(Container, ContainerId)> = all_containers(pod)
            .into_iter()
            .filter(|(_, container)| [ProbeKind::Startup, ProbeKind::Liveness, ProbeKind::Readiness].iter().any(|kind| kind.of(container).is_some()))
            .filter_map(|(_, container)| {
                let live = observed.latest_active(&container.name).filter(|it| it.state == ContainerState::Running)?;
                Some((container, live.id.clone()))
            })
            .collect();
        self.prober.ensure(pod, &running, self.pod_ip());
    }

    /// Writes the status if it says something new.
    async fn report(&self, pod: &Arc<Pod>, state: &State) -> kube::Result<()> {
        let observed = self.observe();
        let view = View {
            observed: &observed,
            verdicts: &self.prober,
            waiting: &state.waiting,
            pod_ip: self.pod_ip().filter(|_| !observed.sandboxes.is_empty()),
            host_ip: self.config().node_ip,
            failed: state.failed.as_ref(),
            now: Timestamp::now(),
        };
        let status = status::status(pod, &view);
        if pod.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let mut new = Pod::clone(pod);
        new.status = Some(status);
        new.metadata.resource_version = None;
        new.metadata.managed_fields = None;
        let api: Api<Pod> = Api::namespaced(self.shared.client.clone(), &pod.namespace().unwrap_or_default());
        match api.replace_status(&pod.name_any(), &PostParams::default(), &new).await {
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            other => other.map(drop),
        }
    }

    /// A pod that has ended: its sandbox goes, its containers stay for their logs.
    async fn rest(&self, pod: &Arc<Pod>) -> After {
        let observed = self.observe();
        self.stop_all(pod, &observed, Duration::ZERO).await;
        let _ = self.shared.network.detach(&self.uid).await;
        After::Sleep(IDLE * 60)
    }

    /// A pod past its `activeDeadlineSeconds` fails; how long it has left.
    fn deadline(&self, pod: &Pod, state: &mut State) -> Option<Duration> {
        let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
        let started = pod.status.as_ref()?.start_time.as_ref()?.0;
        let limit = Duration::from_secs(u64::try_from(seconds).ok()?);
        let left = limit.checked_sub(super::backoff::since(started, Timestamp::now()));
        if left.is_none() {
            let message = "Pod was active on the node longer than the specified deadline";
            state.failed = Some(Reason::new("DeadlineExceeded", message));
        }
        left
    }

    /// Stops the pod, takes everything of it off the node, and lets go of the object.
    async fn end(&self, pod: &Arc<Pod>, exists: bool, state: &mut State) -> After {
        self.prober.stop();
        let observed = self.observe();
        let grace = if exists { stop::grace(pod) } else { Duration::ZERO };
        self.stop_all(pod, &observed, grace).await;
        if exists && !has_ended(pod) {
            let _ = self.report(pod, state).await;
        }
        if let Err(error) = self.clean_up(&self.uid, &self.observe()).await {
            tracing::warn!(pod = %pod.name_any(), error, "the pod could not be cleaned up; trying again");
            return After::Sleep(RETRY);
        }
        let logs = self.config().pod_log_dir(&pod.namespace().unwrap_or_default(), &pod.name_any(), &self.uid);
        let _ = std::fs::remove_dir_all(logs);
        if exists {
            let api: Api<Pod> = Api::namespaced(self.shared.client.clone(), &pod.namespace().unwrap_or_default());
            let params = DeleteParams {
                grace_period_seconds: Some(0),
                preconditions: Some(Preconditions { uid: Some(self.uid.clone()), resource_version: None }),
                ..DeleteParams::default()
            };
            match api.delete(&pod.name_any(), &params).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {}
                Err(_) => return After::Sleep(RETRY),
            }
        }
        After::Gone
    }

    /// Something failed that may work later: an event, but not the same one again and again.
    fn trouble(&self, pod: &Arc<Pod>, state: &mut State, reason: &str, message: &str) -> Duration {
        let now = Timestamp::now();
        let known = state.told.as_ref().is_some_and(|(text, at)| text == message && super::backoff::since(*at, now) < RETRY * 10);
        if !known {
            self.shared.recorder.warning(&**pod, reason, message);
            state.told = Some((message.to_owned(), now));
        }
        RETRY
    }

    fn tell(&self, pod: &Pod, container: &str, severity: Severity, reason: &str, message: &str) {
        container_event(&self.shared.recorder, pod, container, severity, reason, message.to_owned());
    }
}

/// Records an event about one container of a pod.
pub(crate) fn container_event(recorder: &Recorder, pod: &Pod, container: &str, severity: Severity, reason: &str, message: String) {
    let list = all_containers(pod).into_iter().find(|(_, it)| it.name == container).map_or("containers", |(role, _)| role.list());
    let mut subject = pod.object_ref(&());
    subject.field_path = Some(format!("spec.{list}{{{container}}}"));
    recorder.record(subject, severity, reason, message);
}

fn is_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|it| it.host_network) == Some(true)
}

/// Whether the pod has run to its end, and the API server knows.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|it| it.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed")) && restart_policy(pod) != "Always"
        || phase == Some("Failed") && pod.status.as_ref().is_some_and(|it| it.reason.is_some())
}

fn pull_secrets(pod: &Pod, references: &References) -> Vec<Secret> {
    let names = pod.spec.as_ref().and_then(|it| it.image_pull_secrets.as_deref()).unwrap_or_default();
    names.iter().filter_map(|it| references.secret(&it.name, true).ok().flatten().cloned()).collect()
}

/// The services that pods may be told of.
pub(crate) type Services = Vec<Service>;
