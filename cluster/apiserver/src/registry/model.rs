//! What the schema says of a kind's objects.

use super::{Context, Part, Patch};
use kpkg_api::{
    apply::{self, Node, Scope, Writer},
    defaults,
    schema::{self, Kind},
    validate::{self, FieldError},
};
use serde_json::Value;

/// The schema of a kind.
#[derive(Debug, Clone)]
pub(crate) enum Model {
    /// A kind of Kubernetes' own.
    BuiltIn(&'static Kind),
}

impl Model {
    pub(crate) fn kind(&self) -> &'static Kind {
        match self {
            Self::BuiltIn(kind) => kind,
        }
    }

    /// How objects merge.
    pub(crate) fn node(&self) -> Node<'_> {
        match self {
            Self::BuiltIn(kind) => Node::Object(kind.type_()),
        }
    }

    /// Brings an object into canonical form; answers the fields that the schema does not know, which are gone.
    pub(crate) fn conform(&self, object: &mut Value) -> Result<Vec<String>, String> {
        match self {
            Self::BuiltIn(kind) => {
                schema::conform(kind.type_(), object).map(|found| found.unknown).map_err(|error| error.to_string())
            }
        }
    }

    /// Patches an object.
    pub(crate) fn patch(&self, patch: &Patch, object: &mut Value) -> crate::failure::Result<()> {
        match self {
            Self::BuiltIn(kind) => patch.apply(kind.type_(), object),
        }
    }

    /// Sets what is not set.
    pub(crate) fn set_defaults(&self, object: &mut Value) {
        match self {
            Self::BuiltIn(kind) => defaults::apply(kind, object),
        }
    }

    /// What is wrong with a new object.
    pub(crate) fn validate_new(&self, object: &Value) -> Vec<FieldError> {
        match self {
            Self::BuiltIn(kind) => validate::create(kind, object),
        }
    }

    /// What is wrong with a changed object.
    pub(crate) fn validate(&self, part: Part, old: &Value, new: &Value) -> Vec<FieldError> {
        match self {
            Self::BuiltIn(kind) if part == Part::Status => validate::update_status(kind, old, new),
            Self::BuiltIn(kind) => validate::update(kind, old, new),
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
