//! Cases with Kustomize's recorded output, where a folder of them is at hand.
//!
//! `KPKG_PARITY_DIR` names a folder with `cases.jsonl` (one object a line: `id`, `dir`, `args`, `rc`), `cases/` and
//! `golden/ID/stdout`.

use std::path::{Path, PathBuf};

use kpkg_overlay::{Options, build};

#[test]
fn recorded_cases() {
    let Some(folder) = std::env::var_os("KPKG_PARITY_DIR").map(PathBuf::from) else {
        return;
    };
    let list = std::fs::read_to_string(folder.join("cases.jsonl")).expect("a list of cases");
    let wrong: Vec<String> = list.lines().filter_map(|line| problem(&folder, line)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), list.lines().count(), wrong.join("\n"));
}

/// What is wrong with a case, if anything is.
fn problem(folder: &Path, line: &str) -> Option<String> {
    let case: serde_json::Value = serde_json::from_str(line).expect("a case");
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let mut options = Options::default();
    options.unrestricted =
        case["args"].as_array().is_some_and(|args| args.iter().any(|arg| arg == "LoadRestrictionsNone"));
    let path = folder.join("cases").join(text("dir"));
    let ours = build(path.to_str().expect("a UTF-8 path"), &options).and_then(|built| built.text());
    let id = text("id");
    match (ours, case["rc"] == 0) {
        (Err(_), false) => None,
        (Ok(_), false) => Some(format!("{id}: Kustomize refuses, we do not")),
        (Err(error), true) => Some(format!("{id}: {}", error.chain())),
        (Ok(ours), true) => {
            let want = std::fs::read_to_string(folder.join("golden").join(&id).join("stdout")).expect("an output");
            (ours != want).then(|| format!("{id}: the outputs differ"))
        }
    }
}
