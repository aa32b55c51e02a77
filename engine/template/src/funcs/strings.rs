//! Sprig's functions on strings.

use kpkg_gounicode::{is_lower, is_space, is_title, is_upper, lossy, runes, to_lower, to_title, to_upper};

use super::{Answer, Function, Type, cases, fixed, int, list_of, string, strslice, strval, text, variadic};
use crate::error::Failure;
use crate::exec::Context;
use crate::format::print;
use crate::quote::{is_plain, quote};
use crate::text::Text;
use crate::value::{Entries, List, ListKind, Map, MapKind, Value};

use Type::{Any, Int, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("hello", &[], |_, _| Ok("Hello!".into())),
    fixed("abbrev", &[Int, Str], |_, args| Ok(abbreviate(text(&args[1]), 0, int(&args[0])).into())),
    fixed("abbrevboth", &[Int, Int, Str], |_, args| {
        let (left, right) = (int(&args[0]), int(&args[1]));
        if right < 4 || left > 0 && right < 7 {
            return Ok(args[2].clone());
        }
        Ok(abbreviate(text(&args[2]), left, right).into())
    }),
    fixed("trunc", &[Int, Str], |_, args| Ok(truncate(int(&args[0]), text(&args[1])).into())),
    fixed("trim", &[Str], |_, args| {
        let whole = text(&args[0]);
        let trimmed = trim(whole, is_space);
        // Most texts stay as they are.
        let is_same = trimmed.len() == whole.len();
        Ok(if is_same { args[0].clone() } else { Text::from(trimmed).into() })
    }),
    fixed("upper", &[Str], |_, args| Ok(map_characters(text(&args[0]), to_upper))),
    fixed("lower", &[Str], |_, args| Ok(map_characters(text(&args[0]), to_lower))),
    fixed("title", &[Str], |_, args| Ok(title(text(&args[0])))),
    fixed("untitle", &[Str], |_, args| Ok(untitle(text(&args[0])))),
    fixed("substr", &[Int, Int, Str], |_, args| substring(int(&args[0]), int(&args[1]), text(&args[2]))),
    fixed("repeat", &[Int, Str], |context, args| repeat(context, int(&args[0]), text(&args[1]))),
    fixed("trimall", &[Str, Str], |_, args| Ok(trim_all(text(&args[0]), text(&args[1])))),
    fixed("trimAll", &[Str, Str], |_, args| Ok(trim_all(text(&args[0]), text(&args[1])))),
    fixed("trimSuffix", &[Str, Str], |_, args| {
        Ok(text(&args[1]).strip_suffix(text(&args[0])).map_or_else(|| args[1].clone(), |rest| Text::from(rest).into()))
    }),
    fixed("trimPrefix", &[Str, Str], |_, args| {
        Ok(text(&args[1]).strip_prefix(text(&args[0])).map_or_else(|| args[1].clone(), |rest| Text::from(rest).into()))
    }),
    fixed("nospace", &[Str], |_, args| Ok(no_space(text(&args[0])))),
    fixed("initials", &[Str], |_, args| Ok(initials(text(&args[0])).into())),
    fixed("swapcase", &[Str], |_, args| Ok(swap_case(text(&args[0])))),
    fixed("snakecase", &[Str], |_, args| Ok(cases::delimited(text(&args[0]), '_').into())),
    fixed("kebabcase", &[Str], |_, args| Ok(cases::delimited(text(&args[0]), '-').into())),
    fixed("camelcase", &[Str], |_, args| Ok(cases::pascal(text(&args[0])).into())),
    fixed("wrap", &[Int, Str], |_, args| Ok(wrap(text(&args[1]), int(&args[0]), b"\n", false).into())),
    fixed("wrapWith", &[Int, Str, Str], |context, args| {
        let lines = text(&args[2]).len() / usize::try_from(int(&args[0])).unwrap_or(1).max(1) + 1;
        context.spend(lines.saturating_mul(text(&args[1]).len().saturating_add(1)))?;
        Ok(wrap(text(&args[2]), int(&args[0]), text(&args[1]), true).into())
    }),
    fixed("contains", &[Str, Str], |_, args| Ok(Value::Bool(find(text(&args[1]), text(&args[0])).is_some()))),
    fixed("hasPrefix", &[Str, Str], |_, args| Ok(Value::Bool(text(&args[1]).starts_with(text(&args[0]))))),
    fixed("hasSuffix", &[Str, Str], |_, args| Ok(Value::Bool(text(&args[1]).ends_with(text(&args[0]))))),
    variadic("quote", &[Any], |context, args| {
        quoted(context, args, |arg, out| {
            let text = strval(arg);
            if is_plain(text.as_bytes(), b'"') {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            } else {
                out.extend_from_slice(quote(text.as_bytes()).as_bytes());
            }
        })
    }),
    variadic("squote", &[Any], |context, args| {
        quoted(context, args, |arg, out| {
            out.push(b'\'');
            match arg {
                Value::String(text) => out.extend_from_slice(text.as_bytes()),
                other => out.extend(print(other).unwrap_or_default()),
            }
            out.push(b'\'');
        })
    }),
    variadic("cat", &[Any], |context, args| {
        let texts: Vec<Vec<u8>> =
            args.iter().filter(|arg| !arg.is_nil()).map(|arg| print(arg).unwrap_or_default()).collect();
        spent(context, texts.join(&b' '))
    }),
    fixed("indent", &[Int, Str], |context, args| indent(context, int(&args[0]), text(&args[1]), b"")),
    fixed("nindent", &[Int, Str], |context, args| indent(context, int(&args[0]), text(&args[1]), b"\n")),
    fixed("replace", &[Str, Str, Str], |context, args| {
        let replaced = replace(text(&args[2]), text(&args[0]), text(&args[1]), context)?;
        Ok(replaced.into())
    }),
    fixed("plural", &[Str, Str, Int], |_, args| Ok(args[usize::from(int(&args[2]) != 1)].clone())),
    fixed("toString", &[Any], |_, args| Ok(strval(&args[0]).into())),
    fixed("split", &[Str, Str], |_, args| Ok(numbered(&split(text(&args[1]), text(&args[0]), -1)))),
    fixed("splitn", &[Str, Int, Str], |_, args| Ok(numbered(&split(text(&args[2]), text(&args[0]), int(&args[1]))))),
    fixed("splitList", &[Str, Str], |_, args| Ok(Value::strings(split(text(&args[1]), text(&args[0]), -1)))),
    fixed("toStrings", &[Any], |_, args| match &args[0] {
        Value::List(list) if matches!(list.kind, ListKind::String | ListKind::NilString) => Ok(list_of(list)),
        other => Ok(Value::strings(strslice(other))),
    }),
    fixed("join", &[Str, Any], |context, args| {
        let parts = strslice(&args[1]);
        let parts: Vec<&[u8]> = parts.iter().map(Text::as_bytes).collect();
        // Counted before it is made: few parts and a long separator are soon more than memory holds.
        let separators = parts.len().saturating_sub(1).saturating_mul(text(&args[0]).len());
        context.spend(parts.iter().map(|part| part.len()).sum::<usize>().saturating_add(separators))?;
        Ok(parts.join(text(&args[0])).into())
    }),
    fixed("sortAlpha", &[Any], |_, args| match &args[0] {
        Value::List(list) => {
            let mut sorted = strslice(&Value::List(list.clone()));
            sorted.sort();
            Ok(Value::List(List::new(ListKind::String, sorted.into_iter().map(Value::String).collect())))
        }
        other => Ok(Value::strings([strval(other)])),
    }),
    fixed("shuffle", &[Str], |context, args| {
        let mut characters: Vec<char> = string(&args[0]).chars().collect();
        for index in (1..characters.len()).rev() {
            let other = context.ambient.below(u64::try_from(index).unwrap_or(0) + 1);
            characters.swap(index, usize::try_from(other).unwrap_or(0));
        }
        Ok(characters.into_iter().collect::<String>().into())
    }),
    fixed("randAlphaNum", &[Int], |context, args| random(context, int(&args[0]), is_alphanumeric)),
    fixed("randAlpha", &[Int], |context, args| random(context, int(&args[0]), |byte| byte.is_ascii_alphabetic())),
    fixed("randNumeric", &[Int], |context, args| random(context, int(&args[0]), |byte| byte.is_ascii_digit())),
    fixed("randAscii", &[Int], |context, args| random(context, int(&args[0]), |byte| (b' '..=b'~').contains(&byte))),
];

/// What is written for each argument, with spaces between; nothing for nil.
fn quoted(context: &mut Context, args: &[Value], write: impl Fn(&Value, &mut Vec<u8>)) -> Answer {
    let mut out = context.take_buffer();
    for arg in args.iter().filter(|arg| !arg.is_nil()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        write(arg, &mut out);
    }
    context.spend(out.len())?;
    Ok(context.finish_buffer(out).into())
}

fn spent(context: &mut Context, bytes: Vec<u8>) -> Answer {
    context.spend(bytes.len())?;
    Ok(bytes.into())
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Changes characters one by one; what is not UTF-8 becomes U+FFFD, as Go's `strings.Map` has it.
fn map_characters(bytes: &[u8], change: impl FnMut(char) -> char) -> Value {
    lossy(bytes).chars().map(change).collect::<String>().into()
}

fn random(context: &mut Context, count: i64, wanted: fn(u8) -> bool) -> Answer {
    let count = usize::try_from(count).unwrap_or(0);
    context.spend(count)?;
    let alphabet: Vec<u8> = (0..=127).filter(|byte| wanted(*byte)).collect();
    let size = u64::try_from(alphabet.len()).unwrap_or(1);
    let pick = |_| alphabet[usize::try_from(context.ambient.below(size)).unwrap_or(0)];
    Ok((0..count).map(pick).collect::<Vec<u8>>().into())
}

fn truncate(count: i64, bytes: &[u8]) -> Text {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    if count < 0 && length.saturating_add(count) > 0 {
        bytes[at(length + count)..].into()
    } else if count >= 0 && length > count {
        bytes[..at(count)].into()
    } else {
        bytes.into()
    }
}

fn substring(start: i64, end: i64, bytes: &[u8]) -> Answer {
    let length = bytes.len();
    let out_of_range = |what: String| Failure::new(format!("runtime error: slice bounds out of range {what}"));
    let position = |value: i64| usize::try_from(value).ok();
    if start < 0 {
        let end = position(end).ok_or_else(|| out_of_range(format!("[:{end}]")))?;
        return bytes
            .get(..end)
            .map(|part| Text::from(part).into())
            .ok_or_else(|| out_of_range(format!("[:{end}] with length {length}")));
    }
    let from = position(start).unwrap_or(0);
    match position(end).filter(|end| *end <= length) {
        None => bytes
            .get(from..)
            .map(|part| Text::from(part).into())
            .ok_or_else(|| out_of_range(format!("[{from}:{length}]"))),
        Some(end) => bytes
            .get(from..end)
            .map(|part| Text::from(part).into())
            .ok_or_else(|| out_of_range(format!("[{from}:{end}]"))),
    }
}

fn repeat(context: &mut Context, count: i64, bytes: &[u8]) -> Answer {
    let Ok(count) = usize::try_from(count) else {
        return Err("strings: negative Repeat count".into());
    };
    context.spend(bytes.len().saturating_mul(count))?;
    Ok(bytes.repeat(count).into())
}

/// Cuts characters off at both ends; a byte that is not UTF-8 counts as U+FFFD, and stays as it is.
fn trim(bytes: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.trim_matches(cut).as_bytes();
    }
    let (mut from, mut to, mut at) = (None, 0, 0);
    for (character, rune) in runes(bytes) {
        let next = at + rune.len();
        if !cut(character) {
            from = from.or(Some(at));
            to = next;
        }
        at = next;
    }
    &bytes[from.unwrap_or(to)..to]
}

fn trim_all(cut: &[u8], from: &[u8]) -> Value {
    let cut = lossy(cut);
    Text::from(trim(from, |character| cut.contains(character))).into()
}

fn indent(context: &mut Context, spaces: i64, bytes: &[u8], before: &[u8]) -> Answer {
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err("strings: negative Repeat count".into());
    };
    let lines = memchr::memchr_iter(b'\n', bytes).count() + 1;
    let size = before.len() + bytes.len() + spaces.saturating_mul(lines);
    context.spend(size)?;
    let mut out = context.take_buffer();
    out.reserve(size);
    out.extend_from_slice(before);
    let pad = |out: &mut Vec<u8>| out.resize(out.len() + spaces, b' ');
    pad(&mut out);
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        out.extend_from_slice(&bytes[from..=end]);
        pad(&mut out);
        from = end + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    Ok(context.finish_buffer(out).into())
}

/// The first place of a byte string in another.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    memchr::memmem::find(haystack, needle)
}

fn replace(source: &[u8], old: &[u8], new: &[u8], context: &mut Context) -> Result<Vec<u8>, Failure> {
    if old.is_empty() {
        // Go replaces the empty string before every character and at the end.
        let mut out = new.to_vec();
        for (_, character) in runes(source) {
            out.extend_from_slice(character);
            out.extend_from_slice(new);
        }
        context.spend(out.len())?;
        return Ok(out);
    }
    let mut out = Vec::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = find(rest, old) {
        context.spend(at + new.len())?;
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// `strings.SplitN`; a negative limit means all.
pub(super) fn split(source: &[u8], separator: &[u8], limit: i64) -> Vec<Text> {
    if limit == 0 {
        return Vec::new();
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut rest = source;
    while parts.len() + 1 < limit {
        let cut = if separator.is_empty() { first_character(rest) } else { find(rest, separator) };
        let Some(at) = cut else { break };
        parts.push(rest[..at].into());
        rest = &rest[at + separator.len()..];
    }
    if !(separator.is_empty() && rest.is_empty()) {
        parts.push(rest.into());
    }
    parts
}

/// The length of the first character, if another follows.
fn first_character(bytes: &[u8]) -> Option<usize> {
    // A character has four bytes at most: what follows them is of no interest.
    let chunk = bytes[..bytes.len().min(4)].utf8_chunks().next()?;
    let length = chunk.valid().chars().next().map_or(1, char::len_utf8);
    (length < bytes.len() && length > 0).then_some(length)
}

fn numbered(parts: &[Text]) -> Value {
    let entries: Entries =
        parts.iter().enumerate().map(|(index, part)| (format!("_{index}").into(), part.clone().into())).collect();
    Value::Map(Map::new(MapKind::String, entries))
}

/// `strings.Title`
fn title(bytes: &[u8]) -> Value {
    let mut after_separator = true;
    map_characters(bytes, |character| {
        let mapped = if after_separator { to_title(character) } else { character };
        after_separator = is_title_separator(character);
        mapped
    })
}

fn is_title_separator(character: char) -> bool {
    if character.is_ascii() {
        return !(character.is_ascii_alphanumeric() || character == '_');
    }
    is_space(character)
}

// What follows is Commons-lang's, as `goutils` has it.

fn untitle(bytes: &[u8]) -> Value {
    let mut after_space = true;
    map_characters(bytes, |character| {
        let mapped = if after_space { to_lower(character) } else { character };
        after_space = is_space(character);
        mapped
    })
}

fn swap_case(bytes: &[u8]) -> Value {
    let mut after_space = true;
    map_characters(bytes, |character| {
        let (mapped, is_letter) = if is_upper(character) || is_title(character) {
            (to_lower(character), true)
        } else if is_lower(character) {
            (if after_space { to_title(character) } else { to_upper(character) }, true)
        } else {
            (character, false)
        };
        after_space = !is_letter && is_space(character);
        mapped
    })
}

/// The library takes each byte for a character: what is not ASCII comes out as Latin-1.
fn no_space(bytes: &[u8]) -> Value {
    let stays = |byte: &u8| !is_space(char::from(*byte));
    if bytes.iter().all(stays) {
        return Text::from(bytes).into();
    }
    bytes.iter().filter(|byte| stays(byte)).map(|byte| char::from(*byte)).collect::<String>().into()
}

/// Bytes for characters, as in [`no_space`].
fn initials(bytes: &[u8]) -> String {
    let mut after_space = true;
    let mut out = String::new();
    for character in bytes.iter().map(|byte| char::from(*byte)) {
        if is_space(character) {
            after_space = true;
        } else if after_space {
            out.push(character);
            after_space = false;
        }
    }
    out
}

/// An ellipsis of three dots; widths count bytes.
fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const DOTS: &[u8] = b"...";
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if width < 4 || length <= width {
        return text.to_owned();
    }
    let cut = |from: i64, to: i64| {
        let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
        text.get(range).unwrap_or_default()
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [cut(0, width - 3), DOTS].concat();
    }
    if offset + (width - 3) < length {
        return [DOTS, &abbreviate(cut(offset, length), 0, width - 3)].concat();
    }
    [DOTS, cut(length - (width - 3), length)].concat()
}

/// Lines of some bytes, broken at spaces.
fn wrap(bytes: &[u8], length: i64, separator: &[u8], break_words: bool) -> Vec<u8> {
    let length = usize::try_from(length.max(1)).unwrap_or(1);
    let mut offset = 0;
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len() + 32);
    while bytes.len() - offset > length {
        if bytes[offset] == b' ' {
            offset += 1;
            continue;
        }
        let end = offset + length + 1;
        let space = bytes[offset..end.min(bytes.len())].iter().rposition(|byte| *byte == b' ').map(|at| at + offset);
        if let Some(space) = space.filter(|space| *space >= offset) {
            out.extend_from_slice(&bytes[offset..space]);
            out.extend_from_slice(separator);
            offset = space + 1;
        } else if break_words {
            out.extend_from_slice(&bytes[offset..offset + length]);
            out.extend_from_slice(separator);
            offset += length;
        } else if let Some(next) = bytes[offset + length..].iter().position(|byte| *byte == b' ') {
            let space = offset + length + next;
            out.extend_from_slice(&bytes[offset..space]);
            out.extend_from_slice(separator);
            offset = space + 1;
        } else {
            break;
        }
    }
    out.extend_from_slice(&bytes[offset..]);
    out
}
