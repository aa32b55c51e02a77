//! Releases larger than one Secret.

use kpkg_tests::Machine;

use super::{chart, names, statuses};

/// 5,000 objects whose text does not compress, in a record of 6 MB.
#[test]
fn records_of_any_size_are_kept() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let template = r#"{{- range $i := until (int .Values.count) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: big-{{ $i }}
data:
  noise: {{ printf "%d-%s-1" $i $.Values.salt | sha256sum }}{{ printf "%d-%s-2" $i $.Values.salt | sha256sum }}{{ printf "%d-%s-3" $i $.Values.salt | sha256sum }}{{ printf "%d-%s-4" $i $.Values.salt | sha256sum }}{{ range $j := until (int $.Values.more) }}{{ printf "%d-%d-%s" $i $j $.Values.salt | sha256sum }}{{ end }}
{{- end }}
"#;
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: big\nversion: 1.0.0\n"),
        ("values.yaml", "count: 5000\nsalt: a\nmore: 22\n"),
        ("templates/maps.yaml", template),
    ];
    let chart = chart(&machine, "big", &files).display().to_string();
    machine.kpkg(&["install", "big", &chart]).ok();
    let parts = |names: &[String]| names.iter().filter(|it| it.contains(".v1.big.v")).count();
    assert!(parts(&names(&machine, "secret")) > 6, "{:?}", names(&machine, "secret"));
    let same = machine.kpkg(&["diff", "big"]);
    assert_eq!(same.code, 0, "{}", same.out);
    machine.kpkg(&["upgrade", "big", &chart, "--set", "count=4900"]).ok();
    assert_eq!(names(&machine, "configmap").len(), 4900);
    machine.kpkg(&["rollback", "big", "1"]).ok();
    assert_eq!(names(&machine, "configmap").len(), 5000);
    assert_eq!(statuses(&machine, "big"), ["superseded", "superseded", "deployed"]);
    machine.kpkg(&["uninstall", "big"]).ok();
    assert_eq!(names(&machine, "configmap").len() + names(&machine, "secret").len(), 0);
    machine.delete_cluster();
}
