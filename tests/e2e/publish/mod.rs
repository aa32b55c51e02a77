//! Charts on their way: packed, pushed, pulled, bundled, on machines that lack what they need or die half-way.

mod bundles;
mod kills;
mod logins;
mod registry;
mod scarcity;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kpkg_tests::{Machine, eventually};

/// Where a machine's registry listens; every machine has a network of its own.
pub(crate) const REGISTRY: &str = "127.0.0.1:5000";

/// Starts Debian's registry inside a machine; it ends with it.
pub(crate) fn registry(machine: &Machine, more: &str) {
    let folder = machine.dir().join("registry");
    std::fs::create_dir_all(&folder).expect("a folder");
    let config = folder.join("config.yml");
    let text = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{REGISTRY}'}}\n{more}",
        folder.join("data").display()
    );
    std::fs::write(&config, text).expect("a file");
    machine.shell("docker-registry serve config.yml >log 2>&1 </dev/null & echo $! >pid", &folder).ok();
    eventually("the registry listens", Duration::from_secs(30), || {
        let ran = machine.run("curl", &["--silent", "--output", "/dev/null", &format!("http://{REGISTRY}/v2/")]);
        (ran.code == 0).then_some(())
    });
}

/// Ends it before its machine.
pub(crate) fn stop_registry(machine: &Machine) {
    let pid = std::fs::read_to_string(machine.dir().join("registry/pid")).expect("the registry was started");
    machine.run("kill", &["-9", pid.trim()]).ok();
    eventually("the registry is gone", Duration::from_secs(10), || {
        // Nobody reaps it there: what is left of it has no command line.
        machine.run("cat", &[&format!("/proc/{}/cmdline", pid.trim())]).out.is_empty().then_some(())
    });
}

/// Writes a chart whose archive has about `kilobytes`, of bytes that do not shrink.
pub(crate) fn chart(folder: &Path, name: &str, version: &str, kilobytes: usize) -> PathBuf {
    let root = folder.join(name);
    std::fs::create_dir_all(root.join("templates")).expect("a folder");
    let write = |file: &str, bytes: &[u8]| std::fs::write(root.join(file), bytes).expect("a file");
    write("Chart.yaml", format!("apiVersion: v2\nname: {name}\nversion: {version}\n").as_bytes());
    write("values.yaml", b"text: hello\n");
    write(
        "templates/map.yaml",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {text: {{ .Values.text }}}\n",
    );
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let noise: Vec<u8> = (0..kilobytes * 128)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    // One file of a chart may have a few megabytes at most.
    for (at, part) in noise.chunks(4 << 20).enumerate() {
        write(&format!("noise-{at}.bin"), part);
    }
    root
}

/// `sha256:...` of a file, by another program than ours.
pub(crate) fn digest(machine: &Machine, path: &Path) -> String {
    let line = machine.run("sha256sum", &[&path.display().to_string()]).ok();
    format!("sha256:{}", line.split(' ').next().unwrap_or_default())
}
