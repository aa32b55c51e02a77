//! Patch.

use super::{Context, Modified, Part};
use crate::{
    ApiServer,
    body::{self, Decoded},
    failure::Result,
};
use kpkg_api::{
    patch,
    schema::{Kind, Type},
    status::{Reason, Status},
};
use serde_json::Value;
use std::sync::Mutex;

/// The media types of patches that are known.
const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// A patch, by its media type.
#[derive(Debug)]
pub(crate) enum Patch {
    Json(Value),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Reads a request's body. Server-side apply is not known, and is answered as Kubernetes answers what it does not know.
    pub(crate) fn decode(media_type: &str, body: &[u8]) -> Result<Self> {
        let make = match media_type {
            JSON => Self::Json,
            MERGE => Self::Merge,
            STRATEGIC => Self::Strategic,
            _ => return Err(Status::unsupported_media_type(&[JSON, MERGE, STRATEGIC])),
        };
        body::decode_patch(body).map(make)
    }

    /// Applies the patch to an object of a type.
    pub(crate) fn apply(&self, type_: &Type, object: &mut Value) -> Result<()> {
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
            Self::Strategic(patch) => patch::strategic(patch::Mode::ApiServer, type_, object, patch).map_err(|error| {
                let make: fn(String) -> Status =
                    if error.is_bad_request() { Status::bad_request } else { |why| Status::new(Reason::Invalid, why) };
                make(error.to_string())
            }),
        }
    }
}

impl ApiServer {
    /// Patches an object; a race with another write is run again.
    pub(crate) async fn patch(
        &self,
        context: &mut Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        part: Part,
        patch: &Patch,
    ) -> Result<Modified> {
        let warnings = Mutex::default();
        let change = |old: &Value| {
            let mut new = old.clone();
            patch.apply(kind.type_(), &mut new)?;
            // What the patch leaves in place is judged as the patch's own; stored objects have no unknown fields.
            let mut judge = Context { warnings: Vec::new(), identity: context.identity.clone(), ..*context };
            let mut new = judge.conform(kind, Decoded { value: new, duplicates: Vec::new() })?;
            super::metadata::settle_namespace(kind, namespace, &mut new)?;
            super::metadata::settle_name(name, &mut new)?;
            *lock(&warnings) = judge.warnings;
            Ok(new)
        };
        let modified = self.change(context, kind, namespace, name, part, &change).await;
        let found = std::mem::take(&mut *lock(&warnings));
        context.warnings.extend(found);
        modified
    }
}

fn lock(warnings: &Mutex<Vec<String>>) -> std::sync::MutexGuard<'_, Vec<String>> {
    warnings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
