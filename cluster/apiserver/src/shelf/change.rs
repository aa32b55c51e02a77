//! One change of one object, as all watches see it.

use super::Object;
use crate::{accept::Form, registry};
use bytes::Bytes;
use kpkg_api::schema::Kind;
use serde_json::Value;
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// What a watch is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Added,
    Modified,
    Deleted,
}

impl Verb {
    /// The word in the event.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change of one object, shared by all watches of its kind; encoded at most once per form.
#[derive(Debug)]
pub(crate) struct Change {
    /// The revision that made it.
    pub(crate) revision: i64,
    /// When this server saw it.
    pub(crate) seen: Instant,
    /// The state after; none if the object is gone.
    after: Option<Arc<Object>>,
    /// The state before; none if there was none.
    before: Option<Arc<Object>>,
    /// The state before, as of this revision: what is shown to those for whom the object is gone.
    last: OnceLock<Arc<Object>>,
    /// By verb and form.
    encoded: [[OnceLock<Bytes>; 2]; 3],
}

impl Change {
    pub(crate) fn new(revision: i64, before: Option<Arc<Object>>, after: Option<Arc<Object>>) -> Self {
        Self { revision, seen: Instant::now(), after, before, last: OnceLock::new(), encoded: Default::default() }
    }

    /// What the change means to somebody who sees only the objects that match.
    pub(crate) fn seen_by(&self, matches: impl Fn(&Value) -> bool) -> Option<(Verb, &Arc<Object>)> {
        let before = self.before.as_ref().filter(|object| matches(&object.value));
        let after = self.after.as_ref().filter(|object| matches(&object.value));
        match (before, after) {
            (None, None) => None,
            (None, Some(after)) => Some((Verb::Added, after)),
            (Some(_), Some(after)) => Some((Verb::Modified, after)),
            (Some(before), None) => Some((Verb::Deleted, self.last.get_or_init(|| Arc::new(before.at(self.revision))))),
        }
    }

    /// The event's line; made anew only for forms that are not kept.
    pub(crate) fn line(&self, kind: &'static Kind, verb: Verb, form: Form, make: impl FnOnce() -> Bytes) -> Bytes {
        let own = [&self.before, &self.after].into_iter().flatten().all(|object| registry::is_own(kind, &object.value));
        let slot = match form {
            Form::Object if own => 0,
            Form::Partial => 1,
            Form::Object | Form::Table(_) => return make(),
        };
        self.encoded[verb as usize][slot].get_or_init(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_turn_changes_into_what_the_watcher_sees() {
        let object = |app: &str| Some(Arc::new(Object::new(5, json!({"metadata": {"labels": {"app": app}}}))));
        let cases = [
            (None, object("a"), Some(Verb::Added)),
            (None, object("b"), None),
            (object("a"), object("a"), Some(Verb::Modified)),
            (object("b"), object("a"), Some(Verb::Added)),
            (object("a"), object("b"), Some(Verb::Deleted)),
            (object("b"), object("b"), None),
            (object("a"), None, Some(Verb::Deleted)),
            (object("b"), None, None),
        ];
        for (number, (before, after, want)) in cases.into_iter().enumerate() {
            let change = Change::new(7, before, after);
            let seen = change.seen_by(|object| object["metadata"]["labels"]["app"] == "a");
            assert_eq!(seen.map(|(verb, _)| verb), want, "case {number}");
            if let Some((Verb::Deleted, object)) = seen {
                assert_eq!(object.value["metadata"]["resourceVersion"], "7", "case {number}");
            }
        }
    }
}
