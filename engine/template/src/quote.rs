//! Go's string literals: `strconv.Quote` and `Unquote`.

use kpkg_gounicode::is_print;

/// Quotes a string as `%q` does.
pub(crate) fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"')
}

/// A string as it is between backquotes, if that can be: what `%#q` prefers.
pub(crate) fn backquote(bytes: &[u8]) -> Option<String> {
    let fits = |character: char| {
        character != '`' && character != '\u{feff}' && (!character.is_ascii_control() || character == '\t')
    };
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(fits).then(|| format!("`{text}`"))
}

/// Whether a text stands between quotes as it is.
pub(crate) fn is_plain(bytes: &[u8], quote: u8) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != quote && *byte != b'\\')
}

pub(crate) fn quote_with(bytes: &[u8], quote: char) -> String {
    quote_unless(bytes, quote, is_print)
}

/// Quotes as `%+q` does: whatever is not ASCII is escaped.
pub(crate) fn quote_ascii(bytes: &[u8], quote: char) -> String {
    quote_unless(bytes, quote, |character| matches!(character, ' '..='~'))
}

fn quote_unless(bytes: &[u8], quote: char, stays: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(quote);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_escaped(&mut out, character, quote, stays);
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push(quote);
    out
}

fn push_escaped(out: &mut String, character: char, quote: char, stays: fn(char) -> bool) {
    match character {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0C' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0B' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        other if other == quote => {
            out.push('\\');
            out.push(other);
        }
        other if stays(other) => out.push(other),
        other => {
            let code = u32::from(other);
            out.push_str(&match code {
                0..0x80 => format!("\\x{code:02x}"),
                0x80..0x10000 => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            });
        }
    }
}

/// Undoes a literal in double quotes, back quotes or (one character) single quotes.
pub(crate) fn unquote(literal: &str) -> Result<Vec<u8>, &'static str> {
    const INVALID: &str = "invalid syntax";
    let bytes = literal.as_bytes();
    let (Some(&quote), Some(&last)) = (bytes.first(), bytes.last()) else { return Err(INVALID) };
    if bytes.len() < 2 || quote != last {
        return Err(INVALID);
    }
    let inner = &literal[1..literal.len() - 1];
    if quote == b'`' {
        return Ok(inner.bytes().filter(|byte| *byte != b'\r').collect());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => unescape(&mut rest, quote, &mut out).ok_or(INVALID)?,
            '\n' => return Err(INVALID),
            other if u32::from(other) == u32::from(quote) => return Err(INVALID),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(out)
}

fn unescape(rest: &mut std::str::Chars<'_>, quote: u8, out: &mut Vec<u8>) -> Option<()> {
    let escape = rest.next()?;
    let simple = match escape {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0C,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0B,
        '\\' => b'\\',
        '\'' | '"' if u32::from(escape) == u32::from(quote) => quote,
        'x' => return digits(rest, 2, 16, 0).and_then(|code| u8::try_from(code).ok()).map(|byte| out.push(byte)),
        '0'..='7' => {
            let code = digits(rest, 2, 8, escape.to_digit(8)?)?;
            out.push(u8::try_from(code).ok()?);
            return Some(());
        }
        'u' | 'U' => {
            let code = digits(rest, if escape == 'u' { 4 } else { 8 }, 16, 0)?;
            let character = char::from_u32(code)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(());
        }
        _ => return None,
    };
    out.push(simple);
    Some(())
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize, radix: u32, start: u32) -> Option<u32> {
    (0..count).try_fold(start, |code, _| code.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_back() {
        for (bytes, want) in [
            (&b"a\"b\n"[..], r#""a\"b\n""#),
            ("é😀".as_bytes(), "\"é😀\""),
            (b"\xff\x01", r#""\xff\x01""#),
            ("\u{200b}".as_bytes(), r#""\u200b""#),
        ] {
            assert_eq!(quote(bytes), want);
            assert_eq!(unquote(want).as_deref(), Ok(bytes));
            assert!(!is_plain(bytes, b'"'));
        }
        assert!(unquote("\"\\q\"").is_err());
    }

    #[test]
    fn plain_texts_are_only_put_between_quotes() {
        for byte in 0..=255 {
            let text = [b'a', byte];
            let wrapped = [&b"\""[..], &text, &b"\""[..]].concat();
            assert_eq!(is_plain(&text, b'"'), quote(&text).as_bytes() == wrapped, "{byte}");
        }
    }
}
