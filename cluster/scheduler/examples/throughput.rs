//! How many pods a second the cycle schedules in a large cluster, without an API in the way.
//!
//! `cargo run --release -p kpkg-scheduler --example throughput [NODES] [PODS]`

use std::{sync::Arc, time::Instant};

use kpkg_scheduler::{
    cycle::Cycler,
    model::{Key, NodeFacts, PodInfo, Selector},
    snapshot::Snapshot,
};
use serde_json::{Value, json};

fn cluster(nodes: usize) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for index in 0..nodes {
        let name = format!("node-{index:05}");
        let node = json!({
            "metadata": {"name": name, "labels": {
                "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": format!("zone-{}", index % 3)}},
            "status": {"allocatable": {"cpu": "32", "memory": "128Gi", "pods": "110"}},
        });
        snapshot.set_node(NodeFacts::of(&serde_json::from_value(node).expect("a node")));
    }
    let mut selector = Selector::default();
    selector.require_all([(&"app".to_owned(), &"grouped".to_owned())].into_iter());
    snapshot.services.entry("default".into()).or_default().insert("grouped".into(), selector);
    snapshot
}

fn pod(app: &str, extra: &Value) -> PodInfo {
    let mut spec = json!({"containers": [{"name": "c", "image": "i",
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}}}]});
    for (key, value) in extra.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let pod =
        json!({"metadata": {"name": "p", "namespace": "default", "uid": "u", "labels": {"app": app}}, "spec": spec});
    PodInfo::of(&serde_json::from_value(pod).expect("a pod"))
}

#[expect(clippy::print_stdout, reason = "the result is for the reader of the terminal")]
fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (nodes, pods) = (numbers.next().unwrap_or(5000), numbers.next().unwrap_or(10_000));
    let rule = |key: &str| {
        json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "spread"}}}]})
    };
    let term = json!({"labelSelector": {"matchLabels": {"app": "apart"}}, "topologyKey": "kubernetes.io/hostname"});
    let apart = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
    let cases = [
        ("plain", pods, pod("plain", &json!({}))),
        ("of a service, spread by default", pods, pod("grouped", &json!({}))),
        ("spread over zones, hard", pods, pod("spread", &rule("topology.kubernetes.io/zone"))),
        ("one per node by anti-affinity", pods.min(nodes) / 2, pod("apart", &apart)),
    ];
    for (name, count, template) in cases {
        let mut snapshot = cluster(nodes);
        let mut cycler = Cycler::new(1);
        let start = Instant::now();
        for index in 0..count {
            let pod = PodInfo { key: Key::new("default", &format!("p{index}")), ..template.clone() };
            let node = cycler.schedule(&pod, &snapshot).expect("there is room");
            snapshot.assume(&Arc::new(pod), node);
        }
        let rate = count as f64 / start.elapsed().as_secs_f64();
        println!("{name}: {count} pods on {nodes} nodes, {rate:.0} pods/s");
    }
}
