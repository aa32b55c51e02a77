//! Create, get, update: identity, versions, bodies.

use crate::kit::{CONFIG_MAPS, Cluster, DEPLOYMENTS, deployment};
use http::{Method, StatusCode};
use kpkg_api::protobuf;
use serde_json::{Value, json};

#[tokio::test]
async fn an_object_is_born_with_what_the_server_sets() {
    let cluster = Cluster::new().await;
    let answer = cluster.post(DEPLOYMENTS, deployment("web")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let made = answer.ok();
    let metadata = &made["metadata"];
    assert_eq!((&made["kind"], &made["apiVersion"]), (&json!("Deployment"), &json!("apps/v1")));
    assert_eq!((&metadata["namespace"], &metadata["generation"]), (&json!("default"), &json!(1)));
    assert!(metadata["uid"].as_str().is_some_and(|uid| uid.len() == 36));
    assert!(metadata["creationTimestamp"].is_string() && metadata["resourceVersion"].is_string());
    assert_eq!(made["spec"]["strategy"]["type"], "RollingUpdate");
    assert_eq!(cluster.get(&format!("{DEPLOYMENTS}/web")).await.ok(), made);
}

#[tokio::test]
async fn failures_have_kubernetes_reasons_and_words() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let name = |name: &str| json!({"metadata": {"name": name}});
    let cases = [
        (cluster.get(&format!("{CONFIG_MAPS}/none")).await, 404, "NotFound", r#"configmaps "none" not found"#),
        (cluster.get(&format!("{DEPLOYMENTS}/none")).await, 404, "NotFound", r#"deployments.apps "none" not found"#),
        (cluster.post(CONFIG_MAPS, name("a")).await, 409, "AlreadyExists", r#"configmaps "a" already exists"#),
        (
            cluster.post("/api/v1/namespaces/nowhere/configmaps", name("a")).await,
            404,
            "NotFound",
            r#"namespaces "nowhere" not found"#,
        ),
        (
            cluster.put(&format!("{CONFIG_MAPS}/a"), name("b")).await,
            400,
            "BadRequest",
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        (
            cluster.post(CONFIG_MAPS, json!({"metadata": {"name": "b", "namespace": "other"}})).await,
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            cluster
                .post(CONFIG_MAPS, json!({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "b"}}))
                .await,
            400,
            "BadRequest",
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
        (
            cluster.post(DEPLOYMENTS, json!({"metadata": {"name": "d"}, "spec": {"replicas": "x"}})).await,
            400,
            "BadRequest",
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            cluster.post("/api/v1/pods", name("a")).await,
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
    ];
    for (answer, code, reason, message) in cases {
        assert_eq!(answer.failure(), (code, reason, message));
    }
    let nowhere = cluster.get("/api/v1/nothing").await;
    assert_eq!((nowhere.status.as_u16(), nowhere.text.as_str()), (404, "404 page not found\n"));
}

#[tokio::test]
async fn an_invalid_object_is_told_what_is_wrong() {
    let cluster = Cluster::new().await;
    let answer = cluster.post(CONFIG_MAPS, json!({"metadata": {"name": "Not_a_name"}})).await;
    let (code, reason, message) = answer.failure();
    assert_eq!((code, reason), (422, "Invalid"));
    assert!(
        message.starts_with("ConfigMap \"Not_a_name\" is invalid: metadata.name: Invalid value: \"Not_a_name\": "),
        "{message}"
    );
    assert_eq!(answer.body["details"]["causes"][0]["field"], "metadata.name");
}

#[tokio::test]
async fn an_update_must_be_made_from_the_newest_version() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let path = format!("{CONFIG_MAPS}/a");
    let old = cluster.get(&path).await.ok();
    let mut new = old.clone();
    new["data"] = json!({"a": "1"});
    let updated = cluster.put(&path, new.clone()).await.ok();
    assert_ne!(updated["metadata"]["resourceVersion"], old["metadata"]["resourceVersion"]);
    new["data"] = json!({"a": "2"});
    let conflict = cluster.put(&path, new.clone()).await;
    assert_eq!(
        conflict.failure(),
        (
            409,
            "Conflict",
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
        )
    );
    // Without a version the update wins whatever was there.
    new["metadata"] = json!({"name": "a"});
    let updated = cluster.put(&path, new).await.ok();
    assert_eq!(updated["metadata"]["uid"], old["metadata"]["uid"]);
    // What changes nothing is not written.
    assert_eq!(cluster.put(&path, updated.clone()).await.ok(), updated);
}

#[tokio::test]
async fn another_uid_is_another_object() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let answer = cluster.put(&format!("{CONFIG_MAPS}/a"), json!({"metadata": {"name": "a", "uid": "other"}})).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
}

#[tokio::test]
async fn names_are_generated() {
    let cluster = Cluster::new().await;
    let made = cluster.post(CONFIG_MAPS, json!({"metadata": {"generateName": "web-"}})).await.ok();
    let name = made["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("web-") && name.len() == 9, "{name}");
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let cluster = Cluster::new().await;
    let made = cluster.post(&format!("{CONFIG_MAPS}?dryRun=All"), json!({"metadata": {"name": "a"}})).await.ok();
    assert!(made["metadata"]["uid"].is_string() && made["metadata"]["resourceVersion"].is_null());
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.status, StatusCode::NOT_FOUND);
    cluster.config_map("a", json!({})).await;
    let before = cluster.get(&format!("{CONFIG_MAPS}/a")).await.ok();
    let patched = cluster.merge(&format!("{CONFIG_MAPS}/a?dryRun=All"), json!({"data": {"a": "b"}})).await.ok();
    assert_eq!(patched["data"]["a"], "b");
    cluster.delete(&format!("{CONFIG_MAPS}/a?dryRun=All"), Value::Null).await.ok();
    cluster.delete(&format!("{CONFIG_MAPS}/a"), json!({"dryRun": ["All"]})).await.ok();
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/a")).await.ok(), before);
    assert_eq!(cluster.post(&format!("{CONFIG_MAPS}?dryRun=Some"), json!({})).await.failure().0, 400);
}

#[tokio::test]
async fn bodies_may_be_yaml_or_protobuf() {
    let cluster = Cluster::new().await;
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: written\ndata: {a: \"1\"}\n";
    let made = cluster.write(Method::POST, CONFIG_MAPS, "application/yaml", yaml).await.ok();
    assert_eq!(made["data"]["a"], "1");
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p"}, "data": {"a": "2"}});
    let bytes = protobuf::encode(&object).expect("a known kind");
    let made = cluster.write(Method::POST, CONFIG_MAPS, protobuf::MEDIA_TYPE, bytes).await.ok();
    assert_eq!(made["data"]["a"], "2");
    let other = cluster.write(Method::POST, CONFIG_MAPS, "text/plain", "x").await;
    assert_eq!((other.failure().0, other.failure().1), (415, "UnsupportedMediaType"));
}

#[tokio::test]
async fn answers_may_be_yaml_or_protobuf() {
    let cluster = Cluster::new().await;
    cluster.config_map("a", json!({})).await;
    let path = format!("{CONFIG_MAPS}/a");
    let yaml = cluster.get_as(&path, "application/yaml").await;
    assert!(yaml.text.contains("kind: ConfigMap"), "{}", yaml.text);
    let answer = cluster.get_as(&path, protobuf::MEDIA_TYPE).await;
    assert_eq!(answer.headers["content-type"], protobuf::MEDIA_TYPE);
    assert_eq!(cluster.get_as(&path, "text/html").await.failure().0, 406);
    let metadata = cluster.get_as(&path, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").await.ok();
    assert_eq!((&metadata["kind"], &metadata["metadata"]["name"]), (&json!("PartialObjectMetadata"), &json!("a")));
}

#[tokio::test]
async fn unknown_and_repeated_fields_are_answered_as_asked() {
    let cluster = Cluster::new().await;
    let body = |name: &str| {
        format!(r#"{{"metadata": {{"name": "{name}"}}, "dat": {{}}, "data": {{}}, "data": {{"a": "1"}}}}"#)
    };
    let post = async |name: &str, how: &str| {
        let path = format!("{CONFIG_MAPS}?fieldValidation={how}");
        cluster.write(Method::POST, &path, "application/json", body(name)).await
    };
    let strict = post("a", "Strict").await;
    assert_eq!(
        strict.failure().2,
        r#"ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data", unknown field "dat""#
    );
    for how in ["Warn", ""] {
        let warned = post(&format!("b{}", how.len()), how).await;
        let warnings: Vec<_> =
            warned.headers.get_all("warning").iter().filter_map(|value| value.to_str().ok()).collect();
        assert_eq!(warnings, [r#"299 - "duplicate field \"data\"""#, r#"299 - "unknown field \"dat\"""#]);
        assert_eq!(warned.ok()["data"]["a"], "1");
    }
    let ignored = post("c", "Ignore").await;
    assert!(!ignored.headers.contains_key("warning"));
    assert!(ignored.ok().get("dat").is_none());
}

#[tokio::test]
async fn leases_and_events_are_created_by_update() {
    let cluster = Cluster::new().await;
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    let made = cluster.put(path, json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let again = cluster.put(path, json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "you"}})).await;
    assert!(again.failure().2.ends_with("metadata.resourceVersion: Invalid value: 0: must be specified for an update"));
    assert_eq!(cluster.put(&format!("{CONFIG_MAPS}/none"), json!({})).await.failure().0, 404);
}

#[tokio::test]
async fn events_are_seen_in_both_groups() {
    let cluster = Cluster::new().await;
    let event = json!({
        "metadata": {"name": "e.1"}, "reason": "Started", "message": "hi", "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}, "source": {"component": "kubelet"},
    });
    cluster.post("/api/v1/namespaces/default/events", event).await.ok();
    let shown = cluster.get("/apis/events.k8s.io/v1/namespaces/default/events/e.1").await.ok();
    assert_eq!((&shown["note"], &shown["regarding"]["name"]), (&json!("hi"), &json!("p")));
    assert_eq!(shown["apiVersion"], "events.k8s.io/v1");
    let listed = cluster.get("/api/v1/events?fieldSelector=involvedObject.name=p,type=Normal").await.ok();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let listed = cluster.get("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name=q").await.ok();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(0));
}
