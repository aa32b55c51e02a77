//! Characters to tokens.

use super::CelError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Name(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 24] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", "(", ")", "[", "]", "{", "}",
    ",", ".",
];

/// The tokens of a text, each with its place.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, CelError> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.as_bytes()[0];
        if first.is_ascii_whitespace() {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some((token, length)) = string(rest).map_err(|problem| fault(problem, at))? {
            found.push((token, at));
            at += length;
        } else if first.is_ascii_digit() || (first == b'.' && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)) {
            let (token, length) = number(rest).ok_or_else(|| fault("this is no number", at))?;
            found.push((token, at));
            at += length;
        } else if first.is_ascii_alphabetic() || first == b'_' {
            let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            found.push((Token::Name(rest[..length].to_owned()), at));
            at += length;
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            found.push((Token::Sign(sign), at));
            at += sign.len();
        } else {
            return Err(fault("this character has no meaning", at));
        }
    }
    found.push((Token::End, text.len()));
    Ok(found)
}

pub(super) fn fault(problem: impl Into<String>, at: usize) -> CelError {
    CelError::Syntax { problem: problem.into(), at }
}

fn number(text: &str) -> Option<(Token, usize)> {
    if let Some(hex) = text.strip_prefix("0x") {
        let length = hex.bytes().take_while(u8::is_ascii_hexdigit).count();
        return Some((Token::Int(i64::from_str_radix(&hex[..length], 16).ok()?), length + 2));
    }
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    let mut whole = true;
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
        whole = false;
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        if digits(end + 1 + sign) > 0 {
            end += 1 + sign + digits(end + 1 + sign);
            whole = false;
        }
    }
    if !whole {
        return Some((Token::Double(text[..end].parse().ok()?), end));
    }
    if text[end..].starts_with(['u', 'U']) {
        return Some((Token::Uint(text[..end].parse().ok()?), end + 1));
    }
    Some((Token::Int(text[..end].parse().ok()?), end))
}

/// A text in quotes, raw or not; none if there are no quotes here.
fn string(text: &str) -> Result<Option<(Token, usize)>, &'static str> {
    let raw = text.starts_with(['r', 'R']);
    let start = usize::from(raw);
    let rest = &text[start..];
    let Some(quote) = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote)) else {
        return Ok(None);
    };
    let mut out = String::new();
    let mut at = start + quote.len();
    loop {
        let rest = &text[at..];
        if rest.starts_with(quote) {
            return Ok(Some((Token::Text(out), at + quote.len())));
        }
        let Some(c) = rest.chars().next().filter(|c| *c != '\n' || quote.len() == 3) else {
            return Err("the text does not end");
        };
        if c == '\\' && !raw {
            let (c, length) = escape(&rest[1..]).ok_or("this escape has no meaning")?;
            out.push(c);
            at += 1 + length;
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
}

/// What stands behind a backslash, and its length.
fn escape(text: &str) -> Option<(char, usize)> {
    let plain = match text.chars().next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        c @ ('\\' | '"' | '\'' | '`' | '?') => c,
        'x' | 'X' => return hex(&text[1..], 2).map(|c| (c, 3)),
        'u' => return hex(&text[1..], 4).map(|c| (c, 5)),
        'U' => return hex(&text[1..], 8).map(|c| (c, 9)),
        '0'..='3' => {
            let octal = u32::from_str_radix(text.get(..3)?, 8).ok()?;
            return char::from_u32(octal).map(|c| (c, 3));
        }
        _ => return None,
    };
    Some((plain, 1))
}

fn hex(text: &str, digits: usize) -> Option<char> {
    char::from_u32(u32::from_str_radix(text.get(..digits)?, 16).ok()?)
}
