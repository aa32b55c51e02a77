//! One version of one object.

use crate::failure::Result;
use bytes::Bytes;
use kpkg_api::{meta, status::Status};
use kpkg_store::KeyValue;
use serde_json::Value;
use std::sync::OnceLock;

/// One version of one object, as decoded from the store. Never changes.
#[derive(Debug)]
pub(crate) struct Object {
    /// The store's revision that wrote it.
    pub(crate) revision: i64,
    /// The object, with its `resourceVersion`.
    pub(crate) value: Value,
    json: OnceLock<Bytes>,
}

impl Object {
    /// An object as of a revision.
    pub(crate) fn new(revision: i64, mut value: Value) -> Self {
        meta::metadata_mut(&mut value).insert("resourceVersion".to_owned(), revision.to_string().into());
        Self { revision, value, json: OnceLock::new() }
    }

    /// An object that is not in the store: the outcome of a dry run.
    pub(crate) fn unstored(value: Value) -> Self {
        Self { revision: 0, value, json: OnceLock::new() }
    }

    /// What the store has.
    pub(crate) fn decode(kv: &KeyValue) -> Result<Self> {
        let value = serde_json::from_slice(&kv.value).map_err(|error| {
            let key = String::from_utf8_lossy(&kv.key);
            tracing::error!(%key, %error, "a stored object cannot be read");
            Status::internal(format!("unable to decode the stored object {key}"))
        })?;
        Ok(Self::new(kv.mod_revision, value))
    }

    /// What the store gets: everything but the revision, which is the store's to say.
    pub(crate) fn encode(value: &mut Value) -> Bytes {
        meta::metadata_mut(value).remove("resourceVersion");
        Bytes::from(value.to_string())
    }

    /// The object as JSON, made once.
    pub(crate) fn json(&self) -> &Bytes {
        self.json.get_or_init(|| Bytes::from(self.value.to_string()))
    }

    /// The same object as of another revision.
    pub(crate) fn at(&self, revision: i64) -> Self {
        Self::new(revision, self.value.clone())
    }
}
