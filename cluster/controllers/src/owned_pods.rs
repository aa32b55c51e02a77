//! The pods of one owner, a set or a job: who is woken when one changes, how one is made and how one is deleted.

use std::future::Future;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::ResourceExt;

use crate::{
    Error,
    objects::{claim, owner, template},
    runtime::{Change, Context, Expectations, Key, Kind, Queue, Store},
};

/// Strikes what was expected off the list, and wakes the owner that has the pod, that had it, or that might adopt it.
pub(crate) fn changed<K: Kind>(
    change: &Change<Pod>,
    owners: &Store<K>,
    selector: impl Fn(&K) -> Option<&LabelSelector>,
    queue: &Queue<Key>,
    expectations: &Expectations,
) {
    for pod in change.sides() {
        let Some(name) = owner::controller_name::<K>(&pod.metadata) else { continue };
        let key = Key::new(pod.metadata.namespace.as_deref().unwrap_or(""), name);
        expectations.born(&key, &pod.name_any());
        if change.new.is_none() || owner::is_deleting(&pod.metadata) {
            expectations.dead(&key, pod.metadata.uid.as_deref().unwrap_or(""));
        }
        queue.add(key);
    }
    if let Some(orphan) = change.new.as_ref().filter(|pod| owner::controller_of(&pod.metadata).is_none()) {
        for candidate in owners.in_namespace(orphan.metadata.namespace.as_deref().unwrap_or("")) {
            if selector(&*candidate).is_some_and(|selector| claim::matcher(selector)(orphan.labels())) {
                queue.add(Key::of(&*candidate));
            }
        }
    }
}

/// What a controller makes and deletes pods with.
pub(crate) struct OwnedPods<'a> {
    pub(crate) context: &'a Context,
    pub(crate) pods: &'a Store<Pod>,
    pub(crate) expectations: &'a Expectations,
}

impl OwnedPods<'_> {
    /// Makes `pod` under a name that begins with `prefix`.
    pub(crate) async fn create<K: Kind>(&self, set: &K, prefix: String, mut pod: Pod) -> Result<(), Error> {
        let (key, name) = (Key::of(set), template::random_name(&prefix, &mut rand::rng()));
        pod.metadata.generate_name = Some(prefix);
        pod.metadata.name = Some(name.clone());
        self.expectations.expect_birth(&key, &name);
        let events = self.context.events();
        match self.context.create(&pod).await {
            Ok(_) => {
                events.normal(set, "SuccessfulCreate", format!("Created pod: {name}"));
                Ok(())
            }
            Err(error) => {
                self.expectations.born(&key, &name);
                // The namespace's end takes the owner with it.
                if error.is_namespace_terminating() {
                    return Ok(());
                }
                events.warning(set, "FailedCreate", format!("Error creating: {}", error.outward()));
                Err(error)
            }
        }
    }

    /// Deletes `pod`, once `first` is done.
    pub(crate) async fn delete<K: Kind>(
        &self,
        set: &K,
        pod: &Pod,
        first: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let (key, uid, name) = (Key::of(set), pod.uid().unwrap_or_default(), pod.name_any());
        self.expectations.expect_death(&key, &uid);
        // What the cache showed between the decision and the line above is struck off by nobody.
        let current = self.pods.get(&Key::of(pod)).filter(|current| current.metadata.uid == pod.metadata.uid);
        if current.is_none_or(|current| owner::is_deleting(&current.metadata)) {
            self.expectations.dead(&key, &uid);
            return Ok(());
        }
        let deleted = match first.await {
            Ok(()) => self.context.delete(pod).await,
            Err(error) => Err(error),
        };
        let events = self.context.events();
        match deleted {
            Ok(()) => {
                events.normal(set, "SuccessfulDelete", format!("Deleted pod: {name}"));
                Ok(())
            }
            Err(error) => {
                self.expectations.dead(&key, &uid);
                events.warning(set, "FailedDelete", format!("Error deleting: {}", error.outward()));
                Err(error)
            }
        }
    }
}
