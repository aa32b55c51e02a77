//! Sprig's dates. "Now" is the rendering's clock, and "Local" its zone.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::{Answer, Function, Type, fixed, on_bytes, string, text};
use crate::datetime::{Time, duration_text, format, parse, parse_duration, zero, zone};
use crate::error::Failure;
use crate::exec::Context;
use crate::value::{IntKind, Value};

use Type::{Any, String as Str, Time as Moment};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("now", &[], |context, _| Ok(Time::value(context.ambient.now().clone()))),
    fixed("date", &[Str, Any], |context, args| formatted(context, text(&args[0]), &args[1], "Local")),
    fixed("dateInZone", &[Str, Any, Str], |context, args| {
        formatted(context, text(&args[0]), &args[1], &string(&args[2]))
    }),
    fixed("date_in_zone", &[Str, Any, Str], |context, args| {
        formatted(context, text(&args[0]), &args[1], &string(&args[2]))
    }),
    fixed("htmlDate", &[Any], |context, args| formatted(context, b"2006-01-02", &args[0], "Local")),
    fixed("htmlDateInZone", &[Any, Str], |context, args| {
        formatted(context, b"2006-01-02", &args[0], &string(&args[1]))
    }),
    fixed("dateModify", &[Str, Moment], |_, args| {
        Ok(modify(&string(&args[0]), &args[1]).unwrap_or_else(|_| args[1].clone()))
    }),
    fixed("date_modify", &[Str, Moment], |_, args| {
        Ok(modify(&string(&args[0]), &args[1]).unwrap_or_else(|_| args[1].clone()))
    }),
    fixed("mustDateModify", &[Str, Moment], |_, args| modify(&string(&args[0]), &args[1])),
    fixed("must_date_modify", &[Str, Moment], |_, args| modify(&string(&args[0]), &args[1])),
    fixed("ago", &[Any], |context, args| {
        let then = moment(&args[0], true).unwrap_or_else(|| context.ambient.now().clone());
        let seconds = since(context, &then);
        Ok(duration_text(round_to_seconds(seconds)).into())
    }),
    fixed("duration", &[Any], |_, args| {
        let seconds = match &args[0] {
            Value::String(text) => text.to_str().parse().unwrap_or(0),
            Value::Int(value, IntKind::Int64) => *value,
            _ => 0_i64,
        };
        Ok(duration_text(seconds.wrapping_mul(1_000_000_000)).into())
    }),
    fixed("durationRound", &[Any], |context, args| {
        let nanoseconds = match &args[0] {
            Value::String(text) => parse_duration(&text.to_str()).unwrap_or(0),
            Value::Int(value, IntKind::Int64) => *value,
            other => Time::of(other).map_or(0, |then| since(context, &then)),
        };
        Ok(rounded(nanoseconds).into())
    }),
    fixed("toDate", &[Str, Str], |context, args| {
        let local = context.ambient.now().time_zone();
        let parsed = parse(&string(&args[0]), &string(&args[1]), local);
        Ok(Time::value(parsed.unwrap_or_else(|_| zero().0)))
    }),
    fixed("mustToDate", &[Str, Str], |context, args| {
        let local = context.ambient.now().time_zone();
        parse(&string(&args[0]), &string(&args[1]), local).map(Time::value).map_err(Failure::new)
    }),
    fixed("unixEpoch", &[Moment], |_, args| {
        Ok(Time::of(&args[0]).map_or(0, |time| time.timestamp().as_second()).to_string().into())
    }),
];

/// The time that a value names; seconds since 1970 if it is a number of some types.
fn moment(value: &Value, wide_only: bool) -> Option<Zoned> {
    match value {
        Value::Int(seconds, IntKind::Int64 | IntKind::Int) => at_second(*seconds),
        Value::Int(seconds, IntKind::Int32) if !wide_only => at_second(*seconds),
        other => Time::of(other),
    }
}

fn at_second(seconds: i64) -> Option<Zoned> {
    Timestamp::from_second(seconds).ok().map(|stamp| stamp.to_zoned(TimeZone::UTC))
}

fn formatted(context: &Context, layout: &[u8], value: &Value, zone_name: &str) -> Answer {
    let now = context.ambient.now();
    let time = moment(value, false).unwrap_or_else(|| now.clone());
    let zone = zone(zone_name, now.time_zone()).unwrap_or(TimeZone::UTC);
    let time = time.with_time_zone(zone);
    Ok(on_bytes(layout, |layout| format(&time, layout)))
}

fn modify(text: &str, value: &Value) -> Answer {
    let nanoseconds = parse_duration(text).map_err(Failure::new)?;
    let time = Time::of(value).unwrap_or_else(|| zero().0);
    let moved = time.checked_add(SignedDuration::from_nanos(nanoseconds));
    moved.map(Time::value).map_err(|error| Failure::new(error.to_string()))
}

/// Nanoseconds since a time.
fn since(context: &Context, then: &Zoned) -> i64 {
    let elapsed = context.ambient.now().timestamp().duration_since(then.timestamp());
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

fn round_to_seconds(nanoseconds: i64) -> i64 {
    const SECOND: i64 = 1_000_000_000;
    let half = if nanoseconds < 0 { -SECOND / 2 } else { SECOND / 2 };
    nanoseconds.saturating_add(half) / SECOND * SECOND
}

/// The largest unit alone: `3d`, `2mo`.
fn rounded(nanoseconds: i64) -> String {
    const UNITS: [(u64, &str); 6] =
        [(365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let magnitude = nanoseconds.unsigned_abs();
    let unit = UNITS.iter().find(|(seconds, _)| magnitude > seconds * 1_000_000_000);
    unit.map_or_else(|| "0s".to_owned(), |(seconds, name)| format!("{}{name}", magnitude / (seconds * 1_000_000_000)))
}
