//! Deployments, ReplicaSets, StatefulSets and their revisions.

use serde_json::Value;

use super::{Columns, NAMED, age, containers, count, number, selector, text, wide};

/// How Deployments are shown.
pub(super) const DEPLOYMENT: Columns = Columns {
    columns: &[
        text("Ready"),
        text("Up-to-date"),
        text("Available"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object| {
        let (names, images) = containers(object);
        vec![
            ready(object),
            count(object, "/status/updatedReplicas").into(),
            count(object, "/status/availableReplicas").into(),
            age(object),
            names,
            images,
            selector(object),
        ]
    },
    ..NAMED
};

/// How ReplicaSets are shown.
pub(super) const REPLICA_SET: Columns = Columns {
    columns: &[
        number("Desired"),
        number("Current"),
        number("Ready"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object| {
        let (names, images) = containers(object);
        vec![
            count(object, "/spec/replicas").into(),
            count(object, "/status/replicas").into(),
            count(object, "/status/readyReplicas").into(),
            age(object),
            names,
            images,
            selector(object),
        ]
    },
    ..NAMED
};

/// How StatefulSets are shown.
pub(super) const STATEFUL_SET: Columns = Columns {
    columns: &[text("Ready"), text("Age"), wide("Containers"), wide("Images")],
    cells: |object| {
        let (names, images) = containers(object);
        vec![ready(object), age(object), names, images]
    },
    ..NAMED
};

/// How DaemonSets are shown.
pub(super) const DAEMON_SET: Columns = Columns {
    columns: &[
        number("Desired"),
        number("Current"),
        number("Ready"),
        number("Up-to-date"),
        number("Available"),
        text("Node Selector"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object| {
        let (names, images) = containers(object);
        let status = |key: &str| Value::from(count(object, &format!("/status/{key}")));
        let nodes = kpkg_api::meta::strings(&object["spec"]["template"]["spec"]["nodeSelector"]);
        vec![
            status("desiredNumberScheduled"),
            status("currentNumberScheduled"),
            status("numberReady"),
            status("updatedNumberScheduled"),
            status("numberAvailable"),
            super::join(nodes.map(|(key, value)| format!("{key}={value}"))),
            age(object),
            names,
            images,
            selector(object),
        ]
    },
    ..NAMED
};

/// How ReplicationControllers are shown.
pub(super) const REPLICATION_CONTROLLER: Columns = Columns {
    columns: &[number("Desired"), number("Current"), number("Ready"), text("Age")],
    cells: |object| {
        vec![
            count(object, "/spec/replicas").into(),
            count(object, "/status/replicas").into(),
            count(object, "/status/readyReplicas").into(),
            age(object),
        ]
    },
    ..NAMED
};

/// How ControllerRevisions are shown.
pub(super) const CONTROLLER_REVISION: Columns = Columns {
    columns: &[text("Controller"), number("Revision"), text("Age")],
    cells: |object| {
        let owner = kpkg_api::meta::controller(object).map_or_else(
            || "<none>".to_owned(),
            |owner| {
                let group = owner.api_version.split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
                format!("{}{group}/{}", owner.kind.to_lowercase(), owner.name)
            },
        );
        vec![owner.into(), object["revision"].clone(), age(object)]
    },
    ..NAMED
};

fn ready(object: &Value) -> Value {
    format!("{}/{}", count(object, "/status/readyReplicas"), count(object, "/spec/replicas")).into()
}
