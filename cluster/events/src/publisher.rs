//! Writes what the correlator let through.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    correlator::{Correlator, Write},
    recorder::Occurrence,
};

/// The receiving end of a [`Recorder`](crate::Recorder).
#[derive(Debug)]
pub struct Publisher {
    queue: mpsc::Receiver<(Arc<str>, Occurrence)>,
    correlator: Correlator,
}

impl Publisher {
    pub(crate) fn new(queue: mpsc::Receiver<(Arc<str>, Occurrence)>) -> Self {
        Self { queue, correlator: Correlator::default() }
    }

    /// Publishes until every recorder is gone or `token` is cancelled; what is queued then is still
    /// written, as long as the API answers.
    pub async fn run(mut self, client: Client, token: CancellationToken) {
        loop {
            let next = tokio::select! {
                next = self.queue.recv() => next,
                () = token.cancelled() => self.queue.try_recv().ok(),
            };
            let Some((component, occurrence)) = next else {
                return;
            };
            if let Err(error) = self.publish(&client, &component, occurrence).await {
                tracing::debug!(%error, "event not written");
                if token.is_cancelled() {
                    return;
                }
            }
        }
    }

    async fn publish(&mut self, client: &Client, component: &str, occurrence: Occurrence) -> Result<(), kube::Error> {
        let namespace = occurrence.subject.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let events = Api::<Event>::namespaced(client.clone(), &namespace);
        match self.correlator.admit(component, &occurrence) {
            Write::Drop => Ok(()),
            Write::Create { name, message } => {
                let event = event(component, &namespace, name, 1, occurrence.at, &occurrence, message);
                events.create(&PostParams::default(), &event).await.map(drop)
            }
            Write::Bump { name, message, count, first } => {
                let change = json!({
                    "count": count,
                    "lastTimestamp": Time(occurrence.at),
                    "message": message,
                });
                match events.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => {
                        // The first one expired meanwhile; its count lives on.
                        let event = event(component, &namespace, name, count, first, &occurrence, message);
                        events.create(&PostParams::default(), &event).await.map(drop)
                    }
                    other => other.map(drop),
                }
            }
        }
    }
}

fn event(
    component: &str,
    namespace: &str,
    name: String,
    count: i32,
    first: Timestamp,
    occurrence: &Occurrence,
    message: String,
) -> Event {
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(namespace.to_owned()), ..ObjectMeta::default() },
        involved_object: occurrence.subject.clone(),
        reason: Some(occurrence.reason.clone()),
        message: Some(message),
        type_: Some(occurrence.severity.as_str().to_owned()),
        count: Some(count),
        first_timestamp: Some(Time(first)),
        last_timestamp: Some(Time(occurrence.at)),
        source: Some(EventSource { component: Some(component.to_owned()), host: None }),
        reporting_component: Some(component.to_owned()),
        reporting_instance: Some(String::new()),
        ..Event::default()
    }
}
