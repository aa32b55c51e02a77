//! Putting defaults where nothing is.

use super::Structural;
use serde_json::Value;

impl Structural {
    /// Puts the schema's defaults into an object.
    pub fn set_defaults(&self, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (name, schema) in &self.properties {
                    let Some(default) = &schema.default else { continue };
                    let wanted = map.get(name).is_none_or(|value| value.is_null() && !schema.nullable);
                    if wanted {
                        map.insert(name.clone(), default.clone());
                    }
                }
                for (name, value) in map {
                    if let Some(schema) = self.properties.get(name).or(self.additional.as_deref()) {
                        schema.set_defaults(value);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    items.iter_mut().for_each(|item| schema.set_defaults(item));
                }
            }
            _ => {}
        }
    }
}
