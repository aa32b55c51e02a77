//! Objects as a client sends them, and as the server keeps them.

use crate::schema;
use serde_json::{Value, json};

fn defaulted(group: &str, kind: &str, mut object: Value) -> Value {
    let kind = schema::kind(group, "v1", kind).expect("served");
    schema::conform(kind.type_(), &mut object).expect("conforms");
    super::apply(kind, &mut object);
    object
}

#[test]
fn pod() {
    let object = json!({"metadata": {"name": "p"}, "spec": {
        "containers": [{
            "name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
            "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "resources": {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "100u"}},
            "livenessProbe": {"httpGet": {"port": 80}},
        }],
        "volumes": [{"name": "e"}, {"name": "c", "configMap": {"name": "x"}}, {"name": "h", "hostPath": {"path": "/tmp"}}],
        "serviceAccount": "old",
        "hostNetwork": true,
    }});
    let want = json!({"metadata": {"name": "p"}, "spec": {
        "containers": [{
            "name": "c", "image": "nginx", "imagePullPolicy": "Always",
            "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}],
            "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP", "apiVersion": "v1"}}}],
            "resources": {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "1m", "memory": "64Mi"}},
            "livenessProbe": {
                "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
            },
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        }],
        "volumes": [
            {"name": "e", "emptyDir": {}},
            {"name": "c", "configMap": {"name": "x", "defaultMode": 420}},
            {"name": "h", "hostPath": {"path": "/tmp", "type": ""}},
        ],
        "serviceAccount": "old", "serviceAccountName": "old", "hostNetwork": true, "enableServiceLinks": true,
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler", "securityContext": {},
    }, "status": {}});
    assert_eq!(defaulted("", "Pod", object), want);
}

#[test]
fn a_pod_that_is_limited_as_a_whole() {
    let object = json!({"spec": {
        "containers": [{"name": "c", "image": "i:1", "resources": {"requests": {"cpu": "100m"}}}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }});
    let resources = &defaulted("", "Pod", object)["spec"]["resources"];
    assert_eq!(resources["requests"], json!({"cpu": "100m", "memory": "1Gi"}));
}

#[test]
fn workloads() {
    let template =
        json!({"spec": {"containers": [{"name": "c", "image": "i:1", "resources": {"limits": {"cpu": "1"}}}]}});
    let spec = defaulted("apps", "Deployment", json!({"spec": {"template": template}}))["spec"].take();
    assert_eq!(spec["replicas"], 1);
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
    );
    assert_eq!((&spec["revisionHistoryLimit"], &spec["progressDeadlineSeconds"]), (&json!(10), &json!(600)));
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert!(pod["containers"][0]["resources"].get("requests").is_none(), "only pods take requests from limits");
    assert!(pod.get("enableServiceLinks").is_none());

    let recreate = defaulted("apps", "Deployment", json!({"spec": {"strategy": {"type": "Recreate"}}}));
    assert_eq!(recreate["spec"]["strategy"], json!({"type": "Recreate"}));

    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}});
    let spec =
        defaulted("apps", "StatefulSet", json!({"spec": {"replicas": 0, "volumeClaimTemplates": [claim]}}))["spec"]
            .take();
    assert_eq!(spec["replicas"], 0);
    assert_eq!(
        spec["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}})
    );
    assert_eq!(spec["podManagementPolicy"], "OrderedReady");
    assert_eq!(spec["persistentVolumeClaimRetentionPolicy"], json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
    let claim = &spec["volumeClaimTemplates"][0];
    assert_eq!(
        (&claim["kind"], &claim["status"]["phase"], &claim["spec"]["volumeMode"]),
        (&json!("PersistentVolumeClaim"), &json!("Pending"), &json!("Filesystem"))
    );
}

#[test]
fn services() {
    let spec = |object: Value| defaulted("", "Service", json!({"spec": object}))["spec"].take();
    assert_eq!(
        spec(json!({"ports": [{"port": 80}, {"port": 81, "targetPort": "web", "protocol": "UDP"}]})),
        json!({
            "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}, {"port": 81, "targetPort": "web", "protocol": "UDP"}],
            "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
        })
    );
    let node_port = spec(json!({"type": "NodePort", "sessionAffinity": "ClientIP"}));
    assert_eq!(node_port["externalTrafficPolicy"], "Cluster");
    assert_eq!(node_port["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], 10_800);
    assert_eq!(spec(json!({"type": "LoadBalancer"}))["allocateLoadBalancerNodePorts"], true);
    assert!(spec(json!({"type": "ExternalName"})).get("internalTrafficPolicy").is_none());
}

#[test]
fn the_rest() {
    let secret = defaulted("", "Secret", json!({"data": {"a": "YQ=="}, "stringData": {"b": "b", "a": "x"}}));
    assert_eq!(secret["data"], json!({"a": "eA==", "b": "Yg=="}));
    assert_eq!((secret["type"].as_str(), secret.get("stringData")), (Some("Opaque"), None));
    let namespace = defaulted("", "Namespace", json!({"metadata": {"name": "n"}}));
    assert_eq!(namespace["metadata"]["labels"]["kubernetes.io/metadata.name"], "n");
    assert_eq!(namespace["status"]["phase"], "Active");
    let class = defaulted("storage.k8s.io", "StorageClass", json!({"provisioner": "p"}));
    assert_eq!((&class["reclaimPolicy"], &class["volumeBindingMode"]), (&json!("Delete"), &json!("Immediate")));
    let slice = defaulted("discovery.k8s.io", "EndpointSlice", json!({"addressType": "IPv4", "ports": [{"port": 1}]}));
    assert_eq!(slice["ports"][0], json!({"name": "", "port": 1, "protocol": "TCP"}));
}
