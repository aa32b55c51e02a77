//! The Node and its status.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSpec, NodeStatus,
        NodeSystemInfo,
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, Time},
    },
};

use super::machine::{disk, meminfo, processes};
use crate::{kubelet::Shared, resources::Amounts};

/// Below this the node says that memory is short (Kubernetes' default of hard eviction).
const MEMORY_FLOOR: i64 = 100 << 20;
/// Below this the node says that its disk is full. Kubernetes' tenth of the disk would be many gigabytes on a machine that is
/// not a cluster's alone, and nothing here gives disk back when the node complains.
const DISK_FLOOR: i64 = 512 << 20;
/// Images listed at most, the largest first.
const IMAGES: usize = 50;

/// The Node as it is registered.
pub(super) fn node(shared: &Shared) -> Node {
    let name = &shared.config.node_name;
    let arch = go_arch();
    let mut labels: BTreeMap<String, String> = [
        ("kubernetes.io/hostname", name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", arch),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", arch),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    labels.extend(shared.config.node_labels.clone());
    Node {
        metadata: ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() },
        spec: Some(NodeSpec {
            pod_cidr: shared.config.pod_cidr.clone(),
            pod_cidrs: shared.config.pod_cidr.clone().map(|cidr| vec![cidr]),
            ..NodeSpec::default()
        }),
        status: Some(status(shared, None)),
    }
}

fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The status as it should be now.
pub(super) fn status(shared: &Shared, old: Option<&NodeStatus>) -> NodeStatus {
    let machine = &shared.machine;
    let address = |kind: &str, address: String| NodeAddress { type_: kind.to_owned(), address };
    NodeStatus {
        capacity: Some(quantities(machine.capacity)),
        allocatable: Some(quantities(machine.allocatable)),
        addresses: Some(vec![
            address("InternalIP", shared.config.node_ip.to_string()),
            address("Hostname", shared.config.node_name.clone()),
        ]),
        conditions: Some(conditions(shared, old)),
        daemon_endpoints: Some(NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: i32::from(shared.config.port) }),
        }),
        images: Some(images(shared)),
        node_info: Some(NodeSystemInfo {
            architecture: go_arch().to_owned(),
            boot_id: machine.boot_id.clone(),
            container_runtime_version: format!("kpkg://{}", env!("CARGO_PKG_VERSION")),
            kernel_version: machine.kernel.clone(),
            kube_proxy_version: String::new(),
            kubelet_version: shared.config.version.clone(),
            machine_id: machine.machine_id.clone(),
            operating_system: "linux".to_owned(),
            os_image: machine.os_image.clone(),
            system_uuid: machine.system_uuid.clone(),
            ..NodeSystemInfo::default()
        }),
        ..NodeStatus::default()
    }
}

fn quantities(amounts: Amounts) -> BTreeMap<String, Quantity> {
    let cpu = if amounts.cpu_milli % 1000 == 0 {
        (amounts.cpu_milli / 1000).to_string()
    } else {
        format!("{}m", amounts.cpu_milli)
    };
    let kib = |bytes: i64| format!("{}Ki", bytes / 1024);
    [
        ("cpu", cpu),
        ("memory", kib(amounts.memory)),
        ("ephemeral-storage", kib(amounts.ephemeral_storage)),
        ("pods", amounts.pods.to_string()),
    ]
    .into_iter()
    .map(|(name, amount)| (name.to_owned(), Quantity(amount)))
    .collect()
}

fn images(shared: &Shared) -> Vec<ContainerImage> {
    let mut images = shared.runtime.images();
    images.sort_by_key(|image| (std::cmp::Reverse(image.size), image.id.clone()));
    let size = |bytes: u64| i64::try_from(bytes).ok();
    images
        .into_iter()
        .take(IMAGES)
        .map(|image| ContainerImage { names: Some(image.names), size_bytes: size(image.size) })
        .collect()
}

fn conditions(shared: &Shared, old: Option<&NodeStatus>) -> Vec<NodeCondition> {
    let low_memory = meminfo("MemAvailable").is_some_and(|available| available < MEMORY_FLOOR);
    // A tenth of the disk is Kubernetes' default; on the large disks of today that is more than enough.
    let low_disk = disk(&shared.config.root_dir).is_some_and(|disk| disk.available < DISK_FLOOR.min(disk.total / 10));
    let low_pids = processes().is_some_and(|(used, maximum)| used > maximum / 10 * 9);
    let pressure = |bad: bool, [kind, bad_reason, good_reason, bad_text, good_text]: [&'static str; 5]| {
        if bad { (kind, "True", bad_reason, bad_text) } else { (kind, "False", good_reason, good_text) }
    };
    let rows = [
        pressure(
            low_memory,
            [
                "MemoryPressure",
                "KubeletHasInsufficientMemory",
                "KubeletHasSufficientMemory",
                "kubelet has insufficient memory available",
                "kubelet has sufficient memory available",
            ],
        ),
        pressure(
            low_disk,
            [
                "DiskPressure",
                "KubeletHasDiskPressure",
                "KubeletHasNoDiskPressure",
                "kubelet has disk pressure",
                "kubelet has no disk pressure",
            ],
        ),
        pressure(
            low_pids,
            [
                "PIDPressure",
                "KubeletHasInsufficientPID",
                "KubeletHasSufficientPID",
                "kubelet has insufficient PID available",
                "kubelet has sufficient PID available",
            ],
        ),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    let now = Time(Timestamp::now());
    let before =
        |kind: &str| old.and_then(|old| old.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind));
    rows.into_iter()
        .map(|(kind, status, reason, message)| NodeCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: before(kind)
                .filter(|before| before.status == status)
                .and_then(|before| before.last_transition_time.clone())
                .or_else(|| Some(now.clone())),
        })
        .collect()
}

/// Whether two statuses differ in more than the time of the heartbeat.
pub(super) fn differs(old: Option<&NodeStatus>, new: &NodeStatus) -> bool {
    let Some(old) = old else { return true };
    let plain = |status: &NodeStatus| {
        let mut conditions = status.conditions.clone().unwrap_or_default();
        for condition in &mut conditions {
            condition.last_heartbeat_time = None;
        }
        conditions
    };
    let own = |status: &NodeStatus| {
        (
            status.capacity.clone(),
            status.allocatable.clone(),
            status.addresses.clone(),
            status.images.clone(),
            status.node_info.clone(),
        )
    };
    plain(old) != plain(new) || own(old) != own(new)
}
