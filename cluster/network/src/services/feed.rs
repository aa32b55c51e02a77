//! Watching Services and EndpointSlices.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::stream::{BoxStream, StreamExt};
use futures::{FutureExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;

use super::{ServiceFacts, ServiceKey, SliceFacts};

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct Model {
    services: BTreeMap<ServiceKey, ServiceFacts>,
    /// By service, then by the slice's own name.
    slices: BTreeMap<ServiceKey, BTreeMap<String, SliceFacts>>,
    /// Whose endpoints a slice holds, by the slice's own key.
    owners: BTreeMap<ServiceKey, ServiceKey>,
}

impl Model {
    pub(crate) fn service(&self, key: &ServiceKey) -> Option<&ServiceFacts> {
        self.services.get(key)
    }

    pub(crate) fn slices(&self, key: &ServiceKey) -> impl Iterator<Item = &SliceFacts> {
        self.slices.get(key).into_iter().flat_map(BTreeMap::values)
    }

    /// Takes a service up, or forgets it. Gives the key if that made a difference.
    pub(crate) fn set_service(&mut self, key: ServiceKey, facts: Option<ServiceFacts>) -> Option<ServiceKey> {
        if self.services.get(&key) == facts.as_ref() {
            return None;
        }
        match facts {
            Some(facts) => self.services.insert(key.clone(), facts),
            None => self.services.remove(&key),
        };
        Some(key)
    }

    /// Takes a slice up, or forgets it. Gives the services to look at: two, if it changed hands.
    pub(crate) fn set_slice(&mut self, key: ServiceKey, facts: Option<SliceFacts>) -> BTreeSet<ServiceKey> {
        let mut touched = BTreeSet::new();
        let old_owner = self.owners.get(&key).cloned();
        let new_owner = facts.as_ref().map(|facts| facts.service.clone());
        if let Some(old) = old_owner.filter(|old| Some(old) != new_owner.as_ref()) {
            if let Some(slices) = self.slices.get_mut(&old) {
                slices.remove(&key.name);
                if slices.is_empty() {
                    self.slices.remove(&old);
                }
            }
            self.owners.remove(&key);
            touched.insert(old);
        }
        if let Some(facts) = facts {
            let owner = facts.service.clone();
            let slices = self.slices.entry(owner.clone()).or_default();
            if slices.get(&key.name) != Some(&facts) {
                slices.insert(key.name.clone(), facts);
                self.owners.insert(key, owner.clone());
                touched.insert(owner);
            }
        }
        touched
    }
}

/// One kind's watch: what came in a list that is under way.
struct Watch<K> {
    events: BoxStream<'static, Event<K>>,
    listed: Option<BTreeSet<ServiceKey>>,
    complete: bool,
}

/// A change of one object; `None` when it is gone.
struct Change<K>(ServiceKey, Option<K>);

impl<K> Watch<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
{
    fn new(client: Client) -> Self {
        let config = watcher::Config::default().any_semantic();
        let events = watch(Api::<K>::all(client), config)
            .default_backoff()
            .inspect_err(|error| tracing::warn!(%error, "watching services failed; trying again"))
            .filter_map(|event| std::future::ready(event.ok()))
            .boxed();
        Self { events, listed: None, complete: false }
    }

    /// What an event changes. `known` are the objects of before, which a list may miss.
    fn digest<'a>(&mut self, event: Event<K>, known: impl Iterator<Item = &'a ServiceKey>) -> Vec<Change<K>> {
        match event {
            Event::Apply(object) => vec![Change(key_of(&object), Some(object))],
            Event::Delete(object) => vec![Change(key_of(&object), None)],
            Event::Init => {
                self.listed = Some(BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = key_of(&object);
                self.listed.get_or_insert_default().insert(key.clone());
                vec![Change(key, Some(object))]
            }
            Event::InitDone => {
                self.complete = true;
                let listed = self.listed.take().unwrap_or_default();
                let gone = known.filter(|key| !listed.contains(key));
                gone.map(|key| Change(key.clone(), None)).collect()
            }
        }
    }
}

fn key_of<K: kube::Resource>(object: &K) -> ServiceKey {
    ServiceKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// Both watches and what they told so far.
pub(crate) struct Feed {
    services: Watch<Service>,
    slices: Watch<EndpointSlice>,
    model: Model,
    touched: BTreeSet<ServiceKey>,
}

impl Feed {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            services: Watch::new(client.clone()),
            slices: Watch::new(client),
            model: Model::default(),
            touched: BTreeSet::new(),
        }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// Waits until something changed and gives the services to look at: all that is already
    /// there in one go. Says nothing before both kinds were listed, so that a fresh start does
    /// not tear down what is right. Losing its future loses nothing.
    pub(crate) async fn next(&mut self) -> BTreeSet<ServiceKey> {
        loop {
            self.wait().await;
            while self.wait().now_or_never().is_some() {}
            if self.services.complete && self.slices.complete {
                return std::mem::take(&mut self.touched);
            }
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            Some(event) = self.services.events.next() => {
                for Change(key, object) in self.services.digest(event, self.model.services.keys()) {
                    let facts = object.as_ref().map(ServiceFacts::read);
                    self.touched.extend(self.model.set_service(key, facts));
                }
            }
            Some(event) = self.slices.events.next() => {
                for Change(key, object) in self.slices.digest(event, self.model.owners.keys()) {
                    let facts = object.as_ref().and_then(SliceFacts::read);
                    self.touched.extend(self.model.set_slice(key, facts));
                }
            }
            else => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::ServiceType;

    fn key(name: &str) -> ServiceKey {
        ServiceKey { namespace: "n".to_owned(), name: name.to_owned() }
    }

    fn slice(service: &str) -> SliceFacts {
        SliceFacts { service: key(service), ports: Vec::new(), endpoints: Vec::new() }
    }

    #[test]
    fn a_slice_that_changes_hands_touches_both_services() {
        let mut model = Model::default();
        assert_eq!(model.set_slice(key("s"), Some(slice("a"))), [key("a")].into());
        assert!(model.set_slice(key("s"), Some(slice("a"))).is_empty());
        assert_eq!(model.set_slice(key("s"), Some(slice("b"))), [key("a"), key("b")].into());
        assert_eq!(model.slices(&key("a")).count(), 0);
        assert_eq!(model.slices(&key("b")).count(), 1);
        assert_eq!(model.set_slice(key("s"), None), [key("b")].into());
        assert!(model.set_slice(key("s"), None).is_empty());
        assert!(model.slices.is_empty() && model.owners.is_empty());
    }

    #[test]
    fn what_changes_nothing_touches_nothing() {
        let facts =
            ServiceFacts { address: ServiceType::Headless, ports: Vec::new(), sticky: None, publish_not_ready: false };
        let mut model = Model::default();
        assert!(model.set_service(key("a"), Some(facts.clone())).is_some());
        assert!(model.set_service(key("a"), Some(facts)).is_none());
        assert!(model.set_service(key("a"), None).is_some());
    }
}
