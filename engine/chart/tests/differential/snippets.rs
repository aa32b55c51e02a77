//! Templates: every function with arguments of all sorts, and nested actions made by a grammar.

use std::collections::BTreeMap;

use kpkg_chart::{Ambient, ClusterFacts, File, ReleaseInfo, load_files, render_files, values};
use serde_json::json;

use crate::chance::Chance;
use crate::engine::{self, Answer};
use crate::setting;

const VALUES: &str = r#"{"s": "text", "n": 3, "f": 1.5, "big": 10000000, "t": true, "z": false, "e": "", "nil": null,
  "l": ["b", "a", 1, null], "m": {"k2": 1, "k10": "x", "inner": {"deep": [1, 2]}}, "el": [], "em": {}, "name": "My-App_1"}"#;

/// Arguments that functions are tried with.
const ARGUMENTS: &[&str] = &[
    "nil",
    "\"\"",
    "\"abc\"",
    "\"Hello World\"",
    "\"a,b,,c\"",
    "\"é日x\"",
    "\"ÀÉ ǆÜnï_ß-İı 1ª\"",
    "\"a\\u0378\\u0085\\x7f\\U0001F600\"",
    "\"\\ufeffab\\tc\\n\\td\"",
    "\"caf\\xc3 \\xe2\\x82\\xff\"",
    "(trunc 1 \"é\")",
    "\"  pad \"",
    "\"line1\\nline2\\n\"",
    "\"snake_case-Kebab Word\"",
    "\"1.2.3\"",
    "\">=1.2.0 <2\"",
    "\"^1\"",
    "\"10\"",
    "\"0x1F\"",
    "\"1.50\"",
    "\"true\"",
    "\"[a-c]+\"",
    "\"(\"",
    "\"$1-x\"",
    "\"/a/b/../c.txt\"",
    "\"http://u:p@host:80/p?q=1#f\"",
    "\"YWJj\"",
    "\"!!\"",
    "\"a: 1\\nb: [x]\"",
    "\"{\\\"a\\\":1}\"",
    "\"2006-01-02\"",
    "\"2024-02-29\"",
    "\"1h30m\"",
    "0",
    "1",
    "-1",
    "3",
    "7",
    "100",
    "1.5",
    "-2.7",
    "1e6",
    "0x10",
    "'a'",
    "true",
    "false",
    "(list)",
    "(list 1 2 3)",
    "(list \"b\" \"a\" \"b\")",
    "(list 1 \"x\" nil true 1.5)",
    "(list (list 1) (dict \"a\" 1))",
    "(dict)",
    "(dict \"a\" 1)",
    "(dict \"a\" (dict \"b\" \"c\") \"l\" (list 1))",
    "(dict \"b\" nil \"a\" false \"c\" \"\")",
    ".Values",
    ".Values.s",
    ".Values.n",
    ".Values.f",
    ".Values.big",
    ".Values.t",
    ".Values.nil",
    ".Values.missing",
    ".Values.l",
    ".Values.m",
    ".Values.em",
    ".Values.m.inner",
    ".Values.name",
    ".",
    "$",
    ".Chart",
    ".Release.Name",
    ".Files",
    ".Capabilities",
    ".Capabilities.KubeVersion.Version",
    ".Capabilities.APIVersions",
    "(int 5)",
    "(int64 5)",
    "(float64 5)",
    "(splitList \",\" \"x,y\")",
    "(until 3)",
    "(split \"-\" \"a-b\")",
    "(tuple 1 2)",
    "(toString 3)",
    "(int 1700000000)",
];

/// Functions whose answers depend on chance or the clock, or that never end.
const LEFT_OUT: &[&str] = &[
    "randAlphaNum",
    "randAlpha",
    "randNumeric",
    "randAscii",
    "randInt",
    "randBytes",
    "shuffle",
    "uuidv4",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "buildCustomCert",
    "now",
    "ago",
    "getHostByName",
    "derivePassword",
    "keys",
    "values",
    "break",
    "continue",
];

/// Snippets with a reason of their own.
const FIXED: &[&str] = &include!("snippets.in");

fn snippets(each: usize, seed: u64) -> Vec<String> {
    let mut chance = Chance(seed);
    let mut all: Vec<String> = FIXED.iter().map(|text| (*text).to_owned()).collect();
    for name in kpkg_template::function_names() {
        if LEFT_OUT.contains(&name) {
            continue;
        }
        all.push(format!("{{{{ {name} }}}}"));
        for _ in 0..each {
            let count = 1 + chance.below(4).min(chance.below(4));
            let args: Vec<&str> = (0..count).map(|_| chance.pick(ARGUMENTS)).collect();
            let call = match chance.below(4) {
                0 => format!("{{{{ {} | {name} {} }}}}", args[count - 1], args[..count - 1].join(" ")),
                1 => format!("{{{{ {name} {} | toJson }}}}", args.join(" ")),
                2 => format!("{{{{ {name} {} | typeOf }}}}", args.join(" ")),
                _ => format!("{{{{ {name} {} }}}}", args.join(" ")),
            };
            // Go keeps a map that was never made apart from an empty one, and only JSON shows it.
            if !call.contains("erge nil | toJson") {
                all.push(call);
            }
        }
    }
    for _ in 0..each * 20 {
        all.push(generated(&mut chance, 3));
    }
    all
}

/// A template of nested actions.
fn generated(chance: &mut Chance, depth: usize) -> String {
    if depth == 0 {
        return format!("{{{{ {} }}}}", expression(chance, 2));
    }
    let inner = |chance: &mut Chance| generated(chance, depth - 1);
    let condition = expression(chance, 1);
    match chance.below(9) {
        0 => format!("{{{{ if {condition} }}}}a{}{{{{ else }}}}b{}{{{{ end }}}}", inner(chance), inner(chance)),
        1 => format!(
            "{{{{- with {condition} }}}} {} {{{{- else with {} }}}}x{{{{ . }}}}{{{{ end -}}}} ",
            inner(chance),
            expression(chance, 1)
        ),
        2 => format!(
            "{{{{ range $i, $v := {condition} }}}}{{{{ $i }}}}={{{{ $v }}}};{}{{{{ else }}}}none{{{{ end }}}}",
            inner(chance)
        ),
        3 => format!("{{{{ range {condition} }}}}{{{{ . }}}},{{{{ end }}}}"),
        4 => format!(
            "{{{{ $x := {condition} }}}}{{{{ if true }}}}{{{{ $x = {} }}}}{{{{ end }}}}{{{{ $x }}}}",
            expression(chance, 1)
        ),
        5 => format!(
            "{{{{ define \"d\" }}}}[{}]{{{{ end }}}}{{{{ include \"d\" {condition} }}}}{{{{ template \"d\" . }}}}",
            inner(chance)
        ),
        6 => format!("{{{{ tpl {} . }}}}", go_quote(&inner(chance))),
        7 => format!("a {{{{- /* c */ -}}}} b{}\n  {{{{- {condition} -}}}}  \n c", inner(chance)),
        _ => format!("{}{}", inner(chance), inner(chance)),
    }
}

fn go_quote(text: &str) -> String {
    kpkg_template::quote(text.as_bytes())
}

fn expression(chance: &mut Chance, depth: usize) -> String {
    const UNARY: &[&str] = &[
        "upper",
        "toJson",
        "toYaml",
        "quote",
        "len",
        "int",
        "not",
        "first",
        "kindOf",
        "toString",
        "b64enc",
        "trim",
        "sortAlpha",
        "empty",
    ];
    const BINARY: &[&str] = &[
        "default",
        "eq",
        "lt",
        "add",
        "printf \"%v-%v\"",
        "dict",
        "list",
        "index",
        "get",
        "and",
        "or",
        "cat",
        "join",
        "ternary 1 2",
        "has",
        "merge",
        "append",
    ];
    if depth == 0 {
        return chance.pick(ARGUMENTS).to_owned();
    }
    let inner = expression(chance, depth - 1);
    let wrapped = if inner.contains(' ') && !inner.starts_with(['(', '"']) { format!("({inner})") } else { inner };
    match chance.below(4) {
        0 => format!("{wrapped} | {}", chance.pick(UNARY)),
        1 => format!("{} {wrapped}", chance.pick(UNARY)),
        2 => format!("{} {} {wrapped}", chance.pick(BINARY), chance.pick(ARGUMENTS)),
        _ => wrapped,
    }
}

pub(crate) fn ours(snippet: &str) -> Answer {
    let files = vec![
        File::new("Chart.yaml", *b"apiVersion: v2\nname: t\nversion: 0.1.0\n"),
        File::new("file.txt", *b"one\ntwo\n"),
        File::new("templates/x.txt", snippet.as_bytes()),
    ];
    let chart = load_files(files).expect("a chart");
    let input = values::Input::File { name: "values.json".to_owned(), text: VALUES.to_owned() };
    let values = values::merge(&chart, &[input]).expect("values");
    let release =
        ReleaseInfo { name: "demo".to_owned(), namespace: "demo-ns".to_owned(), revision: 1, is_upgrade: false };
    let ambient = Ambient::seeded(1, jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC));
    match render_files(&values, &release, &ClusterFacts::default(), &ambient) {
        Ok((files, _)) => Answer::Output(files["t/templates/x.txt"].clone()),
        Err(error) => Answer::Refusal(error.to_string()),
    }
}

/// Error texts that cannot be the same: Go's addresses and internals.
fn comparable(answer: Answer) -> Answer {
    match answer {
        // Go prints where in memory the capabilities are.
        Answer::Output(text)
            if text.contains("Capabilities:")
                || text.contains("{{v1.")
                || text.contains("[0x")
                || text.contains(" 0x")
                || text.contains("%3A0x")
                || text.contains("internal.apiserver") =>
        {
            Answer::Output("address".to_owned())
        }
        Answer::Refusal(text) if text.contains("Capabilities:") || text.contains("common.Capabilities") => {
            Answer::Output("address".to_owned())
        }
        Answer::Refusal(text) if text.contains("runtime error") || text.contains("reflect") => {
            Answer::Refusal("Go runtime error".to_owned())
        }
        other => other,
    }
}

#[test]
fn equals_the_real_engine() {
    let Some(python) = engine::python() else { return };
    let each = usize::try_from(setting("KPKG_SNIPPETS", 20)).expect("small");
    let snippets = snippets(each, setting("KPKG_SNIPPET_SEED", 1));
    let values: serde_json::Value = serde_json::from_str(VALUES).expect("JSON");
    let questions: Vec<_> = snippets.iter().map(|text| json!({"template": text, "values": values})).collect();
    let wanted = engine::ask(&python, &questions);
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for (snippet, wanted) in snippets.iter().zip(wanted) {
        // Python has no words for complaints that are no text.
        if matches!(&wanted, Answer::Refusal(text) if text.contains("codec can't decode")) {
            continue;
        }
        let (got, wanted) = (comparable(ours(snippet)), comparable(wanted));
        if got != wanted {
            count += 1;
            let name = snippet.trim_start_matches("{{ ").split(' ').next().unwrap_or_default().to_owned();
            wrong.entry(name).or_default().push(format!("{snippet}\n    want {wanted:?}\n    got  {got:?}"));
        }
    }
    let report: Vec<String> = wrong.values().flatten().take(400).cloned().collect();
    assert!(wrong.is_empty(), "{count} of {} snippets differ:\n{}", snippets.len(), report.join("\n"));
}
