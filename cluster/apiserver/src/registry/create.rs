//! Create.

use super::{Context, Model, Part, metadata, view};
use crate::{
    ApiServer, admission,
    body::Decoded,
    custom,
    failure::Result,
    shelf::{Object, Write},
    strategy,
};
use kpkg_api::{meta, names, schema::Kind, status::Status, validate::FieldError};
use kpkg_store::Precondition;
use serde_json::Value;
use std::sync::Arc;

/// How many generated names are tried.
const NAMES: usize = 8;

/// What makes a name unfit for a path or a key, whatever the kind's own rules say.
fn path_faults(object: &Value) -> Vec<FieldError> {
    let name = meta::name(object);
    if name.is_empty() {
        return vec![FieldError::required("metadata.name", "name or generateName is required")];
    }
    names::path_segment(name).into_iter().map(|why| FieldError::invalid("metadata.name", name, why)).collect()
}

impl ApiServer {
    /// Makes an object out of a request's body.
    pub(crate) async fn create(
        &self,
        context: &mut Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        body: Decoded,
    ) -> Result<Arc<Object>> {
        let model = self.model(kind)?;
        let object = context.conform(&model, body)?;
        self.create_object(context, &model, namespace, object, false).await
    }

    /// Makes an object that conforms to its kind; `booked` if the owners of its fields are already noted.
    pub(super) async fn create_object(
        &self,
        context: &mut Context,
        model: &Model,
        namespace: Option<&str>,
        mut object: Value,
        booked: bool,
    ) -> Result<Arc<Object>> {
        let kind = model.kind();
        if let Model::Custom(custom) = model {
            if custom.terminating {
                return Err(Status::create_while_terminating());
            }
            context.warnings.extend(custom.deprecation.clone());
        }
        metadata::settle_namespace(kind, namespace, &mut object)?;
        metadata::birth(context, &mut object)?;
        model.set_defaults(&mut object);
        let generated = meta::name(&object).is_empty() && metadata::generate_name(&mut object);
        admission::create(self, kind, &mut object).await?;
        if !booked {
            model.book(context, Part::Main, None, &mut object);
        }
        strategy::of(kind).prepare_create(&mut object);
        if custom::is_definition(kind) {
            custom::settle(&self.catalogs.current(), &mut object, &context.now_text());
            context.warnings.extend(custom::warnings(&object));
        }
        // Held until the Service is written, so that nobody else gets its address.
        let lease = self.allocator.lease(self, kind).await?;
        lease.assign(kind, None, &mut object)?;
        let mut faults = model.validate_new(&object);
        if faults.is_empty() {
            faults = path_faults(&object);
        }
        if !faults.is_empty() {
            return Err(Status::invalid(kind, meta::name(&object), &faults));
        }
        let created = self.store_new(context, kind, namespace, view::stored(kind, object), generated).await;
        drop(lease);
        if custom::is_definition(kind) && !context.dry_run {
            self.serve_customs().await?;
        }
        created
    }

    async fn store_new(
        &self,
        context: &Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        mut object: Value,
        generated: bool,
    ) -> Result<Arc<Object>> {
        let shelf = self.shelf(kind);
        for _ in 0..NAMES {
            let key = shelf.key(namespace, meta::name(&object));
            if context.dry_run {
                return match shelf.get(&key).await? {
                    None => Ok(Arc::new(Object::unstored(object))),
                    Some(_) => Err(Status::already_exists(kind.group, kind.plural, meta::name(&object))),
                };
            }
            match shelf.put(key, object.clone(), Precondition::Absent).await? {
                Write::Done(created) => return Ok(created),
                Write::Lost(_) if generated => {
                    metadata::generate_name(&mut object);
                }
                Write::Lost(_) => {
                    return Err(Status::already_exists(kind.group, kind.plural, meta::name(&object)));
                }
            }
        }
        Err(Status::generate_name_conflict(kind.group, kind.plural, meta::name(&object)))
    }
}
