//! The machine: how much there is of it, and what it calls itself.

use std::path::Path;

use k8s_openapi::api::core::v1::NodeSystemInfo;

/// What does not change while the kubelet runs.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Processors, in thousandths.
    pub(crate) cpu_milli: i64,
    /// Memory in bytes.
    pub(crate) memory: i64,
}

impl Machine {
    /// The machine that this process runs on.
    pub(crate) fn of_this_host() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |it| i64::try_from(it.get()).unwrap_or(1));
        let memory = read("/proc/meminfo")
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.trim().trim_end_matches(" kB").trim().parse::<i64>().ok())
            .unwrap_or(0);
        Self { cpu_milli: processors * 1000, memory: memory * 1024 }
    }

    /// The architecture in Go's words.
    pub(crate) fn architecture(&self) -> &'static str {
        match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    }

    /// Bytes of the file system that holds `path`.
    pub(crate) fn disk(&self, path: &Path) -> i64 {
        let existing = path.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/"));
        rustix::fs::statvfs(existing).map_or(0, |it| i64::try_from(it.f_blocks.saturating_mul(it.f_frsize)).unwrap_or(i64::MAX))
    }

    /// What the node says of itself.
    pub(crate) fn info(&self, version: &str) -> NodeSystemInfo {
        let name = rustix::system::uname();
        let release = read("/etc/os-release");
        let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux").trim_matches('"').to_owned();
        NodeSystemInfo {
            architecture: self.architecture().to_owned(),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            container_runtime_version: format!("kpkg://{}", env!("CARGO_PKG_VERSION")),
            kernel_version: name.release().to_string_lossy().into_owned(),
            kube_proxy_version: String::new(),
            kubelet_version: version.to_owned(),
            machine_id: read("/etc/machine-id").trim().to_owned(),
            operating_system: "linux".to_owned(),
            os_image: pretty,
            system_uuid: read("/sys/class/dmi/id/product_uuid").trim().to_owned(),
            ..NodeSystemInfo::default()
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
