//! The options of requests, as they stand in queries and bodies.

use super::FieldError;
use crate::value::Read as _;
use serde_json::{Value, json};

const MANAGER_LIMIT: usize = 128;

/// What is wrong with `DeleteOptions`.
pub fn delete_options(options: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let policy = options["propagationPolicy"].as_str();
    if options.has("orphanDependents") && policy.is_some() {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        errors.push(FieldError::invalid("propagationPolicy", options["propagationPolicy"].clone(), why));
    }
    const POLICIES: &[&str] = &["Foreground", "Background", "Orphan", "nil"];
    if let Some(policy) = policy.filter(|policy| !POLICIES[..3].contains(policy)) {
        errors.push(FieldError::not_supported("propagationPolicy", policy, POLICIES));
    }
    let dry_run: Vec<&str> = options.items("dryRun").iter().filter_map(Value::as_str).collect();
    errors.extend(self::dry_run(&dry_run));
    errors
}

/// What is wrong with the values of `dryRun`.
pub fn dry_run(values: &[&str]) -> Option<FieldError> {
    let bad = values.iter().any(|value| *value != "All");
    bad.then(|| FieldError::not_supported("dryRun", json!(values), &["All"]))
}

/// What is wrong with `fieldValidation`.
pub fn field_validation(value: &str) -> Option<FieldError> {
    const WORDS: &[&str] = &["", "Ignore", "Strict", "Warn"];
    (!WORDS.contains(&value)).then(|| FieldError::not_supported("fieldValidation", value, WORDS))
}

/// What is wrong with `fieldManager`.
pub fn field_manager(value: &str) -> Option<FieldError> {
    if value.len() > MANAGER_LIMIT {
        return Some(FieldError::too_long("fieldManager", MANAGER_LIMIT));
    }
    let (at, bad) = value.char_indices().find(|(_, c)| c.is_control())?;
    let why = format!("invalid character U+{:04X} (at position {at})", bad as u32);
    Some(FieldError::invalid("fieldManager", value, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let texts = |options: Value| delete_options(&options).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(json!({"propagationPolicy": "Foreground", "dryRun": ["All"]})), [""; 0]);
        assert_eq!(
            texts(json!({"propagationPolicy": "Odd"})),
            [
                r#"propagationPolicy: Unsupported value: "Odd": supported values: "Foreground", "Background", "Orphan", "nil""#
            ]
        );
        assert_eq!(
            dry_run(&["Some"]).map(|error| error.to_string()).as_deref(),
            Some(r#"dryRun: Unsupported value: ["Some"]: supported values: "All""#)
        );
        assert!(field_validation("Strict").is_none() && field_validation("strict").is_some());
        assert!(field_manager("kubectl").is_none() && field_manager("a\u{1}").is_some());
    }
}
