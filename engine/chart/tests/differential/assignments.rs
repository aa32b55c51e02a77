//! The grammar of `--set` and its relatives.

use kpkg_chart::values::{self, Input};
use serde_json::json;

use crate::chance::Chance;
use crate::engine::{self, Answer};
use crate::setting;

const KEYS: &[&str] = &[
    "a",
    "b",
    "a.b",
    "a.b.c",
    "a[0]",
    "a[1]",
    "a[0].b",
    "a[0].c",
    "a.b[0].c",
    "a[0][1]",
    "a[2][0].x",
    "a\\.b",
    "a\\,b",
    "é",
    " a",
    "a ",
    "\"a\"",
    "a.0",
    "0",
    "",
    "a.",
    ".a",
    "a..b",
    "a[]",
    "a[x]",
    "a[-1]",
    "a[0]x",
    "a]",
    "{a}",
    "a[01]",
    "a[+1]",
    "a[65537]",
    "a.b.",
    "a[0].",
    "[0]",
    "[0].a",
    "a.[0]",
    "null",
];
const TEXTS: &[&str] = &[
    "1",
    "x",
    "",
    "true",
    "TRUE",
    "null",
    "{x,1}",
    "{}",
    "{a",
    "{a},b",
    "{a,}",
    "{,}",
    "007",
    "0",
    "00",
    "-1",
    "-0",
    "+5",
    "1.5",
    "1e3",
    "0x10",
    "9223372036854775807",
    "9223372036854775808",
    "a\\,b",
    "a=b",
    "a,b",
    "{a=b}",
    "a\\",
    "{{x}}",
    "{a\\}b}",
    " 1",
    "1 ",
    "é",
    "{1, 2}",
    "{true,null,0}",
    "{a}b",
    "\\n",
    "\n",
    "\\",
];
const JSONS: &[&str] = &[
    "1",
    "\"x\"",
    "",
    " ",
    "true",
    "null",
    "[1]",
    "{\"a\":1}",
    " {\"a\": 1} ",
    "\"a,b\"",
    "1.5",
    "-1",
    "[]",
    "{}",
    "[1,",
    "tru",
    "{\"a\":1}x",
    "x",
    "'x'",
    "1e3",
];
const OPTIONS: &[&str] = &["--set", "--set-string", "--set-json", "--set-literal"];

fn assignments(chance: &mut Chance, option: &str) -> String {
    let values = if option == "--set-json" { JSONS } else { TEXTS };
    let count = 1 + chance.below(3).min(chance.below(3));
    let parts: Vec<String> = (0..count)
        .map(|_| {
            format!("{}{}{}", chance.pick(KEYS), chance.pick(&["=", "=", "=", "=", "", "=="]), chance.pick(values))
        })
        .collect();
    parts.join(",")
}

fn ours(option: &str, text: &str) -> Answer {
    let text = text.to_owned();
    let input = match option {
        "--set" => Input::Set(text),
        "--set-string" => Input::SetString(text),
        "--set-json" => Input::SetJson(text),
        _ => Input::SetLiteral(text),
    };
    match values::supplied(&[input]) {
        Ok(map) => Answer::Output(kpkg_yaml::Value::Map(map).to_json().to_string()),
        Err(error) => Answer::Refusal(error.to_string()),
    }
}

/// Whether both say the same; complaints are in words of our own.
fn agree(wanted: &Answer, got: &Answer) -> bool {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    match (wanted, got) {
        (Answer::Output(wanted), Answer::Output(got)) => parsed(wanted) == parsed(got),
        // Helm drops without a word what follows an index that never ends, or one without a value however large.
        (Answer::Output(_), Answer::Refusal(text)) => text.contains("index: EOF") || text.contains("supported index"),
        (Answer::Refusal(_), Answer::Refusal(_)) => true,
        (Answer::Refusal(_), Answer::Output(_)) => false,
    }
}

#[test]
fn assignments_equal_the_real_ones() {
    let Some(python) = engine::python() else { return };
    let mut chance = Chance(setting("KPKG_SNIPPET_SEED", 1));
    let cases: Vec<(&str, String)> = (0..setting("KPKG_SNIPPETS", 20) * 100)
        .map(|_| {
            let option = chance.pick(OPTIONS);
            (option, assignments(&mut chance, option))
        })
        // An object alone goes another way in, which the reference has no door for.
        .filter(|(option, text)| *option != "--set-json" || !text.trim_start().starts_with('{'))
        .collect();
    let questions: Vec<_> = cases.iter().map(|(option, text)| json!({"set": option, "text": text})).collect();
    let wrong: Vec<String> = cases
        .iter()
        .zip(engine::ask(&python, &questions))
        .map(|((option, text), wanted)| (option, text, wanted, ours(option, text)))
        .filter(|(_, _, wanted, got)| !agree(wanted, got))
        .map(|(option, text, wanted, got)| format!("{option} {text:?}\n    want {wanted:?}\n    got  {got:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
