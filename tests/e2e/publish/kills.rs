//! The program killed at any moment while it works: what is there afterwards is whole, and the next one goes on.

use kpkg_tests::Machine;

use super::{REGISTRY, chart, registry};

/// Starts a command, kills it after ever longer, and so on until it comes to its end by itself.
const KILLER: &str = r#"
killed=0; delay=5
while :; do
    "$@" >/dev/null 2>&1 & process=$!
    sleep "$(printf '0.%03d' "$delay")"
    kill -9 "$process" 2>/dev/null || true
    wait "$process" && break
    killed=$((killed + 1)); delay=$((delay + STEP))
    if [ "$delay" -gt 990 ]; then break; fi
done
echo "$killed"
"#;

#[test]
fn killed_at_any_moment_nothing_is_half_there() {
    let machine = Machine::new();
    let dir = machine.dir();
    registry(&machine, "");
    chart(dir, "web", "1.0.0", 8 << 10);
    std::fs::write(dir.join("killer"), KILLER).expect("a file");
    machine.shell("mkdir packed; kpkg package web -d first", dir).ok();
    let place = format!("oci://{REGISTRY}/charts");
    let killed = |step: u32, command: &str| -> u32 {
        let said = machine.shell(&format!("STEP={step} sh ./killer {command}"), dir).ok();
        said.trim().parse().expect("a number")
    };

    let mut deaths = killed(37, "kpkg package web -d packed");
    machine.shell("kpkg package web -d packed && cmp first/web-1.0.0.tgz packed/web-1.0.0.tgz", dir).ok();

    deaths += killed(37, &format!("kpkg push first/web-1.0.0.tgz {place} --plain-http"));
    machine.shell(&format!("kpkg push first/web-1.0.0.tgz {place} --plain-http"), dir).ok();

    for step in [29, 41] {
        machine.shell("rm -rf cache pulled; mkdir -p cache pulled", dir).ok();
        deaths += killed(step, &format!("kpkg pull {place}/web --plain-http --cache-dir cache -d pulled"));
        // Whatever has its final name is whole.
        let check = "for blob in cache/blobs/sha256/*; do test -f $blob || continue; \
                     test \"$(sha256sum < $blob | cut -d' ' -f1)\" = \"$(basename $blob)\"; done; \
                     test ! -f pulled/web-1.0.0.tgz || cmp pulled/web-1.0.0.tgz first/web-1.0.0.tgz";
        machine.shell(check, dir).ok();
        machine.shell(&format!("kpkg pull {place}/web --plain-http --cache-dir cache -d pulled && {check}"), dir).ok();
    }
    deaths += killed(3, "kpkg cache prune --cache-dir cache");
    machine.shell(&format!("kpkg pull {place}/web --plain-http --cache-dir cache -d last && cmp last/web-1.0.0.tgz first/web-1.0.0.tgz"), dir).ok();
    // What the dead left in the cache goes once it has settled.
    machine
        .shell(
            "sleep 6; kpkg cache prune --cache-dir cache; test -z \"$(find cache/incoming cache/blobs -type f)\"",
            dir,
        )
        .ok();
    assert!(deaths > 5, "only {deaths} were killed in time");
}
