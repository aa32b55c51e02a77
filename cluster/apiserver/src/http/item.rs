//! One object: get, update, patch, delete.

use super::{Call, method_not_allowed};
use crate::{
    accept::{self, Encoding, Form},
    admission, body,
    failure::{self, Result},
    path::ResourcePath,
    registry::{DeleteOptions, Deleted, Part, Patch},
    reply,
    shelf::Object,
    show,
};
use axum::body::Body;
use http::{Method, Response, StatusCode};
use kpkg_api::status::Status;
use std::sync::Arc;

impl Call<'_> {
    pub(super) async fn item(&mut self, path: &ResourcePath, name: &str, body: Body) -> Result<Response<Body>> {
        let verb = match *self.method() {
            Method::GET | Method::HEAD => "get",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => return method_not_allowed(),
        };
        if !path.kind.verbs.contains(&verb) {
            return method_not_allowed();
        }
        match verb {
            "get" => self.get(path, name).await,
            "delete" => self.delete(path, name, body).await,
            _ => self.write(path, name, Part::Main, body).await,
        }
    }

    /// An answer with an object in it.
    pub(crate) fn answer(
        &self,
        code: StatusCode,
        path: &ResourcePath,
        form: Form,
        encoding: Encoding,
        object: &Arc<Object>,
    ) -> Response<Body> {
        if encoding == Encoding::Json {
            reply::json_bytes(code, show::object(&self.server.view(path.kind), form, object))
        } else {
            reply::encoded(code, encoding, &crate::registry::shown(path.kind, &object.value))
        }
    }

    pub(crate) async fn get(&self, path: &ResourcePath, name: &str) -> Result<Response<Body>> {
        let (form, encoding) = accept::objects_of(path.kind, &self.parts.headers, self.include()?)?;
        let object = self.server.get(path.kind, path.namespace.as_deref(), name).await?;
        self.check_age(&object).await?;
        Ok(self.answer(StatusCode::OK, path, form, encoding, &object))
    }

    /// `resourceVersion` of a get: an object at least as new as that. What is read is always the newest.
    async fn check_age(&self, object: &Object) -> Result<()> {
        let Some(wanted) = self.query.integer("resourceVersion")? else { return Ok(()) };
        if wanted <= object.revision {
            return Ok(());
        }
        let current = self.server.current_revision().await?;
        if wanted > current { Err(failure::too_large_revision(wanted, current)) } else { Ok(()) }
    }

    /// PUT or PATCH of an object, or of a part of it.
    pub(crate) async fn write(
        &mut self,
        path: &ResourcePath,
        name: &str,
        part: Part,
        body: Body,
    ) -> Result<Response<Body>> {
        let (form, encoding) = accept::objects_of(path.kind, &self.parts.headers, self.include()?)?;
        let mut context = self.context()?;
        let namespace = path.namespace.as_deref();
        let bytes = body::read(body).await?;
        let (object, created) = if *self.method() == Method::PATCH {
            let patch = Patch::decode(body::media_type(&self.parts.headers), &self.query, &bytes)?;
            self.server.patch(&mut context, path.kind, namespace, name, part, &patch).await?
        } else if *self.method() == Method::PUT {
            let decoded = body::decode(&self.parts.headers, &bytes, path.kind.type_())?;
            self.server.update(&mut context, path.kind, namespace, name, part, decoded).await?
        } else {
            return Err(Status::method_not_allowed());
        };
        let code = if created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = self.answer(code, path, form, encoding, &object);
        reply::warn(&mut response, &context.warnings);
        Ok(response)
    }

    async fn delete(&self, path: &ResourcePath, name: &str, body: Body) -> Result<Response<Body>> {
        let (_, encoding) = accept::objects_of(path.kind, &self.parts.headers, self.include()?)?;
        let bytes = body::read(body).await?;
        let options = DeleteOptions::parse(&self.decode_options(&bytes)?.value, &self.query)?;
        let mut context = self.context()?;
        context.dry_run |= options.dry_run;
        admission::namespace::may_delete(path.kind, name)?;
        let deleted: Deleted =
            self.server.delete(&context, path.kind, path.namespace.as_deref(), name, &options).await?;
        Ok(reply::encoded(StatusCode::OK, encoding, &deleted.into_value(path.kind)))
    }
}
