//! The scheduler as it runs: one task owns snapshot and queue, takes in changes, and schedules one
//! pod after the other. Writes go out beside it, and their outcomes come back as messages.

use std::{collections::HashMap, sync::Arc, time::Duration};

use kube::Client;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Error,
    cycle::{Cycler, Failure},
    door::{Door, Written},
    feed::{self, Change},
    framework::Changes,
    model::{Claim, Key, NodeFacts, PodInfo},
    queue::{Attempt, Queue},
    snapshot::Snapshot,
};

/// How long a pod waits for its volumes before another node is tried.
const VOLUMES_WAIT: Duration = Duration::from_secs(600);
/// Pods scheduled before others on this thread get their turn.
const STREAK: usize = 32;

/// A pod that has a node and waits for volumes to be made there.
struct Waiting {
    attempt: Attempt,
    node: Arc<str>,
    deadline: Instant,
    /// Whether the claims have been seen with the chosen node.
    selected: bool,
}

/// All state.
struct Service {
    config: Config,
    snapshot: Snapshot,
    queue: Queue,
    cycler: Cycler,
    door: Door,
    /// Pods whose binding is under way.
    binding: HashMap<Key, Attempt>,
    waiting: HashMap<Key, Waiting>,
    /// Kinds whose first listing is still to come.
    unsynced: usize,
}

/// Runs until `token` is cancelled.
pub(crate) async fn run(client: Client, config: Config, token: CancellationToken) -> Result<(), Error> {
    let (recorder, publisher) = kpkg_events::recorder(&config.scheduler_name);
    let mut tasks = JoinSet::new();
    tasks.spawn(publisher.run(client.clone(), token.clone()));
    let changes = feed::start(&client, &token, &mut tasks);
    let (door, outcomes) = Door::new(client, recorder);
    let service = Service {
        cycler: Cycler::new(rand::random()),
        config,
        snapshot: Snapshot::default(),
        queue: Queue::default(),
        door,
        binding: HashMap::new(),
        waiting: HashMap::new(),
        unsynced: feed::KINDS,
    };
    if token.run_until_cancelled(service.serve(changes, outcomes)).await.is_some() {
        return Err(Error::WatchEnded);
    }
    while tasks.join_next().await.is_some() {}
    Ok(())
}

impl Service {
    async fn serve(mut self, mut changes: mpsc::Receiver<Change>, mut outcomes: mpsc::UnboundedReceiver<Written>) {
        let mut streak = 0;
        loop {
            // Whatever is known is taken in before the next pod is judged by it.
            while let Ok(change) = changes.try_recv() {
                self.take_in(change);
            }
            while let Ok(outcome) = outcomes.try_recv() {
                self.settle(outcome);
            }
            self.tick();
            let attempt = if self.unsynced == 0 { self.queue.pop() } else { None };
            if let Some(attempt) = attempt {
                self.schedule(attempt);
                streak += 1;
                if streak % STREAK == 0 {
                    tokio::task::yield_now().await;
                }
                continue;
            }
            let alarm = self.next_alarm();
            tokio::select! {
                change = changes.recv() => match change {
                    Some(change) => self.take_in(change),
                    None => return,
                },
                Some(outcome) = outcomes.recv() => self.settle(outcome),
                () = sleep_until(alarm) => {}
            }
        }
    }

    fn next_alarm(&mut self) -> Instant {
        let volumes = self.waiting.values().map(|waiting| waiting.deadline);
        // An hour stands for never.
        volumes.chain(self.queue.next_alarm()).min().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600))
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.queue.tick(now);
        let late: Vec<Key> =
            self.waiting.iter().filter(|(_, waiting)| waiting.deadline <= now).map(|(key, _)| key.clone()).collect();
        for key in late {
            self.give_up_waiting(&key, "binding volumes: context deadline exceeded");
        }
    }

    // === scheduling ===

    fn schedule(&mut self, attempt: Attempt) {
        let pod = attempt.pod.clone();
        match self.cycler.schedule(&pod, &self.snapshot) {
            Ok(node) => {
                let Some(name) = self.snapshot.nodes.get(node).map(|node| node.facts.name.clone()) else { return };
                self.snapshot.assume(&pod, node);
                self.commit(attempt, name);
            }
            Err(Failure::Unschedulable(diagnosis)) => {
                self.door.explain(&pod, "Unschedulable", diagnosis.to_string());
                self.queue.fits_nowhere(attempt, diagnosis.wakes_on, Instant::now());
            }
            Err(Failure::Plugin(error)) => {
                tracing::error!(pod = %pod.key, %error, "cycle failed");
                self.door.explain(&pod, "SchedulerError", error.to_string());
                self.queue.retry(attempt, Instant::now());
            }
        }
    }

    /// The pod has its node: bind it, after its volumes are there.
    fn commit(&mut self, attempt: Attempt, node: Arc<str>) {
        let pod = attempt.pod.clone();
        let unbound: Vec<Key> = pod.claims.iter().filter(|key| !self.is_bound(key)).cloned().collect();
        if unbound.is_empty() {
            self.binding.insert(pod.key.clone(), attempt);
            self.door.bind(pod, node);
            return;
        }
        let untold = unbound.into_iter().filter(|key| self.selected_node(key) != Some(&*node)).collect::<Vec<_>>();
        let waiting = Waiting {
            attempt,
            node: node.clone(),
            deadline: Instant::now() + VOLUMES_WAIT,
            selected: untold.is_empty(),
        };
        self.waiting.insert(pod.key.clone(), waiting);
        if !untold.is_empty() {
            self.door.select_node(pod.key.clone(), untold, node);
        }
    }

    fn is_bound(&self, claim: &Key) -> bool {
        self.snapshot.claims.get(claim).is_some_and(|claim| claim.volume.is_some())
    }

    fn selected_node(&self, claim: &Key) -> Option<&str> {
        self.snapshot.claims.get(claim)?.selected_node.as_deref()
    }

    /// A claim changed: the pods that wait for it may go on, or must look for another node.
    fn review_waiting(&mut self, claim: &Key) {
        let concerned: Vec<Key> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.attempt.pod.claims.contains(claim))
            .map(|(key, _)| key.clone())
            .collect();
        for key in concerned {
            let Some(waiting) = self.waiting.get(&key) else { continue };
            let (node, claims) = (waiting.node.clone(), waiting.attempt.pod.claims.clone());
            if claims.iter().all(|claim| self.is_bound(claim)) {
                if let Some(waiting) = self.waiting.remove(&key) {
                    self.bind_if_reachable(waiting);
                }
                continue;
            }
            let selected = claims.iter().all(|claim| self.is_bound(claim) || self.selected_node(claim) == Some(&*node));
            let Some(waiting) = self.waiting.get_mut(&key) else { continue };
            if waiting.selected && !selected {
                self.give_up_waiting(&key, "binding volumes: provisioning failed for the selected node");
            } else {
                waiting.selected = selected;
            }
        }
    }

    /// The binder may have given the claims other volumes than were thought of.
    fn bind_if_reachable(&mut self, waiting: Waiting) {
        let Waiting { attempt, node, .. } = waiting;
        let labels = self.snapshot.nodes.id(&node).and_then(|id| self.snapshot.nodes.get(id));
        let volumes = attempt.pod.claims.iter().filter_map(|claim| self.snapshot.claims.get(claim)?.volume.as_ref());
        let mut volumes = volumes.filter_map(|name| self.snapshot.volumes.get(name));
        let reachable =
            labels.is_some_and(|node| volumes.all(|it| it.is_reached_from(&node.facts.name, &node.facts.labels)));
        if reachable {
            let pod = attempt.pod.clone();
            self.binding.insert(pod.key.clone(), attempt);
            self.door.bind(pod, node);
        } else {
            self.undo(attempt, "binding volumes: the bound volumes are not reachable from the selected node");
        }
    }

    fn give_up_waiting(&mut self, key: &Key, why: &str) {
        if let Some(waiting) = self.waiting.remove(key) {
            self.undo(waiting.attempt, why);
        }
    }

    fn undo(&mut self, attempt: Attempt, why: &str) {
        self.snapshot.undo(&attempt.pod.key);
        self.door.explain(&attempt.pod, "SchedulerError", why.to_owned());
        let now = Instant::now();
        self.queue.changed(Changes::POD_LEFT, now);
        self.queue.retry(attempt, now);
    }

    fn settle(&mut self, outcome: Written) {
        match outcome {
            Written::Bound(key) => drop(self.binding.remove(&key)),
            Written::NotBound(key, error) => {
                let Some(attempt) = self.binding.remove(&key) else { return };
                self.snapshot.undo(&key);
                // Gone, or bound by another: the watch tells, or has told.
                if matches!(&error, kube::Error::Api(status) if matches!(status.code, 404 | 409)) {
                    self.queue.changed(Changes::POD_LEFT, Instant::now());
                    return;
                }
                tracing::warn!(pod = %key, %error, "not bound");
                self.undo(attempt, &format!("binding rejected: {error}"));
            }
            Written::NotSelected(key, error) => {
                tracing::warn!(pod = %key, %error, "claims not told the node");
                self.give_up_waiting(&key, &format!("binding volumes: {error}"));
            }
        }
    }

    // === changes ===

    fn take_in(&mut self, change: Change) {
        let now = Instant::now();
        let wakes = match change {
            Change::Synced => {
                self.unsynced = self.unsynced.saturating_sub(1);
                Changes::NONE
            }
            Change::Node(facts) => self.take_in_node(*facts),
            Change::NodeGone(key) => {
                self.snapshot.remove_node(&key.name);
                Changes::NONE
            }
            Change::Pod(pod) => self.take_in_pod(pod, now),
            Change::PodGone(key) => self.take_in_pod_gone(&key),
            Change::Claim(key, claim) => self.take_in_claim(key, Some(*claim)),
            Change::ClaimGone(key) => self.take_in_claim(key, None),
            Change::Volume(key, volume) => {
                self.snapshot.volumes.insert(key.name.to_string(), *volume);
                Changes::VOLUME
            }
            Change::VolumeGone(key) => {
                self.snapshot.volumes.remove(&*key.name);
                Changes::NONE
            }
            Change::Class(key, class) => {
                self.snapshot.classes.insert(key.name.to_string(), class);
                Changes::CLASS
            }
            Change::ClassGone(key) => {
                self.snapshot.classes.remove(&*key.name);
                Changes::NONE
            }
            Change::Namespace(key, labels) => {
                let old = self.snapshot.namespaces.insert(key.name.to_string(), labels.clone());
                if old == Some(labels) { Changes::NONE } else { Changes::NAMESPACE }
            }
            Change::NamespaceGone(key) => {
                self.snapshot.namespaces.remove(&*key.name);
                Changes::NONE
            }
            other => self.take_in_owner(other),
        };
        if wakes != Changes::NONE {
            self.queue.changed(wakes, now);
        }
    }

    /// Services and controllers, which matter to scores only.
    fn take_in_owner(&mut self, change: Change) -> Changes {
        match change {
            Change::Service(key, selector) => {
                self.snapshot.services.entry(key.namespace).or_default().insert(key.name, selector);
            }
            Change::ServiceGone(key) => {
                if let Some(services) = self.snapshot.services.get_mut(&key.namespace) {
                    services.remove(&key.name);
                }
            }
            Change::Controller(kind, key, selector) => {
                self.snapshot.controllers.entry(kind).or_default().insert(key, selector);
            }
            Change::ControllerGone(kind, key) => {
                self.snapshot.controllers.entry(kind).or_default().remove(&key);
            }
            _ => {}
        }
        Changes::NONE
    }

    fn take_in_node(&mut self, facts: NodeFacts) -> Changes {
        let known = self.snapshot.nodes.id(&facts.name).and_then(|id| self.snapshot.nodes.get(id));
        let wakes = known.map_or(Changes::NODE_ADDED, |node| node_changes(&node.facts, &facts));
        if wakes != Changes::NONE {
            self.snapshot.set_node(facts);
        }
        wakes
    }

    fn take_in_pod(&mut self, pod: Arc<PodInfo>, now: Instant) -> Changes {
        let key = pod.key.clone();
        if pod.node.is_some() {
            self.queue.remove(&key);
            self.waiting.remove(&key);
            return self.snapshot.place(pod);
        }
        let in_hand = self.binding.get(&key).or_else(|| self.waiting.get(&key).map(|waiting| &waiting.attempt));
        match in_hand {
            Some(attempt) if attempt.pod.uid == pod.uid && !pod.deleting => return Changes::NONE,
            Some(_) => {
                self.binding.remove(&key);
                self.waiting.remove(&key);
                self.snapshot.undo(&key);
            }
            None => {}
        }
        if pod.deleting || *pod.scheduler != *self.config.scheduler_name {
            self.queue.remove(&key);
        } else {
            self.queue.add(pod, now);
        }
        Changes::NONE
    }

    fn take_in_pod_gone(&mut self, key: &Key) -> Changes {
        self.queue.remove(key);
        self.waiting.remove(key);
        self.binding.remove(key);
        if self.snapshot.forget(key) { Changes::POD_LEFT } else { Changes::NONE }
    }

    fn take_in_claim(&mut self, key: Key, claim: Option<Claim>) -> Changes {
        match claim {
            Some(claim) => drop(self.snapshot.claims.insert(key.clone(), claim)),
            None => drop(self.snapshot.claims.remove(&key)),
        }
        self.review_waiting(&key);
        Changes::CLAIM
    }
}

/// What a change of a node may make possible.
fn node_changes(old: &NodeFacts, new: &NodeFacts) -> Changes {
    let mut changes = Changes::NONE;
    if old.allocatable != new.allocatable || old.max_pods != new.max_pods || old.images != new.images {
        changes = changes.and(Changes::NODE_RESOURCES);
    }
    if old.labels != new.labels {
        changes = changes.and(Changes::NODE_LABELS);
    }
    if old.taints != new.taints || old.unschedulable != new.unschedulable {
        changes = changes.and(Changes::NODE_TAINTS);
    }
    changes
}
