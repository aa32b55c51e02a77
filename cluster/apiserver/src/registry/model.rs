//! What the schema says of a kind's objects.

use super::{Context, Part, Patch};
use crate::custom::{self, Custom, ScalePaths};
use kpkg_api::{
    apply::{self, Node, Scope, Writer},
    defaults, meta,
    schema::{self, Kind},
    validate::{self, FieldError},
};
use serde_json::Value;
use std::sync::Arc;

/// The schema of a kind.
#[derive(Debug, Clone)]
pub(crate) enum Model {
    /// A kind of Kubernetes' own.
    BuiltIn(&'static Kind),
    /// A kind that a definition adds.
    Custom(Arc<Custom>),
}

impl Model {
    pub(crate) fn kind(&self) -> &'static Kind {
        match self {
            Self::BuiltIn(kind) => kind,
            Self::Custom(custom) => custom.kind,
        }
    }

    /// How objects merge.
    pub(crate) fn node(&self) -> Node<'_> {
        match self {
            Self::BuiltIn(kind) => Node::Object(kind.type_()),
            Self::Custom(custom) => Node::Resource(&custom.schema),
        }
    }

    /// Brings an object into canonical form; answers the fields that the schema does not know, which are gone.
    pub(crate) fn conform(&self, object: &mut Value) -> Result<Vec<String>, String> {
        match self {
            Self::BuiltIn(kind) => {
                schema::conform(kind.type_(), object).map(|found| found.unknown).map_err(|error| error.to_string())
            }
            Self::Custom(custom) => custom.conform(object),
        }
    }

    /// Patches an object.
    pub(crate) fn patch(&self, patch: &Patch, object: &mut Value) -> crate::failure::Result<()> {
        match self {
            Self::BuiltIn(kind) => patch.apply(Some(kind.type_()), object),
            Self::Custom(_) => patch.apply(None, object),
        }
    }

    /// Where the number of replicas is.
    pub(crate) fn scale_paths(&self) -> ScalePaths {
        match self {
            Self::BuiltIn(_) => ScalePaths::built_in(),
            Self::Custom(custom) => custom.scale.clone().unwrap_or_else(ScalePaths::built_in),
        }
    }

    /// Sets what is not set.
    pub(crate) fn set_defaults(&self, object: &mut Value) {
        match self {
            Self::BuiltIn(kind) => defaults::apply(kind, object),
            Self::Custom(custom) => custom.schema.set_defaults(object),
        }
    }

    /// What is wrong with a new object.
    pub(crate) fn validate_new(&self, object: &Value) -> Vec<FieldError> {
        match self {
            Self::BuiltIn(kind) => {
                let mut faults = validate::create(kind, object);
                if custom::is_definition(kind) {
                    faults.extend(custom::faults(object));
                }
                faults
            }
            Self::Custom(custom) => {
                let mut faults = validate::create(custom.kind, object);
                faults.extend(custom.faults(None, object));
                faults
            }
        }
    }

    /// What is wrong with a changed object.
    pub(crate) fn validate(&self, part: Part, old: &Value, new: &Value) -> Vec<FieldError> {
        match self {
            Self::BuiltIn(kind) if part == Part::Status => validate::update_status(kind, old, new),
            Self::BuiltIn(kind) => {
                let mut faults = validate::update(kind, old, new);
                if custom::is_definition(kind) {
                    faults.extend(custom::update_faults(old, new));
                }
                faults
            }
            Self::Custom(custom) => {
                let mut faults = validate::update(custom.kind, old, new);
                // An object that was valid by an older schema can still lose its finalizers.
                if meta::deletion_timestamp(new).is_none() {
                    faults.extend(custom.faults(Some(old), new));
                }
                faults
            }
        }
    }

    /// Books who changed what.
    pub(crate) fn book(&self, context: &Context, part: Part, old: Option<&Value>, new: &mut Value) {
        self.write(context, part, |writer| apply::update(self.node(), old, new, writer));
    }

    /// Calls with who writes.
    pub(crate) fn write<T>(&self, context: &Context, part: Part, write: impl FnOnce(&Writer<'_>) -> T) -> T {
        let kind = self.kind();
        let scope = match part {
            Part::Status => Scope::Status,
            _ if kind.has_status() => Scope::AllButStatus,
            _ => Scope::All,
        };
        write(&Writer {
            manager: &context.manager,
            api_version: &kind.api_version(),
            subresource: part.subresource(),
            now: &context.now_text(),
            scope,
        })
    }
}
