//! Collections: list, watch, create, delete all.

use super::{Call, method_not_allowed, stream};
use crate::{
    accept::{self, Encoding, Form, Include},
    body,
    failure::Result,
    path::ResourcePath,
    registry::{DeleteOptions, ListOptions, Selection, WatchOptions},
    reply, show,
};
use axum::body::Body;
use http::{Method, Response, StatusCode};
use kpkg_api::status::Status;
use serde_json::{Map, Value, json};

impl Call<'_> {
    pub(super) async fn collection(&mut self, path: &ResourcePath, body: Body) -> Result<Response<Body>> {
        let verbs = path.kind.verbs;
        match *self.method() {
            Method::GET | Method::HEAD if self.query.flag("watch") && verbs.contains(&"watch") => {
                self.watch(path).await
            }
            Method::GET | Method::HEAD if verbs.contains(&"list") => self.list(path).await,
            Method::POST if path.kind.namespaced == path.namespace.is_some() => self.create(path, body).await,
            Method::DELETE
                if verbs.contains(&"deletecollection") && path.kind.namespaced == path.namespace.is_some() =>
            {
                self.delete_collection(path, body).await
            }
            _ => method_not_allowed(),
        }
    }

    /// How much of the object goes with a table's row.
    pub(crate) fn include(&self) -> Result<Include> {
        match self.query.text("includeObject") {
            "" | "Metadata" => Ok(Include::Metadata),
            "None" => Ok(Include::None),
            "Object" => Ok(Include::Object),
            other => Err(Status::bad_request(format!("unrecognized includeObject value: {other}"))),
        }
    }

    async fn list(&self, path: &ResourcePath) -> Result<Response<Body>> {
        let (form, encoding) = accept::objects_of(path.kind, &self.parts.headers, self.include()?)?;
        let selection = Selection::parse(path.kind, &self.query)?;
        let options = ListOptions::parse(&self.query)?;
        let listed = self.server.list(path.kind, path.namespace.as_deref(), &selection, &options).await?;
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), listed.revision.to_string().into());
        if let Some(token) = listed.next {
            metadata.insert("continue".to_owned(), token.into());
        }
        if let Some(remaining) = listed.remaining {
            metadata.insert("remainingItemCount".to_owned(), remaining.into());
        }
        if encoding != Encoding::Json && form == Form::Object {
            let items: Vec<Value> = listed
                .objects
                .iter()
                .map(|object| crate::registry::shown(path.kind, &object.value).into_owned())
                .collect();
            let list = json!({
                "kind": format!("{}List", path.kind.kind),
                "apiVersion": path.kind.api_version(),
                "metadata": metadata,
                "items": items,
            });
            return Ok(reply::encoded(StatusCode::OK, encoding, &list));
        }
        let body = show::list(&self.server.view(path.kind), form, &listed.objects, Value::Object(metadata));
        Ok(reply::json_bytes(StatusCode::OK, body))
    }

    async fn watch(&self, path: &ResourcePath) -> Result<Response<Body>> {
        let form = accept::watch(&self.parts.headers, self.include()?)?;
        let selection = Selection::parse(path.kind, &self.query)?;
        let options = WatchOptions::parse(&self.query)?;
        let begun = self.server.watch(path.kind, path.namespace.as_deref(), &selection, &options).await;
        let prefix = path.namespace.clone();
        Ok(stream::response(
            stream::Watch { view: self.server.view(path.kind), namespace: prefix, form, selection, options },
            begun,
        ))
    }

    async fn create(&mut self, path: &ResourcePath, body: Body) -> Result<Response<Body>> {
        if !path.kind.verbs.contains(&"create") {
            return method_not_allowed();
        }
        let (form, encoding) = accept::objects_of(path.kind, &self.parts.headers, self.include()?)?;
        let mut context = self.context()?;
        let decoded = self.decode(body, path.kind.type_()).await?;
        if path.kind.is("", "Binding") {
            return crate::subresource::bind_by_collection(self, &context, path, decoded).await;
        }
        let created = self.server.create(&mut context, path.kind, path.namespace.as_deref(), decoded).await?;
        let mut response = self.answer(StatusCode::CREATED, path, form, encoding, &created);
        reply::warn(&mut response, &context.warnings);
        Ok(response)
    }

    async fn delete_collection(&self, path: &ResourcePath, body: Body) -> Result<Response<Body>> {
        let bytes = body::read(body).await?;
        let options = DeleteOptions::parse(&self.decode_options(&bytes)?.value, &self.query)?;
        let mut context = self.context()?;
        context.dry_run |= options.dry_run;
        let selection = Selection::parse(path.kind, &self.query)?;
        let namespace = path.namespace.as_deref();
        let deleted = self.server.delete_collection(&context, path.kind, namespace, &selection, &options).await?;
        let body = show::list(&self.server.view(path.kind), Form::Object, &deleted, json!({}));
        Ok(reply::json_bytes(StatusCode::OK, body))
    }
}
