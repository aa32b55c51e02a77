//! Amounts of resources as whole numbers.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::core::v1::{Container, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity as Text,
};
use kpkg_api::quantity::Quantity;

/// What a pod asks for, or a node has. CPU is in thousandths, the rest in units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub milli_cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes of node-local disk.
    pub ephemeral_storage: i64,
    /// All others by name, in order of names, none of them zero.
    pub others: Vec<(Arc<str>, i64)>,
}

impl Resources {
    /// Reads a list of amounts; what is no quantity counts as nothing.
    pub fn of(list: &BTreeMap<String, Text>) -> Self {
        let mut resources = Self::default();
        for (name, text) in list {
            let amount: Quantity = text.0.parse().unwrap_or(Quantity::ZERO);
            match name.as_str() {
                "cpu" => resources.milli_cpu = amount.milli_value(),
                "memory" => resources.memory = amount.value(),
                "ephemeral-storage" => resources.ephemeral_storage = amount.value(),
                // The number of pods is a limit of the node, not an amount that pods ask for.
                "pods" => {}
                _ => resources.others.push((name.as_str().into(), amount.value())),
            }
        }
        resources.others.retain(|(_, amount)| *amount != 0);
        resources
    }

    /// Adds an amount of each.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes an amount of each away.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
    }

    /// Keeps the larger of each.
    pub fn raise_to(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Self, with: impl Fn(i64, i64) -> i64) {
        self.milli_cpu = with(self.milli_cpu, other.milli_cpu);
        self.memory = with(self.memory, other.memory);
        self.ephemeral_storage = with(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.others {
            match self.others.binary_search_by(|(known, _)| known.cmp(name)) {
                Ok(index) => self.others[index].1 = with(self.others[index].1, *amount),
                Err(index) => self.others.insert(index, (name.clone(), with(0, *amount))),
            }
        }
        self.others.retain(|(_, amount)| *amount != 0);
    }

    /// One of the others.
    pub fn other(&self, name: &str) -> i64 {
        self.others.binary_search_by(|(known, _)| (**known).cmp(name)).map_or(0, |index| self.others[index].1)
    }

    /// What a pod asks for: the sum over its containers and sidecars, or the largest step of its
    /// initialisation if that is more; what is asked for the pod as a whole replaces the sum; the
    /// overhead comes on top.
    pub fn requested(spec: &PodSpec) -> Self {
        let mut total = Self::over_containers(spec, &|container| Self::requests(container.resources.as_ref()));
        if let Some(requests) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
            let whole = Self::of(requests);
            if requests.contains_key("cpu") {
                total.milli_cpu = whole.milli_cpu;
            }
            if requests.contains_key("memory") {
                total.memory = whole.memory;
            }
        }
        total.add(&spec.overhead.as_ref().map(Self::of).unwrap_or_default());
        total
    }

    /// The same for scoring: a container that asks for nothing still uses something.
    pub fn assumed(spec: &PodSpec) -> Self {
        const MILLI_CPU: i64 = 100;
        const MEMORY: i64 = 200 * 1024 * 1024;
        let mut total = Self::over_containers(spec, &|container| {
            let mut requests = Self::requests(container.resources.as_ref());
            if requests.milli_cpu == 0 {
                requests.milli_cpu = MILLI_CPU;
            }
            if requests.memory == 0 {
                requests.memory = MEMORY;
            }
            requests
        });
        total.add(&spec.overhead.as_ref().map(Self::of).unwrap_or_default());
        total
    }

    fn requests(resources: Option<&ResourceRequirements>) -> Self {
        resources.and_then(|resources| resources.requests.as_ref()).map(Self::of).unwrap_or_default()
    }

    fn over_containers(spec: &PodSpec, ask: &dyn Fn(&Container) -> Self) -> Self {
        let mut total = Self::default();
        for container in &spec.containers {
            total.add(&ask(container));
        }
        // A sidecar that is started stays: each later step of the initialisation comes on top.
        let (mut sidecars, mut largest) = (Self::default(), Self::default());
        for container in spec.init_containers.iter().flatten() {
            let mut step = ask(container);
            if container.restart_policy.as_deref() == Some("Always") {
                total.add(&step);
                sidecars.add(&step);
                step = sidecars.clone();
            } else {
                step.add(&sidecars);
            }
            largest.raise_to(&step);
        }
        total.raise_to(&largest);
        total
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn requested(spec: Value) -> Resources {
        Resources::requested(&serde_json::from_value(spec).unwrap())
    }

    fn container(cpu: &str, memory: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    #[test]
    fn a_pod_asks_for_the_most_it_needs_at_any_time() {
        let sidecar = |cpu: &str| {
            let mut container = container(cpu, "1Ki");
            container["restartPolicy"] = json!("Always");
            container
        };
        let cases = [
            ("sum", json!({"containers": [container("100m", "1Mi"), container("0.2", "1Mi")]}), (300, 2 << 20)),
            (
                "large initialisation",
                json!({"containers": [container("100m", "1Mi")], "initContainers": [container("1", "1Ki")]}),
                (1000, 1 << 20),
            ),
            (
                "sidecar under a later step",
                json!({"containers": [container("100m", "0")],
                    "initContainers": [sidecar("50m"), container("100m", "0")]}),
                (150, 1 << 10),
            ),
            (
                "for the pod as a whole",
                json!({"containers": [container("100m", "1Mi")], "resources": {"requests": {"cpu": "2"}},
                    "overhead": {"cpu": "10m"}}),
                (2010, 1 << 20),
            ),
        ];
        for (name, spec, (cpu, memory)) in cases {
            let got = requested(spec);
            assert_eq!((got.milli_cpu, got.memory), (cpu, memory), "{name}");
        }
    }

    #[test]
    fn other_resources_are_added_by_name() {
        let list = |name: &str, amount: &str| Resources::of(&[(name.to_owned(), Text(amount.to_owned()))].into());
        let mut total = list("x/gpu", "2");
        total.add(&list("a/fpga", "1"));
        total.add(&list("x/gpu", "3"));
        assert_eq!((total.other("x/gpu"), total.other("a/fpga"), total.other("b")), (5, 1, 0));
        total.subtract(&list("x/gpu", "5"));
        assert_eq!(total.others.len(), 1);
    }
}
