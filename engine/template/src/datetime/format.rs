//! Times by a layout.

use jiff::Zoned;

use super::layout::{MONTHS, Piece, WEEKDAYS, next_piece};

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
        return offset_text(time.offset().seconds(), false, false, 2);
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
