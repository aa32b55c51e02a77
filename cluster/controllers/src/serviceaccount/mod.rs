//! Gives every namespace what its pods take for granted: the `default` service account and the
//! ConfigMap with the cluster's certificate authority.

mod act;
mod decide;

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::runtime::watcher;

use crate::{
    Error,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Store},
};

const WORKERS: usize = 4;

struct Controller {
    context: Context,
    ca_pem: String,
    namespaces: Arc<Store<Namespace>>,
    accounts: Arc<Store<ServiceAccount>>,
    bundles: Arc<Store<ConfigMap>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine, ca_pem: &str) {
    let queue = Arc::new(Queue::default());
    let namespaces = machine.informers.store::<Namespace>();
    let accounts = machine.informers.store::<ServiceAccount>();
    let only_ours = watcher::Config::default().fields(&format!("metadata.name={}", decide::ROOT_CA));
    let bundles = machine.informers.store_of::<ConfigMap>(only_ours);
    let wake = queue.clone();
    namespaces.on_change(move |change| wake.add(Key::of(&**change.latest())));
    let wake = queue.clone();
    accounts.on_change(move |change| wake_namespace(&wake, &Key::of(&**change.latest())));
    let wake = queue.clone();
    bundles.on_change(move |change| wake_namespace(&wake, &Key::of(&**change.latest())));
    let context = machine.context.clone();
    let controller = Controller { context, ca_pem: ca_pem.to_owned(), namespaces, accounts, bundles };
    machine.control(controller, &queue, WORKERS);
}

fn wake_namespace(queue: &Queue<Key>, object: &Key) {
    if matches!(&*object.name, decide::DEFAULT_ACCOUNT | decide::ROOT_CA) {
        queue.add(Key::cluster(&object.namespace));
    }
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let observed = decide::Observed {
            namespace: self.namespaces.get(key),
            account: self.accounts.get(&Key::new(&key.name, decide::DEFAULT_ACCOUNT)),
            bundle: self.bundles.get(&Key::new(&key.name, decide::ROOT_CA)),
            ca_pem: &self.ca_pem,
        };
        for action in decide::decide(&observed) {
            self.act(&key.name, action).await?;
        }
        Ok(Next::AwaitChange)
    }
}
