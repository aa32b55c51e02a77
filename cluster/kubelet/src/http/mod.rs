//! The kubelet's HTTP API, as the API server's proxy speaks it: logs, exec, attach, port forwarding.

pub(crate) mod logs;
mod port_forward;
mod query;
mod remote;
mod spdy;
mod websocket;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{Request, Response, StatusCode, header},
    response::IntoResponse,
    routing::{any, get},
};
use k8s_openapi::api::core::v1::Pod;
use kpkg_api::status::{Reason, Status};
use kpkg_runtime::{ContainerState, ContainerStatus, ExecRequest};

use self::{port_forward::Target, query::Query};
use crate::{
    doors::chain,
    kubelet::Shared,
    podfiles::is_host_network,
    pods::{
        observed::{Observed, all_containers},
        pod_name,
    },
};

/// The routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(container_logs))
        .route("/exec/{namespace}/{pod}/{container}", any(exec))
        .route("/attach/{namespace}/{pod}/{container}", any(attach))
        .route("/portForward/{namespace}/{pod}", any(forward))
        .with_state(shared)
}

/// A refusal, as Kubernetes words it.
struct Refusal(Status);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let code = StatusCode::from_u16(self.0.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, [(header::CONTENT_TYPE, "application/json")], self.0.to_value().to_string()).into_response()
    }
}

fn bad_request(message: String) -> Refusal {
    Refusal(Status::bad_request(message))
}

fn internal(message: String) -> Refusal {
    Refusal(Status::new(Reason::InternalError, message))
}

/// A pod of this node, and what the runtime has of it.
struct Found {
    pod: Arc<Pod>,
    observed: Observed,
}

fn find(shared: &Shared, namespace: &str, name: &str) -> Result<Found, Refusal> {
    let is_it =
        |pod: &Pod| pod.metadata.namespace.as_deref() == Some(namespace) && pod.metadata.name.as_deref() == Some(name);
    let pods = shared.mailboxes().into_iter().map(|(_, mailbox)| mailbox.latest()).filter(|pod| is_it(pod));
    // A pod of the same name may still be on its way out.
    let pod = pods
        .max_by_key(|pod| pod.metadata.creation_timestamp.clone())
        .ok_or_else(|| Refusal(Status::not_found("", "pods", name)))?;
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let sandboxes = shared.runtime.sandboxes(Some(&uid));
    let containers = sandboxes.iter().flat_map(|sandbox| shared.runtime.containers(&sandbox.id)).collect();
    Ok(Found { pod, observed: Observed::new(sandboxes, containers) })
}

impl Found {
    fn name(&self) -> &str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    /// The container to run something in.
    fn running(&self, container: &str) -> Result<&ContainerStatus, Refusal> {
        let latest = self.observed.latest(container);
        match latest {
            Some(status) if status.state == ContainerState::Running => Ok(status),
            Some(_) => Err(internal(format!("cannot exec in a stopped container {container}"))),
            None => Err(internal(format!("container not found (\"{container}\")"))),
        }
    }

    /// The container whose log is wanted.
    fn logged(&self, container: &str, previous: bool) -> Result<&ContainerStatus, Refusal> {
        if !all_containers(&self.pod).iter().any(|(_, have)| have.name == container) {
            return Err(bad_request(format!("container {container} is not valid for pod {}", self.name())));
        }
        let mut history = self.observed.containers.iter().filter(|status| status.name == container);
        let newest = history.next();
        if previous {
            let waiting = newest.is_some_and(|newest| newest.state != ContainerState::Running && self.waits(container));
            let last = if waiting { newest } else { history.next() };
            return last.ok_or_else(|| {
                bad_request(format!("previous terminated container {container:?} in pod {:?} not found", self.name()))
            });
        }
        newest
            .filter(|newest| newest.state != ContainerState::Created)
            .ok_or_else(|| bad_request(self.why_waiting(container)))
    }

    fn waiting_reason(&self, container: &str) -> Option<String> {
        let status = self.pod.status.as_ref()?;
        let lists = [&status.container_statuses, &status.init_container_statuses, &status.ephemeral_container_statuses];
        let status = lists.into_iter().flatten().flatten().find(|status| status.name == container)?;
        status.state.as_ref()?.waiting.as_ref()?.reason.clone()
    }

    fn waits(&self, container: &str) -> bool {
        self.waiting_reason(container).is_some()
    }

    fn why_waiting(&self, container: &str) -> String {
        let reason = self.waiting_reason(container).unwrap_or_else(|| "ContainerCreating".to_owned());
        let reason = match reason.as_str() {
            "ErrImagePull" => "image can't be pulled".to_owned(),
            "ImagePullBackOff" => "trying and failing to pull image".to_owned(),
            _ => reason,
        };
        format!("container {container:?} in pod {:?} is waiting to start: {reason}", self.name())
    }
}

async fn container_logs(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let query = Query::of(&request);
    let options = logs::Options::parse(&query).map_err(bad_request)?;
    let found = find(&shared, &namespace, &pod)?;
    let status = found.logged(&container, query.is_set("previous"))?;
    let Some(path) = status.log_path.clone() else { return Ok(Body::empty().into_response()) };
    let body = logs::stream(shared.runtime.clone(), status.sandbox.clone(), status.id.clone(), path, options);
    Ok(([(header::CONTENT_TYPE, "text/plain")], body).into_response())
}

async fn exec(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    mut request: Request<Body>,
) -> Result<Response<Body>, Response<Body>> {
    let refuse = IntoResponse::into_response;
    let query = Query::of(&request);
    let options = remote::Options::parse(&query).map_err(|message| refuse(bad_request(message)))?;
    let command: Vec<String> = query.all("command").map(str::to_owned).collect();
    if command.is_empty() {
        return Err(refuse(bad_request("you must specify at least one command for the container".to_owned())));
    }
    let found = find(&shared, &namespace, &pod).map_err(refuse)?;
    let id = found.running(&container).map_err(refuse)?.id.clone();
    let upgrade = websocket::negotiate(&mut request, &remote::PROTOCOLS)?;
    let protocol = upgrade.protocol();
    Ok(upgrade.accept(move |reader, writer| async move {
        let wanted = ExecRequest { cmd: command.clone(), tty: options.tty, stdin: options.stdin };
        match shared.runtime.exec(&id, wanted).await {
            Ok(streams) => {
                remote::serve(remote::Streams::of_exec(streams, command), options, protocol, reader, writer).await;
            }
            Err(error) => {
                remote::fail(&format!("error executing command in container: {}", chain(&error)), writer).await;
            }
        }
    }))
}

async fn attach(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    mut request: Request<Body>,
) -> Result<Response<Body>, Response<Body>> {
    let refuse = IntoResponse::into_response;
    let query = Query::of(&request);
    let options = remote::Options::parse(&query).map_err(|message| refuse(bad_request(message)))?;
    let found = find(&shared, &namespace, &pod).map_err(refuse)?;
    let id = found.running(&container).map_err(refuse)?.id.clone();
    let upgrade = websocket::negotiate(&mut request, &remote::PROTOCOLS)?;
    let protocol = upgrade.protocol();
    Ok(upgrade.accept(move |reader, writer| async move {
        match shared.runtime.attach(&id).await {
            Ok(streams) => remote::serve(remote::Streams::of_attach(streams), options, protocol, reader, writer).await,
            Err(error) => remote::fail(&format!("error attaching to container: {}", chain(&error)), writer).await,
        }
    }))
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod)): Path<(String, String)>,
    mut request: Request<Body>,
) -> Result<Response<Body>, Response<Body>> {
    let refuse = IntoResponse::into_response;
    let query = Query::of(&request);
    let found = find(&shared, &namespace, &pod).map_err(refuse)?;
    let Some(sandbox) = found.observed.ready_sandbox() else {
        return Err(refuse(internal(format!("pod {} is not running", pod_name(&found.pod)))));
    };
    let target = Target {
        pod: format!("{pod}_{namespace}"),
        uid: sandbox.id.to_string(),
        netns: if is_host_network(&found.pod) { None } else { sandbox.config.netns.clone() },
    };
    let ports: Vec<u16> = query
        .all("ports")
        .chain(query.all("port"))
        .flat_map(|list| list.split(','))
        .filter_map(|port| port.parse().ok())
        .collect();
    let upgrade = websocket::negotiate(&mut request, &[port_forward::TUNNEL, port_forward::CHANNELS])?;
    Ok(if upgrade.protocol() == port_forward::TUNNEL {
        upgrade.accept(move |reader, writer| port_forward::serve_tunnel(target, reader, writer))
    } else {
        upgrade.accept(move |reader, writer| port_forward::serve_channels(target, ports, reader, writer))
    })
}
