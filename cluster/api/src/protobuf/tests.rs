//! The fixtures are bodies that kubectl 1.37 sent (`kubectl create deployment web --image=nginx:1.27 --replicas=3
//! --port=80` and the like), recorded by a server that answered nothing of use.

use super::*;
use serde_json::json;

const DEPLOYMENT: &[u8] = include_bytes!("fixtures/deployment.bin");
const SERVICE: &[u8] = include_bytes!("fixtures/service.bin");

fn recorded() -> [(&'static [u8], Value); 7] {
    [
        (
            DEPLOYMENT,
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {
                    "replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "strategy": {},
                    "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                        {"name": "nginx", "image": "nginx:1.27", "ports": [{"containerPort": 80}], "resources": {}}
                    ]}},
                },
                "status": {},
            }),
        ),
        (
            include_bytes!("fixtures/configmap.bin"),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1", "b": "two"}}),
        ),
        (
            include_bytes!("fixtures/secret.bin"),
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "creds"},
                "data": {"user": "YWRtaW4=", "password": "cCZzcw=="},
            }),
        ),
        (
            include_bytes!("fixtures/namespace.bin"),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}, "spec": {}, "status": {}}),
        ),
        (
            SERVICE,
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "np", "labels": {"app": "np"}},
                "spec": {
                    "type": "NodePort", "selector": {"app": "np"},
                    "ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30080}],
                },
                "status": {"loadBalancer": {}},
            }),
        ),
        (
            include_bytes!("fixtures/token.bin"),
            json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
                "spec": {"expirationSeconds": 600}, "status": {},
            }),
        ),
        (
            include_bytes!("fixtures/ingress.bin"),
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
                "spec": {"rules": [{"host": "a.example", "http": {"paths": [
                    {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
                ]}}]},
                "status": {"loadBalancer": {}},
            }),
        ),
    ]
}

#[test]
fn reads_what_kubectl_sends() {
    for (body, want) in recorded() {
        assert_eq!(decode(body), Ok(want));
    }
}

#[test]
fn writes_what_it_reads() {
    for (_, object) in recorded() {
        let body = encode(&object).expect("encodes");
        assert_eq!(decode(&body), Ok(object));
    }
}

#[test]
fn odd_types_survive_the_round_trip() {
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "p", "creationTimestamp": "2026-01-02T03:04:05Z", "generation": 2,
            "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {".": {}}}}],
        },
        "spec": {
            "containers": [{
                "name": "c",
                "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"port": "web"}, "periodSeconds": 5},
                "securityContext": {"runAsUser": 0, "privileged": false},
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": false}}}],
            }],
            "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
            "terminationGracePeriodSeconds": 0,
            "priority": -5,
            "tolerations": [{"key": "a", "tolerationSeconds": -1}],
        },
        "status": {"startTime": "2026-01-02T03:04:05Z"},
    });
    assert_eq!(decode(&encode(&object).expect("encodes")), Ok(object));
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
        "spec": {"renewTime": "2026-01-02T03:04:05.000006Z", "leaseTransitions": 0, "holderIdentity": ""},
    });
    assert_eq!(decode(&encode(&lease).expect("encodes")), Ok(lease));
    let revision = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "r"},
        "data": {"spec": {"x": [1, 2]}}, "revision": 1,
    });
    assert_eq!(decode(&encode(&revision).expect("encodes")), Ok(revision));
}

#[test]
fn options_need_no_kind_in_the_envelope() {
    let options = crate::schema::type_of("", "v1", "DeleteOptions").expect("DeleteOptions");
    // gracePeriodSeconds (1) = 0, propagationPolicy (4) = "Orphan", under an empty type.
    let raw = b"\x08\x00\x22\x06Orphan";
    let mut body = MAGIC.to_vec();
    wire::put_bytes(&mut body, 2, raw);
    assert_eq!(decode_as(options, &body), Ok(json!({"gracePeriodSeconds": 0, "propagationPolicy": "Orphan"})));
}

#[test]
fn says_what_is_wrong() {
    assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
    assert_eq!(decode(&DEPLOYMENT[..50]), Err(ProtobufError::Truncated));
    let unknown = encode(&json!({"apiVersion": "v1", "kind": "Nonsense"})).expect_err("unknown");
    assert_eq!(unknown.to_string(), "no kind \"Nonsense\" is registered for version \"v1\"");
    let mismatch = encode(&json!({"apiVersion": "v1", "kind": "Pod", "spec": {"priority": "x"}}));
    assert_eq!(mismatch, Err(ProtobufError::Mismatch("priority")));
}

#[test]
fn hostile_bytes_never_panic() {
    for (body, _) in recorded() {
        for length in 0..body.len() {
            let _ = decode(&body[..length]);
        }
        for at in 4..body.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff, body[at] ^ 0x08] {
                let mut changed = body.to_vec();
                changed[at] = byte;
                let _ = decode(&changed);
            }
        }
    }
}

#[test]
fn depth_is_bounded() {
    // A CRD's schema is the one type that nests without end: not (properties .. ) = field 26 in itself.
    let props = crate::schema::table()
        .by_name("apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
        .expect("JSONSchemaProps");
    let number = props.field("not").expect("not").number[0];
    let mut bytes = Vec::new();
    for _ in 0..1000 {
        let mut outer = Vec::new();
        wire::put_bytes(&mut outer, number, &bytes);
        bytes = outer;
    }
    assert_eq!(read::message(props, &bytes), Err(ProtobufError::TooDeep));
    let envelope_in_envelope = (0..200).fold(Vec::new(), |inner, _| {
        let mut raw = Vec::new();
        wire::put_bytes(&mut raw, 1, &inner);
        let mut message = Vec::new();
        wire::put_bytes(&mut message, 2, &raw);
        let mut type_meta = Vec::new();
        wire::put_bytes(&mut type_meta, 1, b"apps/v1");
        wire::put_bytes(&mut type_meta, 2, b"ControllerRevision");
        let mut body = MAGIC.to_vec();
        wire::put_bytes(&mut body, 1, &type_meta);
        wire::put_bytes(&mut body, 2, &message);
        body
    });
    assert_eq!(decode(&envelope_in_envelope), Err(ProtobufError::TooDeep));
}
