//! A runtime of its own for each test, and small things to start in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kpkg_runtime::image::{ImageConfig, ImageStore};
use kpkg_runtime::{ContainerConfig, ContainerId, ContainerStatus, Runtime, RuntimeConfig, SandboxConfig, SandboxId};
use libtest_mimic::Trial;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;
use tempfile::TempDir;

/// The image that every test has.
pub(crate) const BUSYBOX: &str = "localhost/busybox:test";
const BUSYBOX_PROGRAM: &str = "/bin/busybox";
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Gives this process mounts and a network of its own, before it has a second thread.
pub(crate) fn leave_the_machine() {
    // SAFETY: there is one thread.
    #[allow(unsafe_code, reason = "there is no safe form of it")]
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWNET).unwrap();
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    if wants_version_2() {
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, None).unwrap();
    }
}

/// Whether to show these tests version 2 of control groups, on a machine that has both: without
/// limits there, because each controller belongs to one version only.
fn wants_version_2() -> bool {
    std::env::var_os("KPKG_TEST_CGROUPS").is_some_and(|version| version == "v2")
}

/// Whether limits can be tested.
pub(crate) fn has_limits() -> bool {
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
    controllers.map_or(true, |controllers| controllers.contains("memory"))
}

/// A test that gets a runtime of its own.
pub(crate) fn test<F>(name: &str, body: impl FnOnce(Lab) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        tokio.block_on(async {
            let lab = Lab::new().await;
            let _cleanup = Cleanup { config: lab.config.clone() };
            tokio::time::timeout(TIMEOUT, body(lab)).await.expect("the test takes too long");
        });
        Ok(())
    })
}

/// Takes everything away when the test ends, however it ends.
struct Cleanup {
    config: RuntimeConfig,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let config = self.config.clone();
        let thread = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(Runtime::teardown(config.clone())).unwrap();
        });
        let outcome = thread.join();
        if !std::thread::panicking() {
            outcome.unwrap();
        }
    }
}

/// A runtime with an image.
pub(crate) struct Lab {
    pub(crate) dir: TempDir,
    pub(crate) config: RuntimeConfig,
    pub(crate) runtime: Arc<Runtime>,
}

impl Lab {
    async fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("kpkg-runtime-test-").tempdir().unwrap();
        let config = RuntimeConfig {
            root: dir.path().join("root"),
            state: dir.path().join("state"),
            cgroup_root: format!("/kpkg-runtime-test-{:016x}", rand::random::<u64>()),
            shim_exe: std::env::current_exe().unwrap(),
        };
        let runtime = Runtime::open(config.clone()).await.unwrap();
        add_busybox(runtime.images(), dir.path()).await;
        Self { dir, config, runtime }
    }

    /// Lets go of the runtime as a killed server would, and opens it again.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|| async {}).await
    }

    /// The same, with something happening while nobody is there.
    pub(crate) async fn restart_after<F: Future<Output = ()>>(self, meanwhile: impl FnOnce() -> F) -> Self {
        let Self { dir, config, runtime } = self;
        drop(runtime);
        meanwhile().await;
        let runtime = loop {
            // A task that listens to a shim may still be about to notice.
            match Runtime::open(config.clone()).await {
                Ok(runtime) => break runtime,
                Err(error) if error.to_string().contains("used by another") => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        Self { dir, config, runtime }
    }

    pub(crate) async fn sandbox(&self) -> SandboxId {
        self.runtime.run_pod_sandbox(pod("one")).await.unwrap()
    }

    pub(crate) fn log_path(&self, name: &str) -> PathBuf {
        self.dir.path().join("logs").join(name)
    }

    /// A container that runs a shell script.
    pub(crate) fn script(&self, name: &str, script: &str) -> ContainerConfig {
        ContainerConfig {
            name: name.to_owned(),
            image: BUSYBOX.to_owned(),
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            log_path: Some(self.log_path(&format!("{name}.log"))),
            ..ContainerConfig::default()
        }
    }

    /// Waits until a container has written a line.
    pub(crate) async fn until_logged(&self, name: &str, line: &str) {
        let log = self.log_path(&format!("{name}.log"));
        self.until(|| lines(&log).iter().any(|logged| logged == line)).await;
    }

    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn until_async<F: Future<Output = bool>>(&self, is_so: impl Fn() -> F) {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The names of the control groups right below the runtime's own.
    pub(crate) fn groups_below(&self) -> Vec<String> {
        let mut names = std::collections::BTreeSet::new();
        for hierarchy in ["", "memory", "cpu", "cpuset", "devices", "pids", "systemd", "unified", "freezer"] {
            let group =
                Path::new("/sys/fs/cgroup").join(hierarchy).join(self.config.cgroup_root.trim_start_matches('/'));
            let entries = fs::read_dir(group).into_iter().flatten().flatten();
            names.extend(
                entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()),
            );
        }
        names.into_iter().collect()
    }

    pub(crate) async fn start(&self, sandbox: &SandboxId, config: ContainerConfig) -> ContainerId {
        let id = self.runtime.create_container(sandbox, config).await.unwrap();
        self.runtime.start_container(&id).await.unwrap();
        id
    }

    /// Runs a container to its end; answers its status and the lines it wrote.
    pub(crate) async fn run(&self, sandbox: &SandboxId, config: ContainerConfig) -> (ContainerStatus, Vec<String>) {
        let log = config.log_path.clone().unwrap();
        let id = self.start(sandbox, config).await;
        let status = self.runtime.wait_container(&id).await.unwrap();
        (status, lines(&log))
    }

    /// Runs a script in a new pod; answers its exit code and the lines it wrote.
    pub(crate) async fn sh(&self, script: &str) -> (i32, Vec<String>) {
        let sandbox = self.sandbox().await;
        let (status, lines) = self.run(&sandbox, self.script("sh", script)).await;
        self.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
        (status.exit_code.unwrap(), lines)
    }

    pub(crate) async fn exec(&self, id: &ContainerId, script: &str) -> (i32, String) {
        let cmd = ["sh", "-c", script].map(str::to_owned);
        let result = self.runtime.exec_sync(id, &cmd, Duration::from_secs(20)).await.unwrap();
        (result.exit_code, String::from_utf8(result.stdout).unwrap() + &String::from_utf8(result.stderr).unwrap())
    }
}

pub(crate) fn pod(name: &str) -> SandboxConfig {
    SandboxConfig {
        name: name.to_owned(),
        namespace: "test".to_owned(),
        uid: format!("{name}-{:08x}", rand::random::<u32>()),
        hostname: Some(name.to_owned()),
        labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
        ..SandboxConfig::default()
    }
}

/// The texts of a log in CRI's form, with the stream where it is not standard output.
pub(crate) fn lines(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap();
    text.lines()
        .map(|line| {
            let mut parts = line.splitn(4, ' ');
            let (_time, stream, _tag, text) =
                (parts.next(), parts.next().unwrap(), parts.next(), parts.next().unwrap());
            if stream == "stdout" { text.to_owned() } else { format!("{stream}: {text}") }
        })
        .collect()
}

async fn add_busybox(images: &ImageStore, dir: &Path) {
    let rootfs = dir.join("busybox");
    busybox_rootfs(&rootfs);
    let config = ImageConfig {
        cmd: vec!["sh".to_owned()],
        env: vec!["PATH=/bin".to_owned(), "FROM_IMAGE=yes".to_owned()],
        ..ImageConfig::default()
    };
    images.import_rootfs_layer(&rootfs, config, BUSYBOX).await.unwrap();
}

/// Lays out a root file system with busybox.
pub(crate) fn busybox_rootfs(rootfs: &Path) {
    for directory in ["bin", "etc", "tmp", "root", "home/web"] {
        fs::create_dir_all(rootfs.join(directory)).unwrap();
    }
    fs::set_permissions(rootfs.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::copy(BUSYBOX_PROGRAM, rootfs.join("bin/busybox")).expect("busybox-static is installed");
    let list = std::process::Command::new(BUSYBOX_PROGRAM).arg("--list").output().unwrap();
    for name in String::from_utf8(list.stdout).unwrap().lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", rootfs.join("bin").join(name)).unwrap();
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/home/web:/bin/sh\n";
    fs::write(rootfs.join("etc/passwd"), passwd).unwrap();
    fs::write(rootfs.join("etc/group"), "root:x:0:\nweb:x:33:\ntape:x:26:web\n").unwrap();
}

pub(crate) fn parent_of(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Kills the shim of a container's first process.
pub(crate) fn kill_parent_of(pid: i32) {
    let shim = rustix::process::Pid::from_raw(parent_of(pid)).unwrap();
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
}

/// Waits until a process is gone.
pub(crate) async fn until_gone(pid: i32) {
    while Path::new(&format!("/proc/{pid}")).exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a network namespace and pins it to a file.
pub(crate) fn pin_network(file: &Path) {
    let file = file.to_owned();
    // A thread of its own may have a network of its own; its mounts are those of all.
    let thread = std::thread::spawn(move || {
        // SAFETY: this thread ends with the function.
        #[allow(unsafe_code, reason = "there is no safe form of it")]
        unsafe {
            rustix::thread::unshare_unsafe(UnshareFlags::NEWNET).unwrap();
        }
        rustix::mount::mount_bind("/proc/thread-self/ns/net", &file).unwrap();
    });
    thread.join().unwrap();
}
