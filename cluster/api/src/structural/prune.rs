//! Dropping what a schema does not name.

use super::Structural;
use crate::schema;
use serde_json::{Map, Value};

impl Structural {
    /// Drops the fields of a whole object that the schema does not name; answers which, as warnings name them.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(object, "", true, &mut found);
        found
    }

    fn walk(&self, value: &mut Value, path: &str, root: bool, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => self.walk_map(map, path, root || self.embedded, found),
            Value::Array(items) => {
                let open = Self { preserve: true, ..Self::default() };
                let schema = match &self.items {
                    Some(items) => items,
                    None if self.preserve => &open,
                    None => return,
                };
                for (at, item) in items.iter_mut().enumerate() {
                    schema.walk(item, &format!("{path}[{at}]"), false, found);
                }
            }
            _ => {}
        }
    }

    fn walk_map(&self, map: &mut Map<String, Value>, path: &str, resource: bool, found: &mut Vec<String>) {
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        map.retain(|name, value| {
            if resource && matches!(name.as_str(), "apiVersion" | "kind") {
                return true;
            }
            if resource && name == "metadata" {
                found.extend(prune_metadata(value, &join(name)));
                return true;
            }
            match (self.properties.get(name), &self.additional) {
                (Some(schema), _) => schema.walk(value, &join(name), false, found),
                (None, Some(schema)) => schema.walk(value, &join(name), false, found),
                (None, None) if self.preserve => {}
                (None, None) => {
                    found.push(format!("unknown field \"{}\"", join(name)));
                    return false;
                }
            }
            true
        });
    }
}

fn prune_metadata(value: &mut Value, path: &str) -> Vec<String> {
    let type_ = super::object_meta();
    let faults = schema::unknown_fields(type_, value);
    if !faults.is_empty() {
        schema::prune(type_, value);
    }
    faults.into_iter().map(|fault| fault.replacen('"', &format!("\"{path}."), 1)).collect()
}
