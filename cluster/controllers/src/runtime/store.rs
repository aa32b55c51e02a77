//! The cache of one kind: one writer, any number of readers, indexes, and handlers of changes.
//!
//! kube's own reflector store is not used because it tells its subscribers neither of deletions
//! nor what an object was before, and a controller needs both: a pod that loses a label must wake
//! the set that it left.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    mem,
    sync::Arc,
};

use kube::{Resource, runtime::watcher::Event};
use parking_lot::RwLock;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::watch;

use super::Key;

/// What a kind must be capable of to be cached and written.
pub trait Kind:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
}
impl<K> Kind for K where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
}

/// A change of one object: at least one side is there.
#[derive(Debug)]
pub struct Change<K> {
    /// What it was; `None` if it is new.
    pub old: Option<Arc<K>>,
    /// What it is; `None` if it is gone.
    pub new: Option<Arc<K>>,
}

impl<K> Change<K> {
    /// The object as it is, or as it last was.
    ///
    /// # Panics
    /// Never: [`Store`] makes no change without an object.
    pub fn latest(&self) -> &Arc<K> {
        self.new.as_ref().or(self.old.as_ref()).expect("a change has at least one side")
    }

    /// The old and the new object, as far as they are there.
    pub fn sides(&self) -> impl Iterator<Item = &Arc<K>> {
        self.old.iter().chain(self.new.iter())
    }
}

type Handler<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;
type IndexFn<K> = fn(&K) -> Vec<String>;

/// The cache of one kind.
pub struct Store<K> {
    cache: RwLock<Cache<K>>,
    handlers: RwLock<Vec<Handler<K>>>,
    synced: watch::Sender<bool>,
}

struct Cache<K> {
    objects: HashMap<Key, Arc<K>>,
    /// Objects of a listing that has not come to its end.
    listing: HashMap<Key, Arc<K>>,
    indexes: HashMap<&'static str, Index<K>>,
}

struct Index<K> {
    values_of: IndexFn<K>,
    entries: HashMap<String, BTreeMap<Key, Arc<K>>>,
}

const BY_NAMESPACE: &str = "namespace";
const BY_CONTROLLER: &str = "controller";

fn namespace_of<K: Kind>(object: &K) -> Vec<String> {
    object.meta().namespace.clone().into_iter().collect()
}

/// The controlling owner's uid, or that this is an orphan of its namespace.
fn controller_of<K: Kind>(object: &K) -> Vec<String> {
    let owners = object.meta().owner_references.iter().flatten();
    let controller = owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.clone()).next();
    vec![controller.unwrap_or_else(|| orphans_of(object.meta().namespace.as_deref().unwrap_or("")))]
}

fn orphans_of(namespace: &str) -> String {
    // A uid holds no slash.
    format!("orphan/{namespace}")
}

impl<K: Kind> Default for Store<K> {
    fn default() -> Self {
        let store = Self {
            cache: RwLock::new(Cache { objects: HashMap::new(), listing: HashMap::new(), indexes: HashMap::new() }),
            handlers: RwLock::new(Vec::new()),
            synced: watch::Sender::new(false),
        };
        store.index(BY_NAMESPACE, namespace_of);
        store.index(BY_CONTROLLER, controller_of);
        store
    }
}

impl<K: Kind> Store<K> {
    /// Adds an index. Objects already here are indexed too; a second call by the same name is void.
    pub fn index(&self, name: &'static str, values_of: IndexFn<K>) {
        let mut cache = self.cache.write();
        if cache.indexes.contains_key(name) {
            return;
        }
        let mut index = Index { values_of, entries: HashMap::new() };
        for (key, object) in &cache.objects {
            index.insert(key, object);
        }
        cache.indexes.insert(name, index);
    }

    /// Calls `handler` at every change from now on, after the store has taken it in.
    pub fn on_change(&self, handler: impl Fn(&Change<K>) + Send + Sync + 'static) {
        self.handlers.write().push(Box::new(handler));
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.cache.read().objects.get(key).cloned()
    }

    /// All objects, in no order.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.cache.read().objects.values().cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cache.read().objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The objects that an index files under `value`, ordered by key.
    ///
    /// # Panics
    /// If no index has that name: a mistake of the caller that the first test shows.
    pub fn indexed(&self, index: &str, value: &str) -> Vec<Arc<K>> {
        let cache = self.cache.read();
        let index = cache.indexes.get(index).expect("the index was added before it is read");
        index.entries.get(value).map(|entries| entries.values().cloned().collect()).unwrap_or_default()
    }

    /// The objects of one namespace, ordered by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.indexed(BY_NAMESPACE, namespace)
    }

    /// The objects whose controlling owner has this uid, ordered by key.
    pub fn controlled_by(&self, uid: &str) -> Vec<Arc<K>> {
        self.indexed(BY_CONTROLLER, uid)
    }

    /// The objects of one namespace that no controller owns, ordered by name.
    pub fn orphans(&self, namespace: &str) -> Vec<Arc<K>> {
        self.indexed(BY_CONTROLLER, &orphans_of(namespace))
    }

    /// Becomes true when the first listing is in.
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.subscribe()
    }

    /// Takes in what the watcher says and tells the handlers. Called by one task only.
    pub fn apply(&self, event: Event<K>) {
        let changes = self.take_in(event);
        let handlers = self.handlers.read();
        for change in changes {
            for handler in handlers.iter() {
                handler(&change);
            }
        }
    }

    fn take_in(&self, event: Event<K>) -> Vec<Change<K>> {
        let mut cache = self.cache.write();
        match event {
            Event::Apply(object) => {
                let key = Key::of(&object);
                vec![cache.insert(key, Arc::new(object))]
            }
            Event::Delete(object) => {
                let old = cache.remove(&Key::of(&object));
                // The watch carries the last state, which may be newer than what is cached.
                old.map(|_| Change { old: Some(Arc::new(object)), new: None }).into_iter().collect()
            }
            Event::Init => {
                cache.listing = HashMap::new();
                Vec::new()
            }
            Event::InitApply(object) => {
                cache.listing.insert(Key::of(&object), Arc::new(object));
                Vec::new()
            }
            Event::InitDone => {
                let changes = cache.replace();
                drop(cache);
                self.synced.send_replace(true);
                changes
            }
        }
    }
}

// === impl Cache ===

impl<K: Kind> Cache<K> {
    fn insert(&mut self, key: Key, object: Arc<K>) -> Change<K> {
        let old = self.objects.insert(key.clone(), object.clone());
        for index in self.indexes.values_mut() {
            if let Some(old) = &old {
                index.remove(&key, old);
            }
            index.insert(&key, &object);
        }
        Change { old, new: Some(object) }
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<K>> {
        let old = self.objects.remove(key)?;
        for index in self.indexes.values_mut() {
            index.remove(key, &old);
        }
        Some(old)
    }

    /// Makes the finished listing the content, and says what that changed.
    fn replace(&mut self) -> Vec<Change<K>> {
        let listing = mem::take(&mut self.listing);
        let gone: Vec<Key> = self.objects.keys().filter(|key| !listing.contains_key(key)).cloned().collect();
        let mut changes: Vec<Change<K>> =
            gone.iter().filter_map(|key| self.remove(key)).map(|old| Change { old: Some(old), new: None }).collect();
        for (key, object) in listing {
            let known = self.objects.get(&key).map(|old| old.meta().resource_version.clone());
            if known.as_ref() != Some(&object.meta().resource_version) {
                changes.push(self.insert(key, object));
            }
        }
        changes
    }
}

// === impl Index ===

impl<K: Kind> Index<K> {
    fn insert(&mut self, key: &Key, object: &Arc<K>) {
        for value in (self.values_of)(object) {
            self.entries.entry(value).or_default().insert(key.clone(), object.clone());
        }
    }

    fn remove(&mut self, key: &Key, object: &Arc<K>) {
        for value in (self.values_of)(object) {
            let Some(entries) = self.entries.get_mut(&value) else {
                continue;
            };
            entries.remove(key);
            if entries.is_empty() {
                self.entries.remove(&value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::Pod,
        apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
    };
    use parking_lot::Mutex;

    use super::*;

    fn pod(name: &str, version: &str, owner: Option<&str>) -> Pod {
        let owner = owner
            .map(|uid| vec![OwnerReference { uid: uid.into(), controller: Some(true), ..OwnerReference::default() }]);
        Pod {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("ns".into()),
                resource_version: Some(version.into()),
                owner_references: owner,
                ..ObjectMeta::default()
            },
            ..Pod::default()
        }
    }

    fn names(pods: &[Arc<Pod>]) -> Vec<&str> {
        pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect()
    }

    #[test]
    fn indexes_follow_the_objects() {
        let store = Store::<Pod>::default();
        store.apply(Event::Apply(pod("a", "1", None)));
        store.apply(Event::Apply(pod("b", "2", Some("u"))));
        assert_eq!(names(&store.orphans("ns")), ["a"]);
        assert_eq!(names(&store.controlled_by("u")), ["b"]);
        store.apply(Event::Apply(pod("a", "3", Some("u"))));
        assert_eq!(names(&store.controlled_by("u")), ["a", "b"]);
        assert!(store.orphans("ns").is_empty());
        store.apply(Event::Delete(pod("b", "4", Some("u"))));
        assert_eq!(names(&store.controlled_by("u")), ["a"]);
        assert_eq!(names(&store.in_namespace("ns")), ["a"]);
    }

    #[test]
    fn a_new_listing_tells_what_changed_and_what_went() {
        let store = Store::<Pod>::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        store.on_change(move |change| {
            let version = |pod: &Arc<Pod>| pod.metadata.resource_version.clone().unwrap_or_default();
            log.lock().push((change.old.as_ref().map(version), change.new.as_ref().map(version)));
        });
        for (name, version) in [("a", "1"), ("b", "2"), ("c", "3")] {
            store.apply(Event::Apply(pod(name, version, None)));
        }
        seen.lock().clear();
        assert!(!*store.synced().borrow());
        store.apply(Event::Init);
        store.apply(Event::InitApply(pod("a", "1", None)));
        store.apply(Event::InitApply(pod("b", "5", None)));
        assert_eq!(store.len(), 3, "a listing counts only when it is whole");
        store.apply(Event::InitDone);
        let mut changes = seen.lock().clone();
        changes.sort();
        assert_eq!(changes, [(Some("2".into()), Some("5".into())), (Some("3".into()), None)]);
        assert!(*store.synced().borrow());
    }
}
