//! Releases of many objects: kpkg as a whole process against the real Helm's calls, on one cluster.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kpkg_tests::Machine;
use kpkg_tests::helm::Helm;
use serde_json::{Value, json};

/// Rounds of kpkg's measurements; the shortest counts. Helm, which takes long enough for one to tell, has one.
const ROUNDS: usize = 2;
/// How many writes two upgrades without changes may take: the record, the Lease, and what nodes write meanwhile.
const QUIET: u64 = 60;
/// How many objects the made chart has.
const OBJECTS: usize = 1000;

/// Measures and prints; `charts` is a folder with `kube-prometheus-stack` below it.
pub(crate) fn run(charts: Option<&Path>) -> Result<()> {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    let helm = Helm::new(&machine);
    let bench = Bench { machine: &machine, helm: &helm };
    println!("{:52} {:>10} {:>10} {:>8}", "", "kpkg", "Helm", "faster");
    bench.chart(&Subject {
        title: format!("{OBJECTS} objects"),
        chart: made_chart(machine.dir())?,
        before: ("text=one", json!({"text": "one"})),
        after: ("text=two", json!({"text": "two"})),
        has_pods: false,
    })?;
    if let Some(charts) = charts {
        // The hooks make certificates by an image that this machine lacks.
        let off = "prometheusOperator.admissionWebhooks.enabled=false";
        let values = |team: &str| json!({"prometheusOperator": {"admissionWebhooks": {"enabled": false}}, "commonLabels": {"team": team}});
        bench.chart(&Subject {
            title: "kube-prometheus-stack".to_owned(),
            chart: find(charts, "kube-prometheus-stack")?,
            before: (&format!("{off},commonLabels.team=one"), values("one")),
            after: (&format!("{off},commonLabels.team=two"), values("two")),
            has_pods: true,
        })?;
    }
    machine.delete_cluster();
    Ok(())
}

/// A chart, and two sets of values by which every object differs: as kpkg and as Helm take them.
struct Subject<'a> {
    title: String,
    chart: PathBuf,
    before: (&'a str, Value),
    after: (&'a str, Value),
    /// Whether pods run, or try to: then the cluster writes by itself.
    has_pods: bool,
}

struct Bench<'a> {
    machine: &'a Machine,
    helm: &'a Helm<'a>,
}

impl Bench<'_> {
    fn chart(&self, subject: &Subject<'_>) -> Result<()> {
        let chart = subject.chart.display().to_string();
        // Whoever comes first makes the definitions, which stay.
        self.kpkg(&["install", "bench", &chart, "--wait=hookOnly", "--set", subject.before.0], 0)?;
        self.kpkg(&["uninstall", "bench"], 0)?;
        let (mut ours, mut theirs) = (Figures::default(), Figures::default());
        for _ in 0..ROUNDS {
            self.kpkg_round(&chart, subject, &mut ours)?;
        }
        self.helm_round(&chart, subject, &mut theirs)?;
        for (index, what) in WHATS.iter().enumerate() {
            let title = format!("{}: {what}", subject.title);
            let ratio = match (ours.0[index], theirs.0[index]) {
                (Some(ours), Some(theirs)) => format!("{:.1}x", theirs.as_secs_f64() / ours.as_secs_f64()),
                _ => String::new(),
            };
            let time = |time: Option<Duration>| time.map(crate::show).unwrap_or_default();
            println!("{title:52} {:>10} {:>10} {ratio:>8}", time(ours.0[index]), time(theirs.0[index]));
        }
        Ok(())
    }

    fn kpkg_round(&self, chart: &str, subject: &Subject<'_>, figures: &mut Figures) -> Result<()> {
        let (before, after) = (subject.before.0, subject.after.0);
        let hook_only = "--wait=hookOnly";
        figures.note(0, self.kpkg(&["install", "bench", chart, hook_only, "--set", before], 0)?);
        let version = self.version()?;
        figures.note(1, self.kpkg(&["upgrade", "bench", chart, hook_only, "--if-changed"], 0)?);
        figures.note(2, self.kpkg(&["upgrade", "bench", chart, hook_only], 0)?);
        let written = self.version()? - version;
        ensure!(subject.has_pods || written <= QUIET, "upgrades that change nothing made {written} writes");
        figures.note(3, self.kpkg(&["plan", "upgrade", "bench", chart, "--set", after], 0)?);
        figures.note(4, self.kpkg(&["diff", "bench", chart, "--set", after], 2)?);
        figures.note(5, self.kpkg(&["diff", "bench"], 0)?);
        figures.note(6, self.kpkg(&["upgrade", "bench", chart, hook_only, "--set", after], 0)?);
        figures.note(7, self.kpkg(&["rollback", "bench", hook_only], 0)?);
        figures.note(8, self.kpkg(&["uninstall", "bench"], 0)?);
        Ok(())
    }

    fn helm_round(&self, chart: &str, subject: &Subject<'_>, figures: &mut Figures) -> Result<()> {
        let call = |call: &str, args: Value, options: Value| -> Result<Duration> {
            let timed = self.helm.timed("default", call, &args, &options);
            timed.map(|(_, time)| time).map_err(|error| anyhow::anyhow!("Helm's {call}: {error}"))
        };
        let options = |values: &Value| json!({"values": values, "wait": "hookOnly", "timeout": 600});
        let (before, after) = (options(&subject.before.1), options(&subject.after.1));
        figures.note(0, call("install", json!([chart, "bench"]), before.clone())?);
        figures.note(2, call("upgrade", json!([chart, "bench"]), before)?);
        figures.note(6, call("upgrade", json!([chart, "bench"]), after)?);
        figures.note(7, call("rollback", json!(["bench"]), json!({"wait": "hookOnly", "timeout": 600}))?);
        figures.note(8, call("uninstall", json!(["bench"]), json!({"wait": "watcher", "timeout": 600}))?);
        Ok(())
    }

    /// How long a command took that must end with `code`.
    fn kpkg(&self, args: &[&str], code: i32) -> Result<Duration> {
        // As on any other cluster: images are not looked for beforehand.
        let kubeconfig = format!("--kubeconfig={}", self.machine.data_dir().join("kubeconfig").display());
        let all: Vec<&str> = args.iter().copied().chain([kubeconfig.as_str()]).collect();
        let begun = Instant::now();
        let ran = self.machine.kpkg(&all);
        ensure!(ran.code == code, "`kpkg {}` ended with {}: {}", args.join(" "), ran.code, ran.err);
        Ok(begun.elapsed())
    }

    /// The cluster's revision, which counts its writes; a quiet one, so that the release's own are all there is.
    fn version(&self) -> Result<u64> {
        let mut last = 0;
        loop {
            let list = self.machine.kubectl(&["get", "--raw", "/api/v1/namespaces/default/configmaps?limit=1"]).ok();
            let list: Value = serde_json::from_str(&list)?;
            let now: u64 = list["metadata"]["resourceVersion"].as_str().context("lists have a version")?.parse()?;
            if now.saturating_sub(last) <= 1 {
                return Ok(now);
            }
            last = now;
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

const WHATS: [&str; 9] = [
    "install",
    "upgrade, nothing changes, no revision",
    "upgrade, nothing changes",
    "plan of an upgrade of all",
    "diff against an upgrade of all",
    "diff against the cluster",
    "upgrade of all",
    "rollback of all",
    "uninstall",
];

/// The shortest time of each.
#[derive(Default)]
struct Figures([Option<Duration>; WHATS.len()]);

impl Figures {
    fn note(&mut self, index: usize, time: Duration) {
        let best = &mut self.0[index];
        *best = Some(best.map_or(time, |best| best.min(time)));
    }
}

/// The chart of that name below a folder.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if folder.file_name().is_some_and(|it| it == name) && folder.join("Chart.yaml").is_file() {
            return Ok(folder);
        }
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    anyhow::bail!("no chart {name} below {}", folder.display())
}

/// A chart of ConfigMaps, Secrets, Services and Deployments without pods, in equal parts.
fn made_chart(folder: &Path) -> Result<PathBuf> {
    let chart = folder.join("many");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: many\nversion: 1.0.0\n")?;
    std::fs::write(chart.join("values.yaml"), format!("count: {}\ntext: one\n", OBJECTS / 4))?;
    std::fs::write(chart.join("templates/all.yaml"), TEMPLATE)?;
    Ok(chart)
}

const TEMPLATE: &str = r#"{{- range $i := until (int .Values.count) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: many-{{ $i }}
  labels: {app: many, text: {{ $.Values.text }}}
data:
  settings: |
    text={{ $.Values.text }}
    number={{ $i }}
---
apiVersion: v1
kind: Secret
metadata:
  name: many-{{ $i }}
  labels: {app: many, text: {{ $.Values.text }}}
stringData:
  password: {{ printf "%d-%s" $i $.Values.text | sha256sum }}
---
apiVersion: v1
kind: Service
metadata:
  name: many-{{ $i }}
  labels: {app: many, text: {{ $.Values.text }}}
spec:
  clusterIP: None
  selector: {app: many-{{ $i }}}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: many-{{ $i }}
  labels: {app: many, text: {{ $.Values.text }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: many-{{ $i }}}}
  template:
    metadata: {labels: {app: many-{{ $i }}}}
    spec:
      containers:
        - name: main
          image: example.org/app:1
          args: ["--text={{ $.Values.text }}"]
          ports: [{name: http, containerPort: 8080}]
          env: [{name: NUMBER, value: "{{ $i }}"}, {name: PASSWORD, valueFrom: {secretKeyRef: {name: many-{{ $i }}, key: password}}}]
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
          readinessProbe: {httpGet: {path: /, port: http}}
{{- end }}
"#;
