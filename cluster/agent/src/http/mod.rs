//! The kubelet's HTTP API, as the API server asks it: logs, exec, attach, port forwarding.

mod logs;
mod port_forward;
mod remote;
mod spdy;
mod websocket;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use kpkg_runtime::{ContainerState, ContainerStatus, SandboxState, SandboxStatus};

use crate::kubelet::Shared;
use crate::pods::observed::Observed;

/// The router.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(logs::serve))
        .route("/exec/{namespace}/{pod}/{container}", get(remote::exec).post(remote::exec))
        .route("/attach/{namespace}/{pod}/{container}", get(remote::attach).post(remote::attach))
        .route("/portForward/{namespace}/{pod}", get(forward).post(forward))
        .with_state(shared)
}

/// The query: every value of every key.
struct Query(HashMap<String, Vec<String>>);

impl Query {
    fn parse(query: Option<&str>) -> Self {
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            all.entry(key.into_owned()).or_default().push(value.into_owned());
        }
        Self(all)
    }

    fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    fn text(&self, key: &str) -> &str {
        self.all(key).last().map_or("", String::as_str)
    }

    fn flag(&self, key: &str) -> bool {
        matches!(self.text(key), "true" | "1")
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.text(key).parse().ok()
    }
}

/// The sandboxes and containers of a pod by name, newest first.
fn find(shared: &Shared, namespace: &str, pod: &str) -> Option<Observed> {
    let mut sandboxes = shared.cri.sandboxes(None);
    sandboxes.retain(|it| it.config.namespace == namespace && it.config.name == pod);
    // A deleted pod and its successor may share a name: the newest is meant.
    let uid = sandboxes.iter().max_by_key(|it| it.created_at).map(|it| it.config.uid.clone())?;
    sandboxes.retain(|it| it.config.uid == uid);
    let containers = sandboxes.iter().flat_map(|it| shared.cri.containers(&it.id)).collect();
    Some(Observed::new(sandboxes, containers))
}

fn running(shared: &Shared, namespace: &str, pod: &str, container: &str) -> Result<ContainerStatus, Response<Body>> {
    let observed = find(shared, namespace, pod);
    let live = observed.as_ref().and_then(|it| it.latest(container)).filter(|it| it.state == ContainerState::Running);
    live.cloned().ok_or_else(|| {
        refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("unable to upgrade connection: container not found (\"{container}\")"))
    })
}

fn refuse(code: StatusCode, text: String) -> Response<Body> {
    (code, text).into_response()
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    mut request: Request<Body>,
) -> Response<Body> {
    let query = Query::parse(query.as_deref());
    let sandbox: Option<SandboxStatus> =
        find(&shared, &namespace, &pod).and_then(|it| it.sandboxes.into_iter().find(|it| it.state == SandboxState::Ready));
    let Some(sandbox) = sandbox else {
        return refuse(StatusCode::NOT_FOUND, format!("pod not found (\"{pod}_{namespace}\")"));
    };
    let target = port_forward::Target {
        pod: format!("{pod}_{namespace}"),
        uid: sandbox.config.uid.clone(),
        netns: sandbox.config.netns.clone(),
    };
    let upgrade = match websocket::negotiate(&mut request, &[port_forward::TUNNEL, port_forward::CHANNELS]) {
        Ok(upgrade) => upgrade,
        Err(response) => return response,
    };
    if upgrade.protocol() == port_forward::TUNNEL {
        return upgrade.accept(|reader, writer| port_forward::serve_tunnel(target, reader, writer));
    }
    let ports = query.all("port").iter().chain(query.all("ports")).flat_map(|it| it.split(',')).filter_map(|it| it.parse().ok());
    let ports: Vec<u16> = ports.collect();
    upgrade.accept(|reader, writer| port_forward::serve_channels(target, ports, reader, writer))
}
