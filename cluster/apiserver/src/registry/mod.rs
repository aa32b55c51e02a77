//! The objects, and everything that can be done to them. Knows no HTTP.
//!
//! One file per verb. A write goes: conform -> default -> admit -> prepare (strategy) -> validate -> store. A write that
//! loses a race is made anew from what won, unless the client said which version it wants to replace.

mod context;
mod create;
mod delete;
mod list;
mod metadata;
mod model;
mod modify;
mod patch;
mod update;
mod view;
mod watch;

pub(crate) use context::{Context, is_dry_run};
pub(crate) use delete::{DeleteOptions, Deleted};
pub(crate) use list::{ListOptions, Selection};
pub(crate) use metadata::{bump_generation, suffix as random_suffix};
pub(crate) use model::Model;
pub(crate) use modify::{Modified, Step};
pub(crate) use patch::{Patch, refusal};
pub(crate) use update::{Make, Part};
pub(crate) use view::{is_own, shown, stored_kind};
pub(crate) use watch::{Initial, WatchOptions};

use crate::{
    ApiServer,
    failure::Result,
    shelf::{Object, Shelf},
};
use kpkg_api::{
    schema::{self, Kind},
    status::Status,
};
use kpkg_store::Store;
use std::{
    collections::HashMap,
    ptr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// The shelves of all kinds.
pub(crate) struct Registry {
    shelves: Vec<Arc<Shelf>>,
    /// Those of custom kinds by group and plural: all versions have one.
    customs: Mutex<HashMap<(&'static str, &'static str), Arc<Shelf>>>,
    make: Box<dyn Fn(&'static Kind) -> Arc<Shelf> + Send + Sync>,
}

impl Registry {
    pub(crate) fn new(store: &Arc<dyn Store>, shutdown: &CancellationToken) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let (store, shutdown) = (store.clone(), shutdown.clone());
        let make = move |kind| Arc::new(Shelf::new(kind, store.clone(), runtime.clone(), shutdown.clone()));
        Self { shelves: schema::kinds().iter().map(&make).collect(), customs: Mutex::default(), make: Box::new(make) }
    }

    /// Where objects of a kind are kept. A kind that is a view of another has no shelf of its own.
    pub(crate) fn shelf(&self, kind: &'static Kind) -> Arc<Shelf> {
        if kind.custom {
            let mut customs = self.customs.lock().unwrap_or_else(PoisonError::into_inner);
            return customs.entry((kind.group, kind.plural)).or_insert_with(|| (self.make)(kind)).clone();
        }
        let kind = stored_kind(kind);
        self.shelves.iter().find(|shelf| ptr::eq(shelf.kind, kind)).expect("every kind has a shelf").clone()
    }
}

impl ApiServer {
    /// The schema of a kind.
    pub(crate) fn model(&self, kind: &'static Kind) -> Result<Model> {
        if !kind.custom {
            return Ok(Model::BuiltIn(kind));
        }
        // Its definition may be gone since the request came.
        self.catalogs.current().custom(kind).cloned().map(Model::Custom).ok_or_else(Status::path_not_found)
    }

    pub(crate) fn shelf(&self, kind: &'static Kind) -> Arc<Shelf> {
        self.registry.shelf(kind)
    }

    /// The store's newest revision.
    pub(crate) async fn current_revision(&self) -> Result<i64> {
        self.shelf(well_known("", "Namespace")).current_revision().await
    }

    /// An object; fails if there is none.
    pub(crate) async fn get(&self, kind: &'static Kind, namespace: Option<&str>, name: &str) -> Result<Arc<Object>> {
        self.find(kind, namespace, name).await?.ok_or_else(|| not_found(kind, name))
    }

    /// An object, if there is one.
    pub(crate) async fn find(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<Object>>> {
        let shelf = self.shelf(kind);
        shelf.get(&shelf.key(namespace, name)).await
    }
}

/// A served kind that this crate knows of.
pub(crate) fn well_known(group: &str, kind: &str) -> &'static Kind {
    schema::kind(group, "v1", kind).expect("the kind is served")
}

pub(crate) fn not_found(kind: &Kind, name: &str) -> Status {
    Status::not_found(kind.group, kind.plural, name)
}
