//! Functions of texts, over characters of all sorts: each as Go's tables have it.

use std::fmt::Write as _;

use serde_json::json;

use crate::engine;
use crate::snippets;

/// What is done to each character `$c`, which is `$n`.
const EXPRESSIONS: &[&str] = &[
    "printf `%q %#q %+q %5s %.1s %x` $c $c $c $c $c $c",
    "printf `%U %#U %q %c` $n $n $n $n",
    "list (upper $c) (lower $c) (title $c) (title (print `b ` $c `b`)) (untitle $c) | join `|`",
    "list (swapcase (print `a` $c `b`)) (nospace (print `a` $c `b`)) (initials (print $c `x y`)) | join `|`",
    "list (snakecase (print `a` $c `B`)) (kebabcase (print $c `1`)) (camelcase (print `a_` $c `b`)) (camelcase $c) | join `|`",
    "list (trim (print $c `a` $c)) (trimAll $c (print $c `a` $c)) (abbrev 5 (print `abc` $c `defg`)) | join `|`",
    "list (wrapWith 2 `-` (print `a` $c `b c`)) (trunc 1 $c) (substr 0 2 (print `a` $c)) | join `|`",
    "list (html $c) (js $c) (urlquery $c) (quote $c) (squote $c) (splitList `` (print $c `a`) | join `-`) | join `|`",
    "list (toYaml $c) (toYaml (print `a ` $c ` b`)) (toYaml (dict $c `x`)) (toYaml (print `a` \"\\n\" $c)) | join `|`",
    "list (toYamlPretty $c) (toYamlPretty (dict $c `x`)) (toYamlPretty (print `a` \"\\n\" $c)) | join `|`",
    "list (toJson $c) (toRawJson $c) (toToml (dict `a` $c $c 1)) (regexReplaceAll `\\\\W` $c `x`) | join `|`",
    "dict (print `k` $c) 1 `k1` 2 `k12` 3 `kB` 4 `-` 5 | toYaml",
    "list (regexReplaceAll `\\\\p{Lu}` $c `u`) (regexReplaceAll `(?i)[k-s]` $c `x`) (regexQuoteMeta $c) | join `|`",
];

/// The characters: blocks with capitals, marks, spaces, controls, digits, symbols and none at all.
const BLOCKS: &[(u32, u32)] = &[
    (0, 0x100),
    (0x130, 0x138),
    (0x178, 0x190),
    (0x1C0, 0x200),
    (0x340, 0x3A8),
    (0x600, 0x620),
    (0x660, 0x670),
    (0x10C0, 0x1100),
    (0x1C80, 0x1C98),
    (0x1E90, 0x1EA0),
    (0x1F80, 0x2070),
    (0x2150, 0x2190),
    (0x24B0, 0x24F0),
    (0x3000, 0x3008),
    (0x4DB0, 0x4E08),
    (0xA640, 0xA648),
    (0xD7A0, 0xD800),
    (0xE000, 0xE004),
    (0xFDD0, 0xFDF4),
    (0xFEF8, 0x1_0004),
    (0x1_0400, 0x1_0430),
    (0x1_F600, 0x1_F604),
    (0xE_0001, 0xE_0004),
    (0x10_FFFE, 0x11_0000),
];

/// All of `expression`'s answers, each in hexadecimal: they need not be text.
fn template(expression: &str) -> String {
    let blocks: Vec<String> = BLOCKS.iter().map(|(from, to)| format!("(untilStep {from} {to} 1)")).collect();
    format!(
        "{{{{ range $b := list {} }}}}{{{{ range $n := $b }}}}{{{{ $c := printf `%c` $n }}}}\
         {{{{ printf `%x %x` $n (print ({expression})) }}}}\n{{{{ end }}}}{{{{ end }}}}",
        blocks.join(" ")
    )
}

#[test]
fn equal_the_real_engine() {
    let Some(python) = engine::python() else { return };
    let templates: Vec<String> = EXPRESSIONS.iter().map(|expression| template(expression)).collect();
    let questions: Vec<_> = templates.iter().map(|text| json!({"template": text, "values": {}})).collect();
    let mut report = String::new();
    for ((template, expression), wanted) in templates.iter().zip(EXPRESSIONS).zip(engine::ask(&python, &questions)) {
        let (engine::Answer::Output(wanted), engine::Answer::Output(got)) = (wanted, snippets::ours(template)) else {
            panic!("{expression} fails");
        };
        assert_eq!(wanted.lines().count(), got.lines().count(), "{expression}");
        let differing = wanted.lines().zip(got.lines()).filter(|(wanted, got)| wanted != got);
        for (wanted, got) in differing.take(5) {
            let _ = writeln!(report, "{expression}\n    want {wanted}\n    got  {got}");
        }
    }
    assert!(report.is_empty(), "{report}");
}
