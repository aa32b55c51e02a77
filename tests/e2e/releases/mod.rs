//! The life of a release after its first installation.

mod big;
mod helm;
mod kills;
mod life;
mod overlays;
mod secrets;
mod trouble;
mod wordpress;

use std::path::PathBuf;

use kpkg_tests::Machine;

/// A chart written for a test: files by path.
fn chart(machine: &Machine, folder: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = machine.dir().join(folder);
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("files are in folders")).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }
    root
}

/// A chart of some ConfigMaps, a Secret, a Service and hooks; values: `text`, `count`, `broken`.
fn demo(machine: &Machine) -> String {
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\nappVersion: '1'\n"),
        ("values.yaml", "text: one\ncount: 3\nbroken: false\n"),
        (
            "templates/maps.yaml",
            r"{{- range $i := until (int .Values.count) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-{{ $i }}
data:
  text: {{ $.Values.text | quote }}
{{- end }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  password: {{ .Values.text }}-secret
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: demo}
  ports: [{name: http, port: 80}]
{{- if .Values.broken }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Release.Name }}-never
spec:
  storageClassName: none-such
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
{{- end }}
",
        ),
        (
            "templates/hook.yaml",
            r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade,pre-rollback,post-delete
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
data: {ran: "yes"}
"#,
        ),
    ];
    chart(machine, "demo", &files).display().to_string()
}

/// The names of the objects of a kind, without those that every namespace has.
fn names(machine: &Machine, kind: &str) -> Vec<String> {
    let text = machine.kubectl(&["get", kind, "-o", "name"]).ok();
    let name = |line: &str| line.split_once('/').map_or(line, |(_, name)| name).to_owned();
    text.lines().map(name).filter(|it| it != "kube-root-ca.crt" && it != "kubernetes").collect()
}

/// A field of an object, as text.
fn field(machine: &Machine, kind: &str, name: &str, pointer: &str) -> String {
    let object = machine.get(kind, name);
    object.pointer(pointer).map_or_else(String::new, |it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
}

/// The statuses of a release's revisions, oldest first.
fn statuses(machine: &Machine, release: &str) -> Vec<String> {
    let text = machine.kpkg(&["history", release, "-o", "json"]).ok();
    let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("history prints JSON");
    list.iter().map(|it| it["status"].as_str().unwrap_or_default().to_owned()).collect()
}
