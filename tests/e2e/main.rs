//! End to end: the real kpkg, real containers, the real kubectl; each test on a machine of its own.
//!
//! Needs root, and what `cargo xtask test` installs.

mod bad_input;
mod docs;
mod jobs;
mod kubectl;
mod pods;
mod publish;
mod releases;
mod restart;
mod services;
mod side_by_side;
mod wordpress;

use std::time::Duration;

use kpkg_tests::{Machine, eventually, images};

/// How long anything may take on a slow and busy machine; nothing waits this long where all is well.
const LIMIT: Duration = Duration::from_secs(120);

/// A machine whose cluster runs and has the busybox image at hand.
fn busybox_machine() -> Machine {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    machine.kpkg(&["image", "load", &images::busybox().display().to_string()]).ok();
    machine
}

/// Waits until the pod `name` is ready.
#[track_caller]
fn wait_ready(machine: &Machine, name: &str) {
    eventually(&format!("pod {name} is ready"), LIMIT, || {
        let pod = machine.get("pod", name);
        is_ready(&pod).then_some(())
    });
}

fn is_ready(pod: &serde_json::Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
}
