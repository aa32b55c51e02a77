use super::*;
use serde_json::{Value, json};

fn deployment() -> Node<'static> {
    Node::Object(crate::schema::kind("apps", "v1", "Deployment").expect("served").type_())
}

fn writer(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "apps/v1", subresource: "", now: "2026-01-01T00:00:00Z", scope: Scope::AllButStatus }
}

fn web(replicas: i64, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]}}}})
}

fn fields(object: &Value, manager: &str) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries.into_iter().find(|entry| entry["manager"] == manager).map_or(Value::Null, |entry| entry["fieldsV1"].clone())
}

#[test]
fn what_is_applied_is_owned() {
    let live = apply(deployment(), None, &web(1, "a"), &writer("me"), false).expect("applied");
    let want = json!({
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                    ".": {}, "f:image": {}, "f:name": {},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
                }}},
            },
        },
    });
    assert_eq!(fields(&live, "me"), want);
    let entry = &live["metadata"]["managedFields"][0];
    assert_eq!((&entry["operation"], &entry["apiVersion"]), (&json!("Apply"), &json!("apps/v1")));
}

#[test]
fn what_is_made_is_owned_as_kubernetes_writes_it() {
    let mut made = web(1, "a");
    update(deployment(), None, &mut made, &writer("maker"));
    let fields = fields(&made, "maker");
    assert_eq!(fields["f:metadata"], json!({"f:labels": {".": {}, "f:app": {}}}));
    assert_eq!(fields["f:spec"]["f:replicas"], json!({}));
    assert_eq!(fields["f:spec"].get("."), None);
    let containers = &fields["f:spec"]["f:template"]["f:spec"]["f:containers"];
    assert_eq!(containers.get("."), None);
    assert_eq!(containers["k:{\"name\":\"web\"}"]["."], json!({}));
}

#[test]
fn what_is_no_longer_applied_goes() {
    let live = apply(deployment(), None, &web(1, "a"), &writer("me"), false).expect("applied");
    let mut less = web(1, "a");
    less["metadata"].as_object_mut().expect("an object").remove("labels");
    less["spec"].as_object_mut().expect("an object").remove("replicas");
    less["spec"]["template"]["spec"]["containers"] = json!([{"name": "other", "image": "b"}]);
    let live = apply(deployment(), Some(&live), &less, &writer("me"), false).expect("applied");
    assert_eq!(live["metadata"].get("labels"), None);
    assert_eq!(live["spec"].get("replicas"), None);
    assert_eq!(live["spec"]["template"]["spec"]["containers"], json!([{"name": "other", "image": "b"}]));
}

#[test]
fn what_others_own_stays() {
    let live = apply(deployment(), None, &web(1, "a"), &writer("me"), false).expect("applied");
    let theirs =
        json!({"spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "web", "image": "a"}]}}}});
    let live = apply(deployment(), Some(&live), &theirs, &writer("you"), false).expect("the same values");
    let mut less = web(1, "a");
    less["spec"].as_object_mut().expect("an object").remove("replicas");
    less["spec"]["template"]["spec"]["containers"] = json!([{"name": "other", "image": "b"}]);
    let live = apply(deployment(), Some(&live), &less, &writer("me"), false).expect("applied");
    assert_eq!(live["spec"]["replicas"], 1);
    let containers = live["spec"]["template"]["spec"]["containers"].as_array().expect("a list");
    assert_eq!(containers.len(), 2);
    assert!(containers.contains(&json!({"name": "web", "image": "a"})), "{containers:?}");
}

#[test]
fn conflicts_name_fields_and_owners() {
    let live = apply(deployment(), None, &web(1, "a"), &writer("me"), false).expect("applied");
    let mut scaled = live.clone();
    scaled["spec"]["replicas"] = json!(5);
    update(
        deployment(),
        Some(&live),
        &mut scaled,
        &Writer { subresource: "scale", scope: Scope::All, ..writer("hpa") },
    );
    assert_eq!(fields(&scaled, "hpa"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(fields(&scaled, "me")["f:spec"].get("f:replicas"), None);

    let error = apply(deployment(), Some(&scaled), &web(1, "a"), &writer("me"), false).expect_err("a conflict");
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"hpa\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
    let error = apply(deployment(), Some(&scaled), &web(2, "b"), &writer("you"), false).expect_err("conflicts");
    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"hpa\" with subresource \"scale\" using apps/v1:\n- .spec.replicas\nconflicts with \"me\":\n- .spec.template.spec.containers[name=\"web\"].image"
    );
    let forced = apply(deployment(), Some(&scaled), &web(1, "a"), &writer("me"), true).expect("forced");
    assert_eq!(forced["spec"]["replicas"], 1);
    assert_eq!(fields(&forced, "hpa"), Value::Null);
}

#[test]
fn the_same_again_changes_nothing() {
    let live = apply(deployment(), None, &web(1, "a"), &writer("me"), false).expect("applied");
    let later = Writer { now: "2027-01-01T00:00:00Z", ..writer("me") };
    assert_eq!(apply(deployment(), Some(&live), &web(1, "a"), &later, false).expect("applied"), live);
    let mut same = live.clone();
    update(deployment(), Some(&live), &mut same, &later);
    assert_eq!(same, live);
}

#[test]
fn kubectl_takes_over_what_it_applied_from_its_side() {
    let mut live = web(1, "a");
    live["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": web(1, "a").to_string()});
    update(deployment(), None, &mut live, &writer("kubectl-client-side-apply"));
    assert!(apply(deployment(), Some(&live), &web(1, "b"), &writer("other"), false).is_err());
    let applied = apply(deployment(), Some(&live), &web(1, "b"), &writer("kubectl"), false).expect("taken over");
    assert_eq!(applied["spec"]["template"]["spec"]["containers"][0]["image"], "b");
    let last = applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].as_str();
    assert!(last.expect("kept").contains("\"image\":\"b\""));
    // What somebody else has changed since is not taken over.
    let mut changed = live.clone();
    changed["spec"]["replicas"] = json!(7);
    update(deployment(), Some(&live), &mut changed, &writer("editor"));
    assert!(apply(deployment(), Some(&changed), &web(1, "a"), &writer("kubectl"), false).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    let cases = [
        (json!({"spec": {"foo": 1}}), ".spec.foo: field not declared in schema"),
        (json!({"spec": {"replicas": {}}}), ".spec.replicas: expected scalar, got map"),
        (json!({"spec": {"template": []}}), ".spec.template: expected map, got list"),
    ];
    for (config, want) in cases {
        let error = apply(deployment(), None, &config, &writer("me"), false).expect_err("a fault");
        assert_eq!(error.to_string(), want);
    }
    let with_fields = json!({"metadata": {"managedFields": []}});
    assert_eq!(apply(deployment(), None, &with_fields, &writer("me"), false), Err(ApplyError::ManagedFields));
}

#[test]
fn old_updaters_are_put_together() {
    let mut live = web(1, "a");
    update(deployment(), None, &mut live, &writer("maker"));
    for number in 0..15 {
        let mut next = live.clone();
        next["metadata"]["labels"][format!("l{number}")] = json!("x");
        let (name, now) = (format!("m{number}"), format!("2026-01-01T00:01:{number:02}Z"));
        update(deployment(), Some(&live), &mut next, &Writer { now: &now, ..writer(&name) });
        live = next;
    }
    let managers = Managers::decode(&live["metadata"]["managedFields"]).expect("readable");
    assert_eq!(managers.iter().count(), 10);
    assert_eq!(fields(&live, "ancient-changes")["f:metadata"]["f:labels"]["f:l0"], json!({}));
}

#[test]
fn the_books_can_be_reset() {
    let live = apply(deployment(), None, &web(1, "a"), &writer("me"), false).expect("applied");
    let mut next = live.clone();
    next["metadata"]["managedFields"] = json!([]);
    update(deployment(), Some(&live), &mut next, &writer("me"));
    assert_eq!(next["metadata"].get("managedFields"), None);
    // What was there then belongs to nobody in particular.
    let next = apply(deployment(), Some(&next), &web(1, "a"), &writer("me"), false).expect("the same values");
    assert!(fields(&next, "before-first-apply").is_object());
}

#[test]
fn sets_and_status_follow_their_rules() {
    let finalizer = |name: &str| json!({"metadata": {"finalizers": [name]}});
    let live = apply(deployment(), None, &finalizer("a.io/x"), &writer("one"), false).expect("applied");
    let live = apply(deployment(), Some(&live), &finalizer("b.io/y"), &writer("two"), false).expect("sets merge");
    assert_eq!(live["metadata"]["finalizers"], json!(["a.io/x", "b.io/y"]));
    let live = apply(deployment(), Some(&live), &json!({}), &writer("one"), false).expect("applied");
    assert_eq!(live["metadata"]["finalizers"], json!(["b.io/y"]));
    let status = json!({"status": {"replicas": 3}});
    let live = apply(deployment(), Some(&live), &status, &writer("two"), false).expect("applied");
    assert_eq!(fields(&live, "two"), Value::Null);
}
