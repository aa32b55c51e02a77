//! Reading JSON values where absence is a normal case.

use serde_json::Value;

/// Short ways to read an object whose types are already checked.
pub(crate) trait Read {
    /// The text under a key, empty if absent.
    fn text(&self, key: &str) -> &str;
    /// The integer under a key.
    fn int(&self, key: &str) -> Option<i64>;
    /// The boolean under a key, false if absent.
    fn flag(&self, key: &str) -> bool;
    /// The elements under a key, none if absent.
    fn items(&self, key: &str) -> &[Value];
    /// Whether the key is there and not null.
    fn has(&self, key: &str) -> bool;
}

impl Read for Value {
    fn text(&self, key: &str) -> &str {
        self[key].as_str().unwrap_or_default()
    }

    fn int(&self, key: &str) -> Option<i64> {
        self[key].as_i64()
    }

    fn flag(&self, key: &str) -> bool {
        self[key].as_bool().unwrap_or_default()
    }

    fn items(&self, key: &str) -> &[Value] {
        self[key].as_array().map_or(&[], Vec::as_slice)
    }

    fn has(&self, key: &str) -> bool {
        !self[key].is_null()
    }
}
