//! Disks that are full and caches that may not be written: a clear error and nothing half-written, or no error at all.

use kpkg_tests::Machine;

use super::{REGISTRY, chart, registry};

/// A machine with a registry that holds `web` of 300 kB, and two small disks: `full` with a few kilobytes left,
/// and `fixed`, which cannot be written.
fn machine() -> Machine {
    let machine = Machine::new();
    let dir = machine.dir();
    registry(&machine, "");
    chart(dir, "web", "1.0.0", 300);
    let needs = format!("dependencies: [{{name: web, version: 1.0.0, repository: 'oci://{REGISTRY}/charts'}}]\n");
    let app = chart(dir, "app", "2.0.0", 0);
    let text = std::fs::read_to_string(app.join("Chart.yaml")).expect("a chart");
    std::fs::write(app.join("Chart.yaml"), text + &needs).expect("a file");
    let script = format!(
        "kpkg package web && kpkg push web-1.0.0.tgz oci://{REGISTRY}/charts --plain-http\n\
         mkdir full fixed\n\
         mount -t tmpfs -o size=200k none full\n\
         cp -r app full/app\n\
         mkdir full/cache full/folder\n\
         dd if=/dev/zero of=full/ballast bs=1k count=120 2>/dev/null\n\
         mount -t tmpfs none fixed && mkdir fixed/empty && kpkg pull oci://{REGISTRY}/charts/web --plain-http --cache-dir fixed/filled -d first\n\
         mount -o remount,ro fixed"
    );
    machine.shell(&script, dir).ok();
    machine
}

#[test]
fn a_full_disk_is_named_and_nothing_half_written_is_left() {
    let machine = machine();
    let listing = || machine.shell("find full | sort; ls -l full", machine.dir()).ok();
    let before = listing();
    let remote = format!("oci://{REGISTRY}/charts/web --plain-http");
    let cases = [
        format!("kpkg pull {remote} -d full"),
        format!("kpkg pull {remote} -d full/new"),
        format!("kpkg pull {remote} -d full/folder --untar"),
        "kpkg package web -d full".to_owned(),
        "kpkg bundle create web --no-images -o full/web.kpkg".to_owned(),
        "kpkg dependency update full/app --plain-http".to_owned(),
    ];
    for case in cases {
        let told = machine.shell(&case, machine.dir()).failure();
        assert!(told.contains("No space left on device"), "{case}: {told}");
        assert!(told.contains("full"), "{case} names no place: {told}");
        machine.shell("rmdir full/new full/app/charts 2>/dev/null || true", machine.dir()).ok();
        assert_eq!(listing(), before, "{case} left something");
    }
    // A cache that is full costs time, not the command.
    let pulled = machine.shell(&format!("kpkg -v pull {remote} --cache-dir full/cache -d got"), machine.dir());
    assert_eq!(pulled.code, 0, "{}", pulled.err);
    assert!(pulled.err.contains("the cache was not used"), "{}", pulled.err);
    machine.shell("cmp got/web-1.0.0.tgz web-1.0.0.tgz; test -z \"$(find full/cache -type f)\"", machine.dir()).ok();
}

#[test]
fn a_cache_that_cannot_be_written_is_read_all_the_same() {
    let machine = machine();
    let pull = |cache: &str, folder: &str| {
        let script =
            format!("kpkg -v pull oci://{REGISTRY}/charts/web --plain-http --cache-dir fixed/{cache} -d {folder}");
        machine.shell(&format!("{script} && cmp {folder}/web-1.0.0.tgz web-1.0.0.tgz"), machine.dir())
    };
    let ran = pull("empty", "one");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = pull("filled", "two");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("the cache was not used"), "what is there need not be written: {}", ran.err);
    // The chart is in the cache, so its layers are not asked for.
    machine.shell("find registry/data -path '*blobs*' -name data -size +100k -delete", machine.dir()).ok();
    assert_eq!(pull("filled", "three").code, 0);
    assert_ne!(pull("empty", "four").code, 0);
    machine.shell("kpkg cache ls --cache-dir fixed/filled | grep sha256", machine.dir()).ok();
    let told = machine.shell("kpkg cache prune --cache-dir fixed/filled", machine.dir()).failure();
    assert!(told.contains("Read-only file system"), "{told}");
}
