//! Cases with Kustomize's recorded output, where a folder of them is at hand.
//!
//! `KPKG_PARITY_DIR` names a folder with `cases.jsonl` (one object a line: `id`, `dir`, `args`, `rc`), `cases/` and
//! `golden/ID/stdout`.

use std::path::{Path, PathBuf};
use std::process::Command;

use kpkg_overlay::{Options, build};
use regex::Regex;
use serde_json::Value;

use crate::tree::kubectl;

/// The folder, and the cases in it.
fn cases() -> Option<(PathBuf, Vec<Value>)> {
    let folder = std::env::var_os("KPKG_PARITY_DIR").map(PathBuf::from)?;
    let list = std::fs::read_to_string(folder.join("cases.jsonl")).expect("a list of cases");
    let cases = list.lines().map(|line| serde_json::from_str(line).expect("a case")).collect();
    Some((folder, cases))
}

#[test]
fn recorded_cases() {
    let Some((folder, cases)) = cases() else { return };
    let wrong: Vec<String> = cases.iter().filter_map(|case| problem(&folder, case)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What a failure is called is not recorded: Kustomize fails again.
#[test]
fn reasons_of_failures() {
    let (Some((folder, cases)), Some(kubectl)) = (cases(), kubectl()) else { return };
    let failures: Vec<&Value> = cases.iter().filter(|case| case["rc"] != 0).collect();
    let wrong: Vec<String> = failures.iter().filter_map(|case| misnamed(&folder, case, &kubectl)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), failures.len(), wrong.join("\n"));
}

/// How both name a failure, if ours does not hold Kustomize's reason.
fn misnamed(folder: &Path, case: &Value, kubectl: &Path) -> Option<String> {
    let path = folder.join("cases").join(case["dir"].as_str().expect("a folder"));
    let args = case["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let output = Command::new(kubectl).arg("kustomize").arg(path).args(args).output().expect("kubectl runs");
    let theirs = String::from_utf8_lossy(&output.stderr).into_owned();
    if theirs.contains("panic: ") {
        // It fails without a reason.
        return None;
    }
    let (_, theirs) = theirs.split_once("error: ").expect("a reason");
    let ours = ours(folder, case).expect_err("Kustomize fails");
    let said = plain(&ours);
    let reasons = reasons(theirs);
    let is_told = reasons.iter().any(|reason| !reason.is_empty() && said.contains(reason));
    (!is_told).then(|| format!("{}: ours `{ours}`, Kustomize's `{theirs}`, one of {reasons:?}", case["id"]))
}

/// A message without quotes and line breaks.
fn plain(text: &str) -> String {
    let text = text.replace("\\n", " ").replace(['"', '\'', '`', '\n'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The innermost causes of a message; two where Kustomize tried a path as a file and as a folder.
fn reasons(message: &str) -> Vec<String> {
    // What follows are dumps of objects.
    const DUMPS: [&str; 6] = ["\n\n****", ": [{", ": node contents:", " in\napiVersion:", " Patch: ", ", Patch="];
    let dump = DUMPS.iter().filter_map(|start| message.find(start)).min();
    let message = &message[..dump.unwrap_or(message.len())];
    let id = Regex::new(r#"resid\.ResId\{Gvk:resid\.Gvk\{Group:"(.*?)", Version:"(.*?)", Kind:"(.*?)".*?Name:"(.*?)", Namespace:"(.*?)"\}"#)
        .expect("a pattern");
    let message = id.replace_all(message, |parts: &regex::Captures<'_>| {
        let part = |at: usize, none: &str| if parts[at].is_empty() { none.to_owned() } else { parts[at].to_owned() };
        format!("{}.{}.{}/{}.{}", &parts[3], &parts[2], part(1, "[noGrp]"), &parts[4], part(5, "[noNs]"))
    });
    let variable = Regex::new(r"var \{(\S+) .*\} \(").expect("a pattern");
    let message = variable.replace_all(&message, "var $1 (");
    let line = Regex::new(r" at line \d+").expect("a pattern");
    let message = line.replace_all(&message, "");
    let attempts = Regex::new(r"accumulation err='(.*?)': (?:must build at directory|new root)").expect("a pattern");
    // Of Go's types we say nothing.
    let message =
        message.replace("json: cannot unmarshal string into Go value of type jsonpatch.Patch", "it must be a list");
    let mut reasons = vec![innermost(&message)];
    reasons.extend(attempts.captures(&message).map(|parts| innermost(&parts[1])));
    reasons
}

fn innermost(message: &str) -> String {
    let message = message.replace("\\n", ": ").replace("accumulateDirectory: \"", ": ");
    plain(message.rsplit(": ").next().unwrap_or_default())
}

/// What we make of a case.
fn ours(folder: &Path, case: &Value) -> Result<String, String> {
    let mut options = Options::default();
    options.unrestricted =
        case["args"].as_array().is_some_and(|args| args.iter().any(|arg| arg == "LoadRestrictionsNone"));
    let path = folder.join("cases").join(case["dir"].as_str().expect("a folder"));
    let built = build(path.to_str().expect("a UTF-8 path"), &options).and_then(|built| built.text());
    built.map_err(|error| error.chain())
}

/// What is wrong with a case, if anything is.
fn problem(folder: &Path, case: &Value) -> Option<String> {
    let id = case["id"].as_str().expect("a name");
    match (ours(folder, case), case["rc"] == 0) {
        (Err(_), false) => None,
        (Ok(_), false) => Some(format!("{id}: Kustomize refuses, we do not")),
        (Err(error), true) => Some(format!("{id}: {error}")),
        (Ok(ours), true) => {
            let want = std::fs::read_to_string(folder.join("golden").join(id).join("stdout")).expect("an output");
            (ours != want).then(|| format!("{id}: the outputs differ"))
        }
    }
}
