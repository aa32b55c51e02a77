//! How long a pod takes from the request to its container running, the image being at hand, and how
//! long its removal takes. Needs root; run it on a quiet machine with `cargo bench`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and fails by panicking")]

use std::time::{Duration, Instant};

use kpkg_runtime::image::ImageConfig;
use kpkg_runtime::{ContainerConfig, Runtime, RuntimeConfig, SandboxConfig};

const PODS: usize = 50;
const IMAGE: &str = "localhost/bench:1";

fn main() -> std::process::ExitCode {
    if let Some(code) = kpkg_runtime::shim::run_if_requested() {
        return code;
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(measure());
    std::process::ExitCode::SUCCESS
}

async fn measure() {
    let dir = tempfile::tempdir().unwrap();
    let config = RuntimeConfig {
        root: dir.path().join("root"),
        state: dir.path().join("state"),
        cgroup_root: format!("/kpkg-bench-{:08x}", rand::random::<u32>()),
        shim_exe: std::env::current_exe().unwrap(),
    };
    let runtime = Runtime::open(config.clone()).await.unwrap();
    let rootfs = dir.path().join("rootfs");
    std::fs::create_dir_all(rootfs.join("bin")).unwrap();
    std::fs::copy("/bin/busybox", rootfs.join("bin/sh")).expect("busybox-static is installed");
    runtime.images().import_rootfs_layer(&rootfs, ImageConfig::default(), IMAGE).await.unwrap();
    let mut times: [Vec<Duration>; 4] = Default::default();
    for number in 0..PODS {
        let start = Instant::now();
        let pod = SandboxConfig {
            uid: format!("pod-{number}"),
            hostname: Some("pod".to_owned()),
            ..SandboxConfig::default()
        };
        let sandbox = runtime.run_pod_sandbox(pod).await.unwrap();
        times[0].push(start.elapsed());
        let container = ContainerConfig {
            name: "main".to_owned(),
            image: IMAGE.to_owned(),
            command: ["/bin/sh", "-c", "read x < /dev/zero"].map(str::to_owned).to_vec(),
            log_path: Some(dir.path().join(format!("{number}.log"))),
            ..ContainerConfig::default()
        };
        let second = Instant::now();
        let id = runtime.create_container(&sandbox, container).await.unwrap();
        runtime.start_container(&id).await.unwrap();
        times[1].push(second.elapsed());
        times[2].push(start.elapsed());
        let third = Instant::now();
        runtime.remove_pod_sandbox(&sandbox).await.unwrap();
        times[3].push(third.elapsed());
    }
    for (name, times) in ["sandbox", "container", "pod", "removal"].into_iter().zip(&mut times) {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        println!("{name:10} p50 {:7.1} ms   p90 {:7.1} ms   p99 {:7.1} ms", at(50), at(90), at(99));
    }
    drop(runtime);
    Runtime::teardown(config).await.unwrap();
}
