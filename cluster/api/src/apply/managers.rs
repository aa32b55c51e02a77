//! The books: which manager owns which fields, as `metadata.managedFields` has it.

use super::FieldSet;
use crate::text::quote;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fmt};

/// How many managers that update are kept apart.
const MAX_UPDATERS: usize = 10;
/// To whom the fields of forgotten updaters belong.
const ANCIENT: &str = "ancient-changes";

/// By which kind of request fields came to be owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Anything else.
    Update,
}

/// Who owns fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// The name it gives itself.
    pub name: String,
    /// By which kind of request.
    pub operation: Operation,
    /// The version it wrote; empty for appliers, who are the same whatever the version.
    pub api_version: String,
    /// The subresource it wrote through.
    pub subresource: String,
}

/// What a manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The fields.
    pub fields: FieldSet,
    /// The version of the object by which they are called so.
    pub api_version: String,
    /// When they last changed.
    pub time: Option<String>,
}

/// All managers of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Managers(pub(super) BTreeMap<Manager, Entry>);

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.name))?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {}", quote(&self.subresource))?;
        }
        if self.operation == Operation::Update {
            write!(f, " using {}", self.api_version)?;
        }
        Ok(())
    }
}

impl Managers {
    /// Reads `managedFields`; none if any of it cannot be read.
    pub fn decode(list: &Value) -> Option<Self> {
        let entries = match list {
            Value::Null => return Some(Self::default()),
            list => list.as_array()?,
        };
        entries.iter().map(decode).collect::<Option<_>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each manager and what it owns.
    pub fn iter(&self) -> impl Iterator<Item = (&Manager, &Entry)> {
        self.0.iter()
    }

    /// Writes `managedFields`: appliers first, then by age.
    pub fn encode(&self) -> Vec<Value> {
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by(|(a, left), (b, right)| {
            (a.operation, &left.time, &a.name, &left.api_version, &a.subresource).cmp(&(
                b.operation,
                &right.time,
                &b.name,
                &right.api_version,
                &b.subresource,
            ))
        });
        entries.into_iter().map(|(manager, entry)| encode(manager, entry)).collect()
    }

    /// Adds fields to what a manager owns.
    pub(super) fn add(&mut self, manager: Manager, fields: FieldSet, api_version: &str, now: &str) {
        if fields.is_empty() {
            return;
        }
        let time = Some(now.to_owned());
        match self.0.get_mut(&manager) {
            Some(entry) => {
                entry.fields.absorb(fields);
                entry.time = time;
            }
            None => {
                self.0.insert(manager, Entry { fields, api_version: api_version.to_owned(), time });
            }
        }
    }

    /// Forgets managers that own nothing.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|_, entry| !entry.fields.is_empty());
    }

    /// Puts the oldest updaters together until few enough are left.
    pub(super) fn cap(&mut self) {
        let mut updaters: Vec<Manager> =
            self.0.keys().filter(|manager| manager.operation == Operation::Update).cloned().collect();
        let mut count = updaters.len();
        if count <= MAX_UPDATERS {
            return;
        }
        updaters.sort_by_cached_key(|manager| (self.0[manager].time.clone(), manager.clone()));
        let mut first_of_version: BTreeMap<String, Manager> = BTreeMap::new();
        for manager in updaters {
            if count <= MAX_UPDATERS {
                return;
            }
            let version = self.0[&manager].api_version.clone();
            let Some(first) = first_of_version.get(&version) else {
                first_of_version.insert(version, manager);
                continue;
            };
            let bucket = Manager {
                name: ANCIENT.to_owned(),
                operation: Operation::Update,
                api_version: version,
                subresource: String::new(),
            };
            if *first != bucket
                && let Some(entry) = self.0.remove(first)
            {
                self.0.insert(bucket.clone(), entry);
                first_of_version.insert(bucket.api_version.clone(), bucket.clone());
            }
            if let (Some(gone), Some(kept)) = (self.0.remove(&manager), self.0.get_mut(&bucket)) {
                kept.fields = kept.fields.union(&gone.fields);
                kept.time = gone.time;
                count -= 1;
            }
        }
    }
}

fn decode(value: &Value) -> Option<(Manager, Entry)> {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let operation = match value["operation"].as_str()? {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let fields = match &value["fieldsV1"] {
        Value::Null => FieldSet::default(),
        fields if text("fieldsType") == "FieldsV1" => FieldSet::from_json(fields)?,
        _ => return None,
    };
    let api_version = text("apiVersion");
    let manager = Manager {
        name: text("manager"),
        operation,
        api_version: if operation == Operation::Apply { String::new() } else { api_version.clone() },
        subresource: text("subresource"),
    };
    Some((manager, Entry { fields, api_version, time: value["time"].as_str().map(str::to_owned) }))
}

fn encode(manager: &Manager, entry: &Entry) -> Value {
    let mut map = Map::new();
    map.insert("apiVersion".to_owned(), entry.api_version.as_str().into());
    map.insert("fieldsType".to_owned(), "FieldsV1".into());
    map.insert("fieldsV1".to_owned(), entry.fields.to_json());
    map.insert("manager".to_owned(), manager.name.as_str().into());
    let operation = match manager.operation {
        Operation::Apply => "Apply",
        Operation::Update => "Update",
    };
    map.insert("operation".to_owned(), json!(operation));
    if !manager.subresource.is_empty() {
        map.insert("subresource".to_owned(), manager.subresource.as_str().into());
    }
    if let Some(time) = &entry.time {
        map.insert("time".to_owned(), time.as_str().into());
    }
    Value::Object(map)
}
