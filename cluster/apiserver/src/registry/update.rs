//! Update, and the common end of all that changes an object.

use super::{Context, Modified, Step, metadata, modify, view};
use crate::{ApiServer, admission, body::Decoded, custom, failure::Result, shelf::Object, strategy};
use kpkg_api::{meta, schema::Kind, status::Status, validate::FieldError};
use serde_json::Value;
use std::sync::Arc;

/// Which part of an object a write is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All but the status.
    Main,
    /// The status.
    Status,
    /// A namespace's `spec.finalizers`.
    Finalize,
    /// The number of replicas.
    Scale,
}

impl Part {
    /// The subresource through which it is written.
    pub(crate) fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Finalize => "finalize",
            Self::Scale => "scale",
        }
    }
}

/// Makes the new version of an object, as the client wants it, out of the old one.
#[derive(Clone, Copy)]
pub(crate) enum Make<'a> {
    /// The owners of changed fields are still to be noted.
    Update(&'a (dyn Fn(&Value) -> Result<Value> + Send + Sync)),
    /// They are noted already.
    Apply(&'a (dyn Fn(&Value) -> Result<Value> + Send + Sync)),
}

impl ApiServer {
    /// Replaces an object with a request's body. The flag says whether it was created.
    pub(crate) async fn update(
        &self,
        context: &mut Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        part: Part,
        body: Decoded,
    ) -> Result<(Arc<Object>, bool)> {
        let model = self.model(kind)?;
        let mut object = context.conform(&model, body)?;
        metadata::settle_namespace(kind, namespace, &mut object)?;
        metadata::settle_name(name, &mut object)?;
        let rules = strategy::of(kind);
        if meta::resource_version(&object).is_empty() {
            if rules.create_on_update && part == Part::Main && self.find(kind, namespace, name).await?.is_none() {
                return Ok((self.create_object(context, &model, namespace, object, false).await?, true));
            }
            if !rules.unconditional_update {
                let fault = FieldError::invalid("metadata.resourceVersion", 0, "must be specified for an update");
                return Err(Status::invalid(kind, name, &[fault]));
            }
        }
        let change = |_: &Value| Ok(object.clone());
        let modified = self.change(context, kind, namespace, name, part, Make::Update(&change)).await?;
        Ok((modified.into_object(), false))
    }

    /// Changes an object.
    pub(crate) async fn change(
        &self,
        context: &Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        part: Part,
        make: Make<'_>,
    ) -> Result<Modified> {
        // Addresses and ports in use are looked up before; none is given out until this change is written.
        let lease = self.allocator.lease(self, kind).await?;
        let model = self.model(kind)?;
        let mut decide = |object: &Object| {
            let old = view::shown(kind, &object.value);
            let mut new = match make {
                Make::Update(make) | Make::Apply(make) => make(&old)?,
            };
            modify::check_version(kind, &old, &new)?;
            metadata::carry_over(&old, &mut new);
            model.set_defaults(&mut new);
            let rules = strategy::of(kind);
            if matches!(part, Part::Main | Part::Scale) {
                admission::update(kind, &mut new);
            }
            if matches!(make, Make::Update(_)) {
                model.book(context, part, Some(&old), &mut new);
            }
            match part {
                Part::Main | Part::Scale => {
                    rules.prepare_update(kind, &old, &mut new);
                    lease.assign(kind, Some(&old), &mut new)?;
                }
                Part::Status => rules.prepare_status_update(&old, &mut new),
                Part::Finalize => finalize(&old, &mut new),
            }
            if custom::is_definition(kind) && part == Part::Main {
                custom::settle(&self.catalogs.current(), &mut new, &context.now_text());
            }
            let faults = model.validate(part, &old, &new);
            if !faults.is_empty() {
                return Err(Status::invalid(kind, name, &faults));
            }
            if metadata::is_finished(&new) {
                return Ok(Step::Remove);
            }
            meta::metadata_mut(&mut new).insert("resourceVersion".to_owned(), object.revision.to_string().into());
            Ok(Step::Write(view::stored(kind, new)))
        };
        self.modify(context, kind, namespace, name, &mut decide).await
    }
}

/// All but `spec.finalizers` stays as it is.
fn finalize(old: &Value, new: &mut Value) {
    let finalizers = new["spec"]["finalizers"].take();
    let metadata = new["metadata"]["finalizers"].take();
    let managed = new["metadata"]["managedFields"].take();
    *new = old.clone();
    if managed.is_array() {
        new["metadata"]["managedFields"] = managed;
    }
    new["spec"]["finalizers"] = if finalizers.is_null() { Value::Array(Vec::new()) } else { finalizers };
    if metadata.is_array() {
        new["metadata"]["finalizers"] = metadata;
    }
}
