//! Kinds that definitions add.

use crate::kit::{Cluster, Events};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const TABS: &str = "/apis/stable.example.com/v1/namespaces/default/crontabs";

fn schema() -> Value {
    json!({"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "required": ["cronSpec"], "properties": {
            "cronSpec": {"type": "string", "pattern": "^(\\d+|\\*)( \\*)*$"},
            "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
            "mode": {"type": "string", "enum": ["fast", "slow"]},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "port": {"x-kubernetes-int-or-string": true},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"}, "number": {"type": "integer"}}}},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        }},
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
    }})
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema()},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                    "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}},
                "additionalPrinterColumns": [
                    {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "selectableFields": [{"jsonPath": ".spec.mode"}],
            }],
        },
    })
}

fn tab(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": name}, "spec": spec})
}

async fn with_definition() -> Cluster {
    let cluster = Cluster::new().await;
    let made = cluster.post(DEFINITIONS, definition()).await.ok();
    let conditions: Vec<&str> =
        made["status"]["conditions"].as_array().expect("a list").iter().filter_map(|it| it["type"].as_str()).collect();
    assert_eq!(conditions, ["NamesAccepted", "Established"]);
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    cluster
}

#[tokio::test]
async fn a_definition_is_served_at_once() {
    let cluster = with_definition().await;
    let resources = cluster.get("/apis/stable.example.com/v1").await.ok();
    let names: Vec<&str> =
        resources["resources"].as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["crontabs", "crontabs/scale", "crontabs/status"]);
    let made = cluster.post(TABS, tab("a", &json!({"cronSpec": "* * *", "port": "http"}))).await.ok();
    assert_eq!(made["spec"], json!({"cronSpec": "* * *", "port": "http", "replicas": 1}));
    assert_eq!(made["metadata"]["generation"], 1);
    let document = cluster.get("/openapi/v3/apis/stable.example.com/v1").await.ok();
    let schema = &document["components"]["schemas"]["com.example.stable.v1.CronTab"];
    assert_eq!(schema["properties"]["spec"]["properties"]["replicas"]["default"], 1);
    assert!(cluster.get("/openapi/v3").await.ok()["paths"].get("apis/stable.example.com/v1").is_some());
    let mut watch: Events = cluster.watch(&format!("{TABS}?watch=1")).await;
    assert_eq!(watch.brief().await, ("ADDED".to_owned(), "a".to_owned()));
    cluster.write(Method::DELETE, &format!("{TABS}/a"), "application/json", "").await.ok();
    assert_eq!(watch.brief().await, ("DELETED".to_owned(), "a".to_owned()));
}

#[tokio::test]
async fn objects_are_pruned_and_checked() {
    let cluster = with_definition().await;
    let spec = json!({"cronSpec": "* *", "unknown": 1, "any": {"thing": {"is": "kept"}}});
    let answer = cluster.post(TABS, tab("a", &spec)).await;
    assert!(answer.headers["warning"].to_str().expect("text").contains("unknown field \\\"spec.unknown\\\""));
    assert_eq!(answer.ok()["spec"], json!({"cronSpec": "* *", "any": {"thing": {"is": "kept"}}, "replicas": 1}));
    let strict = cluster.post(&format!("{TABS}?fieldValidation=Strict"), tab("b", &spec)).await;
    assert_eq!(
        strict.failure().2,
        "CronTab in version \"v1\" cannot be handled as a CronTab: strict decoding error: unknown field \"spec.unknown\""
    );
    let cases = [
        (json!({}), "spec.cronSpec: Required value"),
        (
            json!({"cronSpec": "x"}),
            "spec.cronSpec: Invalid value: \"x\": spec.cronSpec in body should match '^(\\d+|\\*)( \\*)*$'",
        ),
        (
            json!({"cronSpec": 3}),
            "spec.cronSpec: Invalid value: \"integer\": spec.cronSpec in body must be of type string: \"integer\"",
        ),
        (
            json!({"cronSpec": "*", "replicas": 15}),
            "spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10",
        ),
        (
            json!({"cronSpec": "*", "mode": "x"}),
            "spec.mode: Unsupported value: \"x\": supported values: \"fast\", \"slow\"",
        ),
        (json!({"cronSpec": "*", "tags": ["a", "a"]}), "spec.tags[1]: Duplicate value: \"a\""),
        (
            json!({"cronSpec": "*", "ports": [{"name": "a"}, {"name": "a"}]}),
            "spec.ports[1]: Duplicate value: {\"name\":\"a\"}",
        ),
    ];
    for (spec, why) in cases {
        let answer = cluster.post(TABS, tab("c", &spec)).await;
        assert_eq!(
            answer.failure(),
            (422, "Invalid", format!("CronTab.stable.example.com \"c\" is invalid: {why}").as_str())
        );
    }
}

#[tokio::test]
async fn status_and_scale_are_apart() {
    let cluster = with_definition().await;
    cluster.post(TABS, tab("a", &json!({"cronSpec": "*"}))).await.ok();
    let path = format!("{TABS}/a");
    let both = json!({"spec": {"replicas": 5}, "status": {"replicas": 2, "selector": "app=a"}, "metadata": {"labels": {"x": "y"}}});
    let after = cluster.merge(&format!("{path}/status"), both.clone()).await.ok();
    assert_eq!((&after["spec"]["replicas"], &after["status"]["replicas"]), (&json!(1), &json!(2)));
    assert_eq!((&after["metadata"]["generation"], after["metadata"].get("labels")), (&json!(1), None));
    let scaled = cluster.merge(&format!("{path}/scale"), json!({"spec": {"replicas": 3}})).await.ok();
    assert_eq!(
        (&scaled["spec"]["replicas"], &scaled["status"]),
        (&json!(3), &json!({"replicas": 2, "selector": "app=a"}))
    );
    let object = cluster.get(&path).await.ok();
    assert_eq!((&object["metadata"]["generation"], &object["status"]["replicas"]), (&json!(2), &json!(2)));
    let none = cluster.write(Method::PATCH, &path, "application/strategic-merge-patch+json", "{}").await;
    assert_eq!(none.failure().0, 415);
    let mut stale = object;
    stale["metadata"].as_object_mut().expect("an object").remove("resourceVersion");
    let refused = cluster.write(Method::PUT, &path, "application/json", stale.to_string()).await;
    assert!(
        refused.failure().2.ends_with("metadata.resourceVersion: Invalid value: 0: must be specified for an update")
    );
}

#[tokio::test]
async fn the_schema_says_how_things_are_applied() {
    let cluster = with_definition().await;
    let apply = async |manager: &str, spec: Value| {
        let path = format!("{TABS}/a?fieldManager={manager}");
        cluster.write(Method::PATCH, &path, "application/apply-patch+yaml", tab("a", &spec).to_string()).await
    };
    apply("me", json!({"cronSpec": "*", "ports": [{"name": "a", "number": 1}], "tags": ["x"]})).await.ok();
    let both = apply("you", json!({"cronSpec": "*", "ports": [{"name": "b", "number": 2}], "tags": ["y"]})).await.ok();
    assert_eq!(both["spec"]["ports"], json!([{"name": "a", "number": 1}, {"name": "b", "number": 2}]));
    assert_eq!(both["spec"]["tags"], json!(["x", "y"]));
    let refused = apply("you", json!({"cronSpec": "*", "ports": [{"name": "a", "number": 3}]})).await;
    assert_eq!(
        refused.failure().2,
        "Apply failed with 1 conflict: conflict with \"me\": .spec.ports[name=\"a\"].number"
    );
    let less = apply("me", json!({"cronSpec": "*"})).await.ok();
    assert_eq!((&less["spec"]["ports"], &less["spec"]["tags"]), (&json!([{"name": "b", "number": 2}]), &json!(["y"])));
}

#[tokio::test]
async fn tables_have_the_columns_of_the_definition() {
    let cluster = with_definition().await;
    cluster.post(TABS, tab("a", &json!({"cronSpec": "*", "mode": "fast"}))).await.ok();
    cluster.post(TABS, tab("b", &json!({"cronSpec": "5", "mode": "slow"}))).await.ok();
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let request =
        axum::extract::Request::get(format!("{TABS}?fieldSelector=spec.mode%3Dslow")).header("accept", accept);
    let table = cluster.ask(request.body(axum::body::Body::empty()).expect("a request")).await.ok();
    let names: Vec<&Value> =
        table["columnDefinitions"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["Name", "Spec", "Replicas", "Age"]);
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(1));
    let cells = table["rows"][0]["cells"].as_array().expect("a list");
    assert_eq!(cells[..3], [json!("b"), json!("5"), json!(1)]);
}

#[tokio::test]
async fn versions_are_views_of_the_same_objects() {
    let cluster = Cluster::new().await;
    let mut two = definition();
    let old = json!({"name": "v1beta1", "served": true, "storage": false, "deprecated": true, "schema": {"openAPIV3Schema": schema()}});
    two["spec"]["versions"].as_array_mut().expect("a list").push(old);
    cluster.post(DEFINITIONS, two.clone()).await.ok();
    let beta = TABS.replace("/v1/", "/v1beta1/");
    let mut object = tab("a", &json!({"cronSpec": "*"}));
    object["apiVersion"] = json!("stable.example.com/v1beta1");
    let made = cluster.post(&beta, object).await;
    assert!(
        made.headers["warning"].to_str().expect("text").contains("stable.example.com/v1beta1 CronTab is deprecated")
    );
    assert_eq!(made.ok()["apiVersion"], "stable.example.com/v1beta1");
    assert_eq!(cluster.get(&format!("{TABS}/a")).await.ok()["apiVersion"], "stable.example.com/v1");
    let list = cluster.get(&beta).await.ok();
    assert_eq!(list["items"][0]["apiVersion"], "stable.example.com/v1beta1");
    assert_eq!(cluster.get("/apis/stable.example.com").await.ok()["preferredVersion"]["version"], "v1");

    // The storage version moves; the old one must stay while objects may be stored in it.
    let path = format!("{DEFINITIONS}/crontabs.stable.example.com");
    let mut versions = two["spec"]["versions"].clone();
    versions[0]["storage"] = json!(false);
    versions[1]["storage"] = json!(true);
    let moved = cluster.merge(&path, json!({"spec": {"versions": versions}})).await.ok();
    assert_eq!(moved["status"]["storedVersions"], json!(["v1", "v1beta1"]));
    assert_eq!(cluster.get(&format!("{beta}/a")).await.ok()["apiVersion"], "stable.example.com/v1beta1");
    let dropped = cluster.merge(&path, json!({"spec": {"versions": [versions[1]]}})).await;
    assert!(
        dropped.failure().2.contains("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions")
    );
    cluster.merge(&format!("{path}/status"), json!({"status": {"storedVersions": ["v1beta1"]}})).await.ok();
    cluster.merge(&path, json!({"spec": {"versions": [versions[1]]}})).await.ok();
    assert_eq!(cluster.get(TABS).await.status, 404);
    assert_eq!(cluster.get(&format!("{beta}/a")).await.ok()["spec"]["cronSpec"], "*");
}

#[tokio::test]
async fn a_deleted_definition_takes_its_objects_along() {
    let cluster = with_definition().await;
    cluster.post(TABS, tab("a", &json!({"cronSpec": "*"}))).await.ok();
    let mut held = tab("b", &json!({"cronSpec": "*"}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(TABS, held).await.ok();
    let path = format!("{DEFINITIONS}/crontabs.stable.example.com");
    let marked = cluster.write(Method::DELETE, &path, "application/json", "").await.ok();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    let refused = cluster.post(TABS, tab("c", &json!({"cronSpec": "*"}))).await;
    assert_eq!(refused.failure().2, "create not allowed while custom resource definition is terminating");
    let gone = async |path: &str| {
        for _ in 0..200 {
            if cluster.get(path).await.status == 404 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} is still there");
    };
    gone(&format!("{TABS}/a")).await;
    assert_eq!(cluster.get(&path).await.status, 200);
    cluster.merge(&format!("{TABS}/b"), json!({"metadata": {"finalizers": null}})).await.ok();
    gone(&path).await;
    assert_eq!(cluster.get(TABS).await.status, 404);
    // And again, with nothing left of before.
    cluster.post(DEFINITIONS, definition()).await.ok();
    assert_eq!(cluster.get(TABS).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn bad_definitions_are_refused() {
    let cluster = with_definition().await;
    let cases: [(&str, Value, &str); 9] = [
        (
            "/metadata/name",
            json!("x.example.com"),
            "metadata.name: Invalid value: \"x.example.com\": must be spec.names.plural+\".\"+spec.group",
        ),
        (
            "/spec/scope",
            json!("World"),
            "spec.scope: Unsupported value: \"World\": supported values: \"Cluster\", \"Namespaced\"",
        ),
        ("/spec/versions/0/storage", json!(false), "must have exactly one version marked as storage version"),
        (
            "/spec/versions/0/schema",
            json!({}),
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            "/spec/versions/0/schema/openAPIV3Schema/type",
            json!(""),
            "spec.versions[0].schema.openAPIV3Schema.type: Required value: must not be empty at the root",
        ),
        (
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/mode",
            json!({"description": "x"}),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[mode].type: Required value: must not be empty for specified object fields",
        ),
        (
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/replicas/default",
            json!(99),
            "properties[replicas].default: Invalid value: 99",
        ),
        (
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/cronSpec/pattern",
            json!("("),
            "properties[cronSpec].pattern: Invalid value: \"(\": must be a valid regular expression",
        ),
        (
            "/spec/versions/0/additionalPrinterColumns/0/jsonPath",
            json!("x["),
            "jsonPath: Invalid value: \"x[\": is an invalid jsonpath",
        ),
    ];
    for (pointer, value, why) in cases {
        let mut bad = definition();
        bad["metadata"]["name"] = json!("others.stable.example.com");
        bad["spec"]["names"] = json!({"plural": "others", "singular": "other", "kind": "Other"});
        *bad.pointer_mut(pointer).expect(pointer) = value;
        let answer = cluster.post(DEFINITIONS, bad).await;
        assert_eq!(answer.failure().0, 422, "{pointer}: {}", answer.text);
        assert!(answer.failure().2.contains(why), "{pointer}: {}", answer.failure().2);
    }
    // Names that are taken are not accepted, and nothing is served.
    let mut twin = definition();
    twin["metadata"]["name"] = json!("others.stable.example.com");
    twin["spec"]["names"]["plural"] = json!("others");
    let made = cluster.post(DEFINITIONS, twin).await.ok();
    assert_eq!(made["status"]["conditions"][0]["reason"], "SingularConflict");
    assert_eq!(made["status"]["conditions"][1]["status"], "False");
    assert_eq!(cluster.get("/apis/stable.example.com/v1/others").await.status, 404);
    let path = format!("{DEFINITIONS}/crontabs.stable.example.com");
    let moved = cluster.merge(&path, json!({"spec": {"scope": "Cluster"}})).await;
    assert!(moved.failure().2.contains("spec.scope: Invalid value: \"Cluster\": field is immutable"));
}

#[tokio::test]
async fn rules_are_evaluated() {
    let cluster = Cluster::new().await;
    let mut ruled = definition();
    let spec = &mut ruled["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    spec["x-kubernetes-validations"] = json!([
        {"rule": "!has(self.mode) || self.mode != 'slow' || self.replicas <= 3", "message": "slow ones have few replicas"},
        {"rule": "self.cronSpec == oldSelf.cronSpec", "messageExpression": "'it was ' + oldSelf.cronSpec"},
        {"rule": "self.cronSpec.isURL()"},
    ]);
    let answer = cluster.post(DEFINITIONS, ruled).await;
    let warning = answer.headers["warning"].to_str().expect("text").to_owned();
    assert!(warning.contains("1 rules of x-kubernetes-validations use what is not known here"), "{warning}");
    answer.ok();
    let refused = cluster.post(TABS, tab("a", &json!({"cronSpec": "*", "mode": "slow", "replicas": 4}))).await;
    let why = "CronTab.stable.example.com \"a\" is invalid: spec: Invalid value: \"object\": ";
    assert_eq!(refused.failure(), (422, "Invalid", format!("{why}slow ones have few replicas").as_str()));
    cluster.post(TABS, tab("a", &json!({"cronSpec": "*", "mode": "slow"}))).await.ok();
    let change = |spec: Value| json!({"spec": spec}).to_string();
    let path = format!("{TABS}/a");
    let merge = "application/merge-patch+json";
    let refused = cluster.write(Method::PATCH, &path, merge, change(json!({"cronSpec": "1"}))).await;
    assert_eq!(refused.failure().2, format!("{why}it was *"));
    cluster.write(Method::PATCH, &path, merge, change(json!({"replicas": 2}))).await.ok();
    // A dry run is judged, too.
    let refused =
        cluster.write(Method::PATCH, &format!("{path}?dryRun=All"), merge, change(json!({"replicas": 9}))).await;
    assert_eq!(refused.failure().0, 422);
}
