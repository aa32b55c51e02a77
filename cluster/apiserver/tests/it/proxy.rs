//! Logs and conversations: passed to the node, and nothing else.

use crate::kit::{Cluster, PODS, pod};
use axum::{Router, body::Body, extract::Request, routing::any};
use futures::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use kpkg_apiserver::{ApiServer, AsyncReadWrite, Identity, NodeDialer};
use serde_json::json;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A node that writes down what it is asked, and answers by the container's name.
#[derive(Clone, Default)]
struct Node {
    asked: Arc<Mutex<Vec<String>>>,
}

impl NodeDialer for Node {
    fn dial(&self, _node: &str) -> BoxFuture<'_, io::Result<Box<dyn AsyncReadWrite>>> {
        let node = self.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            let router = Router::new().fallback(any(async move |request| answer(&node, request)));
            tokio::spawn(async move {
                let service = TowerToHyperService::new(router);
                let builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.serve_connection(TokioIo::new(theirs), service).with_upgrades().await;
            });
            Ok(Box::new(ours) as Box<dyn AsyncReadWrite>)
        }
        .boxed()
    }
}

fn answer(node: &Node, mut request: Request) -> http::Response<Body> {
    let secret = request.headers().get("authorization").is_some() || request.headers().get("cookie").is_some();
    let line = format!("{} {}{}", request.method(), request.uri(), if secret { " WITH SECRETS" } else { "" });
    node.asked.lock().expect("not poisoned").push(line);
    let path = request.uri().path().to_owned();
    let reply = |code: u16| http::Response::builder().status(code);
    if path.ends_with("/redirect") {
        return reply(302).header("location", "http://169.254.169.254/").body(Body::empty()).expect("an answer");
    }
    if path.ends_with("/refuse") {
        return reply(400).body(Body::from("container not found")).expect("an answer");
    }
    if path.starts_with("/containerLogs") {
        return reply(200).header("set-cookie", "a=b").body(Body::from("line 1\n")).expect("an answer");
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let mut stream = TokioIo::new(stream);
        let mut bytes = [0; 5];
        if stream.read_exact(&mut bytes).await.is_ok() {
            bytes.reverse();
            let _ = stream.write_all(&bytes).await;
        }
    });
    reply(101)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-protocol", "v5.channel.k8s.io")
        .body(Body::empty())
        .expect("an answer")
}

/// A cluster whose pod `p` has containers of those names and runs on a node.
async fn cluster(node: Node) -> Cluster {
    let cluster = Cluster::with_nodes(Arc::new(node)).await;
    let mut body = pod("p");
    body["spec"]["containers"] =
        ["main", "redirect", "refuse"].map(|name| json!({"name": name, "image": "x"})).to_vec().into();
    body["spec"]["nodeName"] = json!("n");
    cluster.post(PODS, body).await.ok();
    cluster
}

/// Serves the cluster's router on a port of the loopback.
async fn serve(server: &Arc<ApiServer>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = server.router().layer(axum::middleware::map_request(async |mut request: Request| {
        request.extensions_mut().insert(Identity::master("admin"));
        request
    }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Asks for an upgrade; answers the head of what comes back, and the connection.
async fn upgrade(server: &Arc<ApiServer>, method: &str, path: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(serve(server).await).await.expect("a connection");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\
         authorization: Bearer secret\r\ncookie: a=b\r\nsec-websocket-protocol: v5.channel.k8s.io\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    (String::from_utf8_lossy(&head).into_owned(), stream)
}

#[tokio::test]
async fn logs_are_passed_on() {
    let node = Node::default();
    let cluster = cluster(node.clone()).await;
    let answer = cluster.get(&format!("{PODS}/p/log?container=main&tailLines=5&follow=true&evil=1")).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "line 1\n"));
    assert!(!answer.headers.contains_key("set-cookie"));
    assert_eq!(
        *node.asked.lock().expect("not poisoned"),
        ["GET /containerLogs/default/p/main?follow=true&tailLines=5"]
    );
    let refused = cluster.get(&format!("{PODS}/p/log?container=refuse")).await;
    assert_eq!(refused.failure(), (400, "BadRequest", "container not found"));
    let several = cluster.get(&format!("{PODS}/p/log")).await;
    assert!(several.failure().2.starts_with("a container name must be specified for pod p, choose one of: [main"));
    assert_eq!(cluster.get(&format!("{PODS}/none/log")).await.failure().0, 404);
}

#[tokio::test]
async fn a_pod_without_a_node_has_no_log_yet() {
    let cluster = Cluster::new().await;
    cluster.post(PODS, pod("p")).await.ok();
    let answer = cluster.get(&format!("{PODS}/p/log")).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    let exec = cluster.write(Method::POST, &format!("{PODS}/p/exec?command=sh"), "text/plain", "").await;
    assert_eq!(exec.failure().2, "pod p does not have a host assigned");
}

#[tokio::test]
async fn conversations_pass_through_without_credentials() {
    for (method, path, target) in [
        (
            "GET",
            "exec?container=main&command=ls&command=-l&stdout=true",
            "/exec/default/p/main?output=1&command=ls&command=-l",
        ),
        ("POST", "attach?container=main&stdin=1&tty=true", "/attach/default/p/main?input=1&tty=1"),
        ("GET", "portforward?ports=80", "/portForward/default/p?port=80"),
    ] {
        let node = Node::default();
        let cluster = cluster(node.clone()).await;
        let (head, mut stream) = upgrade(&cluster.server, method, &format!("{PODS}/p/{path}")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-protocol: v5.channel.k8s.io"), "{head}");
        stream.write_all(b"hello").await.expect("written");
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).await.expect("an echo");
        assert_eq!(&echo, b"olleh");
        assert_eq!(*node.asked.lock().expect("not poisoned"), [format!("GET {target}")]);
    }
}

// CVE-2018-1002105: after a refused upgrade nothing more may reach the node over that connection.
// CVE-2020-8559: a redirect by the node is neither followed nor passed on.
#[tokio::test]
async fn a_refused_upgrade_ends_the_connection_to_the_node() {
    for (container, want) in [("refuse", "container not found"), ("redirect", "redirect")] {
        let node = Node::default();
        let cluster = cluster(node.clone()).await;
        let path = format!("{PODS}/p/exec?container={container}&command=sh");
        let (head, mut stream) = upgrade(&cluster.server, "GET", &path).await;
        assert!(!head.starts_with("HTTP/1.1 101 ") && !head.to_lowercase().contains("location:"), "{head}");
        // A second request smuggled behind is the API server's to answer, not the node's.
        stream
            .write_all(b"GET /containerLogs/kube-system/secret/main HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .expect("written");
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.expect("the rest");
        assert!(rest.contains(want) && rest.contains("404"), "{rest}");
        assert_eq!(node.asked.lock().expect("not poisoned").len(), 1);
    }
}
