//! A chart with a subchart, and what can be told of it.

use super::*;
use crate::values;
use crate::{File, RenderError, render};

const HELPERS: &str = "{{ define \"app.labels\" -}}\napp: {{ .Values.name }}\ntier: web\n{{- end }}";
const DEPLOYMENT: &str = "kind: Deployment\nmetadata:\n  name: web\n  labels:\n    {{- include \"app.labels\" . | nindent 4 \
                          }}\nspec:\n  replicas: {{ .Values.replicas }}\n  image: \"{{ .Values.image.repository }}:{{ \
                          .Values.image.tag }}\"\n  {{- with .Values.resources }}\n  resources:\n    {{- toYaml . | \
                          nindent 4 }}\n  {{- end }}\n  paused: false\n";
const DEFAULTS: &str = "name: nn\nreplicas: 1\nimage:\n  repository: r\n  tag: t\nresources:\n  limits:\n    cpu: 1\n\
                        sub:\n  port: 2\n";

type Templates = &'static [(&'static str, &'static str)];

struct Setup {
    chart: Chart,
    inputs: Vec<Input>,
}

impl Setup {
    fn new(templates: &[(&str, &str)], inputs: Vec<Input>) -> Self {
        let mut files = vec![
            File::new("Chart.yaml", *b"apiVersion: v2\nname: app\nversion: 1.0.0\n"),
            File::new("values.yaml", DEFAULTS.as_bytes()),
            File::new("charts/sub/Chart.yaml", *b"apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
            File::new("charts/sub/values.yaml", *b"\nport: 1\nhost: h\n"),
            File::new(
                "charts/sub/templates/s.yaml",
                *b"kind: Service\nmetadata: {name: s}\nspec:\n  port: {{ .Values.port }}\n  host: {{ .Values.host }}\n",
            ),
        ];
        files.extend(templates.iter().map(|(name, text)| File::new(*name, text.as_bytes())));
        Self { chart: crate::load_files(files).expect("it loads"), inputs }
    }

    fn run<T>(&self, ask: impl FnOnce(&Watched, Subject<'_>, Option<RenderError>) -> T) -> T {
        let values = values::merge(&self.chart, &self.inputs).expect("values fit");
        let release = ReleaseInfo { name: "demo".into(), namespace: "default".into(), revision: 1, is_upgrade: false };
        let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
        let facts = ClusterFacts::default();
        let error = render(&self.chart, &values, &release, &facts, &ambient).err();
        let watched = watch(&values, &release, &facts, &ambient);
        ask(&watched, Subject { values: &values, inputs: &self.inputs }, error)
    }

    fn trace(&self, field: &str) -> String {
        self.run(|watched, subject, _| match trace(watched, subject, &field.parse().expect("a field")) {
            Ok(traced) => traced.to_string(),
            Err(error) => error.to_string(),
        })
    }

    fn explanation(&self) -> (String, Option<String>) {
        self.run(|watched, subject, error| {
            let found = explain(&error.expect("it fails"), watched, subject).expect("there is more to say");
            (found.to_string(), found.hint)
        })
    }
}

fn good(inputs: Vec<Input>) -> Setup {
    Setup::new(&[("templates/_h.tpl", HELPERS), ("templates/d.yaml", DEPLOYMENT)], inputs)
}

#[test]
fn fields_are_traced() {
    let file = Input::File { name: "my.yaml".into(), text: "image:\n  tag: mine\nsub:\n  host: x\n".into() };
    let setup = good(vec![Input::Set("replicas=5".into()), file]);
    let cases = [
        (
            "Deployment/web:spec.replicas",
            "Deployment/web:spec.replicas = 5\n  written by   app/templates/d.yaml:7\n               replicas: {{ \
             .Values.replicas }}\n  from value   replicas = 5 (--set replicas=5)\n",
        ),
        (
            "deployment/web:metadata.labels.app",
            "deployment/web:metadata.labels.app = \"nn\"\n  written by   app/templates/_h.tpl:2\n               app: {{ \
             .Values.name }}\n  included by  app/templates/d.yaml:5\n               {{- include \"app.labels\" . | \
             nindent 4 }}\n  from value   name = \"nn\" (app/values.yaml:1)\n",
        ),
        (
            "Deployment/web:metadata.labels.tier",
            "Deployment/web:metadata.labels.tier = \"web\"\n  written by   app/templates/_h.tpl:3\n               tier: \
             web\n  included by  app/templates/d.yaml:5\n               {{- include \"app.labels\" . | nindent 4 }}\n  \
             from value   name = \"nn\" (app/values.yaml:1)\n",
        ),
        (
            "Deployment/web:spec.image",
            "Deployment/web:spec.image = \"r:mine\"\n  written by   app/templates/d.yaml:8\n               image: \"{{ \
             .Values.image.repository }}:{{ .Values.image.tag }}\"\n  from value   image.tag = \"mine\" (my.yaml:2)\n",
        ),
        (
            "Deployment/web:spec.resources.limits.cpu",
            "Deployment/web:spec.resources.limits.cpu = 1\n  written by   app/templates/d.yaml:11\n               {{- \
             toYaml . | nindent 4 }}\n  from value   resources.limits.cpu = 1 (app/values.yaml:8)\n",
        ),
        (
            "Deployment/web:spec.paused",
            "Deployment/web:spec.paused = false\n  written by   app/templates/d.yaml:13\n               paused: false\n",
        ),
        (
            "Service/s:spec.port",
            "Service/s:spec.port = 2\n  written by   app/charts/sub/templates/s.yaml:4\n               port: {{ \
             .Values.port }}\n  from value   sub.port = 2 (app/values.yaml:10)\n",
        ),
        (
            "Service/s:spec.host",
            "Service/s:spec.host = \"x\"\n  written by   app/charts/sub/templates/s.yaml:5\n               host: {{ \
             .Values.host }}\n  from value   sub.host = \"x\" (my.yaml:4)\n",
        ),
        ("Service/s:spec.prot", "Service/s has no field `spec.prot`; did you mean `spec.port`?"),
        ("Pod/x:y", "the chart writes no Pod/x; it writes Service/s, Deployment/web"),
    ];
    for (field, want) in cases {
        assert_eq!(setup.trace(field), want, "{field}");
    }
}

#[test]
fn jinja_is_traced_by_its_text() {
    let text = "kind: A\nmetadata: {name: a}\nspec:\n  # why\n  replicas: {{ values.replicas }}\n";
    let want = "A/a:spec.replicas = 1\n  written by   app/templates/a.yaml.j2:5\n               replicas: {{ \
                values.replicas }}\n  from value   replicas = 1 (app/values.yaml:2)\n";
    assert_eq!(Setup::new(&[("templates/a.yaml.j2", text)], Vec::new()).trace("A/a:spec.replicas"), want);
}

#[test]
fn failures_are_explained() {
    let cases: [(Templates, &str, Option<&str>); 5] = [
        (
            &[("templates/a.yaml", "a: 1\nb: {{ .Values.imgae.tag }}")],
            "  --> app/templates/a.yaml:2:7\n   |\n 2 | b: {{ .Values.imgae.tag }}\n   |       ^^^^^^^^^^^^^^^^^\n  value \
             imgae.tag is not set\n",
            Some("there is no value `imgae`; did you mean `image`?"),
        ),
        (
            &[
                ("templates/_h.tpl", "{{ define \"x\" }}\n{{ .Values.image.tag.deep.er }}{{ end }}"),
                ("templates/a.yaml", "a: {{ include \"x\" . }}"),
            ],
            "  --> app/templates/_h.tpl:2:4\n   |\n 2 | {{ .Values.image.tag.deep.er }}{{ end }}\n   |    \
             ^^^^^^^^^^^^^^^^^^^^^^^^^\n  included by app/templates/a.yaml:1: a: {{ include \"x\" . }}\n  value image.tag = \
             \"t\" (app/values.yaml:5)\n",
            None,
        ),
        (
            &[("templates/a.yaml", "{{ with .Values.image }}{{ .repository.x }}{{ end }}")],
            "  --> app/templates/a.yaml:1:28\n   |\n 1 | {{ with .Values.image }}{{ .repository.x }}{{ end }}\n   |                            ^^^^^^^^^^^^^\n  value image.repository = \"r\" (app/values.yaml:4)\n",
            None,
        ),
        (
            &[("templates/_h.tpl", HELPERS), ("templates/a.yaml", "{{ include \"app.lables\" . }}")],
            "  --> app/templates/a.yaml:1:4\n   |\n 1 | {{ include \"app.lables\" . }}\n   |    ^^^^^^^^^^^^^^^^^^^^^^\n",
            Some("there is a template `app.labels`"),
        ),
        (
            &[("templates/a.yaml.j2", "a: {{ values.nmae }}")],
            "  --> app/templates/a.yaml.j2:1:7\n   |\n 1 | a: {{ values.nmae }}\n   |       ^^^^^^^^^^^\n  value nmae is \
             not set\n",
            Some("there is no value `nmae`; did you mean `name`?"),
        ),
    ];
    for (templates, want, hint) in cases {
        let (text, found) = Setup::new(templates, Vec::new()).explanation();
        assert_eq!(text, want, "{templates:?}");
        assert_eq!(found.as_deref(), hint, "{templates:?}");
    }
}

#[test]
fn bad_output_names_who_wrote_it() {
    let templates = [
        ("templates/_h.tpl", "{{ define \"x\" -}}\nok: 1\nbad: \"{{ .Values.name }}\" y\n{{- end }}"),
        ("templates/a.yaml", "kind: A\nspec:\n  {{- include \"x\" . | nindent 2 }}\n"),
    ];
    let (text, _) = Setup::new(&templates, Vec::new()).explanation();
    let want = "  --> app/templates/_h.tpl:3:1\n   |\n 3 | bad: \"{{ .Values.name }}\" y\n   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  it \
                wrote:\n       2 | spec:\n       3 |   ok: 1\n       4 |   bad: \"nn\" y\n  included by \
                app/templates/a.yaml:3: {{- include \"x\" . | nindent 2 }}\n  value name = \"nn\" (app/values.yaml:1)\n";
    assert_eq!(text, want);
}

#[test]
fn unread_values_are_found() {
    let setup = good(vec![Input::Set(
        "replicas=2,nobody=1,image.tag=x,image.other=y,resources.limits.memory=1,sub.port=3,sub.nope=1,tags.x=true"
            .into(),
    )]);
    let found = setup
        .run(|watched, subject, _| unread(watched, subject).into_iter().map(|value| value.path).collect::<Vec<_>>());
    assert_eq!(found, ["image.other", "nobody", "sub.nope"]);
}

#[test]
fn output_that_is_no_object_is_shown() {
    let templates = [("templates/a.yaml", "kind: A\n---\n{{ .Values.name }} and more\n")];
    let (text, _) = Setup::new(&templates, Vec::new()).explanation();
    let want = "  --> app/templates/a.yaml:3:1\n   |\n 3 | {{ .Values.name }} and more\n   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^\n  \
                it wrote:\n       1 | kind: A\n       2 | ---\n       3 | nn and more\n  value name = \"nn\" \
                (app/values.yaml:1)\n";
    assert_eq!(text, want);
}
