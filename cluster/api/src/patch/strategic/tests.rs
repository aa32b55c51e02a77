//! Cases as the API server answers them; compared with `kubectl patch --local` when they were written.

use super::*;
use crate::schema::type_of;
use serde_json::json;

fn patched(kind: (&str, &str), object: &Value, patch: &Value) -> std::result::Result<Value, String> {
    let type_ = type_of(kind.0, "v1", kind.1).expect("a known kind");
    let mut object = object.clone();
    apply(Mode::ApiServer, type_, &mut object, patch).map_err(|why| why.to_string())?;
    Ok(object)
}

/// Patches of a pod's spec.
fn pod(object: &Value, patch: &Value) -> std::result::Result<Value, String> {
    patched(("", "Pod"), &json!({"spec": object}), &json!({"spec": patch})).map(|mut object| object["spec"].take())
}

#[test]
fn merges_lists_of_objects_by_key() {
    let old = json!({"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]});
    let cases = [
        (
            json!({"containers": [{"name": "b", "image": "2"}]}),
            json!({"containers": [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "2"}]}),
        ),
        (
            json!({"containers": [{"name": "a", "args": ["y"]}]}),
            json!({"containers": [{"name": "a", "image": "1", "args": ["y"]}, {"name": "b", "image": "1"}]}),
        ),
        (
            json!({"containers": [{"name": "c", "image": "3"}]}),
            json!({"containers": [{"name": "c", "image": "3"}, {"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]}),
        ),
        (
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b", "image": "1"}]}),
        ),
        (json!({"containers": [{"$patch": "replace"}, {"name": "z"}]}), json!({"containers": [{"name": "z"}]})),
        (
            json!({"containers": [{"name": "a", "$patch": "replace", "image": "9"}, {"name": "z"}]}),
            json!({"containers": [{"name": "z"}]}),
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "2"}]}),
            json!({"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1", "args": ["x"]}]}),
        ),
        (json!({"containers": null}), json!({})),
    ];
    for (patch, want) in cases {
        assert_eq!(pod(&old, &patch), Ok(want), "{patch}");
    }
}

#[test]
fn replaces_atomic_lists_and_merges_maps() {
    let old = json!({"nodeSelector": {"a": "1", "b": "2"}, "tolerations": [{"key": "x"}]});
    let cases = [
        (
            json!({"nodeSelector": {"a": null, "c": "3"}}),
            json!({"nodeSelector": {"b": "2", "c": "3"}, "tolerations": [{"key": "x"}]}),
        ),
        (
            json!({"nodeSelector": {"$patch": "replace", "c": "3"}}),
            json!({"nodeSelector": {"c": "3"}, "tolerations": [{"key": "x"}]}),
        ),
        (json!({"nodeSelector": {"$patch": "delete"}}), json!({"nodeSelector": {}, "tolerations": [{"key": "x"}]})),
        (
            json!({"tolerations": [{"key": "y"}]}),
            json!({"nodeSelector": {"a": "1", "b": "2"}, "tolerations": [{"key": "y"}]}),
        ),
        (
            json!({"affinity": {"nodeAffinity": null, "podAffinity": {"$patch": "delete"}}}),
            json!({"nodeSelector": {"a": "1", "b": "2"}, "tolerations": [{"key": "x"}], "affinity": {}}),
        ),
    ];
    for (patch, want) in cases {
        assert_eq!(pod(&old, &patch), Ok(want), "{patch}");
    }
}

#[test]
fn lists_of_scalars() {
    let old = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
    let cases = [
        (json!({"finalizers": ["d"]}), json!(["d", "a", "b", "c"])),
        (json!({"finalizers": ["c", "a"]}), json!(["b", "c", "a"])),
        (json!({"$deleteFromPrimitiveList/finalizers": ["b"]}), json!(["a", "c"])),
        (json!({"$setElementOrder/finalizers": ["c", "a"], "finalizers": ["c"]}), json!(["b", "c", "a"])),
        (
            json!({"$setElementOrder/finalizers": ["a", "d"], "$deleteFromPrimitiveList/finalizers": ["b", "c"], "finalizers": ["d"]}),
            json!(["a", "d"]),
        ),
    ];
    for (patch, want) in cases {
        let got = patched(("", "Pod"), &old, &json!({"metadata": patch}))
            .map(|object| object["metadata"]["finalizers"].clone());
        assert_eq!(got, Ok(want), "{patch}");
    }
}

#[test]
fn retain_keys_drops_the_rest() {
    let old = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    let want = json!({"spec": {"strategy": {"type": "Recreate"}}});
    assert_eq!(patched(("apps", "Deployment"), &old, &patch), Ok(want));
    let bad = json!({"spec": {"strategy": {"$retainKeys": ["rollingUpdate"], "type": "Recreate"}}});
    assert_eq!(patched(("apps", "Deployment"), &old, &bad), Err("invalid patch format of retainKeys".to_owned()));
}

#[test]
fn ports_are_paired_by_number() {
    let old = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 443, "protocol": "TCP", "name": "b"}]}});
    let patch = json!({"spec": {"ports": [{"port": 80, "name": "c"}]}});
    let want = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "c"}, {"port": 443, "protocol": "TCP", "name": "b"}]}});
    assert_eq!(patched(("", "Service"), &old, &patch), Ok(want));
}

#[test]
fn explains_what_is_wrong() {
    let old = json!({"containers": [{"name": "a"}], "imagePullSecrets": [{"name": "s"}]});
    let cases = [
        (json!({"containers": [{"image": "x"}]}), "map: map[image:x] does not contain declared merge key: name"),
        (
            json!({"containers": [{"name": "a", "$patch": "dance"}]}),
            "unknown patch type: dance in map: map[$patch:dance name:a]",
        ),
        (json!({"containers": ["x"]}), "expected a map, but received a string"),
        (json!({"containers": [[1]]}), "lists of lists are not supported"),
        (
            json!({"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}),
            "The order in patch list:\n[map[name:a]]\n doesn't match $setElementOrder list:\n[map[name:b]]\n",
        ),
        (json!({"$setElementOrder/containers": "x"}), "expected a list, but received a string"),
        (json!({"$deleteFromPrimitiveListx": []}), "invalid patch format of primitive list"),
    ];
    for (patch, want) in cases {
        assert_eq!(pod(&old, &patch), Err(want.to_owned()), "{patch}");
    }
    assert_eq!(patched(("", "Pod"), &old, &json!([])), Err("invalid JSON document".to_owned()));
}

/// What `kubectl apply` sends when a port is added to a service and a container's environment changes.
#[test]
fn a_patch_of_kubectl_apply() {
    let old = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "web", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "imagePullPolicy": "Always"}
    ]}}}});
    let patch = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "web"}],
        "containers": [{
            "name": "web",
            "$setElementOrder/env": [{"name": "C"}, {"name": "A"}],
            "env": [{"name": "C", "value": "3"}, {"name": "B", "$patch": "delete"}],
        }],
    }}}});
    let want = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "web", "image": "i", "env": [{"name": "C", "value": "3"}, {"name": "A", "value": "1"}], "imagePullPolicy": "Always"}
    ]}}}});
    assert_eq!(patched(("apps", "Deployment"), &old, &patch), Ok(want));
}

/// Where Kustomize and the API server part; what Kustomize does was compared with 5.8.1.
#[test]
fn modes_differ() {
    let type_ = type_of("", "v1", "Pod").expect("a known kind");
    let both = |object: &Value, patch: &Value| {
        [Mode::ApiServer, Mode::Kustomize].map(|mode| {
            let mut object = json!({"spec": object});
            apply(mode, type_, &mut object, &json!({"spec": patch})).map_err(|why| why.to_string())?;
            Ok(object["spec"].take())
        })
    };
    let ports = json!({"containers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "UDP"}]}]});
    let cases = [
        (
            json!({"imagePullSecrets": [{"name": "a"}, {"name": "b"}]}),
            json!({"imagePullSecrets": [{"name": "b"}, {"name": "c"}]}),
            [
                Ok(json!({"imagePullSecrets": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})),
                Ok(json!({"imagePullSecrets": [{"name": "b"}, {"name": "c"}, {"name": "a"}]})),
            ],
        ),
        (
            ports,
            json!({"containers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "TCP"}]}]}),
            [
                Ok(json!({"containers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": "TCP"}]}]})),
                Ok(json!({"containers": [{"name": "a", "ports": [
                    {"containerPort": 1, "protocol": "TCP"}, {"containerPort": 1, "protocol": "UDP"}
                ]}]})),
            ],
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$patch": "delete"}}),
            [Ok(json!({"nodeSelector": {}})), Ok(json!({}))],
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": "text"}),
            [Ok(json!({"nodeSelector": "text"})), Err("expected a value of kind Map, but received Scalar")],
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$patch": "merge", "b": "2"}}),
            [
                Err("unknown patch type: merge in map: map[$patch:merge b:2]"),
                Ok(json!({"nodeSelector": {"a": "1", "b": "2"}})),
            ],
        ),
        (
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$retainKeys": ["b"], "b": "2"}}),
            [
                Ok(json!({"nodeSelector": {"b": "2"}})),
                Ok(json!({"nodeSelector": {"$retainKeys": ["b"], "a": "1", "b": "2"}})),
            ],
        ),
    ];
    for (object, patch, want) in cases {
        assert_eq!(both(&object, &patch), want.map(|want| want.map_err(str::to_owned)), "{patch}");
    }
}
