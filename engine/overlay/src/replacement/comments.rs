//! Comments of a YAML text that is written anew.
//!
//! Trees know no comments, but Kustomize keeps those of a text that a replacement goes into. They are put back where
//! their lines have gone: behind a line, or before the line that came next. Blank lines stay where go-yaml writes
//! them: around comments that belong to what stands before them, or to the whole text.

use std::collections::BTreeMap;

use kpkg_yaml::node::{Node, NodeOptions, read_node};

/// A line of the old text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Blank,
    /// A comment that stands alone.
    Comment(&'t str),
    /// Content, and the comment behind it.
    Content(Option<&'t str>),
    /// Within a text that goes over several lines.
    Inner,
}

/// Which of the new lines the old ones have become, counted from 1.
type Moves = BTreeMap<u32, u32>;

/// The new text with the old one's comments.
pub(super) fn carried_over(old: &str, written: String) -> String {
    let lines = scan(old);
    let read = |text: &str| read_node(text, NodeOptions::default()).ok().flatten();
    let is_comment = |line: &Line<'_>| matches!(line, Line::Comment(_) | Line::Content(Some(_)));
    if !lines.iter().any(|(_, line)| is_comment(line)) {
        return written;
    }
    let (Some(before), Some(after)) = (read(old), read(&written)) else { return written };
    let mut moves = Moves::new();
    follow(&before, &after, &mut moves);
    merge(&lines, &written, &moves)
}

fn follow(old: &Node, new: &Node, moves: &mut Moves) {
    match (old, new) {
        (Node::Map(old), Node::Map(new)) => {
            for (key, value) in old.iter() {
                if let Some((now, value_now)) = new.iter().find(|(other, _)| other.text == key.text) {
                    moves.entry(key.line).or_insert(now.line);
                    follow(value, value_now, moves);
                }
            }
        }
        (Node::List(old), Node::List(new)) => old.iter().zip(new).for_each(|(old, new)| follow(old, new, moves)),
        (Node::Scalar(old), Node::Scalar(new)) => {
            moves.entry(old.line).or_insert(new.line);
        }
        _ => {}
    }
}

// === The old text ===

/// The lines of a text, and how far each is indented.
fn scan(text: &str) -> Vec<(usize, Line<'_>)> {
    let mut lines = Vec::new();
    // The column that the lines of a block must exceed, and the quotes that are open.
    let (mut block, mut quote) = (None, None);
    for line in text.lines() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if block.is_some_and(|column| content.is_empty() || indent > column) {
            lines.push((indent, Line::Inner));
            continue;
        }
        block = None;
        let was_open = quote.is_some();
        let comment = comment_of(line, &mut quote);
        lines.push((
            indent,
            match comment {
                _ if was_open => Line::Inner,
                _ if content.is_empty() => Line::Blank,
                Some(at) if at == indent => Line::Comment(content.trim_end()),
                comment => {
                    let end = comment.unwrap_or(line.len());
                    block = begins_block(&line[..end]);
                    Line::Content(comment.map(|at| line[at..].trim_end()))
                }
            },
        ));
    }
    lines
}

/// Where a line's comment begins.
fn comment_of(line: &str, quote: &mut Option<char>) -> Option<usize> {
    let mut before = ' ';
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (*quote, letter) {
            (Some('"'), '\\') => drop(letters.next()),
            (Some(open), letter) if letter == open => *quote = None,
            (Some(_), _) => {}
            (None, '#') if before.is_whitespace() => return Some(at),
            (None, '"' | '\'') if before.is_whitespace() || "[{,".contains(before) => *quote = Some(letter),
            (None, _) => {}
        }
        before = letter;
    }
    None
}

/// The column that a block's lines must exceed, if the line ends by beginning one.
fn begins_block(line: &str) -> Option<usize> {
    let last = line.split_whitespace().next_back()?;
    let header = last.strip_prefix(['|', '>'])?;
    if !header.chars().all(|letter| letter == '+' || letter == '-' || letter.is_ascii_digit()) {
        return None;
    }
    let mut rest = line.trim_start();
    while let Some(inner) = rest.strip_prefix("- ").map(str::trim_start).filter(|inner| inner.len() > last.len()) {
        rest = inner;
    }
    Some(line.len() - rest.len())
}

// === The new text ===

/// What goes in before a line of the new text.
#[derive(Debug, Default)]
struct Insertion(Vec<String>);

fn merge(lines: &[(usize, Line<'_>)], written: &str, moves: &Moves) -> String {
    let new: Vec<&str> = written.lines().collect();
    let indent_of = |line: usize| new.get(line - 1).map_or(0, |text| text.len() - text.trim_start().len());
    let place = |at: usize| -> Option<usize> {
        let old = u32::try_from(at + 1).ok()?;
        usize::try_from(*moves.get(&old)?).ok()
    };
    let is_content = |at: &usize| matches!(lines[*at].1, Line::Content(_));
    let mut behind: BTreeMap<usize, &str> = BTreeMap::new();
    let mut before: BTreeMap<usize, Insertion> = BTreeMap::new();
    let mut at = 0;
    while at < lines.len() {
        let (indent, line) = lines[at];
        if let (Line::Content(Some(comment)), Some(line)) = (line, place(at)) {
            behind.insert(line, comment);
        }
        if !matches!(line, Line::Comment(_)) {
            at += 1;
            continue;
        }
        let is_of_block = |other: &&(usize, Line<'_>)| other.0 == indent && matches!(other.1, Line::Comment(_));
        let end = at + lines[at..].iter().take_while(is_of_block).count();
        let is_blank =
            |at: Option<usize>| at.and_then(|at| lines.get(at)).is_some_and(|(_, line)| *line == Line::Blank);
        let (blank_before, blank_after) = (is_blank(at.checked_sub(1)), is_blank(Some(end)));
        let next = (end..lines.len()).find(is_content);
        let is_first = !(0..at).any(|at| is_content(&at));
        let leads = next.is_some_and(|next| !blank_after && lines[next].0 == indent);
        let target = next.and_then(|next| (next..lines.len()).find_map(place));
        let level = match target {
            Some(line) if leads || is_first => indent_of(line),
            // It belongs to what stands before it, as far in as it is.
            _ => {
                let same = (0..at).rev().find(|at| is_content(at) && lines[*at].0 == indent);
                same.and_then(place).map_or(0, indent_of)
            }
        };
        let into = &mut before.entry(target.unwrap_or(new.len() + 1)).or_default().0;
        if next.is_none() && blank_before {
            into.push(String::new());
        }
        into.extend(lines[at..end].iter().filter_map(|(_, line)| match line {
            Line::Comment(text) => Some(format!("{:level$}{text}", "")),
            _ => None,
        }));
        if blank_after && (is_first || next.is_some_and(|next| lines[next].0 == indent)) {
            into.push(String::new());
        }
        at = end;
    }
    let mut out = Vec::new();
    for (at, line) in new.iter().enumerate() {
        out.extend(before.remove(&(at + 1)).unwrap_or_default().0);
        out.push(behind.get(&(at + 1)).map_or_else(|| (*line).to_owned(), |comment| format!("{line} {comment}")));
    }
    out.extend(before.into_values().flat_map(|insertion| insertion.0));
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_along() {
        let cases = [
            ("# a\na:   1   # b\n", "a: 2", "# a\na: 2 # b"),
            ("a:\n    # in\n    b: 1\n# end\n", "a:\n  b: 2", "a:\n  # in\n  b: 2\n# end"),
            ("a: 1\n# of a\n\nb: 2\n\n# end", "a: 3\nb: 2", "a: 3\n# of a\n\nb: 2\n\n# end"),
            ("l:\n  # x\n  - n: '# no' # y\n    m: 1\n", "l:\n- n: '# no'\n  m: 2", "l:\n# x\n- n: '# no' # y\n  m: 2"),
            ("- t: |\n    # text\n  u: 1 # c\n", "- t: |\n    # text\n  u: 2", "- t: |\n    # text\n  u: 2 # c"),
            ("a: \"x\n  # y\"\n", "a: \"x # y\"", "a: \"x # y\""),
        ];
        for (old, written, want) in cases {
            assert_eq!(carried_over(old, written.to_owned()), want, "{old}");
        }
    }
}
