//! Makes and removes the local volumes of `kpkg.dev/local-path`.
//!
//! A volume is a folder under one root on the node, published as a host path that is bound to the
//! node. Several pods on the node may share it, so any access mode is granted. The requested size
//! is not enforced.

mod act;
mod decide;
mod folder;

use std::{path::Path, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{Node, PersistentVolume, PersistentVolumeClaim},
        storage::v1::StorageClass,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use super::facts;
use crate::{
    Error,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

/// The name in a class's `provisioner`.
const NAME: &str = "kpkg.dev/local-path";
const WORKERS: usize = 4;

struct Provisioner {
    context: Context,
    root: Arc<Path>,
    claims: Arc<Store<PersistentVolumeClaim>>,
    volumes: Arc<Store<PersistentVolume>>,
    classes: Arc<Store<StorageClass>>,
    nodes: Arc<Store<Node>>,
}

struct Reclaimer {
    context: Context,
    root: Arc<Path>,
    volumes: Arc<Store<PersistentVolume>>,
}

/// Adds both controllers to the machine, and makes the storage class.
pub(super) fn start(machine: &mut Machine, root: &Path, storage_class: Option<&str>) {
    let root: Arc<Path> = std::path::absolute(root).unwrap_or_else(|_| root.to_owned()).into();
    let context = machine.context.named(NAME);
    if let Some(name) = storage_class {
        machine.attend(ensure_class(context.clone(), class(name)));
    }
    let informers = &machine.informers;
    let claims = informers.store::<PersistentVolumeClaim>();
    let volumes = informers.store::<PersistentVolume>();
    let (classes, nodes) = (informers.store::<StorageClass>(), informers.store::<Node>());
    let queue = Arc::new(Queue::default());
    let wake = queue.clone();
    claims.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let all = volumes.clone();
    let provisioner =
        Provisioner { context: context.clone(), root: root.clone(), claims, volumes: all, classes, nodes };
    machine.control(provisioner, &queue, WORKERS);

    let queue = Arc::new(Queue::default());
    let wake = queue.clone();
    volumes.on_change(move |change| wake.add(Key::of(&**change.latest())));
    machine.control(Reclaimer { context, root, volumes }, &queue, WORKERS);
}

impl Reconcile for Provisioner {
    type Key = Key;

    fn name(&self) -> &'static str {
        "local-path-provisioner"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(claim) = self.claims.get(key) else { return Ok(Next::AwaitChange) };
        let observed = decide::Observed {
            volume: self.volumes.get(&Key::cluster(&decide::volume_name(&claim))),
            class: self.classes.get(&Key::cluster(facts::claim_class(&claim))),
            nodes: self.nodes.all(),
            root: &self.root,
            claim,
        };
        let step = decide::decide(&observed);
        self.act(&observed.claim, step).await?;
        Ok(Next::AwaitChange)
    }
}

impl Reconcile for Reclaimer {
    type Key = Key;

    fn name(&self) -> &'static str {
        "local-path-reclaimer"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(volume) = self.volumes.get(key) else { return Ok(Next::AwaitChange) };
        if let Some(folder) = decide::to_remove(&volume, &self.root) {
            self.reclaim(&volume, folder).await?;
        }
        Ok(Next::AwaitChange)
    }
}

/// The storage class under which this provisioner is asked for.
fn class(name: &str) -> StorageClass {
    StorageClass {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            annotations: Some([("storageclass.kubernetes.io/is-default-class".to_owned(), "true".to_owned())].into()),
            ..ObjectMeta::default()
        },
        provisioner: NAME.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    }
}

async fn ensure_class(context: Context, class: StorageClass) {
    loop {
        match context.create(&class).await {
            Err(error) if !error.is_already_exists() => {
                tracing::warn!(%error, class = class.name_any(), "storage class not made; will be retried");
            }
            _ => return,
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}
