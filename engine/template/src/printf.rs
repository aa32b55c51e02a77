//! `fmt.Sprintf` with Go's verbs, flags and complaints.

use kpkg_gounicode::{is_print, rune_count, runes};
use kpkg_yaml::number::format_general;

use crate::format::{int_text, print, text};
use crate::quote::{backquote, quote, quote_ascii, quote_with};
use crate::value::{ListKind, MapKind, Value};

/// Widths and precisions beyond this are refused if they are arguments, or if a format goes on with one more digit; as
/// in Go.
const MAX_NUMBER: u64 = 1_000_000;

/// The flags of one verb.
#[derive(Debug, Default, Clone)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Formats values as `Sprintf` does.
pub(crate) fn sprintf(format: &[u8], args: &[Value]) -> Vec<u8> {
    sprintf_to(format, args, Vec::new(), usize::MAX)
}

/// The same, written to a buffer; ends where that holds more than a limit.
pub(crate) fn sprintf_to(format: &[u8], args: &[Value], out: Vec<u8>, limit: usize) -> Vec<u8> {
    let mut printer = Printer { format, at: 0, args, next: 0, reordered: false, good_index: true, out, limit };
    printer.run();
    printer.out
}

/// `fmt.Sprint`: spaces between operands where neither is a string.
pub(crate) fn sprint(args: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous_string = true;
    for (index, arg) in args.iter().enumerate() {
        let is_string = matches!(arg, Value::String(_));
        if index > 0 && !is_string && !previous_string {
            out.push(b' ');
        }
        out.extend(print(arg).unwrap_or_default());
        previous_string = is_string;
    }
    out
}

/// `fmt.Sprintln`
pub(crate) fn sprintln(args: &[Value]) -> Vec<u8> {
    let texts: Vec<Vec<u8>> = args.iter().map(|arg| print(arg).unwrap_or_default()).collect();
    let mut out = texts.join(&b' ');
    out.push(b'\n');
    out
}

struct Printer<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    next: usize,
    reordered: bool,
    good_index: bool,
    out: Vec<u8>,
    limit: usize,
}

impl Printer<'_> {
    fn run(&mut self) {
        while self.at < self.format.len() && self.out.len() <= self.limit {
            let rest = &self.format[self.at..];
            let literal = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            self.out.extend_from_slice(&rest[..literal]);
            self.at += literal;
            if self.at >= self.format.len() {
                break;
            }
            self.at += 1;
            self.verb();
        }
        if !self.reordered && self.next < self.args.len() {
            self.out.extend_from_slice(b"%!(EXTRA ");
            let extra: Vec<Vec<u8>> = self.args[self.next..].iter().map(|arg| typed(&Spec::default(), arg)).collect();
            self.out.extend_from_slice(&extra.join(&b", "[..]));
            self.out.push(b')');
        }
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn verb(&mut self) {
        // Most verbs are bare, and most arguments texts.
        if let (Some(b's' | b'v'), Some(Value::String(text))) = (self.peek(), self.args.get(self.next)) {
            self.at += 1;
            self.next += 1;
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        let mut spec = self.flags();
        self.good_index = true;
        let mut after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.zero &= width >= 0;
                    spec.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            spec.width = self.number();
            if after_index && spec.width.is_some() {
                self.good_index = false;
            }
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.peek() == Some(b'*') {
                self.at += 1;
                match self.star() {
                    Some(precision) if precision >= 0 => spec.precision = usize::try_from(precision).ok(),
                    Some(_) => {}
                    None => self.out.extend_from_slice(b"%!(BADPREC)"),
                }
                after_index = false;
            } else {
                spec.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        // A character has four bytes at most.
        let rest = &self.format[self.at.min(self.format.len())..];
        let Some((verb, bytes)) = runes(&rest[..rest.len().min(4)]).next() else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        self.at += bytes.len();
        if verb == '%' {
            self.out.push(b'%');
        } else if !self.good_index {
            self.out.extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
        } else if let Some(arg) = self.args.get(self.next).cloned() {
            self.next += 1;
            // With %v a plus asks for field names, not for signs.
            spec.plus &= verb != 'v';
            let text = format_verb(&spec, verb, &arg);
            self.out.extend(text);
        } else {
            self.out.extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
        }
    }

    fn flags(&mut self) -> Spec {
        let mut spec = Spec::default();
        loop {
            match self.peek() {
                Some(b'#') => spec.sharp = true,
                Some(b'0') => spec.zero = true,
                Some(b'+') => spec.plus = true,
                Some(b'-') => spec.minus = true,
                Some(b' ') => spec.space = true,
                _ => return spec,
            }
            self.at += 1;
        }
    }

    /// A width or precision; one that is too large takes the rest of the format along, as in Go.
    fn number(&mut self) -> Option<usize> {
        let rest = &self.format[self.at..];
        let digits = &rest[..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()];
        let number = number(digits);
        self.at = if number.is_some() || digits.is_empty() { self.at + digits.len() } else { self.format.len() };
        number
    }

    /// `[n]` chooses the argument.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at + 1..];
        let Some(end) = rest.iter().position(|byte| *byte == b']') else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let number = number(&rest[..end]);
        self.at += end + 2;
        match number {
            Some(number) if (1..=self.args.len()).contains(&number) => {
                self.next = number - 1;
                true
            }
            _ => {
                self.good_index = false;
                true
            }
        }
    }

    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        match arg {
            Value::Int(value, _) if value.unsigned_abs() <= MAX_NUMBER => Some(*value),
            _ => None,
        }
    }
}

/// The number that digits write, if they are digits and it is not too large.
fn number(digits: &[u8]) -> Option<usize> {
    let add = |sum: u64, digit: &u8| {
        (digit.is_ascii_digit() && sum <= MAX_NUMBER).then(|| sum * 10 + u64::from(digit - b'0'))
    };
    let sum = digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())?;
    usize::try_from(sum).ok()
}

/// `type=value`, as complaints show an argument: as `%v` would, with the flags of the verb that is wrong.
fn typed(spec: &Spec, value: &Value) -> Vec<u8> {
    if value.is_nil() {
        return b"<nil>".to_vec();
    }
    let shown = format_verb(&Spec { sharp: false, ..spec.clone() }, 'v', value);
    [value.type_name().as_bytes(), b"=", &shown].concat()
}

fn bad(spec: &Spec, verb: char, value: &Value) -> Vec<u8> {
    [format!("%!{verb}(").as_bytes(), &typed(spec, value), b")"].concat()
}

/// A value inside another: nil is no mistake there.
fn nested_verb(spec: &Spec, verb: char, value: &Value) -> Vec<u8> {
    if value.is_nil() { b"<nil>".to_vec() } else { format_verb(spec, verb, value) }
}

fn format_verb(spec: &Spec, verb: char, value: &Value) -> Vec<u8> {
    match (verb, value) {
        ('T', _) => pad(spec, value.type_name().as_bytes().to_vec()),
        ('v', Value::Nil) => pad(spec, b"<nil>".to_vec()),
        (_, Value::Nil) => format!("%!{verb}(<nil>)").into_bytes(),
        ('v', _) if spec.sharp => pad(spec, go_syntax(value).into_bytes()),
        (_, Value::List(list)) if verb != 'p' => {
            let items: Vec<Vec<u8>> = list.items().iter().map(|item| nested_verb(spec, verb, item)).collect();
            [b"[".to_vec(), items.join(&b' '), b"]".to_vec()].concat()
        }
        (_, Value::Map(map)) if verb != 'p' => {
            let pairs: Vec<Vec<u8>> = map
                .entries()
                .iter()
                .map(|(key, value)| {
                    let key = format_verb(spec, verb, &Value::String(key.clone()));
                    [key, b":".to_vec(), nested_verb(spec, verb, value)].concat()
                })
                .collect();
            [b"map[".to_vec(), pairs.join(&b' '), b"]".to_vec()].concat()
        }
        (_, Value::Bool(flag)) => match verb {
            't' | 'v' => pad(spec, flag.to_string().into_bytes()),
            _ => bad(spec, verb, value),
        },
        (_, Value::Int(number, kind)) => {
            format_int(spec, verb, *number, kind.is_unsigned()).unwrap_or_else(|| bad(spec, verb, value))
        }
        (_, Value::Float(number)) => format_float(spec, verb, *number).unwrap_or_else(|| bad(spec, verb, value)),
        (_, Value::String(text)) => format_bytes(spec, verb, text.as_bytes()).unwrap_or_else(|| bad(spec, verb, value)),
        (_, Value::Bytes(bytes)) => match verb {
            'v' | 'd' => pad(spec, print(value).unwrap_or_default()),
            _ => format_bytes(spec, verb, bytes.as_bytes()).unwrap_or_else(|| bad(spec, verb, value)),
        },
        (_, Value::Object(object)) => {
            format_bytes(spec, verb, object.print().as_bytes()).unwrap_or_else(|| bad(spec, verb, value))
        }
        _ => bad(spec, verb, value),
    }
}

/// Pads to the width, counted in characters.
fn pad(spec: &Spec, text: Vec<u8>) -> Vec<u8> {
    let width = spec.width.unwrap_or(0);
    let length = rune_count(&text);
    if length >= width {
        return text;
    }
    let fill = if spec.zero && !spec.minus { b'0' } else { b' ' };
    let padding = vec![fill; width - length];
    if spec.minus { [text, padding].concat() } else { [padding, text].concat() }
}

fn format_bytes(spec: &Spec, verb: char, bytes: &[u8]) -> Option<Vec<u8>> {
    let cut = |bytes: &[u8]| match spec.precision {
        None => bytes.to_vec(),
        Some(count) => runes(bytes).take(count).flat_map(|(_, bytes)| bytes).copied().collect(),
    };
    let text = match verb {
        'v' | 's' => cut(bytes),
        'q' => {
            let text = cut(bytes);
            let as_is = if spec.sharp { backquote(&text) } else { None };
            let quoted = || if spec.plus { quote_ascii(&text, '"') } else { quote(&text) };
            as_is.unwrap_or_else(quoted).into_bytes()
        }
        'x' | 'X' => {
            let bytes = spec.precision.map_or(bytes, |count| &bytes[..count.min(bytes.len())]);
            let digit = |byte: &u8| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") };
            let prefix = if spec.sharp && !bytes.is_empty() { format!("0{verb}") } else { String::new() };
            let separator = if spec.space { format!(" {prefix}") } else { String::new() };
            let digits: Vec<String> = bytes.iter().map(digit).collect();
            format!("{prefix}{}", digits.join(&separator)).into_bytes()
        }
        _ => return None,
    };
    Some(pad(spec, text))
}

fn format_int(spec: &Spec, verb: char, number: i64, unsigned: bool) -> Option<Vec<u8>> {
    let negative = number < 0 && !unsigned;
    let magnitude = if negative { number.unsigned_abs() } else { number as u64 };
    let digits = match verb {
        'v' | 'd' => magnitude.to_string(),
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        'c' | 'q' | 'U' => return Some(format_character(spec, verb, number)),
        _ => return None,
    };
    let prefix = match verb {
        'O' => "0o",
        'b' if spec.sharp => "0b",
        'o' if spec.sharp && !digits.starts_with('0') => "0",
        'x' if spec.sharp => "0x",
        'X' if spec.sharp => "0X",
        _ => "",
    };
    let sign = if negative {
        "-"
    } else if spec.plus {
        "+"
    } else if spec.space {
        " "
    } else {
        ""
    };
    let mut digits = match spec.precision {
        Some(0) if magnitude == 0 => String::new(),
        Some(precision) => zeros_before(&digits, precision),
        None => digits,
    };
    if spec.zero && !spec.minus && spec.precision.is_none() {
        let width = spec.width.unwrap_or(0).saturating_sub(sign.len());
        digits = zeros_before(&digits, width);
    }
    let spaces = Spec { zero: false, ..spec.clone() };
    Some(pad(&spaces, format!("{sign}{prefix}{digits}").into_bytes()))
}

fn format_character(spec: &Spec, verb: char, number: i64) -> Vec<u8> {
    let character = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let text = match verb {
        'c' => character.to_string(),
        'q' if spec.plus => quote_ascii(character.to_string().as_bytes(), '\''),
        'q' => quote_with(character.to_string().as_bytes(), '\''),
        _ => {
            let code = format!("U+{number:04X}");
            if spec.sharp && is_print(character) { format!("{code} '{character}'") } else { code }
        }
    };
    pad(spec, text.into_bytes())
}

fn format_float(spec: &Spec, verb: char, number: f64) -> Option<Vec<u8>> {
    let body = match verb {
        'v' | 'g' | 'G' => {
            spec.precision.map_or_else(|| format_general(number), |precision| general(number, precision))
        }
        'f' | 'F' => fixed(number, spec.precision.unwrap_or(6)),
        'e' | 'E' => exponential(number, spec.precision.unwrap_or(6)),
        _ => return None,
    };
    let body = if matches!(verb, 'E' | 'G') { body.to_uppercase() } else { body };
    let body = if number.is_finite() { body } else { special(number) };
    let (negative, digits) = match body.strip_prefix(['-', '+']) {
        Some(digits) => (body.starts_with('-'), digits.to_owned()),
        None => (false, body),
    };
    let digits = if spec.sharp && number.is_finite() {
        let significant = if matches!(verb, 'g' | 'G') { spec.precision.unwrap_or(6) } else { 0 };
        with_point(&digits, significant)
    } else {
        digits
    };
    let sign = if negative {
        "-"
    } else if spec.plus {
        "+"
    } else if spec.space {
        " "
    } else if number == f64::INFINITY {
        "+"
    } else {
        ""
    };
    if spec.zero && !spec.minus && number.is_finite() {
        let width = spec.width.unwrap_or(0).saturating_sub(sign.len());
        return Some(format!("{sign}{}", zeros_before(&digits, width)).into_bytes());
    }
    let spaces = Spec { zero: false, ..spec.clone() };
    Some(pad(&spaces, format!("{sign}{digits}").into_bytes()))
}

/// What `#` asks for: a point, and zeros up to so many significant digits.
fn with_point(digits: &str, significant: usize) -> String {
    let (mantissa, exponent) = digits.split_at(digits.find(['e', 'E']).unwrap_or(digits.len()));
    let counted = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let is_whole = !mantissa.contains('.');
    // The zero of a number that is none counts once.
    let counted = counted + usize::from(is_whole && mantissa == "0");
    let point = if is_whole { "." } else { "" };
    format!("{mantissa}{point}{}{exponent}", "0".repeat(significant.saturating_sub(counted)))
}

fn special(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number > 0.0 {
        "+Inf".to_owned()
    } else {
        "-Inf".to_owned()
    }
}

/// Widths and precisions may be larger than those that the standard library's formatting takes.
fn zeros_before(digits: &str, width: usize) -> String {
    "0".repeat(width.saturating_sub(digits.len())) + digits
}

/// More decimals than any number has: what follows is zeros.
const DECIMALS: usize = 1100;

fn fixed(number: f64, precision: usize) -> String {
    format!("{number:.*}", precision.min(DECIMALS)) + &"0".repeat(precision.saturating_sub(DECIMALS))
}

fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.*e}", precision.min(DECIMALS));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    let zeros = "0".repeat(precision.saturating_sub(DECIMALS));
    format!("{mantissa}{zeros}e{sign}{digits:0>2}")
}

/// `%.Ng`
fn general(number: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let text = format!("{number:.*e}", (precision - 1).min(DECIMALS));
    let exponent: i32 = text.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let limit = i32::try_from(precision).unwrap_or(i32::MAX);
    let trim = |text: String| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    };
    if exponent < -4 || exponent >= limit.max(if precision > 21 { 21 } else { limit }) {
        let text = exponential(number, precision - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", trim(mantissa.to_owned()));
    }
    let decimals = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    trim(fixed(number, decimals))
}

/// `%#v`
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Nil => "interface {}(nil)".to_owned(),
        Value::String(text) => quote(text.as_bytes()),
        Value::Int(number, kind) if kind.is_unsigned() => format!("0x{number:x}"),
        Value::Int(number, kind) => int_text(*number, *kind),
        Value::Bytes(bytes) => {
            let items: Vec<String> = bytes.as_bytes().iter().map(|byte| format!("0x{byte:x}")).collect();
            format!("[]byte{{{}}}", items.join(", "))
        }
        Value::List(list) => {
            let items: Vec<String> = list.items().iter().map(go_syntax).collect();
            let name = match list.kind {
                ListKind::Any | ListKind::Nil => "[]interface {}",
                ListKind::String | ListKind::NilString => "[]string",
                ListKind::Int => "[]int",
                ListKind::Maps => "[]map[string]interface {}",
            };
            if list.kind.is_nil() { format!("{name}(nil)") } else { format!("{name}{{{}}}", items.join(", ")) }
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .entries()
                .iter()
                .map(|(key, value)| format!("{}:{}", quote(key.as_bytes()), go_syntax(value)))
                .collect();
            let name = match map.kind {
                MapKind::Any => "map[string]interface {}",
                MapKind::String | MapKind::NilString => "map[string]string",
                MapKind::Values => "common.Values",
            };
            format!("{name}{{{}}}", pairs.join(", "))
        }
        other => text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard library's formatting panics at these.
    #[test]
    fn widths_and_precisions_may_be_large() {
        for (verb, value, length, end) in [
            ("%0100000v", Value::from(1.5), 100_000, "01.5"),
            ("%0100000d", Value::int(-7), 100_000, "07"),
            ("%.100000d", Value::int(7), 100_000, "07"),
            ("%.100000f", Value::from(1.5), 100_002, "000"),
            ("%.100000e", Value::from(1500.0), 100_006, "0e+03"),
            ("%.100000g", Value::from(1.5), 3, "1.5"),
            ("%#.100000g", Value::from(1.5), 100_001, "000"),
            ("%100000s", Value::from("x"), 100_000, " x"),
        ] {
            let text = String::from_utf8(sprintf(verb.as_bytes(), &[value])).expect("text");
            assert_eq!((text.len(), &text[text.len() - end.len()..]), (length, end), "{verb}");
        }
    }

    #[test]
    fn verbs() {
        let cases: Vec<(&str, Vec<Value>, &str)> = vec![
            ("%s-%d", vec!["a".into(), Value::int(3)], "a-3"),
            ("%5d|%-5d|%05d", vec![Value::int(42), Value::int(42), Value::int(-42)], "   42|42   |-0042"),
            ("%.2f", vec![2.34567.into()], "2.35"),
            ("%d", vec!["x".into()], "%!d(string=x)"),
            ("%s", vec![], "%!s(MISSING)"),
            ("x", vec!["y".into()], "x%!(EXTRA string=y)"),
            (
                "%+5y|%-4z|%.1z",
                vec![Value::int(1), "a".into(), "bc".into()],
                "%!y(int=   +1)|%!z(string=a   )|%!z(string=b)",
            ),
            ("%+q %#q %+q", vec!["é`".into(), "é".into(), Value::int(0xE9)], "\"\\u00e9`\" `é` '\\u00e9'"),
            ("%v", vec![Value::Nil], "<nil>"),
            ("%s", vec![Value::Nil], "%!s(<nil>)"),
            ("%q", vec!["a\"b".into()], "\"a\\\"b\""),
            ("%x", vec!["hi".into()], "6869"),
            ("%t", vec![true.into()], "true"),
            ("%[2]s %[1]s", vec!["a".into(), "b".into()], "b a"),
            ("100%%", vec![], "100%"),
            ("%", vec![], "%!(NOVERB)"),
            ("%g", vec![1e6.into()], "1e+06"),
            ("%e", vec![1500.0.into()], "1.500000e+03"),
            ("%s", vec![Value::int(5)], "%!s(int=5)"),
            ("%08.3f", vec![2.34567.into()], "0002.346"),
            ("%+d", vec![Value::int(5)], "+5"),
            ("%c", vec![Value::int(65)], "A"),
            ("%v", vec![Value::strings(["a", "b"])], "[a b]"),
        ];
        for (format, args, want) in cases {
            assert_eq!(String::from_utf8_lossy(&sprintf(format.as_bytes(), &args)), want, "{format}");
        }
    }
}
