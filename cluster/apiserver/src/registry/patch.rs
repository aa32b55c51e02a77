//! Patch.

use super::{Context, Make, Model, Modified, Part, metadata};
use crate::{
    ApiServer,
    body::{self, Decoded},
    failure::Result,
    query::Query,
    shelf::Object,
};
use kpkg_api::{
    apply::{self, ApplyError},
    meta, patch,
    schema::Kind,
    schema::Type,
    status::{Reason, Status},
    validate::FieldError,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// The media types of patches that are known.
const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A patch, by its media type.
#[derive(Debug)]
pub(crate) enum Patch {
    Json(Value),
    Merge(Value),
    Strategic(Value),
    /// Server-side apply.
    Apply {
        config: Value,
        /// Take over what others own.
        force: bool,
    },
}

impl Patch {
    /// Reads a request's body.
    pub(crate) fn decode(media_type: &str, query: &Query, body: &[u8]) -> Result<Self> {
        let make = match media_type {
            JSON => Self::Json,
            MERGE => Self::Merge,
            STRATEGIC => Self::Strategic,
            APPLY => return Self::decode_apply(query, body),
            _ => return Err(Status::unsupported_media_type(&[JSON, MERGE, STRATEGIC, APPLY])),
        };
        if query.has("force") {
            return Err(options_fault(FieldError::forbidden("force", "may not be specified for non-apply patch")));
        }
        body::decode_patch(body).map(make)
    }

    fn decode_apply(query: &Query, body: &[u8]) -> Result<Self> {
        if query.text("fieldManager").is_empty() {
            return Err(options_fault(FieldError::required("fieldManager", "is required for apply patch")));
        }
        let config = body::decode_apply(body)?;
        Ok(Self::Apply { config, force: query.flag("force") })
    }

    /// Applies the patch to an object of a type; of one without type only some can.
    pub(crate) fn apply(&self, type_: Option<&Type>, object: &mut Value) -> Result<()> {
        match self {
            Self::Json(operations) => patch::json(object, operations).map_err(|error| {
                if error.is_unprocessable() {
                    Status::new(
                        Reason::Invalid,
                        format!("the server rejected our request due to an error in our request: {error}"),
                    )
                } else {
                    Status::bad_request(error.to_string())
                }
            }),
            Self::Merge(patch) if patch.is_object() => {
                patch::merge(object, patch);
                Ok(())
            }
            Self::Merge(_) => Err(Status::bad_request("a merge patch must be an object")),
            Self::Strategic(patch) => {
                let Some(type_) = type_ else { return Err(Status::unsupported_media_type(&[JSON, MERGE, APPLY])) };
                patch::strategic(patch::Mode::ApiServer, type_, object, patch).map_err(|error| {
                    let make: fn(String) -> Status = if error.is_bad_request() {
                        Status::bad_request
                    } else {
                        |why| Status::new(Reason::Invalid, why)
                    };
                    make(error.to_string())
                })
            }
            Self::Apply { .. } => Err(Status::internal("an apply is no patch")),
        }
    }
}

fn options_fault(fault: FieldError) -> Status {
    Status::invalid_kind("meta.k8s.io", "PatchOptions", "", &[fault])
}

/// Why something cannot be applied, as clients are told.
pub(crate) fn refusal(config: &Value, error: ApplyError) -> Status {
    match error {
        ApplyError::Conflicts(conflicts) => {
            let status = Status::new(Reason::Conflict, ApplyError::Conflicts(conflicts.clone()).to_string());
            conflicts.iter().fold(status, |status, conflict| {
                status.with_cause("FieldManagerConflict", &conflict.to_string(), &conflict.path.to_string())
            })
        }
        ApplyError::ManagedFields => Status::bad_request(error.to_string()),
        error => {
            let (group, version) = match meta::api_version(config).split_once('/') {
                Some((group, version)) => (group, version),
                None => ("", meta::api_version(config)),
            };
            Status::new(
                Reason::Unknown,
                format!(
                    "failed to create typed patch object ({}/{}; {group}/{version}, Kind={}): {error}",
                    meta::namespace(config),
                    meta::name(config),
                    meta::kind(config)
                ),
            )
        }
    }
}

impl ApiServer {
    /// Patches an object; a race with another write is run again. An apply makes the object if there is none, which the
    /// flag says.
    pub(crate) async fn patch(
        &self,
        context: &mut Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        part: Part,
        patch: &Patch,
    ) -> Result<(Arc<Object>, bool)> {
        let model = self.model(kind)?;
        if let Patch::Apply { config, .. } = patch {
            check_identity(&model, config)?;
            if part == Part::Main && self.find(kind, namespace, name).await?.is_none() {
                return match self.create_applied(context, &model, namespace, name, patch).await {
                    Ok(object) => Ok((object, true)),
                    // Somebody else was faster.
                    Err(status) if status.reason() == Reason::AlreadyExists => {
                        self.patch_existing(context, &model, namespace, name, part, patch).await
                    }
                    Err(status) => Err(status),
                };
            }
        }
        self.patch_existing(context, &model, namespace, name, part, patch).await
    }

    async fn create_applied(
        &self,
        context: &mut Context,
        model: &Model,
        namespace: Option<&str>,
        name: &str,
        patch: &Patch,
    ) -> Result<Arc<Object>> {
        let object = patched(context, model, namespace, name, Part::Main, patch, None)?;
        if !meta::uid(&object).is_empty() {
            let kind = model.kind();
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                meta::uid(&object)
            );
            return Err(Status::conflict(kind.group, kind.plural, name, &why));
        }
        self.create_object(context, model, namespace, object, true).await
    }

    async fn patch_existing(
        &self,
        context: &mut Context,
        model: &Model,
        namespace: Option<&str>,
        name: &str,
        part: Part,
        patch: &Patch,
    ) -> Result<(Arc<Object>, bool)> {
        let warnings = Mutex::default();
        let change = |old: &Value| {
            // What the patch leaves in place is judged as the patch's own; stored objects have no unknown fields.
            let mut judge = context.again();
            let new = patched(&mut judge, model, namespace, name, part, patch, Some(old))?;
            *lock(&warnings) = judge.warnings;
            Ok(new)
        };
        let make = if matches!(patch, Patch::Apply { .. }) { Make::Apply(&change) } else { Make::Update(&change) };
        let modified = self.change(context, model.kind(), namespace, name, part, make).await;
        let found = std::mem::take(&mut *lock(&warnings));
        context.warnings.extend(found);
        modified.map(|modified| (Modified::into_object(modified), false))
    }
}

/// What a patch makes of an object.
fn patched(
    context: &mut Context,
    model: &Model,
    namespace: Option<&str>,
    name: &str,
    part: Part,
    patch: &Patch,
    old: Option<&Value>,
) -> Result<Value> {
    let new = if let Patch::Apply { config, force } = patch {
        let applied = model.write(context, part, |writer| apply::apply(model.node(), old, config, writer, *force));
        applied.map_err(|error| refusal(config, error))?
    } else {
        let mut new = old.cloned().unwrap_or_else(|| json!({}));
        model.patch(patch, &mut new)?;
        new
    };
    let mut new = context.conform(model, Decoded { value: new, duplicates: Vec::new() })?;
    metadata::settle_namespace(model.kind(), namespace, &mut new)?;
    metadata::settle_name(name, &mut new)?;
    Ok(new)
}

/// What is applied says what it is.
fn check_identity(model: &Model, config: &Value) -> Result<()> {
    let kind = model.kind();
    let (own_version, own_kind) = (meta::api_version(config), meta::kind(config));
    if own_kind.is_empty() || own_version.is_empty() {
        let what = if own_kind.is_empty() { "kind" } else { "apiVersion" };
        return Err(Status::bad_request(format!(
            "error getting group version kind: Object '{what}' is missing in apply patch"
        )));
    }
    if own_version != kind.api_version() {
        return Err(Status::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {own_version}, expected: {}",
            kind.api_version()
        )));
    }
    Ok(())
}

fn lock(warnings: &Mutex<Vec<String>>) -> std::sync::MutexGuard<'_, Vec<String>> {
    warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
