//! What a user gets wrong or a machine lacks: one clear error, a failure as exit code, nothing left.

use kpkg_tests::Machine;

use crate::busybox_machine;

#[test]
fn installing_what_cannot_be_installed_changes_nothing() {
    let machine = busybox_machine();
    let chart = |name: &str, template: &str| {
        let dir = machine.dir().join(name);
        std::fs::create_dir_all(dir.join("templates")).expect("a folder");
        std::fs::write(dir.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"))
            .expect("a file");
        std::fs::write(dir.join("templates/x.yaml"), template).expect("a file");
        dir.display().to_string()
    };
    let before = machine.kubectl(&["get", "all,configmaps,secrets", "-A", "-o", "name"]).ok();
    let cases = [
        ("no-such-chart", "no-such-chart".to_owned(), "no-such-chart"),
        ("template", chart("template", "kind: ConfigMap\nname: {{ .Values.a.b.c }}\n"), "template/templates/x.yaml:2"),
        ("yaml", chart("yaml", "kind: ConfigMap\n  bad: indent\n"), "yaml/templates/x.yaml"),
        ("kind", chart("kind", "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: x}\n"), "Widget"),
        (
            "invalid",
            chart(
                "invalid",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: Bad_Name}\nspec: {ports: [{port: 80}]}\n",
            ),
            "a DNS-1035 label must consist of",
        ),
    ];
    for (name, path, want) in cases {
        let told = machine.kpkg(&["install", name, &path]).failure();
        assert!(told.starts_with("error: ") || told.contains("\nerror: "), "{name}: {told}");
        assert!(told.contains(want), "{name}: {told}");
    }
    assert_eq!(machine.kubectl(&["get", "all,configmaps,secrets", "-A", "-o", "name"]).ok(), before);
    machine.delete_cluster();
}

#[test]
fn a_failed_install_says_which_object_and_why() {
    let machine = busybox_machine();
    let dir = machine.dir().join("crash");
    std::fs::create_dir_all(dir.join("templates")).expect("a folder");
    std::fs::write(dir.join("Chart.yaml"), "apiVersion: v2\nname: crash\nversion: 0.1.0\n").expect("a file");
    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: crash}}\nspec:\n  selector: {{matchLabels: {{app: crash}}}}\n  template:\n    metadata: {{labels: {{app: crash}}}}\n    spec:\n      containers:\n      - {{name: app, image: {}, command: [sh, -c, 'echo cannot find the key; exit 9'], readinessProbe: {{exec: {{command: ['false']}}}}}}\n",
        kpkg_tests::images::BUSYBOX
    );
    std::fs::write(dir.join("templates/x.yaml"), deployment).expect("a file");
    let told = machine.kpkg(&["install", "crash", &dir.display().to_string(), "--timeout", "20s"]).failure();
    for want in ["Deployment/crash", "exit code 9", "cannot find the key", "0 of 1 replicas"] {
        assert!(told.contains(want), "no `{want}` in\n{told}");
    }
    assert!(machine.kpkg(&["list", "-A"]).ok().contains("failed"));
    machine.kpkg(&["uninstall", "crash"]).ok();
    machine.delete_cluster();
}

#[test]
fn a_machine_that_cannot_run_a_cluster_says_so() {
    let machine = Machine::new();
    // A port that is taken.
    let mut listener = machine.command("python3");
    listener
        .args(["-c", "import socket,time; s=socket.socket(); s.bind(('0.0.0.0',6443)); s.listen(); time.sleep(60)"]);
    let mut listener = listener.spawn().expect("python runs");
    kpkg_tests::eventually("the port is taken", crate::LIMIT, || {
        machine.run("ss", &["-ltn"]).out.contains(":6443").then_some(())
    });
    let told = machine.kpkg(&["cluster", "start", "--api-port", "6443"]).failure();
    assert!(told.contains("6443"), "{told}");
    listener.kill().and_then(|()| listener.wait()).expect("python can be ended");

    // No root.
    let told = machine
        .run(
            "setpriv",
            &[
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                &kpkg_tests::kpkg().display().to_string(),
                "cluster",
                "start",
            ],
        )
        .failure();
    assert!(told.contains("root"), "{told}");

    // A data directory of a newer version.
    machine.kpkg(&["cluster", "start"]).ok();
    machine.kpkg(&["cluster", "stop"]).ok();
    let version = machine.data_dir().join("version");
    let old = std::fs::read_to_string(&version).expect("the data directory has a version");
    std::fs::write(&version, "999\n").expect("it can be written");
    let told = machine.kpkg(&["cluster", "start"]).failure();
    assert!(told.contains("newer"), "{told}");
    std::fs::write(&version, old).expect("it can be written");
    machine.kpkg(&["cluster", "start"]).ok();
    machine.delete_cluster();
}

#[test]
fn a_damaged_image_is_refused_whole() {
    let machine = Machine::new();
    let archive = std::fs::read(kpkg_tests::images::busybox()).expect("the archive can be read");
    let path = machine.dir().join("image.tar");
    let mut flipped = archive.clone();
    flipped[archive.len() / 2] ^= 0xff;
    for (what, bytes) in [("truncated", &archive[..archive.len() / 2]), ("corrupted", &flipped[..])] {
        std::fs::write(&path, bytes).expect("a file");
        let told = machine.kpkg(&["image", "load", &path.display().to_string()]).failure();
        assert!(told.contains("image.tar"), "{what}: {told}");
        let listed = machine.kpkg(&["image", "ls"]).ok();
        assert!(!listed.contains("busybox"), "{what}: {listed}");
    }
    std::fs::write(&path, &archive).expect("a file");
    machine.kpkg(&["image", "load", &path.display().to_string()]).ok();
    machine.delete_cluster();
}

#[test]
fn a_damaged_store_is_refused_and_left_alone() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    for number in 0..20 {
        machine.kubectl(&["create", "configmap", &format!("kept-{number}"), "--from-literal=a=b"]).ok();
    }
    machine.kpkg(&["cluster", "stop"]).ok();
    let files = std::fs::read_dir(machine.data_dir().join("store")).expect("the store is a folder");
    let largest = files
        .map(|entry| entry.expect("the store can be listed").path())
        .max_by_key(|path| std::fs::metadata(path).map_or(0, |it| it.len()))
        .expect("the store has files");
    let whole = std::fs::read(&largest).expect("it can be read");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 16].fill(0xaa);
    std::fs::write(&largest, &damaged).expect("it can be written");

    let told = machine.kpkg(&["cluster", "start"]).failure();
    let name = largest.file_name().expect("a file has a name").to_string_lossy();
    assert!(told.contains(&*name) && told.contains("hint"), "{told}");
    assert!(std::fs::read(&largest).expect("it can be read") == damaged, "the damaged file was written to");

    std::fs::write(&largest, &whole).expect("it can be written");
    machine.kpkg(&["cluster", "start"]).ok();
    let kept = machine.kubectl(&["get", "configmaps", "-o", "name"]).ok();
    assert_eq!(kept.lines().filter(|line| line.contains("kept-")).count(), 20, "{kept}");
    machine.delete_cluster();
}

#[test]
fn a_full_disk_loses_nothing() {
    let machine = Machine::new();
    let dir = machine.dir().display().to_string();
    let archive = kpkg_tests::images::busybox();
    machine.run("mount", &["-t", "tmpfs", "-o", "size=560m", "tmpfs", &dir]).ok();
    machine.kpkg(&["cluster", "start"]).ok();
    machine.kubectl(&["create", "configmap", "before", "--from-literal=a=b"]).ok();
    let filler = format!("{dir}/filler");
    machine.run("sh", &["-c", &format!("cat /dev/zero > {filler}")]).failure();

    let told = machine.kpkg(&["image", "load", &archive.display().to_string()]).failure();
    assert!(told.contains("No space left on device"), "{told}");
    let big = format!("--from-literal=a={}", "x".repeat(100_000));
    let told = machine.kubectl(&["create", "configmap", "refused", &big]).failure();
    assert!(told.contains("no space left on the server's disk"), "{told}");

    machine.run("rm", &[&filler]).ok();
    kpkg_tests::eventually("writes succeed again", crate::LIMIT, || {
        (machine.kubectl(&["create", "configmap", "after", &big]).code == 0).then_some(())
    });
    machine.kpkg(&["image", "load", &archive.display().to_string()]).ok();
    machine.kpkg(&["cluster", "stop"]).ok();
    machine.kpkg(&["cluster", "start"]).ok();
    let names = machine.kubectl(&["get", "configmaps", "-o", "name"]).ok();
    assert!(names.contains("/before") && names.contains("/after") && !names.contains("/refused"), "{names}");
    machine.kpkg(&["cluster", "delete", "--yes"]).ok();
    machine.run("umount", &[&dir]).ok();
    machine.assert_nothing_left();
}
