//! What a pod asks of its node, and how well it is treated when memory runs short.

use crate::{quantity::Quantity, value::Read as _};
use serde_json::Value;
use std::collections::BTreeMap;

/// Amounts by resource name.
pub type Amounts = BTreeMap<String, Quantity>;

/// A pod's quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QosClass {
    /// Every container has limits for cpu and memory, and requests that equal them.
    Guaranteed,
    /// Some container has a request or limit.
    Burstable,
    /// None has.
    BestEffort,
}

impl QosClass {
    /// The word in `status.qosClass`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// What the scheduler must find on a node for a pod's spec: the sum over its containers and sidecars, or the largest
/// step of its initialisation if that is more, plus the overhead.
pub fn pod_requests(spec: &Value) -> Amounts {
    let mut total = effective(spec, "requests");
    if spec.has("resources") {
        // What is asked for the pod as a whole replaces the sum.
        total.extend(amounts(&spec["resources"]["requests"]));
    }
    add(&mut total, &amounts(&spec["overhead"]));
    total
}

/// The limits of a pod as a whole, by the same rules.
pub fn pod_limits(spec: &Value) -> Amounts {
    let mut total = effective(spec, "limits");
    if spec.has("resources") {
        total.extend(amounts(&spec["resources"]["limits"]));
    }
    for (name, overhead) in amounts(&spec["overhead"]) {
        if let Some(limit) = total.get_mut(&name) {
            limit.add(&overhead);
        }
    }
    total
}

/// What a pod's containers come to, of `requests` or `limits`.
pub(crate) fn effective(spec: &Value, list: &str) -> Amounts {
    let mut total = Amounts::new();
    for container in spec.items("containers") {
        add(&mut total, &amounts(&container["resources"][list]));
    }
    // Sidecars that are started stay: each later step of the initialisation comes on top of them.
    let (mut sidecars, mut largest) = (Amounts::new(), Amounts::new());
    for container in spec.items("initContainers") {
        let mut step = amounts(&container["resources"][list]);
        if container.text("restartPolicy") == "Always" {
            add(&mut total, &step);
            add(&mut sidecars, &step);
            step = sidecars.clone();
        } else {
            add(&mut step, &sidecars);
        }
        maximum(&mut largest, step);
    }
    maximum(&mut total, largest);
    total
}

/// A list of amounts as numbers; what is no quantity is left out.
pub fn amounts(list: &Value) -> Amounts {
    let list = list.as_object().into_iter().flatten();
    list.filter_map(|(name, amount)| Some((name.clone(), Quantity::from_json(amount).ok()?))).collect()
}

/// Adds amount by amount.
pub fn add(total: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        total.entry(name.clone()).or_default().add(amount);
    }
}

fn maximum(total: &mut Amounts, other: Amounts) {
    for (name, amount) in other {
        match total.get_mut(&name) {
            Some(known) if *known >= amount => {}
            Some(known) => *known = amount,
            None => {
                total.insert(name, amount);
            }
        }
    }
}

/// A pod's quality of service by its spec.
pub fn qos_class(spec: &Value) -> QosClass {
    const COUNTED: [&str; 2] = ["cpu", "memory"];
    let whole = spec
        .has("resources")
        .then_some(spec)
        .filter(|spec| spec["resources"].has("requests") || spec["resources"].has("limits"));
    let members: Vec<&Value> = match whole {
        Some(spec) => vec![spec],
        None => spec.items("containers").iter().chain(spec.items("initContainers")).collect(),
    };
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    let mut guaranteed = true;
    for member in members {
        let counted = |list: &str| {
            let mut found = amounts(&member["resources"][list]);
            found.retain(|name, amount| COUNTED.contains(&name.as_str()) && amount.sign() > 0);
            found
        };
        let limited = counted("limits");
        guaranteed &= limited.len() == COUNTED.len();
        add(&mut requests, &counted("requests"));
        add(&mut limits, &limited);
    }
    if requests.is_empty() && limits.is_empty() {
        QosClass::BestEffort
    } else if guaranteed && requests == limits {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(cpu: &str, sidecar: bool) -> Value {
        let mut container = json!({"resources": {"requests": {"cpu": cpu}}});
        if sidecar {
            container["restartPolicy"] = json!("Always");
        }
        container
    }

    #[test]
    fn requests_count_initialisation_and_sidecars() {
        let cases = [
            (json!({"containers": [container("1", false), container("500m", false)]}), "1500m"),
            (json!({"containers": [container("1", false)], "initContainers": [container("3", false)]}), "3"),
            // The sidecar runs beside both the later step and the containers.
            (
                json!({"containers": [container("1", false)], "initContainers": [container("1", true), container("3", false)]}),
                "4",
            ),
            (
                json!({"containers": [container("5", false)], "initContainers": [container("1", true), container("3", false)]}),
                "6",
            ),
            (json!({"containers": [container("1", false)], "overhead": {"cpu": "250m"}}), "1250m"),
            (json!({"containers": [container("1", false)], "resources": {"requests": {"cpu": "2"}}}), "2"),
        ];
        for (spec, want) in cases {
            assert_eq!(pod_requests(&spec)["cpu"].to_string(), want, "{spec}");
        }
    }

    #[test]
    fn quality_of_service() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        let cases = [
            (json!({"containers": [{}]}), "BestEffort"),
            (json!({"containers": [{"resources": {"requests": both, "limits": both}}]}), "Guaranteed"),
            (json!({"containers": [{"resources": {"requests": both, "limits": both}}, {}]}), "Burstable"),
            (json!({"containers": [{"resources": {"requests": {"cpu": "1"}, "limits": both}}]}), "Burstable"),
            (json!({"containers": [{"resources": {"requests": {"cpu": "0"}}}]}), "BestEffort"),
            (json!({"containers": [{"resources": {"limits": {"nvidia.com/gpu": 1}}}]}), "BestEffort"),
        ];
        for (spec, want) in cases {
            assert_eq!(qos_class(&spec).as_str(), want, "{spec}");
        }
    }
}
