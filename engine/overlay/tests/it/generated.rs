//! Kustomizations made at random, built by us and by the real Kustomize.
//!
//! `KPKG_GENERATED=N` makes N of each sort; `KPKG_GENERATED_SEED` chooses which.

use crate::tree::Tree;

/// A small generator of numbers: the same seed makes the same trees everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn some(&mut self, of: &[&str], of_ten: usize) -> String {
        of.iter().filter(|_| self.below(10) < of_ten).copied().collect()
    }
}

const RESOURCES: &[&str] = &[
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {app: web}}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      serviceAccountName: sa\n      containers:\n      - {name: c, image: 'nginx:1', envFrom: [{configMapRef: {name: cm}}], env: [{name: X, value: '1'}]}\n      volumes:\n      - {name: v, configMap: {name: cm}}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}, {port: 81, protocol: UDP}]}\n",
    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\n",
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: role}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get], resourceNames: [cm]}]\n",
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: role}\nsubjects: [{kind: ServiceAccount, name: sa, namespace: other}, {kind: ServiceAccount, name: default}]\n",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\n",
    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cron}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: busybox}]}}}}}\n",
    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {serviceName: web, template: {spec: {containers: [{name: c, image: 'r.io:5000/db@sha256:00'}]}}, volumeClaimTemplates: [{metadata: {name: d}}]}\n",
    "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing, annotations: {a: b}}\nspec: {list: [{name: a, v: 1}], n: 1.50, t: 'yes'}\n",
    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}\n",
];

const FIELDS: &[&str] = &[
    "namePrefix: p-\n",
    "nameSuffix: -s\n",
    "namespace: ns2\n",
    "commonLabels: {c: l}\n",
    "labels: [{pairs: {x: 'true'}, includeTemplates: true}]\n",
    "commonAnnotations: {n: '1'}\n",
    "images: [{name: nginx, newTag: '2'}, {name: 'r.io:5000/db', newName: db, digest: 'sha256:11'}]\n",
    "configMapGenerator: [{name: cm, literals: [a=b, c=d e]}]\n",
    "secretGenerator: [{name: s, literals: ['p=q\"r']}]\n",
    "sortOptions: {order: fifo}\n",
    "buildMetadata: [originAnnotations, transformerAnnotations]\n",
    "generatorOptions: {labels: {g: o}}\n",
];

const PATCHES: &[&str] = &[
    "- patch: '[{op: add, path: /metadata/labels, value: {j: p}}]'\n  target: {kind: Service|Thing}\n",
    "- patch: '{apiVersion: v1, kind: X, metadata: {name: x}, spec: {n: null, more: [1]}}'\n  target: {kind: Thing}\n",
    "- patch: '{apiVersion: x, kind: X, metadata: {name: x, annotations: {q: r}}}'\n  target: {name: '.*e.*'}\n",
    "- patch: '{apiVersion: x, kind: X, metadata: {name: x}, spec: {template: {spec: {containers: [{name: c, env: [{name: Y, value: z}]}, {name: d, image: d}]}}}}'\n  target: {kind: Deployment|StatefulSet}\n",
    "- patch: '{apiVersion: x, kind: X, metadata: {name: x}, spec: {ports: [{port: 80, name: h}, {port: 9, protocol: TCP}]}}'\n  target: {kind: Service}\n",
];

fn folder(numbers: &mut Numbers, path: &str, bases: &[&str]) -> String {
    let mut files = String::new();
    let mut names = Vec::new();
    for (at, resource) in RESOURCES.iter().enumerate() {
        if numbers.below(10) < 4 {
            names.push(format!("r{at}.yaml"));
            let renamed =
                resource.replace("metadata: {name: ", &format!("metadata: {{name: {}", path.replace('/', "")));
            let content = if numbers.below(3) == 0 { renamed } else { (*resource).to_owned() };
            files.push_str(&format!("=== {path}r{at}.yaml\n{content}"));
        }
    }
    names.extend(bases.iter().map(|base| (*base).to_owned()));
    let mut text = format!("resources: [{}]\n{}", names.join(", "), numbers.some(FIELDS, 3));
    let patches = numbers.some(PATCHES, 3);
    if !patches.is_empty() {
        text.push_str(&format!("patches:\n{patches}"));
    }
    let name = numbers.one(&["kustomization.yaml", "kustomization.yml", "Kustomization"]);
    format!("{files}=== {path}{name}\n{text}")
}

/// How many to make, and out of which numbers.
fn wanted() -> (usize, Numbers) {
    let text = |name: &str| std::env::var(name).unwrap_or_default();
    let seed = text("KPKG_GENERATED_SEED").parse().unwrap_or(1);
    (text("KPKG_GENERATED").parse().unwrap_or(40), Numbers(seed))
}

#[test]
fn random_trees() {
    let (count, mut numbers) = wanted();
    for at in 0..count {
        let files =
            [folder(&mut numbers, "a/", &[]), folder(&mut numbers, "b/", &[]), folder(&mut numbers, "", &["a", "b"])];
        let tree = Tree::new(&files.concat());
        tree.compare(&format!("tree {at}:\n{}", files.concat()), "");
    }
}

/// Parts of lists that are merged: keys that are missing, repeated, null or texts; directives only where they may be.
struct Elements {
    field: &'static str,
    parts: &'static [&'static [&'static str]],
}

const PORTS: Elements = Elements {
    field: "ports",
    parts: &[
        &["containerPort: 80", "containerPort: 81", "containerPort: '80'", "hostPort: 80", ""],
        &["protocol: TCP", "protocol: UDP", "protocol: null", "", ""],
        &["name: a", "name: null", "", ""],
    ],
};
const ENV: Elements = Elements {
    field: "env",
    parts: &[&["name: A", "name: B", "name: C", "name: D", ""], &["value: x", "value: 1", "value: null", "value: ''"]],
};
const MOUNTS: Elements = Elements {
    field: "volumeMounts",
    parts: &[&["mountPath: /a", "mountPath: /b", ""], &["name: a", "name: b", "readOnly: null"]],
};

fn list(numbers: &mut Numbers, elements: &Elements, is_patch: bool) -> String {
    let element = |numbers: &mut Numbers| {
        let mut fields: Vec<&str> = elements.parts.iter().map(|choices| numbers.one(choices)).collect();
        if is_patch && numbers.below(6) == 0 {
            fields.push(numbers.one(&["$patch: delete", "$patch: replace", "$patch: merge"]));
        }
        fields.retain(|field| !field.is_empty());
        format!("{{{}}}", fields.join(", "))
    };
    let count = numbers.below(5);
    let mut all: Vec<String> = (0..count).map(|_| element(numbers)).collect();
    if is_patch && numbers.below(4) == 0 {
        let directive = numbers.one(&["delete", "replace", "merge", "dance"]);
        all.insert(numbers.below(count + 1), format!("{{$patch: {directive}}}"));
    }
    if numbers.below(12) == 0 {
        all.push(numbers.one(&["null", "{}", "x"]).to_owned());
    }
    format!("{}: [{}]", elements.field, all.join(", "))
}

fn pod(numbers: &mut Numbers, is_patch: bool) -> String {
    let mut containers = Vec::new();
    for _ in 0..numbers.below(4) {
        let mut fields = vec![numbers.one(&["name: a", "name: b", "name: c", "image: i"]).to_owned()];
        for elements in [&PORTS, &ENV, &MOUNTS] {
            if numbers.below(2) == 0 {
                fields.push(list(numbers, elements, is_patch));
            }
        }
        containers.push(format!("{{{}}}", fields.join(", ")));
    }
    let metadata = numbers.one(&["", ", finalizers: [a, b, a]", ", finalizers: [c]", ", finalizers: null"]);
    let more = numbers.one(&["", "x: {y: null, z: {$patch: delete}}\n", "x: {y: , z: [null]}\n", "x: {y: {z: 1}}\n"]);
    let containers = containers.join(", ");
    format!(
        "apiVersion: v1\nkind: PodTemplate\nmetadata: {{name: p{metadata}}}\n\
         template: {{spec: {{containers: [{containers}]}}}}\n{more}"
    )
}

#[test]
fn random_merges() {
    let (count, mut numbers) = wanted();
    for at in 0..count {
        let files = format!(
            "=== r.yaml\n{}=== p.yaml\n{}=== kustomization.yaml\nresources: [r.yaml]\npatches: [{{path: p.yaml}}]\n",
            pod(&mut numbers, false),
            pod(&mut numbers, true)
        );
        Tree::new(&files).compare(&format!("merge {at}:\n{files}"), "");
    }
}
