//! Kustomization files that are edited. The expectations are those of Kustomize 5.8.1's own `edit`.

use kpkg_overlay::edit::{
    Addition, DataKind, Draft, Edit, Fixed, NewValues, PatchArgs, Removal, Setting, Sources, create, edit, fix,
};
use kpkg_overlay::{Error, Options};

use crate::tree::Tree;

const HEAD: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// A folder with a kustomization and a few files.
fn tree(kustomization: &str) -> Tree {
    Tree::new(&format!(
        "=== kustomization.yaml\n{kustomization}=== a.yaml\nkind: A\nmetadata: {{name: a}}\n=== b.yaml\nkind: B\nmetadata: {{name: b}}\n=== \
         .c.yaml\nkind: C\n=== e.env\nA=1\n=== note.md\nhello\n=== sub/kustomization.yaml\nnamePrefix: x-\n"
    ))
}

fn file(tree: &Tree) -> String {
    std::fs::read_to_string(tree.path().join("kustomization.yaml")).expect("a kustomization")
}

/// What an edit makes of a kustomization, and what it has to say.
fn edited(before: &str, change: &Edit) -> Result<(String, Vec<String>), String> {
    let tree = tree(before);
    let notes = edit(tree.path(), change, None).map_err(|error| error.chain())?;
    Ok((file(&tree), notes))
}

struct Case {
    name: &'static str,
    before: &'static str,
    change: Edit,
    after: &'static str,
}

fn check(cases: impl IntoIterator<Item = Case>) {
    for Case { name, before, change, after } in cases {
        let (got, _) = edited(before, &change).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Where the head is added, it says so.
        assert_eq!(got, after.replace("(head)\n", HEAD), "{name}");
    }
}

fn resources(paths: &[&str]) -> Edit {
    Edit::Add(Addition::Resources { paths: texts(paths), verify: true })
}

#[test]
fn comments_and_order_stay() {
    let before = "\
# head

namePrefix: p-   # lost: a comment behind a value
# about resources
resources:
# within
- a.yaml

# about labels
commonLabels: {app: x}
# lost: no field follows
";
    let after = "\
# head

namePrefix: p-
# about resources
# within
resources:
- a.yaml
- b.yaml

# about labels
commonLabels:
  app: x
(head)
";
    check([Case { name: "comments", before, change: resources(&["b.yaml"]), after }]);
}

#[test]
fn additions() {
    let data = |kind| Sources {
        kind,
        names: texts(&["d"]),
        namespace: String::new(),
        files: Vec::new(),
        literals: texts(&["k=v"]),
        env_file: String::new(),
        disable_name_suffix_hash: false,
        behavior: String::new(),
        secret_type: "Opaque".to_owned(),
    };
    let labels = |force, without_selector| {
        Edit::Add(Addition::Labels {
            pairs: texts(&["a:b", r#"c:"d""#]),
            force,
            without_selector,
            include_templates: false,
        })
    };
    check([
        Case {
            name: "resources by a pattern, hidden ones aside",
            before: "kind: Kustomization\n",
            change: resources(&["*.yaml"]),
            after: "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nresources:\n- a.yaml\n- b.yaml\n",
        },
        Case {
            name: "old names",
            before: "bases: [sub]\nimageTags: [{name: web, newTag: '1'}]\nresources: [a.yaml]\n",
            change: resources(&["b.yaml"]),
            after: "resources:\n- a.yaml\n- sub\n- b.yaml\n(head)\nimages:\n- name: web\n  newTag: \"1\"\n",
        },
        Case {
            name: "labels",
            before: "commonLabels: {a: x}\n",
            change: labels(true, false),
            after: "commonLabels:\n  a: b\n  c: d\n(head)\n",
        },
        Case {
            name: "labels without selectors",
            before: "labels:\n- pairs: {e: f}\n  includeSelectors: true\n- pairs: {g: h}\n",
            change: labels(false, true),
            after: "labels:\n- includeSelectors: true\n  pairs:\n    e: f\n- pairs:\n    a: b\n    c: d\n    g: h\n(head)\n",
        },
        Case {
            name: "a ConfigMap that is there",
            before: "configMapGenerator:\n- name: d\n  env: e.env\n",
            change: Edit::Add(Addition::Data(data(DataKind::ConfigMap))),
            after: "configMapGenerator:\n- envs:\n  - e.env\n  literals:\n  - k=v\n  name: d\n(head)\n",
        },
        Case {
            name: "a Secret with the options for all",
            before: "generatorOptions: {immutable: true}\nsecretGenerator: []\n",
            change: Edit::Add(Addition::Data(data(DataKind::Secret))),
            after: "generatorOptions:\n  immutable: true\nsecretGenerator:\n- literals:\n  - k=v\n  name: d\n  \
                    options:\n    immutable: true\n  type: Opaque\n(head)\n",
        },
        Case {
            name: "a patch",
            before: "patches: []\n",
            change: Edit::Add(Addition::Patch(PatchArgs {
                patch: "- op: remove\n  path: /a".to_owned(),
                target: vec![("kind", "B".to_owned()), ("name", String::new())],
                ..PatchArgs::default()
            })),
            after: "patches:\n- patch: |-\n    - op: remove\n      path: /a\n  target:\n    kind: B\n(head)\n",
        },
    ]);
}

#[test]
fn settings() {
    let images = ["nginx=reg/n:2@sha256:9", "foo=*:3", "bar:*"];
    let values = NewValues {
        kind: DataKind::Secret,
        names: texts(&["s"]),
        namespace: "default".to_owned(),
        literals: texts(&["l=new"]),
        new_namespace: "n".to_owned(),
    };
    check([
        Case {
            name: "a prefix in its place",
            before: "nameprefix: a-\n# c\nnamespace: x\n",
            change: Edit::Set(Setting::NamePrefix(texts(&["b-"]))),
            after: "namePrefix: b-\n# c\nnamespace: x\n(head)\n",
        },
        Case {
            name: "images by name, with what stays",
            before: "images:\n- {name: foo, newName: old, newTag: '1'}\n- {name: bar, newTag: '7', tagSuffix: -x}\n",
            change: Edit::Set(Setting::Images(texts(&images))),
            after: "images:\n- name: bar\n  newTag: \"7\"\n- name: foo\n  newName: old\n  newTag: \"3\"\n- digest: \
                    sha256:9\n  name: nginx\n  newName: reg/n\n  newTag: \"2\"\n(head)\n",
        },
        Case {
            name: "replicas",
            before: "replicas: [{name: web}]\n",
            change: Edit::Set(Setting::Replicas(texts(&["db=3"]))),
            after: "replicas:\n- count: 3\n  name: db\n- count: 0\n  name: web\n(head)\n",
        },
        Case {
            name: "values of a Secret",
            before: "secretGenerator: [{name: s, literals: [k=v, l=w]}]\n",
            change: Edit::Set(Setting::Data(values)),
            after: "secretGenerator:\n- literals:\n  - k=v\n  - l=new\n  name: s\n  namespace: \"n\"\n(head)\n",
        },
    ]);
}

#[test]
fn removals() {
    let patch = PatchArgs { path: "p.yaml".to_owned(), target: vec![("kind", "B".to_owned())], ..PatchArgs::default() };
    check([
        Case {
            name: "resources by a pattern",
            before: "resources: [a.yaml, sub, c.yml, x/b.yaml]\n",
            change: Edit::Remove(Removal::Resources(texts(&["?.y*ml"]))),
            after: "resources:\n- sub\n- x/b.yaml\n(head)\n",
        },
        Case {
            name: "the last label",
            before: "# c\ncommonLabels: {a: b}\n",
            change: Edit::Remove(Removal::Labels { keys: texts(&["a"]), ignore: false }),
            after: "# c\n(head)\n",
        },
        Case {
            name: "a patch, its target and all",
            before: "patches: [{path: p.yaml}, {path: p.yaml, target: {kind: B}}]\n",
            change: Edit::Remove(Removal::Patch(patch)),
            after: "patches:\n- path: p.yaml\n(head)\n",
        },
    ]);
}

#[test]
fn mistakes() {
    let cases = [
        (resources(&[]), "must specify a resource file"),
        (resources(&["["]), "syntax error in pattern"),
        (resources(&["nosuch.yaml"]), "nosuch.yaml has no match"),
        (Edit::Set(Setting::Images(texts(&["foo"]))), "invalid format of image"),
        (Edit::Set(Setting::Replicas(texts(&["a=b"]))), "invalid format of replica"),
        (Edit::Set(Setting::BuildMetadata(texts(&["x"]))), "invalid buildMetadata option: x"),
        (Edit::Set(Setting::Annotations(texts(&["a_!:b"]))), "invalid annotation key"),
        (Edit::Add(Addition::Annotations { pairs: texts(&[":b"]), force: false }), "need k:v pair"),
        (Edit::Add(Addition::Annotations { pairs: texts(&["note:2"]), force: false }), "Use --force to override."),
        (Edit::Remove(Removal::Labels { keys: texts(&["a"]), ignore: false }), "commonLabels is not defined"),
        (Edit::Add(Addition::Patch(PatchArgs::default())), "must provide either patch or path"),
    ];
    for (change, want) in cases {
        let problem = edited("commonAnnotations: {note: '1'}\n", &change).expect_err(want);
        assert!(problem.contains(want), "{problem}");
    }
    let none = tempfile::tempdir().expect("a folder");
    let error: Error = edit(none.path(), &resources(&[]), None).expect_err("no kustomization");
    assert_eq!(error.chain(), "must specify a resource file");
}

#[test]
fn a_new_file() {
    let tree = Tree::new(
        "=== a.yaml\nkind: A\nmetadata: {name: a}\n=== note.md\nhello\n=== x/b.yaml\nkind: B\nmetadata: {name: b}\n=== \
         y/Kustomization\nresources: []\n=== y/c.yaml\nkind: C\nmetadata: {name: c}\n",
    );
    let draft = Draft {
        labels: "a:b,c:d".to_owned(),
        name_prefix: "p-".to_owned(),
        autodetect: true,
        recursive: true,
        ..Draft::default()
    };
    create(tree.path(), &draft, None).expect("creates");
    let want =
        format!("{HEAD}resources:\n- a.yaml\n- x/b.yaml\n- \"y\"\nnamePrefix: p-\ncommonLabels:\n  a: b\n  c: d\n");
    assert_eq!(file(&tree), want);
    let again = create(tree.path(), &draft, None).expect_err("it is there");
    assert_eq!(again.chain(), "kustomization file already exists");
}

const POD: &str = "=== pod.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {hostname: a}\n";

#[test]
fn repairs_that_build_to_the_same() {
    let tree = Tree::new(&format!(
        "{POD}=== p.yaml\napiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{hostname: b}}\n=== \
         kustomization.yaml\nresources: [pod.yaml]\ncommonLabels: {{a: b}}\npatchesStrategicMerge: [p.yaml]\n"
    ));
    assert_eq!(fix(tree.path(), false, &Options::default()).expect("fixes"), Fixed::Same);
    let want = format!(
        "resources:\n- pod.yaml\n{HEAD}labels:\n- includeSelectors: true\n  pairs:\n    a: b\npatches:\n- path: p.yaml\n"
    );
    assert_eq!(file(&tree), want);
}

#[test]
fn variables_become_replacements() {
    let tree = Tree::new(
        "=== pod.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {hostname: $(HOST), subdomain: x-$(HOST)}\n=== \
         c.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {host: h}\n=== kustomization.yaml\nresources: \
         [pod.yaml, c.yaml]\nvars:\n- name: HOST\n  objref: {kind: ConfigMap, name: c, apiVersion: v1}\n  fieldref: {fieldPath: data.host}\n",
    );
    fix(tree.path(), true, &Options::default()).expect("fixes");
    let built = tree.ours("").expect("builds");
    assert!(built.contains("hostname: h\n") && built.contains("subdomain: x-h\n"), "{built}");
    let text = file(&tree);
    assert!(text.contains("options:\n      delimiter: '-'\n      index: 1\n"), "{text}");
    assert!(!text.contains("vars:"), "{text}");
}
