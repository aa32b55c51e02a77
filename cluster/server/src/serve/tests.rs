//! The ways in, with a router that says who asked.

use axum::{Extension, Json, Router, routing::get};
use kpkg_apiserver::{Identity, NodeDialer};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{LocalNode, bind, client};
use crate::{
    Layout, Settings, kubeconfig, machine,
    pki::{Names, Pki},
};

/// Answers a version whose parts tell who asked.
fn router() -> Router {
    let whoami = |identity: Option<Extension<Identity>>| async move {
        let identity = identity.map_or_else(|| Identity { user: "nobody".to_owned(), groups: Vec::new() }, |it| it.0);
        Json(json!({
            "major": "1", "minor": "37", "gitVersion": identity.user, "gitCommit": identity.groups.join(","),
            "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""
        }))
    };
    Router::new().route("/version", get(whoami)).route("/healthz", get(|| async { "ok" }))
}

#[tokio::test]
async fn the_client_inside_is_who_it_says() {
    let client = client(router(), Identity::master("system:kube-scheduler"));
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "system:kube-scheduler");
}

#[tokio::test]
async fn the_port_knows_the_administrator_by_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new("x", Some(dir.path())).unwrap();
    let settings = Settings {
        name: "x".to_owned(),
        node_name: "node".to_owned(),
        pod_cidr: "10.42.0.0/16".parse().unwrap(),
        service_cidr: "10.43.0.0/16".parse().unwrap(),
        api_port: machine::free_port(16443, &[]),
    };
    let names = Names {
        node_name: "node".to_owned(),
        addresses: Vec::new(),
        service_cidr: settings.service_cidr,
        domain: "cluster.local".to_owned(),
    };
    let pki = Pki::open(&layout, "x", &names).unwrap();
    kubeconfig::write(&layout, &kubeconfig::Entries::new(&settings, &pki)).unwrap();
    let listener = bind(settings.api_port, &pki).await.unwrap();
    let token = CancellationToken::new();
    let serving = tokio::spawn({
        let token = token.clone();
        async move { listener.run(router(), token).await }
    });

    let config = Kubeconfig::read_from(layout.kubeconfig()).unwrap();
    let with = async |config: Kubeconfig| {
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        kube::Client::try_from(config).unwrap().apiserver_version().await
    };
    let version = with(config.clone()).await.unwrap();
    assert_eq!(
        (&*version.git_version, &*version.git_commit),
        ("kubernetes-admin", "system:masters,system:authenticated")
    );

    let mut anonymous = config.clone();
    anonymous.auth_infos[0].auth_info = Some(kube::config::AuthInfo::default());
    assert_eq!(with(anonymous).await.unwrap().git_version, "nobody");

    let mut stranger = config;
    let cluster = stranger.clusters[0].cluster.as_mut().unwrap();
    cluster.server = cluster.server.take().map(|server| server.replace("https", "http"));
    assert!(with(stranger).await.is_err(), "without TLS there is no answer");
    token.cancel();
    serving.await.unwrap();
}

#[tokio::test]
async fn the_kubelet_is_reached_without_sockets() {
    let node = LocalNode::new("node");
    assert!(node.dial("node").await.is_err(), "the kubelet is not there yet");
    node.connect(router());
    assert!(node.dial("other").await.is_err());
    let mut stream = node.dial("node").await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
}
