//! Services: balanced addresses, node ports, names; volumes that outlive pods.

use std::collections::BTreeSet;

use kpkg_tests::{eventually, images::BUSYBOX};

use crate::{LIMIT, busybox_machine, wait_ready};

#[test]
fn services_balance_and_names_resolve() {
    let machine = busybox_machine();
    machine.apply(&format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: who}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: who}}}}
  template:
    metadata: {{labels: {{app: who}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: {BUSYBOX}
        command: [sh, -c, "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"]
        ports: [{{name: http, containerPort: 8080}}]
        readinessProbe: {{httpGet: {{path: /, port: http}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: who}}
spec: {{type: NodePort, selector: {{app: who}}, ports: [{{name: http, port: 80, targetPort: http, nodePort: 30090}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: all}}
spec: {{clusterIP: None, selector: {{app: who}}, ports: [{{name: http, port: 8080}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: nobody}}
spec: {{selector: {{app: nobody}}, ports: [{{port: 80}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: client}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: app, image: {BUSYBOX}, command: [sleep, "1000"]}}]
"#
    ));
    machine.kubectl(&["rollout", "status", "deployment/who", "--timeout=120s"]).ok();
    wait_ready(&machine, "client");
    let client = |script: &str| machine.kubectl(&["exec", "client", "--", "sh", "-c", script]);

    // By name from a pod, spread over all pods behind it.
    let seen: BTreeSet<String> = eventually("all three pods answer through the service", LIMIT, || {
        let answers = client("for i in $(seq 30); do wget -q -O - http://who; done").ok();
        let seen: BTreeSet<String> = answers.lines().map(str::to_owned).collect();
        (seen.len() == 3).then_some(seen)
    });
    // From the host: the service's address, the node port on loopback and on the node's address.
    let service = machine.get("service", "who");
    let address = service["spec"]["clusterIP"].as_str().expect("the service has an address").to_owned();
    let node_ip = machine.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].status.addresses[0].address}"]).ok();
    for url in [format!("http://{address}"), "http://127.0.0.1:30090".to_owned(), format!("http://{node_ip}:30090")] {
        let answer = machine.http(&[&url]).unwrap_or_default();
        assert!(seen.contains(answer.trim()), "{url} answers `{answer}`");
    }
    // From a pod that backs the service itself, whichever endpoint it gets.
    let pod = seen.first().expect("three names");
    let own = machine
        .kubectl(&["exec", pod, "--", "sh", "-c", "for i in $(seq 12); do timeout 3 wget -q -O - http://who; done"])
        .ok();
    assert_eq!(own.lines().count(), 12, "{own}");
    // A headless service lists its pods; a service without pods refuses at once.
    assert_eq!(client("nslookup all.default.svc.cluster.local | grep -c 'Address.*: 10\\.'").ok().trim(), "3");
    let refused = client("timeout 5 wget -q -O - http://nobody").failure();
    assert!(refused.contains("Connection refused"), "{refused}");

    machine.kubectl(&["delete", "service", "who"]).ok();
    eventually("the node port is closed", LIMIT, || machine.http(&["http://127.0.0.1:30090"]).is_none().then_some(()));
    machine.delete_cluster();
}

#[test]
fn a_stateful_set_keeps_names_and_volumes() {
    let machine = busybox_machine();
    machine.apply(&format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: db}}
spec: {{clusterIP: None, selector: {{app: db}}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: db
  replicas: 2
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: {BUSYBOX}
        command: [sh, -c, "[ -e /data/name ] || hostname > /data/name; sleep 1000"]
        volumeMounts: [{{name: data, mountPath: /data}}]
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}
"#
    ));
    machine.kubectl(&["rollout", "status", "statefulset/db", "--timeout=120s"]).ok();
    let before = machine.get("pod", "db-1")["metadata"]["uid"].clone();
    machine.kubectl(&["delete", "pod", "db-1"]).ok();
    eventually("db-1 is a new pod", LIMIT, || {
        let pod = machine.get("pod", "db-1");
        (pod["metadata"]["uid"] != before && crate::is_ready(&pod)).then_some(())
    });
    assert_eq!(machine.kubectl(&["exec", "db-1", "--", "cat", "/data/name"]).ok(), "db-1\n");
    assert_eq!(machine.kubectl(&["exec", "db-0", "--", "nslookup", "db-1.db.default.svc.cluster.local"]).code, 0);

    machine.kubectl(&["delete", "statefulset", "db"]).ok();
    let claims = machine.kubectl(&["get", "pvc", "-o", "name"]).ok();
    assert_eq!(claims.lines().count(), 2, "claims outlive the set: {claims}");
    machine.kubectl(&["delete", "pvc", "--all", "--timeout=120s"]).ok();
    eventually("the volumes are gone", LIMIT, || {
        machine.kubectl(&["get", "pv", "-o", "name"]).ok().is_empty().then_some(())
    });
    machine.delete_cluster();
}
