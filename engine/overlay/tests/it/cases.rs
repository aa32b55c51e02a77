//! What each part of a kustomization does. The expectations are Kustomize's: where it is on the search path it is asked.

use crate::tree::Tree;

/// A Deployment as far as its containers.
const HEAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
";

const CONTAINERS: &str = "      - name: web
        image: nginx:1.0
        env:
        - {name: A, value: '1'}
        ports:
        - {containerPort: 80}
      - name: side
        image: busybox
";

fn deployment(tree: &str) -> Tree {
    let base = "=== base/kustomization.yaml\nresources: [deployment.yaml]\n=== base/deployment.yaml\n";
    Tree::new(&format!("{base}{HEAD}{CONTAINERS}{tree}"))
}

fn check(name: &str, tree: &Tree, want: &str) {
    assert_eq!(tree.ours("").as_deref(), Ok(want), "{name}");
    tree.compare(name, "");
}

#[test]
fn names_labels_and_references() {
    let tree = Tree::new(
        "\
=== kustomization.yaml
namePrefix: a-
nameSuffix: -z
namespace: prod
labels:
- pairs: {team: x}
  includeSelectors: true
configMapGenerator:
- name: settings
  literals: [k=v]
resources: [pod.yaml, role.yaml]
=== pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: c
    image: i
    envFrom:
    - configMapRef: {name: settings}
=== role.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
",
    );
    let want = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  labels:
    team: x
  name: a-reader-z
---
apiVersion: v1
data:
  k: v
kind: ConfigMap
metadata:
  labels:
    team: x
  name: a-settings-z-mg8t785m6t
  namespace: prod
---
apiVersion: v1
kind: Pod
metadata:
  labels:
    team: x
  name: a-web-z
  namespace: prod
spec:
  containers:
  - envFrom:
    - configMapRef:
        name: a-settings-z-mg8t785m6t
    image: i
    name: c
";
    // The hash is compared with Kustomize's below; here only its place matters.
    let ours = tree.ours("").expect("builds");
    let hash = |text: &str| {
        let (_, after) = text.split_once("a-settings-z-").expect("a generated name");
        after[..10].to_owned()
    };
    assert_eq!(ours.replace(&hash(&ours), "HASH"), want.replace(&hash(want), "HASH"));
    tree.compare("names", "");
}

#[test]
fn strategic_merges() {
    let merged = |patch: &str| {
        deployment(&format!(
            "=== kustomization.yaml\nresources: [base]\npatches:\n- path: p.yaml\n=== p.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\n{patch}"
        ))
    };
    let cases = [
        (
            "a container",
            "spec: {template: {spec: {containers: [{name: web, image: 'nginx:2'}, {name: new, image: n}]}}}\n",
        ),
        ("null", "spec: {template: {spec: {containers: [{name: web, env: null}]}}}\n"),
        ("delete", "spec: {template: {spec: {containers: [{name: side, $patch: delete}]}}}\n"),
        ("replace a list", "spec: {template: {spec: {containers: [{$patch: replace}, {name: only, image: o}]}}}\n"),
        ("replace an element", "spec: {template: {spec: {containers: [{name: web, $patch: replace, image: o}]}}}\n"),
        (
            "ports",
            "spec: {template: {spec: {containers: [{name: web, ports: [{containerPort: 80, protocol: UDP}]}]}}}\n",
        ),
        ("an unpaired list", "spec: {template: {spec: {tolerations: [{key: a}]}}}\n"),
        ("a key given twice", "metadata: {name: web, finalizers: [x]}\n"),
        ("delete all", "$patch: delete\n"),
        ("an unknown directive", "$patch: dance\n"),
        ("a scalar for a list", "spec: {template: {spec: {containers: x}}}\n"),
        ("quotes", "spec: {replicas: '3', paused: \"true\"}\n"),
    ];
    for (name, patch) in cases {
        merged(patch).compare(name, "");
    }
    let tree = merged(
        "spec: {template: {spec: {containers: [{name: new, image: n}, {name: web, env: [{name: B, value: b}]}]}}}\n",
    );
    let want = "      - image: \"n\"
        name: new
      - env:
        - name: B
          value: b
        - name: A
          value: \"1\"
        image: nginx:1.0
        name: web
        ports:
        - containerPort: 80
      - image: busybox
        name: side
";
    check("order", &tree, &format!("{HEAD}{want}"));
}

#[test]
fn json_patches() {
    let patched = |operations: &str| {
        deployment(&format!(
            "=== kustomization.yaml\nresources: [base]\npatches:\n- target: {{kind: Deployment}}\n  patch: |-\n{operations}"
        ))
    };
    let cases = [
        ("add", "    - {op: add, path: /spec/replicas, value: 3}\n"),
        ("missing parent", "    - {op: add, path: /spec/strategy/type, value: Recreate}\n"),
        ("an annotation", "    - {op: add, path: /metadata/annotations/a, value: b}\n"),
        ("a label", "    - {op: add, path: /metadata/labels/a, value: b}\n"),
        ("replace what is missing", "    - {op: replace, path: /spec/paused, value: true}\n"),
        ("remove what is missing", "    - {op: remove, path: /spec/paused}\n"),
        ("append", "    - {op: add, path: /spec/template/spec/containers/-, value: {name: x}}\n"),
        ("beyond the end", "    - {op: add, path: /spec/template/spec/containers/9, value: {name: x}}\n"),
        ("test", "    - {op: test, path: /metadata/name, value: other}\n"),
        ("large numbers", "    - {op: add, path: /spec/x, value: 12345678901234567890}\n"),
        ("move", "    - {op: move, from: /spec/template, path: /spec/moved}\n"),
        ("copy", "    - {op: copy, from: /metadata/name, path: /metadata/generateName}\n"),
        ("unknown", "    - {op: dance, path: /x}\n"),
    ];
    for (name, operations) in cases {
        patched(operations).compare(name, "");
    }
}

#[test]
fn replacements() {
    let replaced = |rest: &str| {
        deployment(&format!(
            "=== kustomization.yaml\nresources: [base, cm.yaml]\nreplacements:\n{rest}=== cm.yaml\napiVersion: v1\nkind: \
             ConfigMap\nmetadata: {{name: cm}}\ndata: {{image: 'redis:7.2', host: a.b.c, json: '{{\"a\": {{\"b\": 1}}}}'}}\n"
        ))
    };
    let cases = [
        (
            "an image",
            "- source: {kind: ConfigMap, fieldPath: data.image}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.[name=web].image']\n",
        ),
        (
            "a part",
            "- source: {kind: ConfigMap, fieldPath: data.host, options: {delimiter: ., index: 1}}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.*.image']\n    options: {delimiter: ':', index: 0}\n",
        ),
        (
            "created",
            "- source: {kind: ConfigMap}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['metadata.annotations.from']\n    options: {create: true}\n",
        ),
        (
            "missing",
            "- source: {kind: ConfigMap}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['metadata.annotations.from']\n",
        ),
        ("no source", "- source: {kind: Nothing}\n  targets:\n  - select: {kind: Deployment}\n"),
        (
            "within JSON",
            "- source: {kind: Deployment}\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: [data.json.a.b]\n",
        ),
        (
            "rejected",
            "- source: {kind: ConfigMap, fieldPath: data.image}\n  targets:\n  - select: {kind: Deployment}\n    reject: [{name: web}]\n    fieldPaths: ['x.y']\n",
        ),
        (
            "a value",
            "- sourceValue: '5'\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: [spec.replicas]\n    options: {create: true}\n",
        ),
    ];
    for (name, rest) in cases {
        replaced(rest).compare(name, "");
    }
}

#[test]
fn texts_and_numbers() {
    let tree = Tree::new(
        "\
=== kustomization.yaml
resources: [x.yaml]
=== x.yaml
apiVersion: example.com/v1
kind: X
metadata: {name: x}
spec:
  words: [yes, 'no', on, y, ~, null, 'null', \"\", 1.2.3, 12:30, 2020-01-01, '1e3', =, '=', <<]
  numbers: [1.0, 1e3, 0777, 0o17, 0x1F, 1_000, 123456789.125, 12345678901234567890, -0, .5, 1e21, 1e-7]
  long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccc ddd
  folded: >-
    first
      deeper
    )
  literal: |
    a
     b

  keys: {k10: a, k2: b, K: c, _x: d, 'true': e, '1': f}
  anchors: {a: &a {x: 1}, b: {<<: *a, y: 2}, c: *a}
",
    );
    tree.compare("texts", "");
}

#[test]
fn components_come_before_transformers() {
    let tree = deployment(
        "\
=== kustomization.yaml
resources: [base]
components: [part]
namePrefix: p-
images: [{name: nginx, newTag: '9'}]
replicas: [{name: web, count: 4}]
commonAnnotations: {note: text}
=== part/kustomization.yaml
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
nameSuffix: -s
patches:
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {paused: true}
",
    );
    tree.compare("components", "");
    assert!(tree.ours("").is_ok_and(|text| text.contains("name: p-web-s") && text.contains("replicas: 4")));
}

#[test]
fn generators_merge_and_replace() {
    let tree = Tree::new(
        "\
=== base/kustomization.yaml
configMapGenerator:
- name: a
  literals: [x=1, y=2]
- name: b
  literals: [x=1]
secretGenerator:
- name: s
  literals: [p=q]
  type: kubernetes.io/basic-auth
=== kustomization.yaml
resources: [base]
generatorOptions: {labels: {l: v}, annotations: {n: m}}
configMapGenerator:
- name: a
  behavior: merge
  literals: [y=3]
  files: [binary]
- name: b
  behavior: replace
  envs: [settings.env]
  options: {disableNameSuffixHash: true, immutable: true}
=== binary
\u{FEFF}text with a mark
=== settings.env
# comment
A=1
  B = two
C
",
    );
    tree.compare("generators", "");
}

#[test]
fn variables_and_vars() {
    let tree = deployment(
        "\
=== kustomization.yaml
namePrefix: v-
resources: [base, service.yaml, job.yaml]
vars:
- name: SERVICE
  objref: {kind: Service, name: svc, apiVersion: v1}
- name: PORT
  objref: {kind: Service, name: svc, apiVersion: v1}
  fieldref: {fieldpath: 'spec.ports[0].port'}
=== service.yaml
apiVersion: v1
kind: Service
metadata: {name: svc}
spec: {ports: [{port: 8080}]}
=== job.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec: {template: {spec: {containers: [{name: c, args: ['$(SERVICE):$(PORT)', '$(PORT)', '$$(PORT)', '$(NONE)']}]}}}
",
    );
    tree.compare("variables", "");
}

/// Kustomize replaces lists of custom resources; asked to, we merge them by the keys that their definition declares.
#[test]
fn lists_of_custom_resources() {
    let tree = Tree::new(
        "\
=== kustomization.yaml
resources: [crd.yaml, x.yaml]
patches:
- patch: |-
    apiVersion: example.com/v1
    kind: X
    metadata: {name: x}
    spec:
      rules: [{name: b, port: 1, to: c}, {name: b, port: 2, to: d}]
      tags: [z]
      steps: [z]
=== x.yaml
apiVersion: example.com/v1
kind: X
metadata: {name: x}
spec:
  rules: [{name: a, port: 1}, {name: b, port: 1, from: e}]
  tags: [y]
  steps: [y]
=== crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: xs.example.com}
spec:
  group: example.com
  names: {kind: X}
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        properties:
          spec:
            properties:
              rules:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name, port]
                items: {type: object}
              tags: {type: array, x-kubernetes-list-type: set}
              steps: {type: array, x-kubernetes-list-type: atomic}
",
    );
    let mut options = kpkg_overlay::Options::default();
    let mut spec = || {
        let built = kpkg_overlay::build(&tree.path().to_string_lossy(), &options).expect("builds");
        let text = built.text().expect("text");
        options.list_keys = true;
        text.rsplit_once("\nspec:\n").expect("a spec").1.to_owned()
    };
    let replaced = "  rules:\n  - name: b\n    port: 1\n    to: c\n  - name: b\n    port: 2\n    to: d\n  steps:\n  - z\n  \
                    tags:\n  - z\n";
    assert_eq!(spec(), replaced);
    tree.compare("replaced", "");
    // Where two keys pair elements, Kustomize's merge has an order of its own, as with ports of containers.
    let merged = "  rules:\n  - name: b\n    port: 2\n    to: d\n  - name: a\n    port: 1\n  - from: e\n    name: b\n    port: \
                  1\n    to: c\n  steps:\n  - z\n  tags:\n  - z\n  - \"y\"\n";
    assert_eq!(spec(), merged);
}
