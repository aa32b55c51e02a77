//! What objects must look like, and what may change.
//!
//! [`create`] checks a new object, [`update`] a changed one against the old. Both take objects that conform to their
//! type and have their defaults, and give every mistake with its path in Kubernetes' words. One file per family of
//! kinds; what they share is in `meta` and `error`.

mod error;
mod meta;

pub use error::{FieldError, FieldReason};

use crate::schema::Kind;
use serde_json::Value;

/// What Kubernetes says of numbers below zero.
const NEGATIVE: &str = "must be greater than or equal to 0";

/// What is wrong with a new object.
pub fn create(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    meta::create(kind, object, &mut errors);
    errors
}

/// What is wrong with a changed object.
pub fn update(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    meta::update(old, new, &mut errors);
    let _ = kind;
    errors
}
