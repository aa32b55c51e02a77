//! Numbers, times and words: how far one reaches, and what it says. The reach is taken generously, so that what is wrong
//! can be told of the whole.

use jiff::Zoned;

use crate::datetime::{self, Time};
use crate::quote::quote;
use crate::value::Value;

use super::cursor::{Cursor, Problem, Read, plain, shown};
use super::local;

const NO_DIGIT: &str = "floats must start with a digit, not '.'";

/// What a number looks like.
enum Shape {
    Integer,
    Float,
    Time,
}

/// A value that starts with a digit, which is not read yet.
pub(super) fn number(cursor: &mut Cursor<'_>, now: &Zoned) -> Read<Value> {
    let start = cursor.at();
    let shape = if cursor.next()? == Some('0') { after_zero(cursor, start)? } else { after_digit(cursor)? };
    shaped(cursor, &shape, start, now)
}

fn shaped(cursor: &Cursor<'_>, shape: &Shape, start: usize, now: &Zoned) -> Read<Value> {
    let text = cursor.since(start);
    let value = match shape {
        Shape::Integer => integer(text),
        Shape::Float => float(text),
        Shape::Time => time(text.trim_end(), now),
    };
    value.map_err(|what| cursor.problem(what))
}

fn after_zero(cursor: &mut Cursor<'_>, start: usize) -> Read<Shape> {
    let (kind, radix) = match cursor.peek()? {
        Some('0'..='9') => return after_digit(cursor),
        Some('b') => ("a binary", 2),
        Some('o') => ("an octal", 8),
        Some('x') => ("a hexadecimal", 16),
        _ => return decimal(cursor),
    };
    cursor.next()?;
    let found = cursor.peek()?;
    if !found.is_some_and(|digit| digit.is_digit(radix)) {
        let read = cursor.since(start);
        return Err(cursor.problem(format!("not {kind} number: '{read}{}'", plain(found))));
    }
    cursor.skip(|character| character.is_digit(radix) || character == '_')?;
    Ok(Shape::Integer)
}

fn after_digit(cursor: &mut Cursor<'_>) -> Read<Shape> {
    cursor.skip(|character| character.is_ascii_digit())?;
    if !matches!(cursor.peek()?, Some('-' | ':')) {
        return decimal(cursor);
    }
    let fits = |found| matches!(found, '0'..='9' | '-' | ':' | 'T' | 't' | ' ' | '.' | 'Z' | 'z' | '+');
    cursor.skip(fits)?;
    Ok(Shape::Time)
}

fn decimal(cursor: &mut Cursor<'_>) -> Read<Shape> {
    if cursor.peek()? == Some('_') {
        cursor.skip(|character| matches!(character, '0'..='9' | '_'))?;
    }
    if !matches!(cursor.peek()?, Some('.' | 'e' | 'E')) {
        return Ok(Shape::Integer);
    }
    cursor.skip(|character| matches!(character, '0'..='9' | '_' | '.' | '-' | '+' | 'e' | 'E'))?;
    Ok(Shape::Float)
}

/// A number after its sign.
pub(super) fn signed(cursor: &mut Cursor<'_>, now: &Zoned) -> Read<Value> {
    let start = cursor.at() - 1;
    let found = cursor.next()?;
    let word = match found {
        Some('i') => ['n', 'f'],
        Some('n') => ['a', 'n'],
        Some('.') => return Err(cursor.problem(NO_DIGIT)),
        Some('0'..='9') => {
            if let (Some('0'), next @ Some('b' | 'o' | 'x')) = (found, cursor.peek()?) {
                let number = format!("'{}{}'", cursor.since(start), plain(next));
                return Err(cursor.problem(format!("cannot use sign with non-decimal numbers: {number}")));
            }
            cursor.skip(|character| matches!(character, '0'..='9' | '_'))?;
            let shape = decimal(cursor)?;
            return shaped(cursor, &shape, start, now);
        }
        _ => return Err(cursor.unexpected(found, format!("expected a digit but got {}", shown(found)))),
    };
    if !cursor.accept(word[0])? || !cursor.accept(word[1])? {
        return Err(cursor.problem(format!("invalid float: '{}'", cursor.since(start))));
    }
    shaped(cursor, &Shape::Float, start, now)
}

/// Anything else that may start a value: its first character is read.
pub(super) fn word(cursor: &mut Cursor<'_>, first: Option<char>) -> Read<Value> {
    let start = cursor.at() - first.map_or(0, char::len_utf8);
    if matches!(first, Some('i' | 'n')) {
        // The library tries `inf` and then `nan`, from whichever of the two letters and without starting anew. So `ian` is a
        // float to it, if a wrong one, and of `index` it complains as `ndex`.
        if cursor.accept('n')? && cursor.accept('f')? || cursor.accept('a')? && cursor.accept('n')? {
            return float(cursor.since(start)).map_err(|what| cursor.problem(what));
        }
        cursor.back_to(cursor.at() - 1);
    } else if first.is_some_and(kpkg_gounicode::is_letter) {
        cursor.back_to(start);
    } else {
        return Err(no_value(cursor, first));
    }
    let start = cursor.at();
    cursor.skip(kpkg_gounicode::is_letter)?;
    match cursor.since(start) {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        other => {
            let found = quote(other.as_bytes());
            Err(cursor.problem(format!("expected value but found {found} instead")))
        }
    }
}

fn no_value(cursor: &Cursor<'_>, found: Option<char>) -> Problem {
    let what = format!("expected value but found {} instead", shown(found));
    match found {
        Some('.') => cursor.problem(NO_DIGIT),
        None => cursor.unexpected(None, "unexpected EOF; expected value"),
        Some('\n') => cursor.problem_before(what),
        Some(_) => cursor.problem(what),
    }
}

fn integer(text: &str) -> Result<Value, String> {
    let invalid = |what: &str| format!("Invalid integer {}: {what}", quote(text.as_bytes()));
    if !underscores_fit(text) {
        return Err(invalid("underscores must be surrounded by digits"));
    }
    if has_leading_zero(text) {
        return Err(invalid("cannot have leading zeroes"));
    }
    let value = kpkg_yaml::number::parse_int(&text.replace('_', ""));
    value.map(Value::int64).ok_or_else(|| format!("{text} is out of range for int64"))
}

fn float(text: &str) -> Result<Value, String> {
    let quoted = quote(text.as_bytes());
    let parts: Vec<&str> = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty()).collect();
    if !parts.iter().all(|part| underscores_fit(part)) {
        return Err(format!("Invalid float {quoted}: underscores must be surrounded by digits"));
    }
    if parts.first().is_some_and(|whole| has_leading_zero(whole)) {
        return Err(format!("Invalid float {quoted}: cannot have leading zeroes"));
    }
    // A point that nothing follows is Go's, not TOML's.
    if text.split('.').skip(1).any(|after| !after.starts_with(|character: char| character.is_ascii_digit())) {
        return Err(format!("Invalid float {quoted}: '.' must be followed by one or more digits"));
    }
    let value: f64 = text.replace('_', "").parse().map_err(|_| format!("Invalid float value: {quoted}"))?;
    if value.is_infinite() && !text.ends_with('f') {
        return Err(format!("{text} is out of range for float64"));
    }
    Ok(Value::Float(value))
}

/// Whether each underscore stands between digits.
fn underscores_fit(text: &str) -> bool {
    let mut after_digit = false;
    for character in text.chars() {
        if character == '_' && !after_digit {
            return false;
        }
        after_digit = character.is_ascii_hexdigit();
    }
    after_digit || matches!(text.trim_start_matches(['+', '-']), "inf" | "nan")
}

fn has_leading_zero(text: &str) -> bool {
    match text.as_bytes() {
        [b'0', second, ..] => !matches!(second, b'b' | b'o' | b'x'),
        [b'+' | b'-', b'0', _, ..] => true,
        _ => false,
    }
}

/// The forms of a time, and the name of its zone where it has none of its own.
const LAYOUTS: [(&str, Option<&str>); 7] = [
    ("2006-01-02T15:04:05.999999999Z07:00", None),
    ("2006-01-02T15:04:05.999999999", Some(local::DATETIME)),
    ("2006-01-02", Some(local::DATE)),
    ("15:04:05.999999999", Some(local::TIME)),
    ("2006-01-02T15:04Z07:00", None),
    ("2006-01-02T15:04", Some(local::DATETIME)),
    ("15:04", Some(local::TIME)),
];

fn time(text: &str, now: &Zoned) -> Result<Value, String> {
    let text = text.replace('z', "Z").replace(['t', ' '], "T");
    let found = LAYOUTS.iter().find_map(|(layout, zone)| {
        let zone = zone.map_or_else(|| now.time_zone().clone(), |name| local::zone(name, now));
        let time = datetime::parse(layout, &text, &zone).ok()?;
        Some((time, layout))
    });
    match found {
        Some((time, layout)) if separators_fit(&text, layout) => Ok(Time::value(time)),
        _ => Err(format!("invalid datetime: {}", quote(text.as_bytes()))),
    }
}

/// Go takes an hour of one digit, TOML does not: what is no digit must stand where the layout has it.
fn separators_fit(text: &str, layout: &str) -> bool {
    let fixed = layout.find(['.', 'Z']).unwrap_or(layout.len());
    layout.bytes().take(fixed).zip(text.bytes()).all(|(want, found)| want.is_ascii_digit() || want == found)
}
