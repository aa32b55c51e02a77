//! All other kinds.

use super::{check, claim, deployment, service, stateful_set, volume};
use serde_json::{Value, json};

#[test]
fn deployments() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"selector": null}}), &["spec.selector: Required value"]),
        (
            json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}}),
            &[
                r#"spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`"#,
            ],
        ),
        (
            json!({"spec": {"selector": {"matchLabels": null}}}),
            &["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
        ),
        (json!({"spec": {"replicas": -1}}), &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        (
            json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}}),
            &["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}}),
            &["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            json!({"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "110%"}}}}),
            &[r#"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "110%": must not be greater than 100%"#],
        ),
        (
            json!({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}),
            &[r#"spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always""#],
        ),
        (
            json!({"spec": {"minReadySeconds": 600}}),
            &["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"],
        ),
        (
            json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x", "volumeMounts": [{"name": "w", "mountPath": "/a"}]}]}}}}),
            &[r#"spec.template.spec.containers[0].volumeMounts[0].name: Not found: "w""#],
        ),
    ];
    check("apps", "Deployment", &deployment(), cases);
}

#[test]
fn stateful_sets() {
    let cases: &[(Value, &[&str])] = &[
        (
            json!({"spec": {"podManagementPolicy": "Odd"}}),
            &[r#"spec.podManagementPolicy: Invalid value: "Odd": must be 'OrderedReady' or 'Parallel'"#],
        ),
        (
            json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}}}),
            &[
                r#"spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for updateStrategy 'RollingUpdate'"#,
            ],
        ),
        (
            json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]}}),
            &["spec.volumeClaimTemplates[0].spec.resources[storage]: Required value"],
        ),
        (
            json!({"spec": {"volumeClaimTemplates": null}}),
            &[r#"spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data""#],
        ),
    ];
    check("apps", "StatefulSet", &stateful_set(), cases);
}

#[test]
fn services() {
    let ports = |ports: Value| json!({"spec": {"ports": ports}});
    let cases: &[(Value, &[&str])] = &[
        (ports(json!([])), &["spec.ports: Required value"]),
        (json!({"spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": null}}), &[]),
        (
            ports(json!([{"port": 80}, {"port": 81}])),
            &["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            ports(json!([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}])),
            &[r#"spec.ports[1].name: Duplicate value: "a""#],
        ),
        (
            ports(json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}])),
            &[
                r#"spec.ports[1]: Duplicate value: {"AppProtocol":null,"Name":"","NodePort":0,"Port":80,"Protocol":"TCP","TargetPort":0}"#,
            ],
        ),
        (
            ports(json!([{"port": 0}])),
            &[
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            ports(json!([{"port": 80, "nodePort": 30080}])),
            &["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            json!({"spec": {"type": "Odd"}}),
            &[
                r#"spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort""#,
            ],
        ),
        (
            json!({"spec": {"type": "ExternalName", "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null}}),
            &["spec.externalName: Required value"],
        ),
        (
            json!({"spec": {"clusterIP": "x", "clusterIPs": ["x"]}}),
            &[
                r#"spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#,
            ],
        ),
        (
            json!({"spec": {"externalIPs": ["127.0.0.1"]}}),
            &[
                r#"spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#,
            ],
        ),
        (
            json!({"spec": {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90000}}}}),
            &[
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400",
            ],
        ),
        (
            json!({"spec": {"externalTrafficPolicy": "Local"}}),
            &[
                r#"spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services"#,
            ],
        ),
    ];
    check("", "Service", &service(), cases);
}

#[test]
fn storage() {
    let cases: &[(Value, &[&str])] = &[
        (
            json!({"spec": {"accessModes": null}}),
            &["spec.accessModes: Required value: at least 1 access mode is required"],
        ),
        (
            json!({"spec": {"accessModes": ["Odd"]}}),
            &[
                r#"spec.accessModes: Unsupported value: "Odd": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod""#,
            ],
        ),
        (json!({"spec": {"resources": null}}), &["spec.resources[storage]: Required value"]),
        (
            json!({"spec": {"resources": {"requests": {"storage": "0"}}}}),
            &[r#"spec.resources[storage]: Invalid value: "0": must be greater than zero"#],
        ),
    ];
    check("", "PersistentVolumeClaim", &claim(), cases);
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"hostPath": null}}), &["spec: Required value: must specify a volume type"]),
        (
            json!({"spec": {"nfs": {"server": "s", "path": "/x"}}}),
            &["spec.nfs: Forbidden: may not specify more than 1 volume type"],
        ),
        (json!({"spec": {"capacity": null}}), &["spec.capacity: Required value"]),
        (
            json!({"spec": {"hostPath": null, "local": {"path": "/x"}}}),
            &["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
    ];
    check("", "PersistentVolume", &volume(), cases);
    let class = json!({"metadata": {"name": "c"}, "provisioner": "example.com/x"});
    let cases: &[(Value, &[&str])] = &[
        (json!({"provisioner": null}), &["provisioner: Required value"]),
        (
            json!({"volumeBindingMode": "Odd"}),
            &[r#"volumeBindingMode: Unsupported value: "Odd": supported values: "Immediate", "WaitForFirstConsumer""#],
        ),
    ];
    check("storage.k8s.io", "StorageClass", &class, cases);
}

#[test]
fn config() {
    let named = json!({"metadata": {"name": "a", "namespace": "default"}});
    let big = "x".repeat(1024 * 1024 + 1);
    let cases: &[(Value, &[&str])] = &[
        (json!({"data": {"a.b-c_d": "x"}}), &[]),
        (json!({"data": {"..": "x"}}), &[r#"data[..]: Invalid value: "..": must not be '..'"#]),
        (
            json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}}),
            &[r#"data[a]: Invalid value: "a": duplicate of key present in binaryData"#],
        ),
        (json!({"data": {"a": big}}), &[": Too long: may not be more than 1048576 bytes"]),
    ];
    check("", "ConfigMap", &named, cases);
    let cases: &[(Value, &[&str])] = &[
        (json!({"type": "kubernetes.io/tls"}), &["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        (json!({"type": "kubernetes.io/dockerconfigjson"}), &["data[.dockerconfigjson]: Required value"]),
        (json!({"type": "example.com/own", "data": {"x": "eA=="}}), &[]),
    ];
    check("", "Secret", &named, cases);
}

#[test]
fn the_rest() {
    let slice = json!({
        "metadata": {"name": "s", "namespace": "default"}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}],
    });
    let cases: &[(Value, &[&str])] = &[
        (json!({"addressType": null}), &["addressType: Required value"]),
        (
            json!({"endpoints": [{"addresses": ["::1"]}]}),
            &[r#"endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address"#],
        ),
        (
            json!({"endpoints": [{"addresses": ["169.254.169.254"]}]}),
            &[
                r#"endpoints[0].addresses[0]: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, fe80::/10)"#,
            ],
        ),
        (
            json!({"endpoints": [{"addresses": []}]}),
            &["endpoints[0].addresses: Required value: must contain at least 1 address"],
        ),
        (json!({"ports": [{"port": 1}, {"port": 2}]}), &[r#"ports[1].name: Duplicate value: """#]),
    ];
    check("discovery.k8s.io", "EndpointSlice", &slice, cases);

    let node = json!({"metadata": {"name": "n"}});
    let cases: &[(Value, &[&str])] = &[(
        json!({"spec": {"taints": [{"key": "a", "effect": "Odd"}]}}),
        &[
            r#"metadata.taints[0].effect: Unsupported value: "Odd": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#,
        ],
    )];
    check("", "Node", &node, cases);

    let lease = json!({"metadata": {"name": "l", "namespace": "default"}});
    let cases: &[(Value, &[&str])] = &[(
        json!({"spec": {"leaseDurationSeconds": 0}}),
        &["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
    )];
    check("coordination.k8s.io", "Lease", &lease, cases);

    let event = json!({"metadata": {"name": "e", "namespace": "a"}, "involvedObject": {"namespace": "a"}});
    let cases: &[(Value, &[&str])] = &[(
        json!({"involvedObject": {"namespace": "b"}}),
        &[r#"involvedObject.namespace: Invalid value: "b": does not match event.namespace"#],
    )];
    check("", "Event", &event, cases);

    let new = json!({
        "metadata": {"name": "e", "namespace": "a"}, "regarding": {"namespace": "a"}, "type": "Normal",
        "eventTime": "2026-01-01T00:00:00Z", "reportingController": "kubelet", "reportingInstance": "n",
        "action": "Pulling", "reason": "Pulling", "note": "n",
    });
    let cases: &[(Value, &[&str])] = &[
        (json!({"action": null}), &["action: Required value"]),
        (json!({"type": "Odd"}), &[r#"type: Invalid value: "": has invalid value: Odd"#]),
        (
            json!({"series": {"count": 1}}),
            &[r#"series.count: Invalid value: "": should be at least 2"#, "series.lastObservedTime: Required value"],
        ),
        (json!({"deprecatedCount": 1}), &[r#"count: Invalid value: "": needs to be unset"#]),
    ];
    check("events.k8s.io", "Event", &new, cases);

    let binding = json!({"target": {"name": "n"}});
    let cases: &[(Value, &[&str])] = &[(json!({"target": {"name": ""}}), &["target.name: Required value"])];
    check("", "Binding", &binding, cases);
}
