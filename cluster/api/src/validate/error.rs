//! What is wrong with one field.

use crate::text::quote;
use serde_json::Value;
use std::fmt;

/// What is wrong with one field; prints as `path: what: why`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// Where: `spec.containers[0].name`.
    pub path: String,
    /// What sort of mistake.
    pub reason: FieldReason,
    /// The offending value, if it is shown.
    pub value: Option<Value>,
    /// Why; may be empty.
    pub detail: String,
}

/// The sorts of mistakes a [`FieldError`] tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldReason {
    /// What is referred to is not there.
    NotFound,
    /// A value must be given.
    Required,
    /// The value is given twice.
    Duplicate,
    /// The value is malformed.
    Invalid,
    /// The value has the wrong type.
    TypeInvalid,
    /// The value is none of those possible.
    NotSupported,
    /// The value is not allowed here.
    Forbidden,
    /// The value is too long.
    TooLong,
    /// There are too many values.
    TooMany,
    /// A bug.
    Internal,
}

impl FieldReason {
    /// The word in a Status' causes.
    pub fn cause(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::Internal => "InternalError",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

impl FieldError {
    fn new(path: impl Into<String>, reason: FieldReason, value: Option<Value>, detail: impl Into<String>) -> Self {
        Self { path: path.into(), reason, value, detail: detail.into() }
    }

    /// A value must be given.
    pub fn required(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(path, FieldReason::Required, None, detail)
    }

    /// The value is malformed.
    pub fn invalid(path: impl Into<String>, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(path, FieldReason::Invalid, Some(value.into()), detail)
    }

    /// The value is none of those possible.
    pub fn not_supported(path: impl Into<String>, value: impl Into<Value>, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| quote(value)).collect();
        let detail =
            if supported.is_empty() { String::new() } else { format!("supported values: {}", supported.join(", ")) };
        Self::new(path, FieldReason::NotSupported, Some(value.into()), detail)
    }

    /// The value is not allowed here.
    pub fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(path, FieldReason::Forbidden, None, detail)
    }

    /// The value is given twice.
    pub fn duplicate(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(path, FieldReason::Duplicate, Some(value.into()), "")
    }

    /// What is referred to is not there.
    pub fn not_found(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(path, FieldReason::NotFound, Some(value.into()), "")
    }

    /// The value has more bytes than it may have.
    pub fn too_long(path: impl Into<String>, limit: usize) -> Self {
        let bytes = if limit == 1 { "byte" } else { "bytes" };
        Self::new(path, FieldReason::TooLong, None, format!("may not be more than {limit} {bytes}"))
    }

    /// There are more values than there may be.
    pub fn too_many(path: impl Into<String>, count: usize, limit: usize) -> Self {
        let items = if limit == 1 { "item" } else { "items" };
        Self::new(path, FieldReason::TooMany, Some(count.into()), format!("must have at most {limit} {items}"))
    }

    /// The error without the path.
    pub fn body(&self) -> String {
        let mut text = self.reason.words().to_owned();
        match &self.value {
            Some(Value::String(value)) => text = format!("{text}: {}", quote(value)),
            Some(value) => text = format!("{text}: {value}"),
            None => {}
        }
        if self.detail.is_empty() { text } else { format!("{text}: {}", self.detail) }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prints_as_kubernetes_does() {
        let cases = [
            (FieldError::required("a", ""), "a: Required value"),
            (FieldError::required("a", "why"), "a: Required value: why"),
            (FieldError::invalid("a", "x\"y", "why"), r#"a: Invalid value: "x\"y": why"#),
            (FieldError::invalid("a", json!({"b": 1}), "why"), r#"a: Invalid value: {"b":1}: why"#),
            (
                FieldError::not_supported("a", "x", &["A", "B"]),
                r#"a: Unsupported value: "x": supported values: "A", "B""#,
            ),
            (FieldError::forbidden("a", "why"), "a: Forbidden: why"),
            (FieldError::duplicate("a[1]", "x"), r#"a[1]: Duplicate value: "x""#),
            (FieldError::not_found("a", "x"), r#"a: Not found: "x""#),
            (FieldError::too_long("a", 5), "a: Too long: may not be more than 5 bytes"),
            (FieldError::too_many("a", 4, 3), "a: Too many: 4: must have at most 3 items"),
        ];
        for (error, want) in cases {
            assert_eq!(error.to_string(), want);
        }
    }
}
