//! What becomes of a folded block that is written and read again.
//!
//! Kustomize writes each document once and reads it back before it prints it. go-yaml's writer of folded blocks looks
//! at the wrong place when it decides whether a break needs another one, so some texts come back changed: a break
//! before a more indented line becomes two. The output shows it.

use std::borrow::Cow;

use crate::analysis::{fits_block, is_break};
use crate::value::Value;

/// The text after go-yaml v3 has written it as a folded block and read it again.
pub(super) fn written_and_read(text: &str) -> Cow<'_, str> {
    if !text.contains('\n') || !fits_block(text) {
        return text.into();
    }
    match crate::reader::read(&written(text)) {
        Ok(Value::String(read)) => read.into(),
        _ => text.into(),
    }
}

fn written(text: &str) -> String {
    let mut out = format!(">{}\n", hints(text));
    // The writer asks whether the text begins with a blank, where it should ask how the next line begins.
    let doubles = !text.starts_with([' ', '\t', '\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
    let (mut breaks, mut leading_spaces) = (true, true);
    for letter in text.chars() {
        if is_break(letter) {
            if !breaks && !leading_spaces && letter == '\n' && doubles {
                out.push('\n');
            }
            out.push(letter);
            breaks = true;
        } else {
            if breaks {
                out.push_str("  ");
                leading_spaces = matches!(letter, ' ' | '\t');
            }
            out.push(letter);
            breaks = false;
        }
    }
    out.push('\n');
    out
}

fn hints(text: &str) -> String {
    let indent = if text.starts_with(' ') || text.starts_with(is_break) { "2" } else { "" };
    let mut last = text.chars().rev();
    let chomp = match (last.next(), last.next()) {
        (Some(end), _) if !is_break(end) => "-",
        (None, _) => "-",
        (Some(_), None) => "+",
        (Some(_), Some(before)) if is_break(before) => "+",
        _ => "",
    };
    format!("{indent}{chomp}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_before_indented_lines_double() {
        let cases = [
            ("a b", "a b"),
            ("a\nb", "a\nb"),
            ("a\n  b\n)", "a\n\n  b\n)"),
            ("a\n\nb\n", "a\n\nb\n"),
            ("a\n", "a\n"),
            ("a\n\tb\n", "a\n\n\tb\n"),
        ];
        for (text, want) in cases {
            assert_eq!(written_and_read(text), want, "{text:?}");
        }
    }
}
