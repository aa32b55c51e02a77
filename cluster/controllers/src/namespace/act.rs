//! Lists and deletes what is in a namespace, and finalizes it.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, PostParams, Preconditions},
    core::{PartialObjectMeta, Request},
};
use serde_json::json;

use super::{
    Controller,
    decide::{Content, FINALIZER, Item, Plan},
};
use crate::{
    Error,
    objects::owner,
    runtime::{Key, Next, Resource, Served, all},
};

/// How soon to look again at what is on its way out.
const RECHECK: Duration = Duration::from_millis(500);
const PAGE: u32 = 500;

impl Controller {
    /// What is in the namespace, a page of each kind at most: the rest is seen the next time.
    pub(super) async fn content(&self, namespace: &str, served: &Served) -> Content {
        let kinds = served.resources.iter().filter(|resource| resource.namespaced && !is_view(resource));
        let lists = join_all(kinds.map(|resource| self.list(namespace, resource))).await;
        let mut content = Content::default();
        for list in lists {
            match list {
                Ok((_, items)) if items.is_empty() => {}
                Ok(kind) => content.kinds.push(kind),
                Err(failure) => content.failures.push(failure),
            }
        }
        content
    }

    async fn list(&self, namespace: &str, resource: &Resource) -> Result<(Resource, Vec<Item>), String> {
        let api = Api::<DynamicObject>::namespaced_with(self.context.client().clone(), namespace, &resource.api);
        let item = |object: PartialObjectMeta<DynamicObject>| Item {
            name: object.name_any(),
            uid: object.uid(),
            deleting: owner::is_deleting(&object.metadata),
            finalizers: object.finalizers().to_vec(),
        };
        let list = api.list_metadata(&ListParams::default().limit(PAGE)).await;
        let list = list.map_err(|error| format!("cannot list {}: {error}", resource.api.plural))?;
        Ok((resource.clone(), list.items.into_iter().map(item).collect()))
    }

    /// Deletes, tells, and finalizes once nothing is left.
    pub(super) async fn act(&self, namespace: &Namespace, plan: Plan) -> Result<Next, Error> {
        let name = namespace.name_any();
        all(plan.delete.iter().map(|(resource, items)| self.delete(&name, resource, items))).await?;
        let known = namespace.status.as_ref().and_then(|status| status.conditions.as_ref());
        if known != Some(&plan.conditions) {
            let patch = json!({"status": {"conditions": plan.conditions}});
            self.context.patch_status::<Namespace>(&Key::cluster(&name), &patch).await?;
        }
        if !plan.finalize {
            return Ok(Next::RequeueAfter(RECHECK));
        }
        self.finalize(namespace).await?;
        Ok(Next::AwaitChange)
    }

    async fn delete(&self, namespace: &str, resource: &Resource, items: &[Item]) -> Result<(), Error> {
        let api = Api::<DynamicObject>::namespaced_with(self.context.client().clone(), namespace, &resource.api);
        if resource.sweepable {
            let swept = api.delete_collection(&DeleteParams::background(), &ListParams::default()).await;
            return swept.map(drop).map_err(|source| failure("delete all", resource, namespace, "", source));
        }
        all(items.iter().map(|item| self.delete_one(&api, namespace, resource, item))).await
    }

    async fn delete_one(
        &self,
        api: &Api<DynamicObject>,
        namespace: &str,
        resource: &Resource,
        item: &Item,
    ) -> Result<(), Error> {
        let params =
            DeleteParams::background().preconditions(Preconditions { uid: item.uid.clone(), resource_version: None });
        match api.delete(&item.name, &params).await {
            // Gone, or another by that name: the next look tells.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            other => other.map(drop).map_err(|source| failure("delete", resource, namespace, &item.name, source)),
        }
    }

    async fn finalize(&self, namespace: &Namespace) -> Result<(), Error> {
        let name = namespace.name_any();
        let Some(mut fresh) = self.context.get::<Namespace>(&Key::cluster(&name)).await? else { return Ok(()) };
        if fresh.uid() != namespace.uid() {
            return Ok(());
        }
        if let Some(finalizers) = fresh.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        let fail = |source| Error::Request {
            verb: "finalize",
            kind: "Namespace".to_owned(),
            key: Key::cluster(&name),
            source,
        };
        let body = serde_json::to_vec(&fresh).map_err(|error| fail(kube::Error::SerdeError(error)))?;
        let request =
            Request::new("/api/v1/namespaces").replace_subresource("finalize", &name, &PostParams::default(), body);
        let request = request.map_err(|error| fail(kube::Error::BuildRequest(error)))?;
        match self.context.client().request::<Namespace>(request).await.map_err(fail) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }
}

fn failure(verb: &'static str, resource: &Resource, namespace: &str, name: &str, source: kube::Error) -> Error {
    Error::Request { verb, kind: resource.api.kind.clone(), key: Key::new(namespace, name), source }
}

/// Events of the newer group are the core ones under another name.
fn is_view(resource: &Resource) -> bool {
    resource.api.group == "events.k8s.io"
}
