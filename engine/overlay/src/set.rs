//! The resources of a build, in the order they were read.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::error::{Error, Result};
use crate::id::Id;
use crate::kustomization::Selector;
use crate::resource::{Behavior, Resource};
use crate::selector::Matcher;

/// Resources, one per identity.
///
/// **Invariant:** `append` refuses a second resource of one identity. Transformers may break this for a moment; those
/// that change names check it themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResourceSet {
    list: Vec<Resource>,
    /// Places by a hash of each present and former name; dropped when names may have changed.
    index: Option<HashMap<u64, Vec<usize>>>,
}

fn hash(id: &Id<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (id.kind, id.group, id.version, id.name).hash(&mut hasher);
    hasher.finish()
}

impl ResourceSet {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.list.iter()
    }

    pub(crate) fn as_slice(&self) -> &[Resource] {
        &self.list
    }

    /// The resources, to change them in any way.
    pub(crate) fn list_mut(&mut self) -> &mut Vec<Resource> {
        self.index = None;
        &mut self.list
    }

    /// One resource, to change anything but what it is called.
    pub(crate) fn content_mut(&mut self, at: usize) -> &mut Resource {
        &mut self.list[at]
    }

    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    fn index(&mut self) -> &HashMap<u64, Vec<usize>> {
        let list = &self.list;
        self.index.get_or_insert_with(|| {
            let mut index: HashMap<u64, Vec<usize>> = HashMap::with_capacity(list.len());
            for (at, resource) in list.iter().enumerate() {
                add_to(&mut index, at, resource);
            }
            index
        })
    }

    /// Places of resources that are or were called so.
    pub(crate) fn find(&mut self, id: &Id<'_>) -> Vec<usize> {
        let places = self.index().get(&hash(id)).cloned().unwrap_or_default();
        let named = |at: &usize| {
            let resource: &Resource = &self.list[*at];
            resource.id().same(id) || resource.former_ids().any(|former| former.same(id))
        };
        places.into_iter().filter(named).collect()
    }

    /// The one resource that is or was called so.
    pub(crate) fn find_one(&mut self, id: &Id<'_>) -> Result<usize> {
        match *self.find(id) {
            [at] => Ok(at),
            [] => Err(Error::Target { id: id.to_string(), count: "no" }),
            _ => Err(Error::Target { id: id.to_string(), count: "multiple" }),
        }
    }

    /// Places of resources that are or were called so, whatever their namespace.
    pub(crate) fn find_in_any_namespace(&mut self, id: &Id<'_>) -> Vec<usize> {
        let places = self.index().get(&hash(id)).cloned().unwrap_or_default();
        let named = |at: &usize| {
            let resource: &Resource = &self.list[*at];
            resource.id().same_but_namespace(id) || resource.former_ids().any(|former| former.same_but_namespace(id))
        };
        places.into_iter().filter(named).collect()
    }

    /// Adds a resource; there must be none of its identity.
    pub(crate) fn append(&mut self, resource: Resource) -> Result<()> {
        let id = resource.id();
        let places = self.index().get(&hash(&id)).cloned().unwrap_or_default();
        if places.iter().any(|at| self.list[*at].id().same(&id)) {
            return Err(Error::Duplicate(id.to_string()));
        }
        self.push(resource);
        Ok(())
    }

    fn push(&mut self, resource: Resource) {
        if let Some(index) = &mut self.index {
            add_to(index, self.list.len(), &resource);
        }
        self.list.push(resource);
    }

    /// Adds resources.
    pub(crate) fn append_all(&mut self, resources: impl IntoIterator<Item = Resource>) -> Result<()> {
        resources.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Adds generated resources, each as its behaviour says.
    pub(crate) fn absorb_all(&mut self, resources: impl IntoIterator<Item = Resource>) -> Result<()> {
        resources.into_iter().try_for_each(|resource| self.absorb(resource))
    }

    fn absorb(&mut self, mut resource: Resource) -> Result<()> {
        let behavior = resource.memory.behavior;
        let id = resource.id();
        match *self.find(&id) {
            [] if matches!(behavior, Behavior::Merge | Behavior::Replace) => {
                Err(Error::Merge(format!("id {id} does not exist; cannot merge or replace")))
            }
            [] => self.append(resource),
            [at] => {
                let old = &self.list[at];
                match behavior {
                    Behavior::Replace => resource.inherit(old)?,
                    Behavior::Merge => {
                        resource.inherit(old)?;
                        if old.memory.origin.is_some() {
                            resource.memory.origin.clone_from(&old.memory.origin);
                        }
                        resource.merge_data(old, "data")?;
                        resource.merge_data(old, "binaryData")?;
                    }
                    _ => {
                        return Err(Error::Merge(format!(
                            "id {id} exists; can not use behavior: '{}', behavior must be merge or replace",
                            behavior.name()
                        )));
                    }
                }
                self.index = None;
                self.list[at] = resource;
                Ok(())
            }
            ref places => {
                Err(Error::Merge(format!("found multiple objects ({}) that could accept merge of {id}", places.len())))
            }
        }
    }

    /// Places of the resources that a selector selects.
    pub(crate) fn select(&self, selector: &Selector) -> Result<Vec<usize>> {
        let matcher = Matcher::new(selector)?;
        let mut selected = Vec::new();
        for (at, resource) in self.list.iter().enumerate() {
            if matcher.matches(resource)? {
                selected.push(at);
            }
        }
        Ok(selected)
    }

    /// Drops resources that were emptied.
    pub(crate) fn drop_empty(&mut self) {
        let before = self.list.len();
        self.list.retain(|resource| !resource.node.is_empty());
        if self.list.len() != before {
            self.index = None;
        }
    }
}

fn add_to(index: &mut HashMap<u64, Vec<usize>>, at: usize, resource: &Resource) {
    for id in resource.former_ids().chain([resource.id()]) {
        let places = index.entry(hash(&id)).or_default();
        if places.last() != Some(&at) {
            places.push(at);
        }
    }
}
