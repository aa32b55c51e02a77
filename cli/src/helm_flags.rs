//! Command lines as Helm takes them, put into the words that kpkg's own commands know.
//!
//! Only what could not be read as it stands comes here: `--include-crds=false`, Helm's flags for all commands
//! (`--debug`, `--color`, `--qps`, ...), and those that say nothing to kpkg.

use std::ffi::{OsStr, OsString};

use clap::{ArgAction, Command};

/// Flags that every command of Helm takes with a value, and that change nothing here.
const WITHOUT_EFFECT: [&str; 6] = ["burst-limit", "qps", "repository-cache", "content-cache", "color", "colour"];

/// The command line in kpkg's words; `root` describes all commands.
pub(crate) fn translate(line: impl IntoIterator<Item = OsString>, root: &Command) -> Vec<OsString> {
    let mut line = line.into_iter();
    let mut command = root;
    let mut words: Vec<OsString> = line.next().into_iter().collect();
    while let Some(word) = line.next() {
        if word == "--" {
            words.push(word);
            break;
        }
        let Some(flag) = word.to_str().and_then(|text| text.strip_prefix("--")) else {
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
            (None, value) if WITHOUT_EFFECT.contains(&name) => {
                if value.is_none() {
                    line.next();
                }
            }
            (None, value) if name == "debug" => words.extend(switch("verbose", value.unwrap_or("true"), &word)),
            _ => words.push(word),
        }
    }
    words.extend(line);
    words
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
        let words = translate(line.split(' ').map(OsString::from), &root);
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
            ("kpkg template x -- --include-crds=true", "kpkg template x -- --include-crds=true"),
        ];
        for (line, want) in cases {
            assert_eq!(translated(line), want, "{line}");
        }
    }
}
