//! Strings: first to their end, so that a mistake in the text is told before one in what an escape stands for.

use crate::quote::quote;

use super::cursor::{Cursor, Read, plain};

/// `"..."`, after its first quote.
pub(super) fn basic(cursor: &mut Cursor<'_>) -> Read<String> {
    let start = cursor.at();
    loop {
        match cursor.next()? {
            None => return Err(cursor.unexpected(None, "unexpected EOF; expected '\"'")),
            Some('\r' | '\n') => return Err(cursor.problem_before("strings cannot contain newlines")),
            Some('\\') => escape(cursor, start)?,
            Some('"') => return unescape(cursor, without_end(cursor.since(start), 1)),
            Some(_) => {}
        }
    }
}

/// `'...'`, after its first quote.
pub(super) fn literal(cursor: &mut Cursor<'_>) -> Read<String> {
    let start = cursor.at();
    loop {
        match cursor.next()? {
            None => return Err(cursor.unexpected(None, "unexpected EOF; expected \"'\"")),
            Some('\r' | '\n') => return Err(cursor.problem_before("strings cannot contain newlines")),
            Some('\'') => return Ok(without_end(cursor.since(start), 1).to_owned()),
            Some(_) => {}
        }
    }
}

/// `"""..."""`, after its first three quotes.
pub(super) fn long_basic(cursor: &mut Cursor<'_>) -> Read<String> {
    let text = long(cursor, '"')?;
    unescape(cursor, text)
}

/// `'''...'''`, after its first three quotes.
pub(super) fn long_literal(cursor: &mut Cursor<'_>) -> Read<String> {
    Ok(long(cursor, '\'')?.to_owned())
}

/// What stands between three quotes. A line break right after the first three does not count.
fn long<'a>(cursor: &mut Cursor<'a>, quote: char) -> Read<&'a str> {
    let start = cursor.at();
    loop {
        match cursor.next()? {
            None => {
                let other = if quote == '"' { '\'' } else { '"' };
                let want = String::from(quote).repeat(3);
                return Err(cursor.unexpected(None, format!("unexpected EOF; expected {other}{want}{other}")));
            }
            Some('\\') if quote == '"' => {
                if matches!(cursor.peek()?, Some('\r' | '\n')) {
                    cursor.next()?;
                } else {
                    escape(cursor, start)?;
                }
            }
            Some(found) if found == quote && closes(cursor, quote, start)? => {
                let text = without_end(cursor.since(start), 3);
                return Ok(text.strip_prefix('\n').or_else(|| text.strip_prefix("\r\n")).unwrap_or(text));
            }
            Some(_) => {}
        }
    }
}

/// Whether the quote just read is the first of the closing three. Up to two more may stand before these.
fn closes(cursor: &mut Cursor<'_>, quote: char, start: usize) -> Read<bool> {
    let here = cursor.at();
    if cursor.accept(quote)? && cursor.accept(quote)? {
        if cursor.peek()? != Some(quote) {
            return Ok(true);
        }
        let (read, five) = (cursor.since(start), String::from(quote).repeat(5));
        // A quote with a backslash before it is not counted; that the backslash may be escaped itself is not seen.
        let escaped = quote == '"' && read.ends_with(&format!("\\{five}"));
        if read.ends_with(&five) && !escaped {
            let other = if quote == '"' { '\'' } else { '"' };
            return Err(cursor.problem(format!("unexpected {other}{five}{quote}{other}")));
        }
    }
    cursor.back_to(here);
    Ok(false)
}

fn without_end(text: &str, quotes: usize) -> &str {
    &text[..text.len() - quotes]
}

/// Reads an escape after its backslash. Spaces are let through here: before a line break they mean something.
fn escape(cursor: &mut Cursor<'_>, start: usize) -> Read<()> {
    match cursor.next()? {
        Some('b' | 't' | 'n' | 'f' | 'r' | 'e' | '"' | '\\' | ' ' | '\t') => Ok(()),
        Some('x') => hexadecimal(cursor, start, 2, "two hexadecimal digits after '\\x'"),
        Some('u') => hexadecimal(cursor, start, 4, "four hexadecimal digits after '\\u'"),
        Some('U') => hexadecimal(cursor, start, 8, "eight hexadecimal digits after '\\U'"),
        found => {
            let what = format!("invalid escape in string '\\{}'", plain(found));
            Err(if found.is_none() { cursor.problem_before(what) } else { cursor.problem(what) })
        }
    }
}

fn hexadecimal(cursor: &mut Cursor<'_>, start: usize, count: usize, want: &str) -> Read<()> {
    for _ in 0..count {
        let found = cursor.next()?;
        if !found.is_some_and(|digit| digit.is_ascii_hexdigit()) {
            let read = quote(cursor.since(start).as_bytes());
            return Err(cursor.unexpected(found, format!("expected {want}, but got {read} instead")));
        }
    }
    Ok(())
}

/// A text with its escapes replaced; `escape` has seen that they are whole.
fn unescape(cursor: &Cursor<'_>, text: &str) -> Read<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let next = after.trim_start_matches([' ', '\t', '\r', '\n']);
        rest = if after[..after.len() - next.len()].contains('\n') {
            next
        } else {
            replace(after, &mut out).map_err(|what| cursor.problem(what))?
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// Writes what an escape stands for; what follows it.
fn replace<'a>(escape: &'a str, out: &mut String) -> Result<&'a str, String> {
    let letter = escape.chars().next().unwrap_or_default();
    let rest = escape.get(1..).unwrap_or_default();
    let count = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if let (digits, rest) = rest.split_at_checked(count).unwrap_or((rest, ""))
        && count > 0
    {
        let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        out.push(code.ok_or_else(|| format!("Escaped character '\\u{digits}' is not valid UTF-8."))?);
        return Ok(rest);
    }
    out.push(match letter {
        'b' => '\x08',
        't' => '\t',
        'n' => '\n',
        'f' => '\x0C',
        'r' => '\r',
        'e' => '\x1B',
        '"' | '\\' => letter,
        other => return Err(format!("invalid escape: '\\{other}'")),
    });
    Ok(rest)
}
