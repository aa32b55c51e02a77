//! The form of a schema, as a schema: what each keyword may hold, for all drafts at once.

use std::sync::LazyLock;

use serde_json::Value;

/// The schema of schemas.
pub(super) static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("metaschema.json")).expect("the file beside this one is JSON"));
