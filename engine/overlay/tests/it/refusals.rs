//! What is refused, in bounded time and memory, with nothing built.

use std::path::{Path, PathBuf};

use kpkg_overlay::{Charts, HelmChart, HelmGlobals, Options, Remote, build};

use crate::tree::Tree;

fn refused(name: &str, tree: &Tree, folder: &str, want: &str) {
    let error = tree.ours(folder).expect_err(name);
    assert!(error.contains(want), "{name}: {error}");
    tree.compare(name, folder);
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";

#[test]
fn mistakes() {
    let cases = [
        (
            "an unknown field",
            "=== kustomization.yaml\nresource: [a]\n",
            "unknown field \"resource\", did you mean \"resources\"?",
        ),
        ("no kustomization", "=== other.yaml\na: b\n", "unable to find one of 'kustomization.yaml'"),
        (
            "two of them",
            "=== kustomization.yaml\nresources: []\n=== Kustomization\nresources: []\n",
            "Found multiple kustomization files",
        ),
        ("a missing file", "=== kustomization.yaml\nresources: [no.yaml]\n", "no.yaml: no such file or directory"),
        (
            "a file for a folder",
            "=== kustomization.yaml\ncomponents: [a.yaml]\n=== a.yaml\na: b\n",
            "a.yaml': file is not directory",
        ),
        (
            "no patch in a file",
            "=== kustomization.yaml\npatchesStrategicMerge: [a.yaml]\n=== a.yaml\n# nothing\n",
            "patch appears to be empty; files=[a.yaml]",
        ),
        (
            "a generator of what is there",
            "=== kustomization.yaml\nconfigMapGenerator: [{name: a, literals: [b=c]}, {name: a, literals: [b=c]}]\n",
            "a.[noNs] exists; can not use behavior: 'unspecified', behavior must be merge or replace",
        ),
        ("a cycle", "=== kustomization.yaml\nresources: [.]\n", "cycle detected"),
        (
            "a cycle of two",
            "=== kustomization.yaml\nresources: [a]\n=== a/kustomization.yaml\nresources: [..]\n",
            "cycle detected",
        ),
        (
            "no patch",
            "=== kustomization.yaml\npatches: [{target: {kind: Pod}}]\n",
            "must specify one of patch and path",
        ),
        ("no YAML", "=== kustomization.yaml\nresources: [a.yaml]\n=== a.yaml\na: [\n", "MalformedYAMLError"),
        ("no object", "=== kustomization.yaml\nresources: [a.yaml]\n=== a.yaml\na: b\n", "missing Resource metadata"),
        ("a remote folder", "=== kustomization.yaml\nresources: ['https://127.0.0.1:1/a//b?ref=c']\n", "127.0.0.1"),
        (
            "a component as a resource",
            "=== kustomization.yaml\nresources: [c]\n=== c/kustomization.yaml\nkind: Component\nnamePrefix: a\n",
            "expected kind != 'Component'",
        ),
        ("charts", "=== kustomization.yaml\nhelmCharts: [{name: a}]\n", "must specify --enable-helm"),
        (
            "a function",
            "=== kustomization.yaml\ntransformers: [t.yaml]\n=== t.yaml\napiVersion: x/v1\nkind: F\nmetadata: {name: f}\n",
            "external plugins disabled",
        ),
    ];
    for (name, files, want) in cases {
        refused(name, &Tree::new(files), "", want);
    }
}

#[test]
fn duplicates() {
    let twice = format!("=== kustomization.yaml\nresources: [a.yaml, b.yaml]\n=== a.yaml\n{POD}=== b.yaml\n{POD}");
    refused("a resource", &Tree::new(&twice), "", "already registered id: Pod.v1.[noGrp]/a.[noNs]");
    let key = format!("=== kustomization.yaml\nresources: [a.yaml]\n=== a.yaml\n{POD}spec: {{x: 1, x: 2}}\n");
    refused("a key", &Tree::new(&key), "", "already defined");
}

/// A file outside of the folder must not be read, not even by a link (as in CVE-2022-24877 of a controller that builds
/// kustomizations, and CVE-2022-36035).
#[cfg(unix)]
#[test]
fn files_outside_of_the_folder() {
    let tree = Tree::new(&format!(
        "=== in/kustomization.yaml\nresources: [../a.yaml]\n=== a.yaml\n{POD}=== link/kustomization.yaml\nresources: \
         [a.yaml]\n=== env/kustomization.yaml\nconfigMapGenerator: [{{name: c, files: [passwd=/etc/passwd]}}]\n"
    ));
    std::os::unix::fs::symlink("../a.yaml", tree.path().join("link/a.yaml")).expect("a link");
    refused("a path", &tree, "in", "security; file");
    refused("a link", &tree, "link", "security; file");
    refused("an absolute path", &tree, "env", "security; file");
}

/// Charts get no further than other resources: not by files of values (as in Argo CD's CVE-2022-24730, CVE-2022-24731 and
/// CVE-2023-40026), nor, where they came with a repository, by links (its CVE-2022-24348, CVE-2022-24904 and
/// CVE-2022-31036, Flux's CVE-2026-47680).
#[cfg(unix)]
#[test]
fn charts_that_reach_outside() {
    struct Empty;
    impl Charts for Empty {
        fn render(&self, _: &HelmChart, _: &HelmGlobals, _: &Path) -> kpkg_overlay::Result<String> {
            Ok(String::new())
        }
    }
    struct Cloned(PathBuf);
    impl Remote for Cloned {
        fn get(&self, url: &str) -> kpkg_overlay::Result<Vec<u8>> {
            panic!("nothing is fetched from {url}")
        }
        fn clone_repository(&self, _: &str) -> kpkg_overlay::Result<kpkg_overlay::Clone> {
            Ok(kpkg_overlay::Clone { root: self.0.clone(), folder: self.0.clone() })
        }
    }
    let chart = "helmCharts: [{name: c, version: 1.0.0, valuesFile: v.yaml}]\n";
    let tree = Tree::new(&format!(
        "=== secret/values.yaml\na: 1\n=== fine/kustomization.yaml\n{chart}=== fine/v.yaml\na: 1\n=== fine/charts/c/Chart.yaml\nname: \
         c\n=== path/kustomization.yaml\nhelmCharts: [{{name: c, valuesFile: ../secret/values.yaml}}]\n=== \
         more/kustomization.yaml\nhelmCharts: [{{name: c, additionalValuesFiles: [/etc/passwd]}}]\n=== \
         link/kustomization.yaml\n{chart}=== whole/kustomization.yaml\nhelmCharts: [{{name: c}}]\n=== \
         file/kustomization.yaml\nhelmCharts: [{{name: c}}]\n=== file/charts/c/Chart.yaml\nname: c\n"
    ));
    let link = |target: &str, path: &str| {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::os::unix::fs::symlink(target, path).expect("a link");
    };
    link("../secret/values.yaml", "link/v.yaml");
    link("../../secret", "whole/charts/c");
    link("/etc", "file/charts/c/files");
    for (folder, is_refused_here, is_refused_elsewhere) in [
        ("fine", false, false),
        ("path", true, true),
        ("more", true, true),
        ("link", true, true),
        ("whole", false, true), // whose machine it is may link as he likes
        ("file", false, true),
    ] {
        let path = tree.path().join(folder);
        let remote = Cloned(path.clone());
        let mut options = Options::default();
        options.charts = Some(&Empty);
        options.remote = Some(&remote);
        let here = build(path.to_str().expect("UTF-8"), &options);
        let elsewhere = build("https://example.com/a/b.git", &options);
        for (built, want) in [(here, is_refused_here), (elsewhere, is_refused_elsewhere)] {
            let told = built.err().map(|error| error.chain()).unwrap_or_default();
            assert_eq!(told.contains("security; file"), want, "{folder}: {told}");
        }
    }
}

/// Small files that stand for large ones (as in CVE-2019-11253) end early.
#[test]
fn bombs() {
    let mut bomb = format!("{POD}a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (previous, name) in ('a'..='i').zip('b'..='j') {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{previous}"); 10].join(",")));
    }
    let deep = format!("{POD}x: {}\n", "[".repeat(50_000));
    for (content, want) in [(bomb, "excessive aliasing"), (deep, "depth")] {
        let tree = Tree::new(&format!("=== kustomization.yaml\nresources: [a.yaml]\n=== a.yaml\n{content}"));
        let error = tree.ours("").expect_err("a bomb");
        assert!(error.contains(want), "{error}");
    }
}

/// A pattern that a matcher with backtracking would not finish.
#[test]
fn patterns() {
    let tree = Tree::new(&format!(
        "=== kustomization.yaml\nresources: [a.yaml]\npatches:\n- target: {{name: '(a+)+(a+)+(a+)+b'}}\n  patch: '[]'\n=== a.yaml\n{}",
        POD.replace("name: a", &format!("name: {}", "a".repeat(60)))
    ));
    assert!(tree.ours("").is_ok());
}
