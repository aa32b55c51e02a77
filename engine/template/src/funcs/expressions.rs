//! Regular expressions in Go's syntax.

use std::cell::OnceCell;

use regex::bytes::{Regex, RegexBuilder};

use crate::error::Failure;

/// An expression in Go's syntax, compiled as the texts that it is tried on need it.
pub(crate) struct Pattern {
    source: String,
    /// For names, versions and other texts of a few ASCII characters, as nearly all are; absent where the expression
    /// speaks of other characters.
    brief: OnceCell<Option<Regex>>,
    general: OnceCell<Result<Regex, String>>,
}

impl Pattern {
    /// Beyond these bytes a text is worth what it takes to get ready for long ones.
    const BRIEF: usize = 256;

    pub(super) fn new(source: String) -> Self {
        Self { source, brief: OnceCell::new(), general: OnceCell::new() }
    }

    /// What finds the expression in a text.
    pub(super) fn regex_for(&self, text: &[u8]) -> Result<&Regex, Failure> {
        if text.len() <= Self::BRIEF
            && text.is_ascii()
            && let Some(regex) = self.brief.get_or_init(|| brief_regex(&self.source))
        {
            return Ok(regex);
        }
        let general = self.general.get_or_init(|| go_regex(&self.source));
        general.as_ref().map_err(|problem| Failure::new(problem.clone()))
    }
}

/// Compiles an expression for short texts of ASCII: without the tables of all other characters, and without a machine that
/// costs more to set up than it saves on them.
fn brief_regex(source: &str) -> Option<Regex> {
    RegexBuilder::new(&translate(source).ok()?).unicode(false).dfa_size_limit(0).build().ok()
}

/// Compiles an expression in Go's syntax, or says what Go would.
pub(crate) fn go_regex(source: &str) -> Result<Regex, String> {
    let refuse = |problem: String| format!("error parsing regexp: {problem}");
    let translated = translate(source).map_err(refuse)?;
    Regex::new(&translated).map_err(|error| refuse(go_problem(source, &error)))
}

/// The crate's complaint in Go's words, as far as they have one.
fn go_problem(source: &str, error: &regex::Error) -> String {
    let text = error.to_string();
    let property = || {
        let from = source.find(r"\p").or_else(|| source.find(r"\P")).unwrap_or_default();
        let end = source[from..].find('}').map_or(source.len(), |end| from + end + 1);
        format!("invalid character class range: `{}`", &source[from..end])
    };
    let known = [
        ("Unicode property not found", property()),
        ("unclosed group", format!("missing closing ): `{source}`")),
        ("unopened group", format!("unexpected ): `{source}`")),
        (
            "repetition operator missing expression",
            "missing argument to repetition operator: `".to_owned() + &leading_repeat(source) + "`",
        ),
        (
            "unclosed character class",
            format!("missing closing ]: `{}`", source.find('[').map_or(source, |at| &source[at..])),
        ),
    ];
    let found = known.iter().find(|(theirs, _)| text.contains(theirs));
    found.map_or_else(|| format!("invalid regular expression: `{source}`"), |(_, go)| go.clone())
}

fn leading_repeat(source: &str) -> String {
    source.chars().find(|character| "*+?".contains(*character)).map(String::from).unwrap_or_default()
}

/// Go's syntax to the crate's: Go's classes are ASCII, and brackets mean less inside brackets.
fn translate(source: &str) -> Result<String, String> {
    let characters: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len() + 8);
    let mut at = 0;
    while at < characters.len() {
        match characters[at] {
            '\\' => at = translate_escape(&characters, at, false, &mut out)?,
            '[' => at = translate_class(&characters, at, &mut out)?,
            // Braces that count nothing stand for themselves.
            '{' if !counts(&characters[at..]) => {
                out.push_str(r"\{");
                at += 1;
            }
            '}' if !out.ends_with(|last: char| last.is_ascii_digit() || last == ',') || !closes_count(&out) => {
                out.push_str(r"\}");
                at += 1;
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    Ok(out)
}

/// Whether `{2}`, `{2,}` or `{2,3}` stands here.
fn counts(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|character| *character == '}') else { return false };
    let inner: String = rest[1..end].iter().collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inner.split_once(',') {
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
        None => is_number(&inner),
    }
}

/// Whether what was written so far ends in an open count.
fn closes_count(out: &str) -> bool {
    out.rfind('{').is_some_and(|open| {
        !out[..open].ends_with('\\') && out[open + 1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
    })
}

/// Writes an escape; gives back where to go on.
fn translate_escape(characters: &[char], at: usize, in_class: bool, out: &mut String) -> Result<usize, String> {
    let Some(&escaped) = characters.get(at + 1) else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let class = match escaped {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => r"\t\n\x0C\r ",
        'D' => "^0-9",
        'W' => "^0-9A-Za-z_",
        'S' => r"^\t\n\x0C\r ",
        _ => "",
    };
    if !class.is_empty() {
        let bare = in_class && !class.starts_with('^');
        out.push_str(&if bare { class.to_owned() } else { format!("[{class}]") });
        return Ok(at + 2);
    }
    match escaped {
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'B' if !in_class => out.push_str(r"(?-u:\B)"),
        'Q' => {
            let mut end = at + 2;
            while end < characters.len() && !(characters[end] == '\\' && characters.get(end + 1) == Some(&'E')) {
                out.push_str(&regex::escape(&characters[end].to_string()));
                end += 1;
            }
            return Ok((end + 2).min(characters.len()));
        }
        '0'..='7' => {
            let digits: String =
                characters[at + 1..].iter().take(3).take_while(|digit| ('0'..='7').contains(*digit)).collect();
            if escaped != '0' && digits.len() < 2 {
                return Err(format!("invalid escape sequence: `\\{escaped}`"));
            }
            let code = u32::from_str_radix(&digits, 8).unwrap_or(0);
            out.push_str(&format!("\\x{{{code:X}}}"));
            return Ok(at + 1 + digits.chars().count());
        }
        'p' | 'P' => return unicode_class(characters, at, out),
        'x' => {
            let (code, next) = escaped_character(characters, at)?;
            out.push_str(&format!("\\x{{{code:X}}}"));
            return Ok(next);
        }
        'A' | 'z' | 'a' | 'f' | 'n' | 'r' | 't' | 'v' => {
            out.push('\\');
            out.push(escaped);
        }
        letter if letter.is_ascii_alphanumeric() => return Err(format!("invalid escape sequence: `\\{letter}`")),
        other => out.push_str(&format!("\\x{{{:X}}}", u32::from(other))),
    }
    Ok(at + 2)
}

/// Writes `\pN`, `\p{Greek}` or `\p{^Greek}`; gives back where to go on.
fn unicode_class(characters: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let long = characters.get(at + 2) == Some(&'{');
    let Some(length) = characters[at + 2..].iter().position(|it| !long || *it == '}') else {
        return Err(format!("invalid character class range: `{}`", characters[at..].iter().collect::<String>()));
    };
    let end = at + 3 + length;
    if long && characters.get(at + 3) == Some(&'^') {
        out.push_str(if characters[at + 1] == 'p' { r"\P{" } else { r"\p{" });
        out.extend(&characters[at + 4..end]);
    } else {
        out.extend(&characters[at..end]);
    }
    Ok(end)
}

fn translate_class(characters: &[char], start: usize, out: &mut String) -> Result<usize, String> {
    let missing = || format!("missing closing ]: `{}`", characters[start..].iter().collect::<String>());
    out.push('[');
    let mut at = start + 1;
    if characters.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let mut first = true;
    loop {
        match characters.get(at) {
            None => return Err(missing()),
            Some(']') if !first => {
                out.push(']');
                return Ok(at + 1);
            }
            Some('[') if characters.get(at + 1) == Some(&':') => {
                let end = characters[at..].windows(2).position(|pair| pair == [':', ']']).filter(|end| *end > 0);
                match end {
                    Some(end) => {
                        out.extend(&characters[at..at + end + 2]);
                        at += end + 2;
                    }
                    None => {
                        out.push_str(r"\[");
                        at += 1;
                    }
                }
            }
            Some('\\') if matches!(characters.get(at + 1), Some('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                at = translate_escape(characters, at, true, out)?;
            }
            Some('\\') if matches!(characters.get(at + 1), Some('p' | 'P')) => {
                at = unicode_class(characters, at, out)?;
            }
            Some(_) => {
                // A range, or a single character: `-` is one where it stands between two others.
                let from = at;
                let (low, next) = class_character(characters, at)?;
                at = next;
                let mut high = low;
                if characters.get(at) == Some(&'-') && characters.get(at + 1).is_some_and(|it| *it != ']') {
                    (high, at) = class_character(characters, at + 1)?;
                }
                if high < low {
                    let range: String = characters[from..at].iter().collect();
                    return Err(format!("invalid character class range: `{range}`"));
                }
                out.push_str(&format!("\\x{{{low:X}}}-\\x{{{high:X}}}"));
            }
        }
        first = false;
    }
}

/// A character of a class and where to go on.
fn class_character(characters: &[char], at: usize) -> Result<(u32, usize), String> {
    match characters.get(at) {
        None => Err("missing closing ]".to_owned()),
        Some('\\') => escaped_character(characters, at),
        Some(plain) => Ok((u32::from(*plain), at + 1)),
    }
}

/// The character that an escape stands for, and where to go on.
fn escaped_character(characters: &[char], at: usize) -> Result<(u32, usize), String> {
    let Some(&escaped) = characters.get(at + 1) else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let invalid = |end: usize| {
        let sequence: String = characters[at..end.min(characters.len())].iter().collect();
        Err(format!("invalid escape sequence: `{sequence}`"))
    };
    let number = |from: usize, end: usize, radix: u32| {
        u32::from_str_radix(&characters[from..end].iter().collect::<String>(), radix).ok()
    };
    let code = match escaped {
        '0'..='7' => {
            let digits = characters[at + 1..].iter().take(3).take_while(|digit| ('0'..='7').contains(*digit)).count();
            if escaped != '0' && digits < 2 {
                return invalid(at + 2);
            }
            return Ok((number(at + 1, at + 1 + digits, 8).unwrap_or(0), at + 1 + digits));
        }
        'x' if characters.get(at + 2) == Some(&'{') => {
            let Some(length) = characters[at + 3..].iter().position(|it| *it == '}') else { return invalid(at + 4) };
            return match number(at + 3, at + 3 + length, 16) {
                Some(code) if code <= 0x10_FFFF => Ok((code, at + 4 + length)),
                Some(_) => invalid(at + 3 + length),
                None => invalid(at + 4 + length),
            };
        }
        'x' => match number(at + 2, (at + 4).min(characters.len()), 16) {
            Some(code) if at + 4 <= characters.len() => return Ok((code, at + 4)),
            _ => return invalid(at + 4),
        },
        'a' => 7,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        letter if letter.is_ascii_alphanumeric() => return invalid(at + 2),
        other => u32::from(other),
    };
    Ok((code, at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is compiled for short texts finds what the general expression finds.
    #[test]
    fn brief_expressions_find_the_same() {
        let patterns = [
            r"(-?[^a-z\d\-])+-?",
            r"\W",
            r"^[\w-\.]+$",
            r"^v?(\d+)\.(\d+)(?:-([0-9A-Za-z\-.]+))?$",
            "(?i)k[^s]",
            "é*a",
            "[^é]b",
            r"\pL+",
            r"\bx\b",
            "a|ab|",
            "(?s).$",
            r"[[:alpha:]]+|\s",
            r"\x{80}|c",
            "x*",
            "(",
            "a{2,3}?",
        ];
        let texts = ["", "a", "ab aab", "My-Release_1.2.3", "v1.20.3-rc.1", "K ks kT", "x xx, x", "tab\t\n", "ccbb"];
        for source in patterns {
            let (brief, general) = (brief_regex(source), go_regex(source));
            assert!(brief.is_none() || general.is_ok(), "{source}");
            let (Some(brief), Ok(general)) = (brief, general) else { continue };
            for text in texts {
                let all = |regex: &Regex| -> Vec<Vec<Option<std::ops::Range<usize>>>> {
                    let found = regex.captures_iter(text.as_bytes());
                    found.map(|found| found.iter().map(|group| group.map(|group| group.range())).collect()).collect()
                };
                assert_eq!(all(&brief), all(&general), "{source} in {text:?}");
            }
        }
    }
}
