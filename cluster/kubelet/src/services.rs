//! A cache of all services, for the variables that pods get.

use futures::StreamExt;
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt,
        reflector::{self, store::Writer},
        watcher,
    },
};
use tokio_util::sync::CancellationToken;

/// Fills the cache until cancelled.
pub(crate) async fn follow(client: Client, writer: Writer<Service>, shutdown: CancellationToken) {
    let events = watcher::watcher(Api::<Service>::all(client), watcher::Config::default()).default_backoff();
    let mut events = reflector::reflector(writer, events).boxed();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::debug!(error = %crate::doors::chain(&error), "watching services failed; it is tried again"),
                None => return,
            },
            () = shutdown.cancelled() => return,
        }
    }
}
