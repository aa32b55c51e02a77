//! Command lines as Helm takes them, put into the words that kpkg's own commands know.
//!
//! Only what could not be read as it stands comes here: `--include-crds=false`, Helm's flags for all commands
//! (`--debug`, `--color`, `--qps`, ...), and those that say nothing to kpkg.

use std::ffi::{OsStr, OsString};

use clap::{ArgAction, Command};

/// Flags that every command of Helm takes with a value, and that change nothing here.
const WITHOUT_EFFECT: [&str; 6] = ["burst-limit", "qps", "repository-cache", "content-cache", "color", "colour"];

/// More of them that say which cluster and which logins: commands that need neither take them, too.
const ELSEWHERE: [&str; 11] = [
    "kube-apiserver",
    "kube-as-group",
    "kube-as-user",
    "kube-ca-file",
    "kube-context",
    "kube-tls-server-name",
    "kube-token",
    "kubeconfig",
    "namespace",
    "registry-config",
    "repository-config",
];

/// Helm's commands that need neither a cluster nor, but for `show`, logins.
const ALONE: [&str; 4] = ["create", "inspect", "lint", "show"];

/// The command line in kpkg's words; `root` describes all commands.
pub(crate) fn translate(line: impl IntoIterator<Item = OsString>, root: &Command) -> Result<Vec<OsString>, String> {
    let mut line = line.into_iter();
    let mut command = root;
    let mut words: Vec<OsString> = line.next().into_iter().collect();
    let mut is_alone = false;
    while let Some(word) = line.next() {
        if word == "--" {
            words.push(word);
            break;
        }
        if is_alone && word == "-n" && !command.get_arguments().any(|arg| arg.get_short() == Some('n')) {
            line.next();
            continue;
        }
        let Some(flag) = word.to_str().and_then(|text| text.strip_prefix("--")) else {
            is_alone |= words.len() == 1 && ALONE.iter().any(|name| word == *name);
            command = command.find_subcommand(&word).unwrap_or(command);
            words.push(word);
            continue;
        };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let known = command.get_arguments().find(|arg| names(arg, name));
        match (known, value) {
            (Some(arg), Some(value)) if matches!(arg.get_action(), ArgAction::SetTrue) => {
                words.extend(switch(name, value, &word));
            }
            (None, value) if WITHOUT_EFFECT.contains(&name) || is_alone && ELSEWHERE.contains(&name) => {
                let next = if value.is_none() { line.next() } else { None };
                let next = next.as_ref().map(|word| word.to_string_lossy());
                let value = value.or(next.as_deref()).ok_or_else(|| format!("flag needs an argument: --{name}"))?;
                check(name, value)?;
            }
            (None, value) if is_alone && name == "kube-insecure-skip-tls-verify" => {
                words.extend(value.and_then(|value| switch(name, value, &word)).filter(|kept| *kept == word));
            }
            (None, value) if name == "debug" => words.extend(switch("verbose", value.unwrap_or("true"), &word)),
            _ => words.push(word),
        }
    }
    words.extend(line);
    Ok(words)
}

/// Whether a flag without effect has a value that Helm would take.
fn check(name: &str, value: &str) -> Result<(), String> {
    let is_fine = match name {
        "burst-limit" => value.parse::<i64>().is_ok(),
        "qps" => value.parse::<f32>().is_ok(),
        "color" | "colour" => ["never", "auto", "always"].contains(&value),
        _ => true,
    };
    match name {
        _ if is_fine => Ok(()),
        "color" | "colour" => Err(format!("invalid color mode {value:?}: must be one of: never, auto, always")),
        _ => Err(format!("invalid argument {value:?} for \"--{name}\" flag: it is not a number")),
    }
}

fn names(arg: &clap::Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
}

/// A switch with a value: there, or not there; a value that is neither stays for the complaint.
fn switch(name: &str, value: &str, word: &OsStr) -> Option<OsString> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(format!("--{name}").into()),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => None,
        _ => Some(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn translated(line: &str) -> String {
        let root = Command::new("kpkg").subcommand(
            Command::new("template")
                .arg(Arg::new("include-crds").long("include-crds").action(ArgAction::SetTrue))
                .arg(Arg::new("set").long("set")),
        );
        let root =
            root.subcommand(Command::new("lint").arg(Arg::new("debug").long("debug").action(ArgAction::SetTrue)));
        let root = root.subcommand(Command::new("build"));
        let words =
            translate(line.split(' ').map(OsString::from), &root).unwrap_or_else(|problem| vec![problem.into()]);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn helms_flags() {
        let cases = [
            ("kpkg template x --include-crds=true", "kpkg template x --include-crds"),
            ("kpkg template x --include-crds=F", "kpkg template x"),
            ("kpkg template x --include-crds=maybe", "kpkg template x --include-crds=maybe"),
            ("kpkg template x --set=a=true", "kpkg template x --set=a=true"),
            ("kpkg template x --debug", "kpkg template x --verbose"),
            ("kpkg --debug=false template x", "kpkg template x"),
            ("kpkg lint x --debug=1", "kpkg lint x --debug"),
            ("kpkg template --qps 5 x --color=never", "kpkg template x"),
            ("kpkg template --qps much x", "invalid argument \"much\" for \"--qps\" flag: it is not a number"),
            ("kpkg template x --color=x", "invalid color mode \"x\": must be one of: never, auto, always"),
            ("kpkg template x --color", "flag needs an argument: --color"),
            ("kpkg lint x --kube-context c -n y --namespace=z", "kpkg lint x"),
            ("kpkg lint x --kube-insecure-skip-tls-verify", "kpkg lint x"),
            ("kpkg build x --namespace y", "kpkg build x --namespace y"),
            ("kpkg template x -- --include-crds=true", "kpkg template x -- --include-crds=true"),
        ];
        for (line, want) in cases {
            assert_eq!(translated(line), want, "{line}");
        }
    }
}
