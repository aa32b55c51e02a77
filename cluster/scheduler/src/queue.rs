//! Pods that wait for a node.
//!
//! ```text
//!            add ──► active ──pop──► (a cycle) ──fits nowhere──► waiting for a change
//!                      ▲                │                            │
//!                      │              failed                a change that may help,
//!                      │                ▼                   or five minutes
//!                      └──time over── backing off ◄──────────────────┘
//! ```
//!
//! The higher priority goes first, then who came first. A pod that keeps failing backs off for a
//! second, two, four, at most ten. One that fits nowhere costs nothing until something changes that
//! the plugins which rejected it care for.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    framework::Changes,
    model::{Key, PodInfo},
};

const BACKOFF_START: Duration = Duration::from_secs(1);
const BACKOFF_LIMIT: Duration = Duration::from_secs(10);
/// After this a pod is tried again even if nothing changed: a safety net for a change that was
/// misjudged.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A pod taken off the queue for a cycle.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The pod.
    pub pod: Arc<PodInfo>,
    attempts: u32,
    since: Instant,
}

#[derive(Debug)]
struct Queued {
    pod: Arc<PodInfo>,
    /// Failed so far.
    attempts: u32,
    /// When it came.
    since: Instant,
    /// When the last attempt failed.
    failed_at: Option<Instant>,
    place: Place,
    /// Which entry of a heap is the valid one.
    ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Active,
    BackingOff,
    /// Until one of these changes.
    Waiting(Changes),
    /// Its own gates hold it back.
    Gated,
}

/// In the order in which pods are popped.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    priority: i32,
    since: Reverse<Instant>,
    ticket: Reverse<u64>,
    key: Key,
}

impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.priority, self.since, self.ticket).cmp(&(other.priority, other.since, other.ticket))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    pods: HashMap<Key, Queued>,
    active: BinaryHeap<Turn>,
    /// When pods that back off or wait are looked at again; may hold outdated entries.
    alarms: BinaryHeap<Reverse<(Instant, u64, Key)>>,
    /// How many pods wait for a change: mostly none, and then a change costs nothing.
    waiting: usize,
    ticket: u64,
}

impl Queue {
    /// A pod without a node was seen, for the first time or again.
    pub fn add(&mut self, pod: Arc<PodInfo>, now: Instant) {
        let Some(known) = self.pods.get_mut(&pod.key) else {
            return self.insert(pod, 0, now, now);
        };
        if known.pod.uid != pod.uid {
            self.remove(&pod.key);
            return self.insert(pod, 0, now, now);
        }
        let changed = is_other(&known.pod, &pod);
        known.pod = pod.clone();
        if changed {
            // Whoever changes a pod that fits nowhere means to help it.
            let (attempts, since) = (known.attempts, known.since);
            let failed_at = known.failed_at;
            self.remove(&pod.key);
            self.insert(pod.clone(), attempts, since, now);
            if let Some(known) = self.pods.get_mut(&pod.key) {
                known.failed_at = failed_at;
            }
        }
    }

    fn insert(&mut self, pod: Arc<PodInfo>, attempts: u32, since: Instant, now: Instant) {
        let key = pod.key.clone();
        let place = if pod.gates.is_empty() { Place::Active } else { Place::Gated };
        let queued = Queued { pod, attempts, since, failed_at: None, place: Place::Gated, ticket: 0 };
        self.pods.insert(key.clone(), queued);
        self.put(&key, place, now);
    }

    /// The pod has a node, or is gone.
    pub fn remove(&mut self, key: &Key) {
        if let Some(Queued { place: Place::Waiting(_), .. }) = self.pods.remove(key) {
            self.waiting -= 1;
        }
    }

    /// The next pod to schedule. It is out of the queue then.
    pub fn pop(&mut self) -> Option<Attempt> {
        while let Some(turn) = self.active.pop() {
            let valid = self.pods.get(&turn.key).is_some_and(|queued| queued.ticket == turn.ticket.0);
            if let Some(queued) = valid.then(|| self.pods.remove(&turn.key)).flatten() {
                return Some(Attempt { pod: queued.pod, attempts: queued.attempts, since: queued.since });
            }
        }
        None
    }

    /// The pod of an attempt fits nowhere; it waits until one of these changes.
    pub fn fits_nowhere(&mut self, attempt: Attempt, wakes_on: Changes, now: Instant) {
        self.failed(attempt, Place::Waiting(wakes_on), now);
    }

    /// The attempt failed for another reason; it is made again after a while.
    pub fn retry(&mut self, attempt: Attempt, now: Instant) {
        self.failed(attempt, Place::BackingOff, now);
    }

    fn failed(&mut self, attempt: Attempt, place: Place, now: Instant) {
        let Attempt { pod, attempts, since } = attempt;
        let key = pod.key.clone();
        // A newer pod of that name is here already.
        if self.pods.contains_key(&key) {
            return;
        }
        let (attempts, failed_at) = (attempts.saturating_add(1), Some(now));
        self.pods.insert(key.clone(), Queued { pod, attempts, since, failed_at, place: Place::Gated, ticket: 0 });
        self.put(&key, place, now);
    }

    /// Something changed; pods that it may help get another chance.
    pub fn changed(&mut self, change: Changes, now: Instant) {
        if self.waiting == 0 {
            return;
        }
        let helped = |queued: &Queued| matches!(queued.place, Place::Waiting(wakes_on) if wakes_on.meet(change));
        let keys: Vec<Key> =
            self.pods.iter().filter(|(_, queued)| helped(queued)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.release(&key, now);
        }
    }

    /// Lets pods go on whose time has come.
    pub fn tick(&mut self, now: Instant) {
        while let Some(Reverse((at, ticket, key))) = self.alarms.peek() {
            if *at > now {
                return;
            }
            let valid = self.pods.get(key).is_some_and(|queued| queued.ticket == *ticket);
            let key = key.clone();
            self.alarms.pop();
            if valid {
                self.release(&key, now);
            }
        }
    }

    /// When [`Queue::tick`] has something to do.
    pub fn next_alarm(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, ticket, key))) = self.alarms.peek() {
            if self.pods.get(key).is_some_and(|queued| queued.ticket == *ticket) {
                return Some(*at);
            }
            self.alarms.pop();
        }
        None
    }

    /// How many pods are in the queue.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// To the active ones, or to those that back off if the last failure is too recent.
    fn release(&mut self, key: &Key, now: Instant) {
        let Some(queued) = self.pods.get(key) else { return };
        let ready_at = queued.failed_at.map_or(now, |failed| failed + backoff(queued.attempts));
        self.put(key, if ready_at > now { Place::BackingOff } else { Place::Active }, now);
    }

    fn put(&mut self, key: &Key, place: Place, now: Instant) {
        let Some(queued) = self.pods.get_mut(key) else { return };
        let waited = matches!(queued.place, Place::Waiting(_));
        self.ticket += 1;
        (queued.place, queued.ticket) = (place, self.ticket);
        let alarm = match place {
            Place::Active => {
                self.active.push(Turn {
                    priority: queued.pod.priority,
                    since: Reverse(queued.since),
                    ticket: Reverse(self.ticket),
                    key: key.clone(),
                });
                None
            }
            Place::BackingOff => Some(queued.failed_at.unwrap_or(now) + backoff(queued.attempts)),
            Place::Waiting(_) => Some(now + LONGEST_WAIT),
            Place::Gated => None,
        };
        if let Some(at) = alarm {
            self.alarms.push(Reverse((at, self.ticket, key.clone())));
        }
        self.waiting += usize::from(matches!(place, Place::Waiting(_)));
        self.waiting -= usize::from(waited);
    }
}

/// Whether a pod changed in a way that matters to where it fits; its status does not.
fn is_other(old: &PodInfo, new: &PodInfo) -> bool {
    old.labels != new.labels
        || old.gates != new.gates
        || old.requests != new.requests
        || old.tolerations != new.tolerations
        || old.node_selector != new.node_selector
        || old.priority != new.priority
}

fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10);
    BACKOFF_START.saturating_mul(2_u32.pow(doublings)).min(BACKOFF_LIMIT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn pod(name: &str, priority: i32) -> Arc<PodInfo> {
        Arc::new(testing::labelled(name, json!({}), json!({"priority": priority})))
    }

    fn pop(queue: &mut Queue) -> Option<String> {
        queue.pop().map(|attempt| attempt.pod.key.name.to_string())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn priority_goes_before_age() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        for (index, (name, priority)) in [("a", 0), ("b", 5), ("c", 0), ("d", 5)].into_iter().enumerate() {
            queue.add(pod(name, priority), start + SECOND * u32::try_from(index).unwrap());
        }
        let order: Vec<_> = std::iter::from_fn(|| pop(&mut queue)).collect();
        assert_eq!(order, ["b", "d", "a", "c"]);
    }

    #[test]
    fn what_fits_nowhere_waits_for_a_change_that_may_help() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.add(pod("a", 0), start);
        let attempt = queue.pop().unwrap();
        queue.fits_nowhere(attempt, Changes::POD_LEFT.and(Changes::CLAIM), start);
        queue.changed(Changes::NODE_LABELS, start + SECOND * 2);
        assert_eq!(pop(&mut queue), None);
        queue.changed(Changes::CLAIM, start + SECOND * 2);
        assert_eq!(pop(&mut queue).as_deref(), Some("a"));
    }

    #[test]
    fn a_change_soon_after_a_failure_waits_for_the_backoff() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.add(pod("a", 0), start);
        for (attempt, wait) in [1, 2, 4, 8, 10, 10].into_iter().enumerate() {
            let popped = queue.pop().unwrap();
            let failed = start + SECOND * u32::try_from(attempt * 100).unwrap();
            queue.fits_nowhere(popped, Changes::ALL, failed);
            queue.changed(Changes::POD_LEFT, failed);
            let alarm = queue.next_alarm().unwrap();
            assert_eq!(alarm - failed, SECOND * wait, "attempt {attempt}");
            queue.tick(alarm - Duration::from_millis(1));
            assert!(queue.pop().is_none());
            queue.tick(alarm);
        }
    }

    #[test]
    fn five_minutes_without_a_change_are_enough() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.add(pod("a", 0), start);
        let attempt = queue.pop().unwrap();
        queue.fits_nowhere(attempt, Changes::NONE, start);
        queue.tick(start + LONGEST_WAIT);
        assert_eq!(pop(&mut queue).as_deref(), Some("a"));
    }

    #[test]
    fn a_changed_pod_is_tried_again_and_a_gone_one_is_not() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        queue.add(pod("a", 0), start);
        let attempt = queue.pop().unwrap();
        queue.fits_nowhere(attempt, Changes::NONE, start);
        queue.add(pod("a", 0), start);
        assert_eq!(pop(&mut queue), None, "nothing but its status changed");
        queue.add(pod("a", 1), start);
        assert_eq!(pop(&mut queue).as_deref(), Some("a"));
        queue.add(pod("b", 0), start);
        queue.remove(&Key::new("ns", "b"));
        assert_eq!(pop(&mut queue), None);
        assert!(queue.is_empty());
    }

    #[test]
    fn gates_hold_a_pod_back() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        let gated = testing::labelled("a", json!({}), json!({"schedulingGates": [{"name": "x"}]}));
        queue.add(Arc::new(gated), start);
        assert_eq!(pop(&mut queue), None);
        queue.add(pod("a", 0), start);
        assert_eq!(pop(&mut queue).as_deref(), Some("a"));
    }
}
