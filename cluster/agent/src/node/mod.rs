//! The node: registered, described, and kept alive by its Lease.

mod machine;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference, Time};
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use tokio_util::sync::CancellationToken;

use crate::doors::chain;
use crate::kubelet::Shared;
pub(crate) use machine::Machine;

const LEASE_NAMESPACE: &str = "kube-node-lease";
const LEASE_SECONDS: i32 = 40;
/// The node's list of images is for the scheduler's taste only; this many are enough (kubelet's number).
const MAX_IMAGES: usize = 50;

/// Registers the node and keeps it alive until `shutdown`.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) {
    let steps = async {
        let node = loop {
            match register(&shared).await {
                Ok(node) => break node,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the node could not be registered; trying again");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        };
        shared.recorder.normal(&node, "Starting", "Starting kubelet.");
        tokio::join!(keep_lease(&shared, &node), keep_status(&shared));
    };
    tokio::select! {
        () = steps => {}
        () = shutdown.cancelled() => {}
    }
}

async fn register(shared: &Shared) -> kube::Result<Node> {
    let api: Api<Node> = Api::all(shared.client.clone());
    let name = &shared.config.node_name;
    if let Some(old) = api.get_opt(name).await? {
        let labels = serde_json::json!({"metadata": {"labels": labels(shared)}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(&labels)).await?;
        return api.patch_status(name, &PatchParams::default(), &Patch::Merge(&status_patch(shared, old.status.as_ref()))).await;
    }
    let node = Node {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels(shared)),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            pod_cidr: shared.config.pod_cidr.clone(),
            pod_cidrs: shared.config.pod_cidr.clone().map(|it| vec![it]),
            ..NodeSpec::default()
        }),
        status: Some(status(shared, None)),
    };
    let made = api.create(&PostParams::default(), &node).await?;
    if made.status.as_ref().is_some_and(|it| it.conditions.is_some()) {
        return Ok(made);
    }
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(&status_patch(shared, None))).await
}

fn labels(shared: &Shared) -> std::collections::BTreeMap<String, String> {
    let arch = shared.machine.architecture();
    let mut labels = shared.config.node_labels.clone();
    for (key, value) in [
        ("kubernetes.io/hostname", shared.config.node_name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", arch),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", arch),
        ("node-role.kubernetes.io/control-plane", ""),
    ] {
        labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    labels
}

fn status_patch(shared: &Shared, old: Option<&NodeStatus>) -> serde_json::Value {
    serde_json::json!({"status": status(shared, old)})
}

/// The node as it is now.
fn status(shared: &Shared, old: Option<&NodeStatus>) -> NodeStatus {
    let machine = &shared.machine;
    let amounts = |cpu: i64, memory: i64, disk: i64| {
        let cpu = if cpu % 1000 == 0 { (cpu / 1000).to_string() } else { format!("{cpu}m") };
        [
            ("cpu".to_owned(), Quantity(cpu)),
            ("memory".to_owned(), Quantity(format!("{}Ki", memory / 1024))),
            ("ephemeral-storage".to_owned(), Quantity(disk.to_string())),
            ("pods".to_owned(), Quantity(shared.config.max_pods.to_string())),
        ]
        .into()
    };
    let kept = |name: &str| -> kpkg_api::quantity::Quantity {
        shared.config.reserved.get(name).and_then(|it| it.parse().ok()).unwrap_or_else(|| kpkg_api::quantity::Quantity::from_milli(0))
    };
    let disk = machine.disk(&shared.config.root_dir);
    let mut images = shared.cri.images();
    images.sort_by_key(|it| std::cmp::Reverse(it.size));
    images.truncate(MAX_IMAGES);
    NodeStatus {
        capacity: Some(amounts(machine.cpu_milli, machine.memory, disk)),
        allocatable: Some(amounts(
            machine.cpu_milli - kept("cpu").milli_value(),
            machine.memory - kept("memory").value(),
            disk - kept("ephemeral-storage").value(),
        )),
        addresses: Some(vec![
            NodeAddress { type_: "InternalIP".to_owned(), address: shared.config.node_ip.to_string() },
            NodeAddress { type_: "Hostname".to_owned(), address: shared.config.node_name.clone() },
        ]),
        conditions: Some(conditions(old)),
        daemon_endpoints: Some(NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port: i32::from(shared.config.port) }) }),
        node_info: Some(machine.info(&shared.config.version)),
        images: Some(images.into_iter().map(|it| ContainerImage { names: Some(it.names), size_bytes: i64::try_from(it.size).ok() }).collect()),
        ..NodeStatus::default()
    }
}

fn conditions(old: Option<&NodeStatus>) -> Vec<NodeCondition> {
    let now = Time(Timestamp::now());
    let rows = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    let before = |kind: &str| old.and_then(|it| it.conditions.as_ref()).and_then(|all| all.iter().find(|it| it.type_ == kind));
    let condition = |(kind, status, reason, message): (&str, &str, &str, &str)| NodeCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: before(kind).filter(|it| it.status == status).and_then(|it| it.last_transition_time.clone()).or(Some(now.clone())),
    };
    rows.into_iter().map(condition).collect()
}

async fn keep_status(shared: &Shared) {
    let api: Api<Node> = Api::all(shared.client.clone());
    loop {
        tokio::time::sleep(shared.config.status_interval).await;
        let old = api.get_status(&shared.config.node_name).await.ok().and_then(|it| it.status);
        let patch = status_patch(shared, old.as_ref());
        if let Err(error) = api.patch_status(&shared.config.node_name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            tracing::warn!(error = chain(&error), "the node's status could not be written");
        }
    }
}

/// Renews the node's Lease; after a time without it the node counts as lost.
async fn keep_lease(shared: &Shared, node: &Node) {
    let api: Api<Lease> = Api::namespaced(shared.client.clone(), LEASE_NAMESPACE);
    loop {
        if let Err(error) = renew(&api, shared, node).await {
            tracing::warn!(error = chain(&error), "the node's lease could not be renewed");
        }
        tokio::time::sleep(shared.config.lease_interval).await;
    }
}

async fn renew(api: &Api<Lease>, shared: &Shared, node: &Node) -> kube::Result<()> {
    let name = &shared.config.node_name;
    let spec = LeaseSpec {
        holder_identity: Some(name.clone()),
        lease_duration_seconds: Some(LEASE_SECONDS),
        renew_time: Some(MicroTime(Timestamp::now())),
        ..LeaseSpec::default()
    };
    let patch = serde_json::json!({"spec": spec});
    match api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        other => return other.map(drop),
    }
    let owner = OwnerReference { uid: node.uid().unwrap_or_default(), ..node.owner_ref(&()).unwrap_or_default() };
    let lease = Lease {
        metadata: ObjectMeta { name: Some(name.clone()), owner_references: Some(vec![owner]), ..ObjectMeta::default() },
        spec: Some(spec),
    };
    api.create(&PostParams::default(), &lease).await.map(drop)
}
