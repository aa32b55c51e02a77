//! Services: addresses and node ports.

use crate::kit::Cluster;
use serde_json::{Value, json};

const SERVICES: &str = "/api/v1/namespaces/default/services";

fn service(name: &str, spec: Value) -> Value {
    let mut body = json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    if let (Some(to), Value::Object(from)) = (body["spec"].as_object_mut(), spec) {
        to.extend(from);
    }
    body
}

#[tokio::test]
async fn every_service_has_an_address_of_its_own() {
    let cluster = Cluster::new().await;
    let mut seen = vec!["10.43.0.1".to_owned()];
    for number in 0..20 {
        let made = cluster.post(SERVICES, service(&format!("s{number}"), json!({}))).await.ok();
        let address = made["spec"]["clusterIP"].as_str().expect("an address").to_owned();
        assert!(address.starts_with("10.43.") && !seen.contains(&address), "{address}");
        assert_eq!(made["spec"]["clusterIPs"], json!([address]));
        assert_eq!((&made["spec"]["ipFamilies"], &made["status"]), (&json!(["IPv4"]), &json!({"loadBalancer": {}})));
        seen.push(address);
    }
}

#[tokio::test]
async fn addresses_may_be_chosen_once() {
    let cluster = Cluster::new().await;
    cluster.post(SERVICES, service("dns", json!({"clusterIP": "10.43.0.10"}))).await.ok();
    let taken = cluster.post(SERVICES, service("b", json!({"clusterIP": "10.43.0.10"}))).await;
    assert_eq!(
        taken.failure().2,
        r#"Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.10"]: failed to allocate IP 10.43.0.10: provided IP is already allocated"#
    );
    let outside = cluster.post(SERVICES, service("b", json!({"clusterIP": "192.168.0.1"}))).await;
    assert!(outside.failure().2.contains("not in the valid range. The range of valid IPs is 10.43.0.0/16"));
    cluster.delete(&format!("{SERVICES}/dns"), Value::Null).await.ok();
    cluster.post(SERVICES, service("b", json!({"clusterIP": "10.43.0.10"}))).await.ok();
    let headless = cluster.post(SERVICES, service("h", json!({"clusterIP": "None"}))).await.ok();
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
}

#[tokio::test]
async fn node_ports_are_given_kept_and_freed() {
    let cluster = Cluster::new().await;
    let made = cluster.post(SERVICES, service("a", json!({"type": "NodePort"}))).await.ok();
    let port = made["spec"]["ports"][0]["nodePort"].as_i64().expect("a node port");
    assert!((30000..=32767).contains(&port));
    let wanted = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]});
    let taken = cluster.post(SERVICES, service("b", wanted.clone())).await;
    assert_eq!(
        taken.failure().2,
        format!(
            "Service \"b\" is invalid: spec.ports[0].nodePort: Invalid value: {port}: provided port is already allocated"
        )
    );
    let outside = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]});
    let outside = cluster.post(SERVICES, service("b", outside)).await;
    assert!(
        outside
            .failure()
            .2
            .ends_with("provided port is not in the valid range. The range of valid ports is 30000-32767")
    );
    // What a PUT leaves out is kept.
    let path = format!("{SERVICES}/a");
    let kept = cluster.put(&path, service("a", json!({"type": "NodePort"}))).await.ok();
    assert_eq!(kept["spec"]["ports"][0]["nodePort"], port);
    assert_eq!(kept["spec"]["clusterIP"], made["spec"]["clusterIP"]);
    let freed = cluster.merge(&path, json!({"spec": {"type": "ClusterIP"}})).await.ok();
    assert!(freed["spec"]["ports"][0].get("nodePort").is_none());
    cluster.post(SERVICES, service("b", wanted)).await.ok();
}

#[tokio::test]
async fn services_made_at_once_do_not_share() {
    let cluster = Cluster::new().await;
    let make = |number: usize| {
        let cluster = &cluster;
        async move { cluster.post(SERVICES, service(&format!("s{number}"), json!({"type": "NodePort"}))).await.ok() }
    };
    let made = futures::future::join_all((0..50).map(make)).await;
    let mut ports: Vec<_> = made.iter().map(|service| service["spec"]["ports"][0]["nodePort"].as_i64()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 50);
}

#[tokio::test]
async fn an_external_name_has_no_address() {
    let cluster = Cluster::new().await;
    let body = service("e", json!({"type": "ExternalName", "externalName": "example.com"}));
    let made = cluster.post(SERVICES, body).await.ok();
    assert!(made["spec"].get("clusterIP").is_none());
    let changed = cluster
        .merge(&format!("{SERVICES}/e"), json!({"spec": {"type": "ClusterIP", "externalName": null}}))
        .await
        .ok();
    assert!(changed["spec"]["clusterIP"].as_str().is_some_and(|address| address.starts_with("10.43.")));
}
