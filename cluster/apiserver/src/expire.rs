//! Events are news: they go after an hour.

use crate::{
    ApiServer,
    failure::Result,
    registry::{Context, DeleteOptions, well_known},
};
use jiff::{SignedDuration, Timestamp};
use kpkg_api::{meta, time};
use serde_json::Value;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long an Event is kept after it was last told.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How often old ones are looked for.
const INTERVAL: Duration = Duration::from_secs(300);

/// Deletes old Events now and then, until the server is gone.
pub(crate) fn start(server: &Arc<ApiServer>, shutdown: CancellationToken) {
    let server = Arc::downgrade(server);
    tokio::spawn(async move { shutdown.run_until_cancelled(run(server)).await });
}

async fn run(server: Weak<ApiServer>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(server) = server.upgrade() else { return };
        if let Err(status) = server.expire_events(Timestamp::now()).await {
            tracing::warn!(%status, "old events cannot be deleted");
        }
    }
}

impl ApiServer {
    async fn expire_events(&self, now: Timestamp) -> Result<()> {
        let kind = well_known("", "Event");
        let context = Context::own();
        for event in self.shelf(kind).all(None).await? {
            if last_told(&event.value).is_none_or(|at| now.duration_since(at) <= LIFETIME) {
                continue;
            }
            let (namespace, name) = (meta::namespace(&event.value), meta::name(&event.value));
            // One that was told again in between is younger than it seemed.
            let options = DeleteOptions {
                resource_version: meta::resource_version(&event.value).to_owned(),
                ..DeleteOptions::default()
            };
            match self.delete(&context, kind, Some(namespace), name, &options).await {
                Err(status) if !matches!(status.code(), 404 | 409) => return Err(status),
                _ => {}
            }
        }
        Ok(())
    }
}

fn last_told(event: &Value) -> Option<Timestamp> {
    [
        &event["series"]["lastObservedTime"],
        &event["lastTimestamp"],
        &event["eventTime"],
        &event["metadata"]["creationTimestamp"],
    ]
    .into_iter()
    .filter_map(|at| at.as_str().and_then(time::parse))
    .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, NoNodes, body::Decoded};
    use serde_json::json;

    #[tokio::test]
    async fn old_events_go() {
        let config = Config::new(Config::new_signing_key());
        let server = ApiServer::new(Arc::new(kpkg_store::Memory::default()), config, Arc::new(NoNodes));
        server.bootstrap().await.expect("a new store");
        let now = Timestamp::now();
        let kind = well_known("", "Event");
        let event = json!({
            "metadata": {"name": "e"}, "involvedObject": {"namespace": "default", "name": "p"},
            "lastTimestamp": time::seconds(now),
        });
        let body = Decoded { value: event, duplicates: Vec::new() };
        server.create(&mut Context::own(), kind, Some("default"), body).await.expect("made");
        for (minutes, left) in [(59, true), (61, false)] {
            server.expire_events(now + SignedDuration::from_mins(minutes)).await.expect("done");
            let found = server.find(kind, Some("default"), "e").await.expect("asked");
            assert_eq!(found.is_some(), left, "{minutes}");
        }
    }
}
