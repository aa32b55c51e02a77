//! Texts by a layout, read as times.

use jiff::Zoned;
use jiff::tz::{Offset, TimeZone};

use super::layout::{MONTHS, Piece, WEEKDAYS, fraction, next_piece};
use super::time_quote;

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
    /// The offset is `Z`, and not some number.
    utc: bool,
    /// The part of the offset that is too large.
    excess: Option<&'static str>,
    zone_name: Option<String>,
}

/// `time.ParseInLocation`
pub(crate) fn parse(layout: &str, text: &str, local: &TimeZone) -> Result<Zoned, String> {
    let quoted = time_quote;
    let refused = |problem: &str| format!("parsing time {}: {problem}", quoted(text));
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
        // Told before what follows is looked at.
        if let Some(what) = excess(piece, &fields) {
            return Err(refused(&format!("{what} out of range")));
        }
        layout_rest = tail;
    }
    if !rest.is_empty() {
        return Err(format!("parsing time {}: extra text: {}", quoted(text), quoted(rest)));
    }
    assemble(&fields, local).map_err(refused)
}

/// Which field that a piece has set is too large; days are known to be when all is.
fn excess(piece: Piece<'_>, fields: &Fields) -> Option<&'static str> {
    let (is_within, what) = match piece {
        Piece::NumMonth | Piece::ZeroMonth => ((1..=12).contains(&fields.month.unwrap_or(1)), "month"),
        Piece::Hour => (fields.hour < 24, "hour"),
        Piece::Hour12 | Piece::ZeroHour12 => (fields.hour <= 12, "hour"),
        Piece::Minute | Piece::ZeroMinute => (fields.minute < 60, "minute"),
        Piece::Second | Piece::ZeroSecond => (fields.second < 60, "second"),
        Piece::Offset { .. } => return fields.excess,
        _ => return None,
    };
    if is_within { None } else { Some(what) }
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
        fields.utc = true;
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
        // Go lets an offset be a whole day, and sixty minutes.
        let (most, what) =
            [(24, "time zone offset hour"), (60, "time zone offset minute"), (60, "time zone offset second")][index];
        if value > most {
            fields.excess = Some(what);
        }
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
    let month = fields.month.unwrap_or(1);
    let small = |value: i64| i8::try_from(value).unwrap_or(0);
    let year = i16::try_from(fields.year.unwrap_or(0)).unwrap_or(0);
    let time = jiff::civil::Time::new(
        small(hour),
        small(fields.minute),
        small(fields.second),
        i32::try_from(fields.nanosecond).unwrap_or(0),
    );
    let date = match fields.year_day {
        Some(day) => day_of_year(year, day, fields)?,
        None => jiff::civil::Date::new(year, small(month), small(fields.day.unwrap_or(1)))
            .map_err(|_| "day out of range")?,
    };
    let civil = date.to_datetime(time.map_err(|_| "second out of range")?);
    let zone = match fields.offset {
        Some(0) if fields.utc => TimeZone::UTC,
        Some(seconds) => {
            let offset = Offset::from_seconds(seconds).map_err(|_| "time zone offset out of range")?;
            // The local zone, where that is its offset then: it has a name.
            let here = offset.to_timestamp(civil).is_ok_and(|time| local.to_offset(time) == offset);
            if here { local.clone() } else { nameless(offset) }
        }
        None if fields.zone_name.is_some() => TimeZone::UTC,
        None => local.clone(),
    };
    civil.to_zoned(zone).map_err(|_| "year out of range")
}

/// The so-manieth day of a year, which month and day must agree with where they are given.
fn day_of_year(year: i16, day: i64, fields: &Fields) -> Result<jiff::civil::Date, &'static str> {
    let first = jiff::civil::Date::new(year, 1, 1).map_err(|_| "year out of range")?;
    if !(1..=i64::from(first.days_in_year())).contains(&day) {
        return Err("day-of-year out of range");
    }
    let date = first.checked_add(jiff::Span::new().days(day - 1)).map_err(|_| "day-of-year out of range")?;
    if fields.month.is_some_and(|month| month != i64::from(date.month())) {
        return Err("day-of-year does not match month");
    }
    if fields.day.is_some_and(|day| day != i64::from(date.day())) {
        return Err("day-of-year does not match day");
    }
    Ok(date)
}

/// A zone that is shown as its offset.
fn nameless(offset: Offset) -> TimeZone {
    // The zone that jiff makes of no offset is named UTC.
    let zero = if offset == Offset::UTC { TimeZone::posix("<+00>0").ok() } else { None };
    zero.unwrap_or_else(|| offset.to_time_zone())
}
