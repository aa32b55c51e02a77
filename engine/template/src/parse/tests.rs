//! What trees look like, and where complaints are said to be.

use super::parse;
use crate::ast::{Node, Tree};

/// The actions at the top of a text, as messages show them.
fn actions(text: &str) -> Vec<String> {
    let trees = parse("x".into(), text.into()).expect("a template");
    let own = trees.iter().find(|tree| &*tree.name == "x").expect("a tree");
    let shown = |node: &Node| match node {
        Node::Action(pipe) => Some(own.show(&own.code.pipes[*pipe as usize]).to_string()),
        _ => None,
    };
    own.code.nodes[own.root.range()].iter().filter_map(shown).collect()
}

fn error(text: &str) -> String {
    parse("x".into(), text.into()).expect_err(text).to_string()
}

/// What stands around parentheses waits while what is in them is parsed, and comes back in order.
#[test]
fn operands_stay_together_around_parentheses() {
    for action in [
        "list 1 (list 2 (list 3 4) 5) 6 (list 7) 8",
        "list .a (list | len) .b | printf (list) .c | default (.d | len | not)",
        "list (index . 1).a.b (list).c $.d.e .f (dict.g).h",
        "$x := list ($y := 1 | add 2) 3",
        "$x.a.é.b | add1 .é.a",
    ] {
        let text = format!("{{{{ $x := . }}}}{{{{- {action} -}}}} {{{{/* c */}}}}");
        assert_eq!(actions(&text)[1..], [action.to_owned()]);
    }
}

#[test]
fn fields_are_said_to_stand_at_the_second_of_them() {
    let trees: Vec<std::sync::Arc<Tree>> =
        parse("x".into(), "{{ .a }}{{ .a.b.c }}{{ $.a.b }}".into()).expect("a template");
    let at: Vec<u32> = trees[0].code.args.iter().map(|arg| trees[0].pos(arg)).collect();
    assert_eq!(at, [3, 13, 24]);
}

#[test]
fn complaints_name_the_line_of_the_token() {
    for (text, want) in [
        ("{{ \"a\".b\n }}", "x:1: unexpected . after term \"\\\"a\\\"\""),
        ("{{ \"a\".b\n -}}", "x:1: unexpected . after term \"\\\"a\\\"\""),
        ("{{ \"a\".b\n-}}", "x:2: unexpected . after term \"\\\"a\\\"\""),
        ("{{ \"a\".b\n", "x:1: unexpected . after term \"\\\"a\\\"\""),
        ("{{ .a..b }}", "x:1: unexpected <.> in operand"),
        ("{{ .a.5 }}", "x:1: unexpected \".5\" in operand"),
        ("{{ if .a.b\"c\" }}", "x:1: bad character U+0022 '\"'"),
        ("{{ end .a.b }}", "x:1: unexpected \".a\" in end"),
        ("{{ $x.a := 1 }}", "x:1: undefined variable \"$x\""),
        ("{{ $.a := 1 }}", "x:1: unexpected \":=\" in operand"),
        ("{{ range $a, $b, $c := . }}", "x:1: too many declarations in range"),
        ("a\n{{ with . }}\n{{ else if . }}{{ end }}", "x:3: unexpected <if> in input"),
        ("{{ define \"d\" }}\n{{ $x := 1 }}{{ end }}\n{{ $x }}", "x:3: undefined variable \"$x\""),
        ("{{\n/* c */}}", "x:2: unexpected \"/\" in command"),
        ("{{/* c *}}", "x:1: unclosed comment"),
        ("{{/*/}}", "x:1: unclosed comment"),
        ("{{ (\n1 }}", "x:2: unclosed left paren in action started at x:1"),
        ("{{ if . }}", "x:1: unexpected EOF"),
        ("{{ break }}", "x:1: {{break}} outside {{range}}"),
        ("{{ nosuch }}", "x:1: function \"nosuch\" not defined"),
    ] {
        assert_eq!(error(text), format!("template: {want}"), "{text}");
    }
}
