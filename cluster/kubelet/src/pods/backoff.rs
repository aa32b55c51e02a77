//! Growing delays between tries, one per container or image, as Kubernetes counts them.

use std::{collections::HashMap, hash::Hash, time::Duration};

use jiff::Timestamp;

/// First delay of crashing containers and failing pulls.
pub(crate) const INITIAL: Duration = Duration::from_secs(10);
/// Longest delay.
pub(crate) const MAXIMUM: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy)]
struct Entry {
    delay: Duration,
    updated: Timestamp,
}

/// Delays by key. An entry is forgotten when twice the longest delay passes without a failure.
#[derive(Debug)]
pub(crate) struct Backoff<K> {
    entries: HashMap<K, Entry>,
}

impl<K: Eq + Hash> Backoff<K> {
    pub(crate) fn new() -> Self {
        Self { entries: HashMap::new() }
    }

    /// The delay in force for a key, if any.
    pub(crate) fn delay(&self, key: &K) -> Option<Duration> {
        self.entries.get(key).map(|entry| entry.delay)
    }

    /// What is left at `now` of the delay counted from `event` (the end of a container).
    pub(crate) fn remaining_since(&self, key: &K, event: Timestamp, now: Timestamp) -> Option<Duration> {
        let entry = self.entries.get(key)?;
        if is_stale(entry, event) {
            return None;
        }
        remaining(event, entry.delay, now)
    }

    /// What is left at `now` of the delay counted from the last failure.
    pub(crate) fn remaining(&self, key: &K, now: Timestamp) -> Option<Duration> {
        let entry = self.entries.get(key)?;
        if is_stale(entry, now) {
            return None;
        }
        remaining(entry.updated, entry.delay, now)
    }

    /// Counts a failure or restart that happened at `event`; `now` is when it was counted.
    pub(crate) fn next(&mut self, key: K, event: Timestamp, now: Timestamp) {
        let delay = match self.entries.get(&key) {
            Some(entry) if !is_stale(entry, event) => (entry.delay * 2).min(MAXIMUM),
            _ => INITIAL,
        };
        self.entries.insert(key, Entry { delay, updated: now });
    }

    /// Forgets a key.
    pub(crate) fn reset(&mut self, key: &K) {
        self.entries.remove(key);
    }

    /// Forgets keys that `keep` refuses.
    pub(crate) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.entries.retain(|key, _| keep(key));
    }
}

fn is_stale(entry: &Entry, event: Timestamp) -> bool {
    since(entry.updated, event) > MAXIMUM * 2
}

fn remaining(start: Timestamp, delay: Duration, now: Timestamp) -> Option<Duration> {
    delay.checked_sub(since(start, now)).filter(|left| !left.is_zero())
}

/// Time from `start` to `end`, zero if the clock went back.
pub(crate) fn since(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

/// A delay as Go prints it in messages: `10s`, `1m20s`, `5m0s`.
pub(crate) fn go_duration(delay: Duration) -> String {
    let seconds = delay.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn restarts_wait_ten_seconds_then_double_to_five_minutes() {
        let mut backoff = Backoff::new();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let finished = at(now);
            let wait = backoff.remaining_since(&"c", finished, finished).unwrap_or_default();
            waits.push(wait.as_secs());
            now += i64::try_from(wait.as_secs()).unwrap();
            backoff.next("c", finished, at(now));
            now += 1;
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_good_minutes_forgive() {
        let mut backoff = Backoff::new();
        for _ in 0..5 {
            backoff.next("c", at(0), at(0));
        }
        assert_eq!(backoff.remaining_since(&"c", at(300), at(300)).unwrap().as_secs(), 160);
        assert_eq!(backoff.remaining_since(&"c", at(601), at(601)), None);
        backoff.next("c", at(601), at(601));
        assert_eq!(backoff.delay(&"c"), Some(INITIAL));
    }

    #[test]
    fn durations_print_as_in_go() {
        for (seconds, want) in [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (3700, "1h1m40s")] {
            assert_eq!(go_duration(Duration::from_secs(seconds)), want);
        }
    }
}
