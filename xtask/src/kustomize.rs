//! Side by side with the real Kustomize: what kustomizations build to, and how fast.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{packages, shell};

/// How one build compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Equal,
    BothFail,
    Different,
    OnlyWeFail,
    OnlyTheyFail,
}

/// Builds recorded cases, or every kustomization below a folder, and prints the totals.
pub(crate) fn parity(folder: &str) -> Result<()> {
    let folder = unpacked(existing(folder)?)?;
    let kpkg = optimised()?;
    let mut totals: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut note = |name: &str, outcome: Outcome| {
        *totals.entry(outcome).or_default() += 1;
        if !matches!(outcome, Outcome::Equal | Outcome::BothFail) {
            println!("{outcome:?} {name}");
        }
    };
    if folder.join("cases.jsonl").is_file() {
        recorded(&folder, &kpkg, &mut note)?;
    } else {
        let kubectl = packages::python_tools()?.join("kubectl");
        for tree in kustomizations(&folder)? {
            let ours = Command::new(&kpkg).arg("build").arg(&tree).output()?;
            let theirs = Command::new(&kubectl).arg("kustomize").arg(&tree).output()?;
            note(&tree.display().to_string(), compared(&ours, theirs.status.success(), &theirs.stdout));
        }
    }
    let count = |outcome: Outcome| totals.get(&outcome).copied().unwrap_or_default();
    let all: usize = totals.values().sum();
    println!(
        "{} of {all}: {} equal, {} fail with both; {} differ, {} fail with us alone, {} with Kustomize alone",
        count(Outcome::Equal) + count(Outcome::BothFail),
        count(Outcome::Equal),
        count(Outcome::BothFail),
        count(Outcome::Different),
        count(Outcome::OnlyWeFail),
        count(Outcome::OnlyTheyFail)
    );
    if count(Outcome::Equal) + count(Outcome::BothFail) < all {
        bail!("not all are equal");
    }
    Ok(())
}

/// Cases with a recorded output: `cases.jsonl`, `cases/DIR`, `golden/ID/stdout`.
fn recorded(folder: &Path, kpkg: &Path, note: &mut impl FnMut(&str, Outcome)) -> Result<()> {
    for line in std::fs::read_to_string(folder.join("cases.jsonl"))?.lines() {
        let case: serde_json::Value = serde_json::from_str(line)?;
        let (id, dir) = (case["id"].as_str().unwrap_or_default(), case["dir"].as_str().unwrap_or_default());
        let args = case["args"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        let args: Vec<&str> = args.flat_map(|arg| arg.split(' ')).collect();
        let ours = Command::new(kpkg).arg("build").arg(folder.join("cases").join(dir)).args(args).output()?;
        let want = std::fs::read(folder.join("golden").join(id).join("stdout"))?;
        note(id, compared(&ours, case["rc"] == 0, &want));
    }
    Ok(())
}

fn compared(ours: &Output, they_succeed: bool, theirs: &[u8]) -> Outcome {
    match (ours.status.success(), they_succeed) {
        (true, true) if ours.stdout == theirs => Outcome::Equal,
        (true, true) => Outcome::Different,
        (false, false) => Outcome::BothFail,
        (false, true) => Outcome::OnlyWeFail,
        (true, false) => Outcome::OnlyTheyFail,
    }
}

/// Prints how much faster `kpkg build` is than `kubectl kustomize`, whole process: on the largest kustomizations below
/// a folder, and on made ones of growing size.
pub(crate) fn bench(trees: Option<&str>) -> Result<()> {
    let kpkg = optimised()?;
    let kubectl = packages::python_tools()?.join("kubectl");
    let made = std::env::temp_dir().join(format!("kpkg-bench-build-{}", std::process::id()));
    let mut list = Vec::new();
    if let Some(trees) = trees {
        let mut sized = Vec::new();
        for tree in kustomizations(&existing(trees)?)? {
            let built = Command::new(&kpkg).arg("build").arg(&tree).output()?;
            sized.push((built.stdout.len(), tree));
        }
        sized.sort_by(|left, right| right.cmp(left));
        list.extend(sized.into_iter().take(20).map(|(_, tree)| tree));
    }
    for documents in [50, 200, 1000, 4000] {
        list.push(make_tree(&made.join(documents.to_string()), documents)?);
    }
    println!("{:>10} {:>10} {:>7}  kustomization", "kubectl", "kpkg", "ratio");
    let outcome = list.iter().try_for_each(|tree| -> Result<()> {
        let theirs = fastest(Command::new(&kubectl).arg("kustomize").arg(tree), 3)?;
        let ours = fastest(Command::new(&kpkg).arg("build").arg(tree), 10)?;
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!("{:>8.1}ms {:>8.1}ms {ratio:>6.1}x  {}", milliseconds(theirs), milliseconds(ours), tree.display());
        Ok(())
    });
    let _ = std::fs::remove_dir_all(&made);
    outcome
}

/// A tree of that many Deployments and ConfigMaps, with prefixes, labels, references and patches.
fn make_tree(folder: &Path, documents: usize) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let mut resources = String::new();
    for at in 0..documents / 2 {
        resources.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{at}}}\ndata: {{key: value}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web-{at}}}\nspec:\n  selector: {{matchLabels: \
             {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - \
             name: web\n        image: nginx:1.0\n        envFrom: [{{configMapRef: {{name: settings-{at}}}}}]\n"
        ));
    }
    std::fs::write(folder.join("resources.yaml"), resources)?;
    let patch = "patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: x}\n    spec: {template: \
                 {spec: {containers: [{name: web, env: [{name: A, value: b}]}]}}}\n  target: {kind: Deployment}\n";
    let text = format!(
        "namePrefix: my-\nnamespace: prod\nlabels: [{{pairs: {{team: x}}, includeSelectors: true}}]\nimages: [{{name: \
         nginx, newTag: '2'}}]\nresources: [resources.yaml]\npatches:\n- {patch}"
    );
    std::fs::write(folder.join("kustomization.yaml"), text)?;
    Ok(folder.to_owned())
}

/// The shortest of some runs; of fewer, where they take long.
fn fastest(command: &mut Command, runs: usize) -> Result<Duration> {
    const ENOUGH: Duration = Duration::from_secs(5);
    let (mut best, start) = (Duration::MAX, Instant::now());
    for run in 0..runs {
        if run > 0 && start.elapsed() > ENOUGH {
            break;
        }
        let begun = Instant::now();
        let output = command.output()?;
        best = best.min(begun.elapsed());
        anyhow::ensure!(output.status.success(), "{command:?} failed");
    }
    Ok(best)
}

fn existing(folder: &str) -> Result<PathBuf> {
    std::fs::canonicalize(folder).with_context(|| format!("{folder} is not a folder"))
}

/// The recorded cases, unpacked: those that `KPKG_PARITY_DIR` names, or in a folder `parity/kustomize` of the workspace,
/// beside it, or of a folder beside it.
pub(crate) fn cases() -> Result<Option<PathBuf>> {
    let named = std::env::var_os("KPKG_PARITY_DIR").map(PathBuf::from);
    let root = shell::root();
    let outside = root.parent().unwrap_or(&root);
    let mut usual = vec![root.clone(), outside.to_owned()];
    let beside = std::fs::read_dir(outside).into_iter().flatten().flatten();
    usual.extend(beside.map(|entry| entry.path()).filter(|path| *path != root));
    usual.sort_by_key(|path| *path != root); // the workspace's own first
    let usual = usual.into_iter().map(|folder| folder.join("parity/kustomize"));
    let found = named.into_iter().chain(usual).find(|folder| folder.is_dir());
    found.map(|folder| unpacked(existing(&folder.to_string_lossy())?)).transpose()
}

/// Builds the recorded cases and prints how many are equal.
pub(crate) fn parity_of_cases() -> Result<()> {
    let folder = cases()?.context("no recorded cases are at hand: name their folder by KPKG_PARITY_DIR")?;
    parity(&folder.to_string_lossy())
}

/// A folder of cases, unpacked if they are packed.
fn unpacked(folder: PathBuf) -> Result<PathBuf> {
    let packed = folder.join("cases.tar.gz");
    if !packed.is_file() {
        return Ok(folder);
    }
    let unpacked = shell::target_dir().join("kustomize-cases");
    std::fs::create_dir_all(&unpacked)?;
    shell::run(shell::command("tar").arg("-xzf").arg(packed).arg("-C").arg(&unpacked))?;
    Ok(unpacked)
}

fn optimised() -> Result<PathBuf> {
    packages::debian(&packages::BUILD)?;
    shell::optimised_kpkg()
}

/// All folders below that hold a kustomization file.
fn kustomizations(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
        if names.iter().any(|name| folder.join(name).is_file()) {
            found.push(folder.clone());
        }
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
