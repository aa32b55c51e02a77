//! A queue of keys that holds each key once.
//!
//! A key put in while it waits is merged with the waiting one. A key put in while it is being
//! worked on comes back once that work is done. A delayed key may be asked for again: the earlier
//! of two requests wins, so that a change is not lost behind a slow retry.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    hash::Hash,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// The queue. `T` is small: it is cloned.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    /// Rung whenever the answer of `next` might be another than before.
    bell: Notify,
}

#[derive(Debug)]
struct State<T> {
    /// In order of arrival; each is in `waiting` too.
    ready: VecDeque<T>,
    waiting: HashSet<T>,
    /// Handed out and not yet done.
    working: HashSet<T>,
    /// To be made ready when its work is done.
    again: HashSet<T>,
    /// When a delayed key becomes ready. The truth; `alarms` may hold outdated entries.
    delayed: HashMap<T, Instant>,
    alarms: BinaryHeap<Reverse<(Instant, u64)>>,
    alarm_keys: HashMap<u64, T>,
    serial: u64,
}

impl<T: Clone + Eq + Hash> Default for Queue<T> {
    fn default() -> Self {
        let state = State {
            ready: VecDeque::new(),
            waiting: HashSet::new(),
            working: HashSet::new(),
            again: HashSet::new(),
            delayed: HashMap::new(),
            alarms: BinaryHeap::new(),
            alarm_keys: HashMap::new(),
            serial: 0,
        };
        Self { state: Mutex::new(state), bell: Notify::new() }
    }
}

impl<T: Clone + Eq + Hash> Queue<T> {
    /// Wants `key` worked on as soon as possible.
    pub fn add(&self, key: T) {
        self.state.lock().add(key);
        self.bell.notify_one();
    }

    /// Wants `key` worked on once `delay` is over.
    pub fn add_after(&self, key: T, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        self.state.lock().delay(key, Instant::now() + delay);
        self.bell.notify_one();
    }

    /// The next key, which is the caller's until [`Queue::done`]. Dropping the future loses nothing.
    pub async fn next(&self) -> T {
        loop {
            let bell = self.bell.notified();
            let alarm = {
                let mut state = self.state.lock();
                state.wake(Instant::now());
                if let Some(key) = state.take() {
                    return key;
                }
                state.next_alarm()
            };
            match alarm {
                Some(at) => tokio::select! {
                    () = bell => {}
                    () = sleep_until(at) => {}
                },
                None => bell.await,
            }
        }
    }

    /// The caller of [`Queue::next`] is through with `key`.
    pub fn done(&self, key: &T) {
        self.state.lock().done(key);
        self.bell.notify_one();
    }

    /// How many keys are ready now.
    pub fn len(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// Whether no key is ready now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl State ===

impl<T: Clone + Eq + Hash> State<T> {
    fn add(&mut self, key: T) {
        self.delayed.remove(&key);
        if self.working.contains(&key) {
            self.again.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn delay(&mut self, key: T, at: Instant) {
        if self.waiting.contains(&key) || self.again.contains(&key) {
            return;
        }
        if self.delayed.get(&key).is_some_and(|earlier| *earlier <= at) {
            return;
        }
        self.serial += 1;
        self.alarms.push(Reverse((at, self.serial)));
        self.alarm_keys.insert(self.serial, key.clone());
        self.delayed.insert(key, at);
    }

    fn wake(&mut self, now: Instant) {
        while let Some(Reverse((at, serial))) = self.alarms.peek().copied() {
            if at > now {
                return;
            }
            self.alarms.pop();
            let Some(key) = self.alarm_keys.remove(&serial) else {
                continue;
            };
            if self.delayed.get(&key) == Some(&at) {
                self.add(key);
            }
        }
    }

    fn next_alarm(&self) -> Option<Instant> {
        self.alarms.peek().map(|Reverse((at, _))| *at)
    }

    fn take(&mut self) -> Option<T> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }

    fn done(&mut self, key: &T) {
        self.working.remove(key);
        if self.again.remove(key) {
            self.add(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ready(queue: &Queue<u8>) -> Option<u8> {
        tokio::time::timeout(Duration::from_millis(1), queue.next()).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_is_never_worked_on_twice_at_a_time() {
        let queue = Queue::default();
        queue.add(1);
        queue.add(1);
        assert_eq!(ready(&queue).await, Some(1));
        assert_eq!(ready(&queue).await, None);
        queue.add(1);
        assert_eq!(ready(&queue).await, None, "it is being worked on");
        queue.done(&1);
        assert_eq!(ready(&queue).await, Some(1));
        queue.done(&1);
        assert_eq!(ready(&queue).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_delays_wins() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.add_after(1, Duration::from_secs(10));
        queue.add_after(1, Duration::from_secs(2));
        queue.add_after(1, Duration::from_secs(5));
        assert_eq!(queue.next().await, 1);
        assert_eq!(start.elapsed().as_secs(), 2);
        queue.done(&1);
        let waited = tokio::time::timeout(Duration::from_secs(60), queue.next()).await;
        assert!(waited.is_err(), "the later alarms are void");
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_overtakes_a_delay() {
        let queue = Queue::default();
        queue.add_after(1, Duration::from_secs(10));
        queue.add(1);
        assert_eq!(ready(&queue).await, Some(1));
        queue.done(&1);
        assert!(tokio::time::timeout(Duration::from_secs(60), queue.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_asked_for_during_the_work_counts_after_it() {
        let queue = Queue::default();
        queue.add(1);
        assert_eq!(queue.next().await, 1);
        queue.add_after(1, Duration::from_secs(3));
        queue.done(&1);
        let start = Instant::now();
        assert_eq!(queue.next().await, 1);
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}
