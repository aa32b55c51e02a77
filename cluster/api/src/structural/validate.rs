//! Whether a value satisfies a schema, in Kubernetes' words.

use super::{Checks, Form, Structural};
use crate::{
    schema::ListType,
    validate::{FieldError, FieldReason},
};
use serde_json::{Map, Value};

impl Structural {
    /// What is wrong with a whole object.
    pub fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut found = Vec::new();
        self.check(object, "", true, &mut found);
        found
    }

    /// What is wrong with a value at a path.
    pub(super) fn validate_at(&self, value: &Value, path: &str) -> Vec<FieldError> {
        let mut found = Vec::new();
        self.check(value, path, false, &mut found);
        found
    }

    fn check(&self, value: &Value, path: &str, root: bool, found: &mut Vec<FieldError>) {
        if value.is_null() && self.nullable {
            return;
        }
        if let Some(wanted) = self.form.refuses(value) {
            found.push(wrong_type(path, wanted, value));
            return;
        }
        self.checks.common(value, path, found);
        match value {
            Value::Object(map) => self.check_map(map, value, path, root, found),
            Value::Array(items) => self.check_list(items, value, path, found),
            Value::String(text) => self.checks.text(text, path, found),
            Value::Number(number) => self.checks.number(number.as_f64().unwrap_or_default(), value, path, found),
            _ => {}
        }
        self.checks.combined(value, path, found);
    }

    fn check_map(&self, map: &Map<String, Value>, whole: &Value, path: &str, root: bool, found: &mut Vec<FieldError>) {
        let checks = &self.checks;
        let count = map.len() as u64;
        for name in checks.required.iter().filter(|name| !map.contains_key(*name)) {
            found.push(FieldError::required(join(path, name), ""));
        }
        if let Some(limit) = checks.min_properties.filter(|limit| count < *limit) {
            found.push(invalid(path, whole, &format!("should have at least {limit} properties")));
        }
        if let Some(limit) = checks.max_properties.filter(|limit| count > *limit) {
            found.push(FieldError::too_many(path, map.len(), size(limit)));
        }
        for (name, value) in map {
            if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                continue;
            }
            if let Some(schema) = self.properties.get(name).or(self.additional.as_deref()) {
                schema.check(value, &join(path, name), schema.embedded, found);
            }
        }
    }

    fn check_list(&self, items: &[Value], whole: &Value, path: &str, found: &mut Vec<FieldError>) {
        let checks = &self.checks;
        let count = items.len() as u64;
        if let Some(limit) = checks.min_items.filter(|limit| count < *limit) {
            found.push(invalid(path, whole, &format!("should have at least {limit} items")));
        }
        if let Some(limit) = checks.max_items.filter(|limit| count > *limit) {
            found.push(FieldError::too_many(path, items.len(), size(limit)));
        }
        if checks.unique_items && items.iter().enumerate().any(|(at, item)| items[..at].contains(item)) {
            found.push(invalid(path, whole, "shouldn't contain duplicates"));
        }
        if let Some(schema) = &self.items {
            for (at, item) in items.iter().enumerate() {
                schema.check(item, &format!("{path}[{at}]"), schema.embedded, found);
            }
        }
        self.check_keys(items, path, found);
    }

    /// Sets and maps have no element twice.
    fn check_keys(&self, items: &[Value], path: &str, found: &mut Vec<FieldError>) {
        let key = |item: &Value| match self.list_type {
            ListType::Atomic => None,
            ListType::Set => Some(item.clone()),
            ListType::Map => {
                let default = |name: &str| self.items.as_ref()?.properties.get(name)?.default.clone();
                let field = |name: &String| Some((name.clone(), item.get(name).cloned().or_else(|| default(name))?));
                Some(Value::Object(self.map_keys.iter().filter_map(field).collect()))
            }
        };
        let mut seen = std::collections::HashSet::new();
        for (at, item) in items.iter().enumerate() {
            let Some(key) = key(item) else { return };
            if !seen.insert(key.to_string()) {
                found.push(FieldError::duplicate(format!("{path}[{at}]"), key));
            }
        }
    }
}

impl Form {
    /// What is wanted, if the value is not of this form.
    fn refuses(self, value: &Value) -> Option<&'static str> {
        let (fits, name) = match self {
            Self::Any => (true, ""),
            Self::Object => (value.is_object(), "object"),
            Self::Array => (value.is_array(), "array"),
            Self::String => (value.is_string(), "string"),
            Self::Integer => (is_whole(value), "integer"),
            Self::Number => (value.is_number(), "number"),
            Self::Boolean => (value.is_boolean(), "boolean"),
            Self::IntOrString => (is_whole(value) || value.is_string(), "integer,string"),
        };
        (!fits).then_some(name)
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

impl Checks {
    fn common(&self, value: &Value, path: &str, found: &mut Vec<FieldError>) {
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let names: Vec<String> = self
                .allowed
                .iter()
                .map(|allowed| allowed.as_str().map_or_else(|| allowed.to_string(), str::to_owned))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            found.push(FieldError::not_supported(path, value.clone(), &names));
        }
    }

    fn text(&self, text: &str, path: &str, found: &mut Vec<FieldError>) {
        let length = text.chars().count() as u64;
        if let Some(limit) = self.min_length.filter(|limit| length < *limit) {
            found.push(invalid(path, &text.into(), &format!("should be at least {limit} chars long")));
        }
        if let Some(limit) = self.max_length.filter(|limit| length > *limit) {
            found.push(FieldError::too_long(path, size(limit)));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
            found.push(invalid(path, &text.into(), &format!("should match '{}'", pattern.text)));
        }
        if !super::format::fits(&self.format, text) {
            let mut error =
                invalid(path, &text.into(), &format!("must be of type {}: {}", self.format, crate::text::quote(text)));
            error.reason = FieldReason::TypeInvalid;
            found.push(error);
        }
    }

    fn number(&self, number: f64, value: &Value, path: &str, found: &mut Vec<FieldError>) {
        if let Some((limit, exclusive)) = self.minimum
            && (number < limit || exclusive && number <= limit)
        {
            let words = if exclusive { "greater than" } else { "greater than or equal to" };
            found.push(invalid(path, value, &format!("should be {words} {limit}")));
        }
        if let Some((limit, exclusive)) = self.maximum
            && (number > limit || exclusive && number >= limit)
        {
            let words = if exclusive { "less than" } else { "less than or equal to" };
            found.push(invalid(path, value, &format!("should be {words} {limit}")));
        }
        if let Some(step) = self.multiple_of
            && (number / step).fract() != 0.0
        {
            found.push(invalid(path, value, &format!("should be a multiple of {step}")));
        }
    }

    fn combined(&self, value: &Value, path: &str, found: &mut Vec<FieldError>) {
        let passes = |schema: &&Structural| schema.validate_at(value, path).is_empty();
        for schema in &self.all_of {
            found.extend(schema.validate_at(value, path));
        }
        if !self.any_of.is_empty() && !self.any_of.iter().any(|schema| passes(&schema)) {
            found.push(invalid(path, value, "must validate at least one schema (anyOf)"));
            // The reasons of the alternative that came nearest.
            let nearest = self.any_of.iter().map(|schema| schema.validate_at(value, path)).min_by_key(Vec::len);
            found.extend(nearest.unwrap_or_default());
        }
        if !self.one_of.is_empty() {
            let why = match self.one_of.iter().filter(passes).count() {
                1 => None,
                0 => Some("must validate one and only one schema (oneOf). Found none valid".to_owned()),
                several => {
                    Some(format!("must validate one and only one schema (oneOf). Found {several} valid alternatives"))
                }
            };
            found.extend(why.map(|why| invalid(path, value, &why)));
        }
        if self.not.as_deref().is_some_and(|not| passes(&not)) {
            found.push(invalid(path, value, "must not validate the schema (not)"));
        }
    }
}

fn size(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn invalid(path: &str, value: &Value, why: &str) -> FieldError {
    let detail = if path.is_empty() { format!("in body {why}") } else { format!("{path} in body {why}") };
    FieldError::invalid(if path.is_empty() { "<nil>" } else { path }, value.clone(), detail)
}

fn wrong_type(path: &str, wanted: &str, value: &Value) -> FieldError {
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let mut error = invalid(path, &actual.into(), &format!("must be of type {wanted}: \"{actual}\""));
    error.reason = FieldReason::TypeInvalid;
    error
}
