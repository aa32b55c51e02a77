//! Releases with a kustomization on top of their chart.

use kpkg_tests::Machine;

use super::{chart, field, names, statuses};

const TOP: &str = "labels: [{pairs: {team: web}}]
resources: [extra.yaml]
patches:
- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: o-0}, data: {text: overlaid}}'
";
const EXTRA: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}}\n";

/// What the overlay makes is installed, compared, rolled back and removed as if the chart had made it.
pub(super) fn belong_to_the_release(machine: &Machine, demo: &str) {
    let write = |kustomization: &str| {
        let files = [("kustomization.yaml", kustomization), ("extra.yaml", EXTRA)];
        chart(machine, "overlay", &files).display().to_string()
    };
    let top = write(TOP);
    let text = || field(machine, "configmap", "o-0", "/data/text");

    machine.kpkg(&["install", "o", demo, "--overlay", &top]).ok();
    assert_eq!(text(), "overlaid");
    assert_eq!(field(machine, "configmap", "extra", "/metadata/labels/team"), "web");
    assert_eq!(names(machine, "configmap"), ["extra", "o-0", "o-1", "o-2"]);
    assert_eq!(machine.kpkg(&["diff", "o"]).code, 0, "the record holds what the overlay made");
    let version = || field(machine, "configmap", "o-0", "/metadata/resourceVersion");
    let before = version();
    machine.kpkg(&["upgrade", "o", demo, "--overlay", &top]).ok();
    assert_eq!(version(), before);

    // What leaves the overlay goes, and a rollback needs no overlay.
    write(&TOP.replace("resources: [extra.yaml]\n", ""));
    machine.kpkg(&["upgrade", "o", demo, "--overlay", &top]).ok();
    assert_eq!(names(machine, "configmap"), ["o-0", "o-1", "o-2"]);
    machine.kpkg(&["rollback", "o", "1"]).ok();
    assert_eq!(names(machine, "configmap"), ["extra", "o-0", "o-1", "o-2"]);

    // An overlay that does not fit changes nothing.
    write(&TOP.replace("o-0", "nosuch"));
    let refused = machine.kpkg(&["upgrade", "o", demo, "--overlay", &top]).failure();
    assert!(refused.contains("no resource matches strategic merge patch"), "{refused}");
    assert_eq!(statuses(machine, "o"), ["superseded", "superseded", "superseded", "deployed"]);

    // Without it, the chart alone counts.
    machine.kpkg(&["upgrade", "o", demo]).ok();
    assert_eq!((text(), names(machine, "configmap")), ("one".into(), vec!["o-0".into(), "o-1".into(), "o-2".into()]));
    machine.kpkg(&["uninstall", "o"]).ok();
    assert_eq!(names(machine, "configmap"), Vec::<String>::new());
}
