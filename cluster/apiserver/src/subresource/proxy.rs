//! `pods/log`, `exec`, `attach` and `portforward`: requests that the pod's kubelet answers.
//!
//! The server decides whether the request is allowed and which node it is for, and passes bytes from then on. Of the
//! client's headers only those that the conversation needs reach the node, never its credentials; of the node's answer
//! only those that describe the body. A connection whose upgrade the node refuses is closed, not passed on.

use crate::{failure::Result, http::Call, path::ResourcePath, query::Query, reply, shelf::Object};
use axum::body::Body;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use kpkg_api::{
    meta,
    status::{Reason, Status},
};
use serde_json::Value;
use std::time::Duration;
use url::form_urlencoded::Serializer;

/// How long a node may take to take a connection and to begin its answer.
const DIAL: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// How much of a node's error text is passed on.
const MAX_ERROR: usize = 4096;

/// What the node needs to know of the client's headers.
const TO_NODE: [HeaderName; 7] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
    HeaderName::from_static("x-stream-protocol-version"),
];
/// What the client needs to know of the node's.
const TO_CLIENT: [HeaderName; 7] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_ACCEPT,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::CONTENT_TYPE,
    HeaderName::from_static("x-stream-protocol-version"),
];

/// What a container's log is asked for.
const LOG_OPTIONS: [&str; 8] =
    ["follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream"];

/// A pod's log.
pub(super) async fn log(call: &mut Call<'_>, path: &ResourcePath, name: &str) -> Result<Response<Body>> {
    let namespace = path.namespace.as_deref().unwrap_or_default();
    let pod = call.server.get(path.kind, Some(namespace), name).await?;
    let container = container(&pod.value, call.query.text("container"))?;
    let Some(node) = node(&pod) else {
        // Nothing has run yet, so nothing was written.
        return Ok(reply::text(StatusCode::OK, Body::empty()));
    };
    let target = format!("/containerLogs/{namespace}/{name}/{container}?{}", log_options(&call.query));
    let node = node.to_owned();
    pass(call, &node, &target).await
}

/// A conversation with a container, or with a port of a pod.
pub(super) async fn connect(
    call: &mut Call<'_>,
    path: &ResourcePath,
    name: &str,
    part: &str,
) -> Result<Response<Body>> {
    let namespace = path.namespace.as_deref().unwrap_or_default();
    let pod = call.server.get(path.kind, Some(namespace), name).await?;
    let target = if part == "portforward" {
        let ports: String =
            Serializer::new(String::new()).extend_pairs(call.query.all("ports").map(|port| ("port", port))).finish();
        format!("/portForward/{namespace}/{name}?{ports}")
    } else {
        let phase = pod.value["status"]["phase"].as_str().unwrap_or_default();
        if matches!(phase, "Succeeded" | "Failed") {
            return Err(Status::bad_request(format!(
                "cannot exec into or attach to a container in a completed pod; current phase is {phase}"
            )));
        }
        let container = container(&pod.value, call.query.text("container"))?;
        format!("/{part}/{namespace}/{name}/{container}?{}", stream_options(&call.query))
    };
    let node = node(&pod).ok_or_else(|| Status::bad_request(format!("pod {name} does not have a host assigned")))?;
    pass(call, node, &target).await
}

fn log_options(query: &Query) -> String {
    let mut options = Serializer::new(String::new());
    for option in LOG_OPTIONS {
        options.extend_pairs(query.all(option).map(|value| (option, value)));
    }
    options.finish()
}

/// The options as the kubelet calls them.
fn stream_options(query: &Query) -> String {
    let mut options = Serializer::new(String::new());
    for (ours, theirs) in [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")] {
        if query.flag(ours) {
            options.append_pair(theirs, "1");
        }
    }
    options.extend_pairs(query.all("command").map(|part| ("command", part)));
    options.finish()
}

fn node(pod: &Object) -> Option<&str> {
    pod.value["spec"]["nodeName"].as_str().filter(|node| !node.is_empty())
}

/// The container that is meant; it need not be said if there is only one.
fn container(pod: &Value, wanted: &str) -> Result<String> {
    let names = |list: &str| -> Vec<&str> {
        pod["spec"][list].as_array().into_iter().flatten().filter_map(|container| container["name"].as_str()).collect()
    };
    let (main, init, ephemeral) = (names("containers"), names("initContainers"), names("ephemeralContainers"));
    let name = meta::name(pod);
    if wanted.is_empty() {
        return match main.as_slice() {
            [only] => Ok((*only).to_owned()),
            [] => Err(Status::bad_request(format!("a container name must be specified for pod {name}"))),
            all => {
                let mut why =
                    format!("a container name must be specified for pod {name}, choose one of: [{}]", all.join(" "));
                if !init.is_empty() {
                    why += &format!(" or one of the init containers: [{}]", init.join(" "));
                }
                Err(Status::bad_request(why))
            }
        };
    }
    if main.iter().chain(&init).chain(&ephemeral).any(|own| *own == wanted) {
        return Ok(wanted.to_owned());
    }
    Err(Status::bad_request(format!("container {wanted} is not valid for pod {name}")))
}

/// Passes the request on to a node, and the answer back.
async fn pass(call: &mut Call<'_>, node: &str, target: &str) -> Result<Response<Body>> {
    let failed =
        |error: &dyn std::fmt::Display| Status::internal(format!("error dialing backend of node {node}: {error}"));
    let stream = tokio::time::timeout(DIAL, call.server.nodes.dial(node))
        .await
        .map_err(|_| failed(&"the connection takes too long"))?
        .map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    tokio::spawn(connection.with_upgrades());
    // A POST that upgrades has no body, and the kubelet takes both methods alike.
    let request = Request::builder()
        .method(Method::GET)
        .uri(target)
        .header(header::HOST, "node")
        .body(Body::empty())
        .map_err(Status::internal)?;
    let (mut parts, body) = request.into_parts();
    copy_headers(&call.parts.headers, &mut parts.headers, &TO_NODE);
    let answer = sender.send_request(Request::from_parts(parts, body));
    let answer = tokio::time::timeout(ANSWER, answer)
        .await
        .map_err(|_| failed(&"the answer takes too long"))?
        .map_err(|error| failed(&error))?;
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => switch(call, answer),
        status if status.is_success() => {
            let mut response = Response::new(Body::empty());
            copy_headers(answer.headers(), response.headers_mut(), &[header::CONTENT_TYPE]);
            Ok(response.map(|_| Body::new(answer.into_body())))
        }
        _ => Err(refused(answer).await),
    }
}

fn copy_headers(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

/// Both sides switch protocols: from now on bytes are passed, unread.
fn switch(call: &mut Call<'_>, mut answer: Response<Incoming>) -> Result<Response<Body>> {
    let client = call.parts.extensions.remove::<OnUpgrade>();
    let client = client.ok_or_else(|| Status::bad_request("the connection cannot be upgraded"))?;
    let node = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        let streams = tokio::try_join!(client, node);
        let Ok((client, node)) = streams else { return };
        let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
        if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut node).await {
            tracing::debug!(%error, "a stream to a node broke off");
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    copy_headers(answer.headers(), response.headers_mut(), &TO_CLIENT);
    Ok(response)
}

/// What the node says instead of doing it. A redirect is not followed and not passed on.
async fn refused(answer: Response<Incoming>) -> Status {
    let code = answer.status();
    let text = match Limited::new(answer.into_body(), MAX_ERROR).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
        Err(_) => String::new(),
    };
    // A kubelet of ours may answer with a Status.
    let parsed = serde_json::from_str::<Value>(&text).ok();
    let text = parsed.as_ref().and_then(|status| status["message"].as_str()).unwrap_or(&text);
    match code.as_u16() {
        400 => Status::bad_request(text),
        403 => Status::new(Reason::Forbidden, text),
        404 => Status::new(Reason::NotFound, text),
        503 => Status::service_unavailable(text),
        300..400 => Status::internal("the node answered with a redirect, which is not followed"),
        _ => Status::internal(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_container_must_be_said_if_there_are_several() {
        let one = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}});
        let two = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}],
        }});
        let text = |result: Result<String>| result.unwrap_or_else(|status| status.message().to_owned());
        assert_eq!(text(container(&one, "")), "a");
        assert_eq!(
            text(container(&two, "")),
            "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]"
        );
        assert_eq!(text(container(&two, "i")), "i");
        assert_eq!(text(container(&two, "x/../y")), "container x/../y is not valid for pod p");
    }

    #[test]
    fn options_have_other_names_at_the_node() {
        let query = Query::parse(Some("stdin=true&stdout=1&stderr=false&command=sh&command=-c&command=a%26b"));
        assert_eq!(stream_options(&query), "input=1&output=1&command=sh&command=-c&command=a%26b");
    }
}
