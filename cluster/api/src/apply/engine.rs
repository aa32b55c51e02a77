//! Updating and applying.

use super::{
    ApplyError, Conflict, Entry, FieldSet, Manager, Managers, Node, Operation, check, client_side, fields,
    fields::Comparison, merge,
};
use crate::meta;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// To whom what was there before anybody was booked belongs.
const BEFORE: &str = "before-first-apply";

/// Fields that are nobody's: identity and bookkeeping.
static NOBODYS: LazyLock<FieldSet> = LazyLock::new(|| {
    let metadata = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut paths: Vec<Vec<&str>> = vec![vec!["apiVersion"], vec!["kind"], vec!["metadata"]];
    paths.extend(metadata.map(|name| vec!["metadata", name]));
    FieldSet::of_names(&paths.iter().map(Vec::as_slice).collect::<Vec<_>>())
});

/// What of an object a request can change; the rest is reset, so nobody comes to own it by that request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    All,
    /// All but the status.
    AllButStatus,
    /// The status, and most metadata.
    Status,
}

impl Scope {
    /// Leaves what can be changed, and is somebody's.
    fn limit(self, set: &mut FieldSet) {
        match self {
            Self::All => {}
            Self::AllButStatus => set.remove_whole("status"),
            Self::Status => {
                set.retain_whole(&["metadata", "status"]);
                if let Some(metadata) = set.at_mut("metadata") {
                    metadata.remove_whole("labels");
                    metadata.remove_whole("ownerReferences");
                }
            }
        }
        set.subtract(&NOBODYS);
    }
}

/// Who writes, and what and when.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The field manager's name.
    pub manager: &'a str,
    /// The version of the object that is written.
    pub api_version: &'a str,
    /// The subresource that is written through, or empty.
    pub subresource: &'a str,
    /// The time, as objects have it.
    pub now: &'a str,
    /// What can be changed.
    pub scope: Scope,
}

impl Writer<'_> {
    fn id(&self, operation: Operation) -> Manager {
        Manager {
            name: if self.manager.is_empty() { "unknown" } else { self.manager }.to_owned(),
            operation,
            api_version: if operation == Operation::Apply { String::new() } else { self.api_version.to_owned() },
            subresource: self.subresource.to_owned(),
        }
    }

    /// What changed between two objects, as far as the writer could change it.
    fn comparison(&self, node: Node<'_>, before: &Value, after: &Value) -> Comparison {
        let mut found = Comparison::of(node, before, after);
        for set in [&mut found.added, &mut found.changed, &mut found.removed] {
            self.scope.limit(set);
        }
        found
    }
}

/// Books what a write that is no apply changed: sets `managedFields` of the new object. `live` is none for what is made.
///
/// A client may send `managedFields` of its own, or none to have all forgotten.
pub fn update(node: Node<'_>, live: Option<&Value>, new: &mut Value, writer: &Writer<'_>) {
    let sent = take(new);
    let kept = live.map_or(&Value::Null, |live| &live["metadata"]["managedFields"]);
    let through_part = !writer.subresource.is_empty();
    let chosen = match sent {
        Some(sent) if !through_part && is_reset(&sent) => Value::Null,
        Some(sent) if !through_part && Managers::decode(&sent).is_some_and(|sent| !sent.is_empty()) => sent,
        _ => kept.clone(),
    };
    let blank;
    let before = match live {
        Some(live) => live,
        None => {
            blank = node.blank();
            &blank
        }
    };
    let found = writer.comparison(node, before, new);
    let list = if found.added.is_empty() && found.changed.is_empty() && found.removed.is_empty() {
        match chosen {
            Value::Array(list) => list,
            _ => Vec::new(),
        }
    } else {
        let mut managers = Managers::decode(&chosen).unwrap_or_default();
        book(&mut managers, found, writer);
        managers.encode()
    };
    put(new, list);
}

/// What is changed or gone is no longer the others'; what is there now is the writer's.
fn book(managers: &mut Managers, found: Comparison, writer: &Writer<'_>) {
    let mut mine = found.changed;
    mine.absorb(found.added);
    for entry in managers.0.values_mut() {
        entry.fields.subtract(&mine);
        entry.fields.subtract(&found.removed);
    }
    managers.add(writer.id(Operation::Update), mine, writer.api_version, writer.now);
    managers.tidy();
    managers.cap();
}

/// The object with what a manager wants laid over it. `live` is none if the object is to be made.
///
/// # Errors
/// [`ApplyError`]: what is applied does not fit the schema, or others own what is to be changed.
pub fn apply(
    node: Node<'_>,
    live: Option<&Value>,
    config: &Value,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    if config["metadata"].get("managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApplyError::ManagedFields);
    }
    let faults = check::faults(node, config);
    if !faults.is_empty() {
        return Err(ApplyError::Untyped(faults));
    }
    let mut base = live.cloned().unwrap_or_else(|| json!({}));
    let kept = take(&mut base).unwrap_or(Value::Null);
    let mut managers = Managers::decode(&kept).unwrap_or_default();
    if managers.is_empty() && live.is_some() {
        let writer = Writer { manager: BEFORE, ..*writer };
        let found = writer.comparison(node, &node.blank(), &base);
        managers.add(writer.id(Operation::Update), found.added.union(&found.changed), writer.api_version, writer.now);
    }
    let mut merged = merged(node, &base, config, &mut managers, writer);
    let conflicts = settle(node, &base, &merged, &mut managers, writer);
    if !force {
        let allowed =
            if conflicts.is_empty() { FieldSet::default() } else { client_side::owned(node, writer.manager, &base) };
        let conflicts: Vec<Conflict> = conflicts.into_iter().filter(|conflict| !allowed.has(&conflict.path)).collect();
        if !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(conflicts));
        }
    }
    client_side::note(writer.manager, config, &mut merged);
    put(&mut merged, managers.encode());
    Ok(merged)
}

/// Merges, books what is applied, and takes out what was applied before and is not any more.
fn merged(node: Node<'_>, base: &Value, config: &Value, managers: &mut Managers, writer: &Writer<'_>) -> Value {
    let merged = merge::merge(node, Some(base), Some(config));
    let mut fields = fields::of(node, config);
    writer.scope.limit(&mut fields);
    let id = writer.id(Operation::Apply);
    let last = managers.0.get(&id).cloned();
    let same = last.as_ref().is_some_and(|last| last.fields == fields && last.api_version == writer.api_version);
    let time = match &last {
        Some(last) if same => last.time.clone(),
        _ => Some(writer.now.to_owned()),
    };
    managers.0.insert(id, Entry { fields, api_version: writer.api_version.to_owned(), time });
    match last {
        Some(last) if !last.fields.is_empty() => prune(node, &merged, &last.fields, managers),
        _ => merged,
    }
}

fn prune(node: Node<'_>, merged: &Value, last: &FieldSet, managers: &Managers) -> Value {
    let named = |set: &FieldSet| fields::with_named(node, set);
    let remove = |set: &FieldSet| merge::remove(node, merged, set).unwrap_or_else(|| json!({}));
    let last = named(last);
    let pruned = remove(&last);
    // What is anybody's stays.
    let owned = managers.0.values().fold(FieldSet::default(), |all, entry| all.union(&entry.fields));
    let all = named(&fields::of(node, merged));
    let left = named(&fields::of(node, &pruned)).union(&named(&owned));
    let pruned = remove(&all.difference(&left));
    // What went with its parent, but was never this manager's, stays.
    let left = named(&fields::of(node, &pruned));
    remove(&all.difference(&left).intersection(&last))
}

/// Takes from the others what changed; answers what of it they owned.
fn settle(node: Node<'_>, base: &Value, merged: &Value, managers: &mut Managers, writer: &Writer<'_>) -> Vec<Conflict> {
    let found = writer.comparison(node, base, merged);
    let changed = found.changed.union(&found.added);
    let id = writer.id(Operation::Apply);
    let mut conflicts = Vec::new();
    for (manager, entry) in managers.0.iter_mut().filter(|(manager, _)| **manager != id) {
        let theirs = entry.fields.intersection(&changed);
        conflicts.extend(theirs.paths().into_iter().map(|path| Conflict { manager: manager.clone(), path }));
        entry.fields = entry.fields.difference(&theirs).difference(&found.removed);
    }
    managers.tidy();
    conflicts
}

fn take(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata").and_then(Value::as_object_mut).and_then(|metadata| metadata.remove("managedFields"))
}

fn put(object: &mut Value, list: Vec<Value>) {
    let metadata = meta::metadata_mut(object);
    if list.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".to_owned(), Value::Array(list));
    }
}

/// Whether a client wants the books to begin anew: an empty list, or one empty entry.
fn is_reset(sent: &Value) -> bool {
    match sent.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([one]) => one.as_object().is_some_and(Map::is_empty),
        _ => false,
    }
}
