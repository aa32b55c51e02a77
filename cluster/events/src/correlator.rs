//! Decides what becomes of an occurrence: a new event, a higher count on an old one, or nothing.
//!
//! The rules are those of Kubernetes' own components. Each (component, object) pair has a bucket of
//! 25 tokens which refills by one in five minutes. More than ten different messages with one
//! reason within ten minutes are combined into one event. Equal occurrences raise the count.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::recorder::{Occurrence, Severity};

const BURST: f64 = 25.0;
const REFILL_PER_SECOND: f64 = 1.0 / 300.0;
const SIMILAR_LIMIT: usize = 10;
const SIMILAR_WINDOW: SignedDuration = SignedDuration::from_mins(10);
const COMBINED: &str = "(combined from similar events): ";
/// Entries each table may hold before stale ones are swept.
const TABLE_LIMIT: usize = 4096;
/// Occurrences between two looks at the tables: a sweep reads all of them.
const SWEEP_EVERY: usize = 1024;

/// What to write for an occurrence.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A new event object.
    Create {
        /// The event's name.
        name: String,
        /// The message, possibly marked as combined.
        message: String,
    },
    /// A higher count on an event written before.
    Bump {
        /// The event's name.
        name: String,
        /// The message, possibly marked as combined.
        message: String,
        /// The new count.
        count: i32,
        /// When it was first seen.
        first: Timestamp,
    },
    /// Nothing: the object has had its burst.
    Drop,
}

/// The memory behind the decision.
#[derive(Debug, Default)]
pub struct Correlator {
    buckets: HashMap<SourceKey, Bucket>,
    similar: HashMap<SimilarKey, Similar>,
    seen: HashMap<EqualKey, Seen>,
    admitted: usize,
}

type SourceKey = (String, String);
type SimilarKey = (SourceKey, Severity, String);
type EqualKey = (SimilarKey, Option<String>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

#[derive(Debug)]
struct Similar {
    messages: HashSet<String>,
    at: Timestamp,
}

#[derive(Debug)]
struct Seen {
    name: String,
    count: i32,
    first: Timestamp,
    at: Timestamp,
}

impl Correlator {
    /// Decides for one occurrence and remembers it.
    pub fn admit(&mut self, component: &str, occurrence: &Occurrence) -> Write {
        self.sweep(occurrence.at);
        let source = (component.to_owned(), subject_key(occurrence));
        if !self.take_token(&source, occurrence.at) {
            return Write::Drop;
        }
        let similar = (source, occurrence.severity, occurrence.reason.clone());
        let (message, distinct) = if self.is_flood(&similar, occurrence) {
            (format!("{COMBINED}{}", occurrence.message), None)
        } else {
            (occurrence.message.clone(), Some(occurrence.message.clone()))
        };
        self.count((similar, distinct), occurrence, message)
    }

    fn take_token(&mut self, source: &SourceKey, now: Timestamp) -> bool {
        let bucket = self.buckets.entry(source.clone()).or_insert(Bucket { tokens: BURST, at: now });
        let elapsed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + elapsed * REFILL_PER_SECOND).min(BURST);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    fn is_flood(&mut self, key: &SimilarKey, occurrence: &Occurrence) -> bool {
        let entry = self.similar.entry(key.clone()).or_insert(Similar { messages: HashSet::new(), at: occurrence.at });
        if occurrence.at.duration_since(entry.at) > SIMILAR_WINDOW {
            entry.messages.clear();
        }
        entry.at = occurrence.at;
        if entry.messages.len() < SIMILAR_LIMIT {
            entry.messages.insert(occurrence.message.clone());
            return false;
        }
        !entry.messages.contains(&occurrence.message)
    }

    fn count(&mut self, key: EqualKey, occurrence: &Occurrence, message: String) -> Write {
        if let Some(seen) = self.seen.get_mut(&key) {
            seen.count += 1;
            seen.at = occurrence.at;
            return Write::Bump { name: seen.name.clone(), message, count: seen.count, first: seen.first };
        }
        let name = event_name(occurrence);
        let seen = Seen { name: name.clone(), count: 1, first: occurrence.at, at: occurrence.at };
        self.seen.insert(key, seen);
        Write::Create { name, message }
    }

    /// Forgets what is old once a table is full, so that memory stays bounded.
    fn sweep(&mut self, now: Timestamp) {
        self.admitted += 1;
        if !self.admitted.is_multiple_of(SWEEP_EVERY) {
            return;
        }
        let fresh = |at: Timestamp| now.duration_since(at) < SIMILAR_WINDOW;
        if self.buckets.len() > TABLE_LIMIT {
            self.buckets.retain(|_, bucket| fresh(bucket.at));
        }
        if self.similar.len() > TABLE_LIMIT {
            self.similar.retain(|_, similar| fresh(similar.at));
        }
        if self.seen.len() > TABLE_LIMIT {
            self.seen.retain(|_, seen| fresh(seen.at));
        }
        // Everything is fresh: a flood over many objects. Starting anew costs a few extra events.
        if self.seen.len() > 4 * TABLE_LIMIT {
            *self = Self::default();
        }
    }
}

fn subject_key(occurrence: &Occurrence) -> String {
    let subject = &occurrence.subject;
    let part = |field: &Option<String>| field.clone().unwrap_or_default();
    [&subject.kind, &subject.namespace, &subject.name, &subject.uid, &subject.field_path, &subject.api_version]
        .map(part)
        .join("/")
}

fn event_name(occurrence: &Occurrence) -> String {
    let subject = occurrence.subject.name.as_deref().unwrap_or("unknown");
    format!("{subject}.{:x}", occurrence.at.as_nanosecond())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;

    fn occurrence(name: &str, message: &str, second: i64) -> Occurrence {
        Occurrence {
            subject: ObjectReference { name: Some(name.into()), ..ObjectReference::default() },
            severity: Severity::Normal,
            reason: "Test".into(),
            message: message.into(),
            at: Timestamp::from_second(1_700_000_000 + second).unwrap(),
        }
    }

    #[test]
    fn equal_occurrences_raise_the_count() {
        let mut correlator = Correlator::default();
        let Write::Create { name, .. } = correlator.admit("c", &occurrence("a", "m", 0)) else { panic!() };
        let second = correlator.admit("c", &occurrence("a", "m", 1));
        let first = occurrence("a", "m", 0).at;
        assert_eq!(second, Write::Bump { name, message: "m".into(), count: 2, first });
        assert!(matches!(correlator.admit("c", &occurrence("b", "m", 1)), Write::Create { .. }));
        assert!(matches!(correlator.admit("d", &occurrence("a", "m", 1)), Write::Create { .. }));
    }

    #[test]
    fn similar_occurrences_are_combined() {
        let mut correlator = Correlator::default();
        for index in 0..10 {
            let write = correlator.admit("c", &occurrence("a", &format!("m{index}"), index));
            assert!(matches!(write, Write::Create { .. }), "{index}");
        }
        let Write::Create { message, .. } = correlator.admit("c", &occurrence("a", "m10", 10)) else { panic!() };
        assert_eq!(message, "(combined from similar events): m10");
        let Write::Bump { message, count, .. } = correlator.admit("c", &occurrence("a", "m11", 11)) else { panic!() };
        assert_eq!((message.as_str(), count), ("(combined from similar events): m11", 2));
    }

    #[test]
    fn one_object_gets_a_burst_and_then_a_trickle() {
        let mut correlator = Correlator::default();
        for second in 0..25 {
            assert_ne!(correlator.admit("c", &occurrence("a", "m", second)), Write::Drop);
        }
        assert_eq!(correlator.admit("c", &occurrence("a", "m", 25)), Write::Drop);
        assert_ne!(correlator.admit("c", &occurrence("b", "m", 25)), Write::Drop);
        assert_ne!(correlator.admit("c", &occurrence("a", "m", 330)), Write::Drop);
    }

    #[test]
    fn memory_stays_bounded() {
        let mut correlator = Correlator::default();
        for index in 0..40_000_i64 {
            correlator.admit("c", &occurrence(&format!("o{index}"), "m", index / 1000));
        }
        assert!(correlator.seen.len() <= 4 * TABLE_LIMIT + SWEEP_EVERY);
    }
}
