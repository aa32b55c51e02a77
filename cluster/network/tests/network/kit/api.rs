//! An API of two kinds, as far as watchers need it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// Services and EndpointSlices that tests put in and take out.
pub(crate) struct FakeApi {
    state: Mutex<State>,
    events: broadcast::Sender<(u64, &'static str, Value)>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<(&'static str, String), Value>,
}

const SERVICES: &str = "services";
const SLICES: &str = "endpointslices";

impl FakeApi {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), events: broadcast::channel(65_536).0 })
    }

    pub(crate) fn client(self: &Arc<Self>) -> kube::Client {
        let api = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let response = api.answer(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        kube::Client::new(service, "default")
    }

    /// Puts a service with `ports` and `endpoints` (`10.42.0.2` or `10.42.0.2/hostname`).
    pub(crate) fn service(&self, name: &str, spec: Value, endpoints: &[String]) {
        let ports: Vec<Value> = spec["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| {
                let target = port.get("targetPort").unwrap_or(&port["port"]);
                json!({"name": port.get("name").cloned().unwrap_or(json!("")), "port": target,
                    "protocol": port.get("protocol").cloned().unwrap_or(json!("TCP"))})
            })
            .collect();
        self.put(SERVICES, name, json!({"spec": spec}));
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|text| match text.split_once('/') {
                Some((address, hostname)) => json!({"addresses": [address], "hostname": hostname}),
                None => json!({"addresses": [text]}),
            })
            .collect();
        let labels = json!({"kubernetes.io/service-name": name});
        let mut slice = json!({"addressType": "IPv4", "ports": ports, "endpoints": endpoints});
        slice["metadata"] = json!({"labels": labels});
        self.put(SLICES, &format!("{name}-1"), slice);
    }

    pub(crate) fn remove(&self, name: &str) {
        self.delete(SERVICES, name);
        self.delete(SLICES, &format!("{name}-1"));
    }

    fn put(&self, kind: &'static str, name: &str, mut object: Value) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let (api_version, type_name) = type_of(kind);
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(type_name);
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!("default");
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        let old = state.objects.insert((kind, name.to_owned()), object.clone());
        let event = if old.is_some() { "MODIFIED" } else { "ADDED" };
        let _ = self.events.send((state.version, kind, json!({"type": event, "object": object})));
    }

    fn delete(&self, kind: &'static str, name: &str) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        if let Some(mut object) = state.objects.remove(&(kind, name.to_owned())) {
            object["metadata"]["resourceVersion"] = json!(state.version.to_string());
            let event = json!({"type": "DELETED", "object": object});
            let _ = self.events.send((state.version, kind, event));
        }
    }

    fn answer(&self, request: &Request<kube::client::Body>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
        let kind = if request.uri().path().ends_with(SLICES) { SLICES } else { SERVICES };
        let query = request.uri().query().unwrap_or_default();
        let body = if query.contains("watch=true") {
            self.watch(kind, query)
        } else {
            Full::new(self.list(kind)).boxed_unsync()
        };
        Response::builder().header("content-type", "application/json").body(body).unwrap()
    }

    fn list(&self, kind: &'static str) -> Bytes {
        let state = self.state.lock().unwrap();
        let items: Vec<_> = state.objects.iter().filter(|((k, _), _)| *k == kind).map(|(_, o)| o).collect();
        let (api_version, type_name) = type_of(kind);
        let metadata = json!({"resourceVersion": state.version.to_string()});
        let list = json!({"apiVersion": api_version, "kind": format!("{type_name}List"),
            "metadata": metadata, "items": items});
        list.to_string().into()
    }

    /// All tests put their objects between list and watch at most, so what was sent before the
    /// watch began is told as state.
    fn watch(&self, kind: &'static str, query: &str) -> UnsyncBoxBody<Bytes, Infallible> {
        let state = self.state.lock().unwrap();
        let since = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion="));
        let since: u64 = since.and_then(|v| v.parse().ok()).unwrap_or(0);
        let missed: Vec<(u64, Value)> = state
            .objects
            .iter()
            .filter(|((k, _), _)| *k == kind)
            .map(|(_, o)| (o["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap(), o))
            .filter(|(version, _)| *version > since)
            .map(|(version, o)| (version, json!({"type": "MODIFIED", "object": o})))
            .collect();
        let events = tokio_stream::wrappers::BroadcastStream::new(self.events.subscribe());
        let events = events.filter_map(move |event| {
            let (version, of, event) = event.expect("the channel is large enough");
            std::future::ready((of == kind).then_some((version, event)))
        });
        let all = futures::stream::iter(missed)
            .chain(events)
            .map(|(_, event)| Ok(hyper::body::Frame::data(Bytes::from(format!("{event}\n")))));
        BodyExt::boxed_unsync(StreamBody::new(all))
    }
}

fn type_of(kind: &str) -> (&'static str, &'static str) {
    match kind {
        SERVICES => ("v1", "Service"),
        _ => ("discovery.k8s.io/v1", "EndpointSlice"),
    }
}
