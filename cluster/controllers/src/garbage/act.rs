//! Reads what a decision rests on from the API, and carries it out.

use std::time::Duration;

use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kpkg_events::Severity;
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::{Value, json};

use super::{
    Shared,
    decide::{self, Dependent, Owner, Step},
    graph::Item,
};
use crate::{
    Error,
    runtime::{Key, Next, Resource},
};

/// Owners of kinds that are not served are asked for again after this.
const UNKNOWN_RETRY: Duration = Duration::from_secs(30);
/// Remembered absent owners. Forgetting them costs a request each.
const ABSENT_LIMIT: usize = 10_000;

impl Shared {
    /// Looks at one object and does what is due.
    pub(super) async fn collect(&self, uid: &str) -> Result<Next, Error> {
        let Some((item, dependents)) = self.observe(uid) else { return Ok(Next::AwaitChange) };
        let owners = self.owners(&item, uid).await?;
        if matches!(decide::decide(&item, &owners, &dependents), Step::Rest) {
            return Ok(Self::rest(&owners));
        }
        // The graph may lag behind: what is done is done by the object as it is now.
        let Some(resource) = self.resource(&item.group, &item.kind) else { return Ok(Next::AwaitChange) };
        let Some(meta) = self.read(&resource, &item, uid).await? else { return Ok(Next::AwaitChange) };
        let item = Item::of(&item.group, &item.kind, &meta);
        let owners = self.owners(&item, uid).await?;
        let step = decide::decide(&item, &owners, &dependents);
        self.carry_out(uid, &resource, &item, &meta, step).await?;
        Ok(Self::rest(&owners))
    }

    fn rest(owners: &[Owner]) -> Next {
        if owners.contains(&Owner::Unknown) { Next::RequeueAfter(UNKNOWN_RETRY) } else { Next::AwaitChange }
    }

    fn observe(&self, uid: &str) -> Option<(Item, Vec<Dependent>)> {
        let graph = self.graph.lock();
        let item = graph.get(uid)?.clone();
        let dependents = graph.dependents_of(uid).filter_map(|dependent| {
            let item = graph.get(&dependent)?;
            Some(Dependent {
                blocks: item.blocks(uid),
                deleting: item.deleting,
                waiting: item.waits_for_dependents(),
                uid: dependent,
            })
        });
        let dependents = dependents.collect();
        Some((item, dependents))
    }

    async fn owners(&self, item: &Item, uid: &str) -> Result<Vec<Owner>, Error> {
        let mut owners = Vec::with_capacity(item.owners.len());
        for reference in &item.owners {
            owners.push(self.owner(item, uid, reference).await?);
        }
        Ok(owners)
    }

    async fn owner(&self, item: &Item, uid: &str, reference: &OwnerReference) -> Result<Owner, Error> {
        let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
        let Some(resource) = self.resource(group, &reference.kind) else { return Ok(Owner::Unknown) };
        if resource.namespaced && item.namespace.is_empty() {
            self.complain(item, uid, reference);
            return Ok(Owner::Unknown);
        }
        let namespace = if resource.namespaced { item.namespace.as_str() } else { "" };
        let known = self.graph.lock().get(&reference.uid).cloned();
        if let Some(known) = known {
            if known.namespace == namespace && known.name == reference.name && known.kind == reference.kind {
                return Ok(if known.waits_for_dependents() { Owner::Waiting } else { Owner::Present });
            }
            self.complain(item, uid, reference);
        }
        if self.absent.lock().contains(&reference.uid) {
            return Ok(Owner::Absent);
        }
        let target = Item { namespace: namespace.to_owned(), name: reference.name.clone(), ..item.clone() };
        if self.read(&resource, &target, &reference.uid).await?.is_some() {
            return Ok(Owner::Present);
        }
        let mut absent = self.absent.lock();
        if absent.len() >= ABSENT_LIMIT {
            absent.clear();
        }
        absent.insert(reference.uid.clone());
        Ok(Owner::Absent)
    }

    /// An owner in another namespace than its dependent is no owner.
    fn complain(&self, item: &Item, uid: &str, reference: &OwnerReference) {
        let subject = ObjectReference {
            kind: Some(item.kind.clone()),
            name: Some(item.name.clone()),
            namespace: Some(item.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let message = format!(
            "ownerRef [{}/{}, namespace: {}, name: {}, uid: {}] does not exist in namespace \"{}\"",
            reference.api_version, reference.kind, item.namespace, reference.name, reference.uid, item.namespace
        );
        self.context.events().record(subject, Severity::Warning, "OwnerRefInvalidNamespace", message);
    }

    fn resource(&self, group: &str, kind: &str) -> Option<Resource> {
        self.served.lock().find(group, kind).cloned()
    }

    fn api(&self, resource: &Resource, namespace: &str) -> Api<DynamicObject> {
        let client = self.context.client().clone();
        if namespace.is_empty() {
            Api::all_with(client, &resource.api)
        } else {
            Api::namespaced_with(client, namespace, &resource.api)
        }
    }

    /// The metadata of the object at these coordinates, if it has this uid.
    async fn read(&self, resource: &Resource, at: &Item, uid: &str) -> Result<Option<ObjectMeta>, Error> {
        let found = self.api(resource, &at.namespace).get_metadata_opt(&at.name).await;
        let found = found.map_err(|source| failure("get", resource, at, source))?;
        Ok(found.map(|object| object.metadata).filter(|meta| meta.uid.as_deref() == Some(uid)))
    }

    async fn carry_out(
        &self,
        uid: &str,
        resource: &Resource,
        item: &Item,
        meta: &ObjectMeta,
        step: Step,
    ) -> Result<(), Error> {
        match step {
            Step::Rest => Ok(()),
            Step::KeepOwners(owners) => self.patch(resource, item, meta, json!({"ownerReferences": owners})).await,
            Step::Unfinalize(finalizer) => {
                let left: Vec<_> = item.finalizers.iter().filter(|known| *known != finalizer).collect();
                self.patch(resource, item, meta, json!({"finalizers": left})).await
            }
            Step::Await(dependents) => {
                self.wake(dependents);
                Ok(())
            }
            Step::Release(dependents) => {
                for dependent in dependents {
                    self.release(uid, &dependent).await?;
                }
                // The released ones wake this one, which is then free to go.
                self.queue.add_after(uid.to_owned(), Duration::from_millis(50));
                Ok(())
            }
            Step::Delete { policy, unblock } => {
                if unblock {
                    let mut owners = item.owners.clone();
                    for owner in &mut owners {
                        owner.block_owner_deletion = Some(false);
                    }
                    self.patch(resource, item, meta, json!({"ownerReferences": owners})).await?;
                }
                self.delete(resource, item, meta, policy, unblock).await
            }
        }
    }

    async fn release(&self, owner: &str, dependent: &str) -> Result<(), Error> {
        let Some(item) = self.graph.lock().get(dependent).cloned() else { return Ok(()) };
        let Some(resource) = self.resource(&item.group, &item.kind) else { return Ok(()) };
        let Some(meta) = self.read(&resource, &item, dependent).await? else { return Ok(()) };
        let owners: Vec<_> = meta.owner_references.iter().flatten().filter(|known| known.uid != owner).collect();
        self.patch(&resource, &item, &meta, json!({"ownerReferences": owners})).await
    }

    async fn patch(&self, resource: &Resource, item: &Item, meta: &ObjectMeta, mut change: Value) -> Result<(), Error> {
        change["uid"] = json!(meta.uid);
        change["resourceVersion"] = json!(meta.resource_version);
        let patch = Patch::Merge(json!({"metadata": change}));
        let api = self.api(resource, &item.namespace);
        let patched = api.patch_metadata(&item.name, &PatchParams::default(), &patch).await;
        match patched.map_err(|source| failure("patch", resource, item, source)) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    async fn delete(
        &self,
        resource: &Resource,
        item: &Item,
        meta: &ObjectMeta,
        policy: PropagationPolicy,
        changed: bool,
    ) -> Result<(), Error> {
        // An object that changed since it was judged is judged anew.
        let version = meta.resource_version.clone().filter(|_| !changed);
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() }
            .preconditions(Preconditions { uid: meta.uid.clone(), resource_version: version });
        let deleted = self.api(resource, &item.namespace).delete(&item.name, &params).await;
        match deleted.map_err(|source| failure("delete", resource, item, source)) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }
}

fn failure(verb: &'static str, resource: &Resource, item: &Item, source: kube::Error) -> Error {
    Error::Request { verb, kind: resource.api.kind.clone(), key: Key::new(&item.namespace, &item.name), source }
}
