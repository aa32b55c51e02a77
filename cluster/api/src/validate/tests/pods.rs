//! Pods.

use super::{check, created, pod};
use serde_json::{Value, json};

/// A pod whose one container has these fields too.
fn container(fields: &Value) -> Value {
    let mut container = json!({"name": "c", "image": "nginx:1.27"});
    crate::patch::merge(&mut container, fields);
    json!({"spec": {"containers": [container]}})
}

/// A pod whose container mounts the volume `v`.
fn volume(source: &Value) -> Value {
    let mut volume = json!({"name": "v"});
    crate::patch::merge(&mut volume, source);
    json!({"spec": {"volumes": [volume]}})
}

#[test]
fn containers() {
    let cases: &[(Value, &[&str])] = &[
        (json!({"spec": {"containers": []}}), &["spec.containers: Required value"]),
        (container(&json!({"name": null})), &["spec.containers[0].name: Required value"]),
        (container(&json!({"image": null})), &["spec.containers[0].image: Required value"]),
        (
            container(&json!({"image": " x"})),
            &[r#"spec.containers[0].image: Invalid value: " x": must not have leading or trailing whitespace"#],
        ),
        (
            json!({"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]}}),
            &[r#"spec.containers[1].name: Duplicate value: "a""#],
        ),
        (
            json!({"spec": {"initContainers": [{"name": "c", "image": "x"}]}}),
            &[r#"spec.initContainers[0].name: Duplicate value: "c""#],
        ),
        (
            container(&json!({"imagePullPolicy": "Sometimes"})),
            &[
                r#"spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never""#,
            ],
        ),
        (
            json!({"spec": {"initContainers": [{"name": "i", "image": "x", "livenessProbe": {"exec": {"command": ["a"]}}}]}}),
            &[
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            ],
        ),
        (
            json!({"spec": {"initContainers": [{"name": "i", "image": "x", "restartPolicy": "Always", "livenessProbe": {"exec": {"command": ["a"]}}}]}}),
            &[],
        ),
        (
            json!({"spec": {"ephemeralContainers": [{"name": "e", "image": "x"}]}}),
            &["spec.ephemeralContainers: Forbidden: cannot be set on create"],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn ports() {
    let cases: &[(Value, &[&str])] = &[
        (container(&json!({"ports": [{}]})), &["spec.containers[0].ports[0].containerPort: Required value"]),
        (
            container(&json!({"ports": [{"containerPort": 70000}]})),
            &[
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            container(&json!({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]})),
            &[r#"spec.containers[0].ports[1].name: Duplicate value: "a""#],
        ),
        (
            container(&json!({"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]})),
            &[r#"spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//5""#],
        ),
        (
            container(&json!({"ports": [{"containerPort": 1, "protocol": "FTP"}]})),
            &[
                r#"spec.containers[0].ports[0].protocol: Unsupported value: "FTP": supported values: "SCTP", "TCP", "UDP""#,
            ],
        ),
        (
            container(&json!({"ports": [{"containerPort": 1, "name": "this-name-is-too-long"}]})),
            &[
                r#"spec.containers[0].ports[0].name: Invalid value: "this-name-is-too-long": must be no more than 15 characters"#,
            ],
        ),
    ];
    check("", "Pod", &pod(), cases);
    let host = json!({"spec": {"hostNetwork": true, "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80, "hostPort": 81}]}]}});
    assert_eq!(
        created("", "Pod", &pod(), &host),
        [
            "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"
        ]
    );
}

#[test]
fn environment() {
    let cases: &[(Value, &[&str])] = &[
        (container(&json!({"env": [{"value": "x"}]})), &["spec.containers[0].env[0].name: Required value"]),
        (
            container(&json!({"env": [{"name": "A", "valueFrom": {}}]})),
            &[
                r#"spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"#,
            ],
        ),
        (
            container(
                &json!({"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
            ),
            &[
                r#"spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty"#,
            ],
        ),
        (
            container(&json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.foo"}}}]})),
            &[
                r#"spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo"#,
            ],
        ),
        (
            container(
                &json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]}),
            ),
            &[],
        ),
        (
            container(&json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]})),
            &["spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value"],
        ),
        (
            container(
                &json!({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}}}]}),
            ),
            &[
                r#"spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource"#,
            ],
        ),
        (
            container(&json!({"envFrom": [{"prefix": "A_"}]})),
            &[r#"spec.containers[0].envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`"#],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn mounts() {
    let mounted = |mounts: Value| json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "c", "image": "x", "volumeMounts": mounts}]}});
    let cases: &[(Value, &[&str])] = &[
        (mounted(json!([{"name": "v", "mountPath": "/a"}])), &[]),
        (
            mounted(json!([{"name": "w", "mountPath": "/a"}])),
            &[r#"spec.containers[0].volumeMounts[0].name: Not found: "w""#],
        ),
        (mounted(json!([{"name": "v"}])), &["spec.containers[0].volumeMounts[0].mountPath: Required value"]),
        (
            mounted(json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}])),
            &[r#"spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique"#],
        ),
        (
            mounted(json!([{"name": "v", "mountPath": "/a", "subPath": "a/../../etc"}])),
            &[r#"spec.containers[0].volumeMounts.subPath: Invalid value: "a/../../etc": must not contain '..'"#],
        ),
        (
            mounted(json!([{"name": "v", "mountPath": "/a", "subPath": "/etc"}])),
            &[r#"spec.containers[0].volumeMounts.subPath: Invalid value: "/etc": must be a relative path"#],
        ),
        (
            mounted(json!([{"name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional"}])),
            &[
                "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers",
            ],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn volumes() {
    let cases: &[(Value, &[&str])] = &[
        (volume(&json!({"hostPath": {"path": "/a"}})), &[]),
        (
            volume(&json!({"hostPath": {"path": "/a/../b"}})),
            &[r#"spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain '..'"#],
        ),
        (volume(&json!({"hostPath": {"path": ""}})), &["spec.volumes[0].hostPath.path: Required value"]),
        (
            volume(&json!({"hostPath": {"path": "/a", "type": "Odd"}})),
            &[
                r#"spec.volumes[0].hostPath.type: Unsupported value: "Odd": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket""#,
            ],
        ),
        (
            volume(&json!({"emptyDir": {}, "secret": {"secretName": "s"}})),
            &["spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"],
        ),
        (volume(&json!({"secret": {}})), &["spec.volumes[0].secret.secretName: Required value"]),
        (
            volume(&json!({"configMap": {"name": "m", "defaultMode": 512}})),
            &[
                "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
            ],
        ),
        (
            volume(&json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "..data"}]}})),
            &[r#"spec.volumes[0].secret.items[0].path: Invalid value: "..data": must not start with '..'"#],
        ),
        (
            volume(&json!({"persistentVolumeClaim": {"claimName": ""}})),
            &["spec.volumes[0].persistentVolumeClaim.claimName: Required value"],
        ),
        (
            volume(
                &json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 5}}]}}),
            ),
            &[
                "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
            ],
        ),
        (
            volume(&json!({"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}}]}})),
            &[],
        ),
        (
            json!({"spec": {"volumes": [{"name": "v"}, {"name": "v"}]}}),
            &[r#"spec.volumes[1].name: Duplicate value: "v""#],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn probes() {
    let cases: &[(Value, &[&str])] = &[
        (
            container(&json!({"livenessProbe": {}})),
            &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            container(&json!({"livenessProbe": {"httpGet": {"port": "web"}, "tcpSocket": {"port": 1}}})),
            &["spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type"],
        ),
        (
            container(&json!({"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}})),
            &["spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1"],
        ),
        (container(&json!({"readinessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}})), &[]),
        (
            container(&json!({"readinessProbe": {"tcpSocket": {"port": 0}, "periodSeconds": -1}})),
            &[
                "spec.containers[0].readinessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
            ],
        ),
        (
            container(&json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}})),
            &[
                "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
            ],
        ),
        (
            container(&json!({"startupProbe": {"exec": {}}})),
            &["spec.containers[0].startupProbe.exec.command: Required value"],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn resources() {
    let resources = |resources: Value| container(&json!({"resources": resources}));
    let cases: &[(Value, &[&str])] = &[
        (resources(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}})), &[]),
        (
            resources(json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
            &[
                r#"spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1"#,
            ],
        ),
        (
            resources(json!({"requests": {"cpu": "-1"}})),
            &[r#"spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0"#],
        ),
        (
            resources(json!({"requests": {"gpu": "1"}})),
            &[
                r#"spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified"#,
                r#"spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers"#,
            ],
        ),
        (resources(json!({"limits": {"nvidia.com/gpu": "1"}})), &[]),
        (
            resources(json!({"requests": {"nvidia.com/gpu": "1"}})),
            &[
                "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
            ],
        ),
        (
            resources(json!({"limits": {"nvidia.com/gpu": "500m"}})),
            &[
                r#"spec.containers[0].resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be an integer"#,
                r#"spec.containers[0].resources.requests[nvidia.com/gpu]: Invalid value: "500m": must be an integer"#,
            ],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn the_spec_as_a_whole() {
    let spec = |spec: Value| json!({"spec": spec});
    let cases: &[(Value, &[&str])] = &[
        (
            spec(json!({"restartPolicy": "Sometimes"})),
            &[
                r#"spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#,
            ],
        ),
        (
            spec(json!({"dnsPolicy": "None"})),
            &["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
        ),
        (
            spec(
                json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"], "searches": ["a.b", "_x.y."]}}),
            ),
            &[],
        ),
        (
            spec(json!({"activeDeadlineSeconds": 0})),
            &["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"],
        ),
        (spec(json!({"hostname": "a.b"})), &[r#"spec.hostname: Invalid value: "a.b": must not contain dots"#]),
        (
            spec(json!({"hostAliases": [{"ip": "x", "hostnames": ["a"]}]})),
            &[
                r#"spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"#,
            ],
        ),
        (
            spec(json!({"tolerations": [{"value": "x"}]})),
            &[
                r#"spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys""#,
            ],
        ),
        (
            spec(
                json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}}),
            ),
            &[
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term",
            ],
        ),
        (
            spec(
                json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0, "podAffinityTerm": {"topologyKey": ""}}]}}}),
            ),
            &[
                "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be in the range 1-100",
                "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Required value: can not be empty",
            ],
        ),
        (
            spec(
                json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"}]}),
            ),
            &["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"],
        ),
        (
            spec(json!({"nodeName": "n", "schedulingGates": [{"name": "g"}]})),
            &["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
        ),
    ];
    check("", "Pod", &pod(), cases);
}

#[test]
fn security() {
    let cases: &[(Value, &[&str])] = &[
        (
            json!({"spec": {"securityContext": {"runAsUser": -1}}}),
            &["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
        ),
        (
            json!({"spec": {"securityContext": {"seccompProfile": {"type": "Localhost"}}}}),
            &[
                "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
            ],
        ),
        (
            json!({"spec": {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "../x"}}}}),
            &[r#"spec.securityContext.seccompProfile.localhostProfile: Invalid value: "../x": must not contain '..'"#],
        ),
        (
            container(&json!({"securityContext": {"privileged": true, "allowPrivilegeEscalation": false}})),
            &[
                r#"spec.containers[0].securityContext: Invalid value: {"allowPrivilegeEscalation":false,"privileged":true}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true"#,
            ],
        ),
        (
            json!({"spec": {"hostNetwork": true, "securityContext": {"sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]}}}),
            &[
                r#"spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.ip_forward": may not be specified when 'hostNetwork' is true"#,
            ],
        ),
        (
            json!({"spec": {"hostPID": true, "shareProcessNamespace": true}}),
            &[
                "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
            ],
        ),
    ];
    check("", "Pod", &pod(), cases);
}
