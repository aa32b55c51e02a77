//! The schemas of custom kinds: OpenAPI in the structural form that Kubernetes wants.
//!
//! A [`Structural`] is read once out of a `CustomResourceDefinition` and then prunes, defaults and validates objects,
//! and tells server-side apply how they merge.

mod cel;
mod default;
mod format;
mod parse;
mod prune;
mod rules;
mod validate;

pub use rules::faults;

use crate::schema::ListType;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// What kind of value stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Not said.
    #[default]
    Any,
    /// An object, or a map.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A whole number or text.
    IntOrString,
}

/// A part of a schema.
#[derive(Debug, Clone, Default)]
pub struct Structural {
    /// What stands here.
    pub form: Form,
    /// Whether null may stand here.
    pub nullable: bool,
    /// What is put where nothing is.
    pub default: Option<Value>,
    /// The named fields.
    pub properties: BTreeMap<String, Structural>,
    /// What the values of other fields look like, if others are allowed.
    pub additional: Option<Box<Structural>>,
    /// What the elements of a list look like.
    pub items: Option<Box<Structural>>,
    /// Whether fields that are not named are kept: `x-kubernetes-preserve-unknown-fields`.
    pub preserve: bool,
    /// Whether it is an object with its own apiVersion, kind and metadata: `x-kubernetes-embedded-resource`.
    pub embedded: bool,
    /// Whether an object is applied as a whole.
    pub atomic_map: bool,
    /// How a list is applied.
    pub list_type: ListType,
    /// The key fields of a [`ListType::Map`].
    pub map_keys: Vec<String>,
    /// What values must satisfy.
    pub checks: Checks,
}

/// A regular expression, compiled once a value is held against it: definitions hold hundreds, and are read often.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    compiled: Arc<OnceLock<Option<Regex>>>,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), compiled: Arc::default() }
    }

    /// Whether a text matches; what is no regular expression, which definitions are checked for, matches all.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.text).ok());
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

/// What JSON schema demands of a value beyond its form.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    pub(crate) required: Vec<String>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) format: String,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique_items: bool,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) minimum: Option<(f64, bool)>,
    pub(crate) maximum: Option<(f64, bool)>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) all_of: Vec<Structural>,
    pub(crate) any_of: Vec<Structural>,
    pub(crate) one_of: Vec<Structural>,
    pub(crate) not: Option<Box<Structural>>,
    /// `x-kubernetes-validations`.
    pub(crate) rules: Vec<cel::Rule>,
}

impl Structural {
    /// How many rules in CEL the schema has that use what is not known here: they are kept and not evaluated.
    pub fn unevaluated_rules(&self) -> usize {
        let below = self.properties.values().chain(self.additional.as_deref()).chain(self.items.as_deref());
        let own = self.checks.rules.iter().filter(|rule| !rule.is_evaluated()).count();
        own + below.map(Self::unevaluated_rules).sum::<usize>()
    }
}

fn object_meta() -> &'static crate::schema::Type {
    crate::schema::table().by_name("apimachinery.pkg.apis.meta.v1.ObjectMeta").expect("the table has ObjectMeta")
}
