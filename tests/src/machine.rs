//! A machine of the test's own, made of namespaces.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use crate::traces::Traces;

/// Namespaces with a kpkg cluster's data directory; gone, with all that runs in it, when dropped.
pub struct Machine {
    holder: Child,
    dir: TempDir,
    cluster: String,
    before: Traces,
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output of a program that must have succeeded.
    ///
    /// # Panics
    ///
    /// If it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "failed\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self.out
    }

    /// Standard error of a program that must have failed.
    ///
    /// # Panics
    ///
    /// If it succeeded.
    #[track_caller]
    pub fn failure(self) -> String {
        assert_ne!(self.code, 0, "succeeded\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self.err
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// Makes a machine with a loopback and nothing else.
    ///
    /// # Panics
    ///
    /// If namespaces cannot be made: the end-to-end tests need root.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(rustix::process::geteuid().is_root(), "the end-to-end tests need root");
        let cluster = format!("e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let before = Traces::of(&cluster);
        let dir = tempfile::Builder::new().prefix("kpkg-e2e-").tempdir().expect("a temporary folder");
        // The holder is the first process of the namespace: when it is killed, the kernel ends all others.
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let mut first = [0; 5];
        let out = holder.stdout.as_mut().expect("its output was asked for");
        std::io::Read::read_exact(out, &mut first).expect("namespaces could not be made (are you root?)");
        Self { holder, dir, cluster, before }
    }

    /// The data directory of this machine's cluster.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A folder for the test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The name of this machine's cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// A program that will run inside.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        // `unshare` itself stays outside the process namespace; its one child is the first inside.
        let inside = self.first_process();
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={inside}")).args(["--net", "--mount", "--pid", "--"]).arg(program.as_ref());
        command.env("HOME", self.dir.path()).env_remove("KUBECONFIG").env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    fn first_process(&self) -> u32 {
        let path = format!("/proc/{0}/task/{0}/children", self.holder.id());
        let children = std::fs::read_to_string(path).expect("the holder runs");
        children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("the holder has a child")
    }

    /// Runs a program inside.
    pub fn run(&self, program: impl AsRef<Path>, args: &[&str]) -> Ran {
        ran(&self.command(program).args(args).output().expect("nsenter runs"))
    }

    /// Runs `kpkg ARGS` on this machine's data directory.
    pub fn kpkg(&self, args: &[&str]) -> Ran {
        ran(&self.kpkg_command(args).output().expect("nsenter runs"))
    }

    /// `kpkg ARGS` on this machine's data directory, not yet started.
    pub fn kpkg_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(crate::kpkg());
        self.name_cluster(&mut command).args(args);
        command
    }

    /// Runs a script in `folder` as a user of this machine would, `kpkg` in the search path.
    pub fn shell(&self, script: &str, folder: &Path) -> Ran {
        let kpkg = crate::kpkg();
        let mut folders = vec![kpkg.parent().expect("kpkg is in a folder").to_owned()];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let path = std::env::join_paths(folders).expect("the search path was one before");
        let mut command = self.command("sh");
        // A process that enters a mount namespace finds itself at its root, wherever it was.
        let script = format!("cd '{}'\n{script}", folder.display());
        self.name_cluster(&mut command).args(["-exc", &script]).env("PATH", path);
        ran(&command.output().expect("nsenter runs"))
    }

    /// Tells a kpkg which cluster is this machine's.
    fn name_cluster<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("KPKG_DATA_DIR", self.data_dir()).env("KPKG_CLUSTER", &self.cluster)
    }

    /// Runs `kubectl ARGS` against this machine's cluster.
    pub fn kubectl(&self, args: &[&str]) -> Ran {
        ran(&self.kubectl_command(args).output().expect("nsenter runs"))
    }

    /// `kubectl ARGS`, not yet started.
    pub fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = self.command("kubectl");
        command.args(args).env("KUBECONFIG", self.data_dir().join("kubeconfig"));
        command
    }

    /// Gives `manifest` to `kubectl apply`.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[track_caller]
    pub fn apply(&self, manifest: &str) {
        let mut child = self
            .kubectl_command(&["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter runs");
        let mut stdin = child.stdin.take().expect("its input was asked for");
        stdin.write_all(manifest.as_bytes()).expect("kubectl reads its input");
        drop(stdin);
        ran(&child.wait_with_output().expect("kubectl ends")).ok();
    }

    /// An object as JSON; null if there is none.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        let ran = self.kubectl(&["get", kind, name, "-o", "json"]);
        if ran.code == 0 { serde_json::from_str(&ran.out).expect("kubectl prints JSON") } else { Value::Null }
    }

    /// The pods that a selector chooses, as JSON.
    pub fn pods(&self, selector: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", "pods", "-l", selector, "-o", "json"]).ok();
        let mut list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }

    /// Fetches a URL inside with curl; the body, or nothing if there is no good answer.
    pub fn http(&self, args: &[&str]) -> Option<String> {
        let mut all = vec!["--silent", "--show-error", "--fail", "--max-time", "10"];
        all.extend(args);
        let ran = self.run("curl", &all);
        (ran.code == 0).then_some(ran.out)
    }

    /// Deletes the cluster and compares: nothing of it may be left on the host.
    ///
    /// # Panics
    ///
    /// If anything is left.
    #[track_caller]
    pub fn delete_cluster(&self) {
        self.kpkg(&["cluster", "delete", "--yes"]).ok();
        self.assert_nothing_left();
    }

    /// Compares with what was there before the cluster.
    ///
    /// # Panics
    ///
    /// If anything of the cluster is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert!(!self.data_dir().exists(), "the data directory is left");
        assert_eq!(self.run("nft", &["list", "ruleset"]).ok().trim(), "", "nftables rules are left");
        let links = self.run("ip", &["-o", "link"]).ok();
        assert_eq!(links.lines().count(), 1, "links are left:\n{links}");
        let mounts = self.run("cat", &["/proc/mounts"]).ok();
        let dir = self.dir.path().display().to_string();
        assert!(!mounts.contains(&dir), "mounts are left:\n{mounts}");
        let processes = self.run("ps", &["-e", "-o", "pid,args"]).ok();
        assert!(!processes.contains(&dir), "processes are left:\n{processes}");
        Traces::of(&self.cluster).assert_same(&self.before);
    }
}

fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_troubles();
        }
        // A test that failed half-way has not deleted its cluster. The namespaces take processes,
        // mounts and links with them; cgroups are the kernel's own and must be asked for.
        if self.data_dir().exists() {
            self.kpkg(&["cluster", "delete", "--yes"]);
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        Traces::remove_cgroups(&self.cluster);
    }
}

impl Machine {
    /// Prints what explains a failure best.
    #[expect(clippy::print_stderr, reason = "a failing test explains itself")]
    fn show_troubles(&self) {
        for args in [&["get", "pods", "-A", "-o", "wide"][..], &["get", "events", "-A"], &["describe", "pods", "-A"]] {
            eprintln!("--- kubectl {}\n{}", args.join(" "), self.kubectl(args).out);
        }
        let log = std::fs::read_to_string(self.data_dir().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- server.log\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
    }
}
