//! Ends namespaces: deletes all that is in one on its way out, then lets it go.

mod act;
mod decide;

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;

use crate::{
    Error,
    runtime::{Context, Key, Machine, Next, Queue, Reconcile, Served, Store},
};

const WORKERS: usize = 10;

struct Controller {
    context: Context,
    namespaces: Arc<Store<Namespace>>,
}

/// Adds the controller to the machine.
pub(crate) fn start(machine: &mut Machine) {
    let queue = Arc::new(Queue::default());
    let namespaces = machine.informers.store::<Namespace>();
    let wake = queue.clone();
    namespaces.on_change(move |change| {
        if change.new.as_ref().is_some_and(|namespace| decide::is_ending(namespace)) {
            wake.add(Key::of(&**change.latest()));
        }
    });
    let context = machine.context.clone();
    machine.control(Controller { context, namespaces }, &queue, WORKERS);
}

impl Reconcile for Controller {
    type Key = Key;

    fn name(&self) -> &'static str {
        "namespace"
    }

    async fn reconcile(&self, key: &Key) -> Result<Next, Error> {
        let Some(namespace) = self.namespaces.get(key).filter(|it| decide::is_ending(it)) else {
            return Ok(Next::AwaitChange);
        };
        // Asked anew each time: content of a kind that nobody knew of would be left behind.
        let discovered = Served::discover(self.context.client()).await;
        let content = match &discovered {
            Ok(served) => self.content(&key.name, served).await,
            Err(_) => decide::Content::default(),
        };
        let failure = discovered.err().map(|error| error.to_string());
        let plan = decide::decide(&namespace, &content, failure, self.context.now());
        self.act(&namespace, plan).await
    }
}
