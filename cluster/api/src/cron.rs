//! Schedules of CronJobs: five fields, or a word such as `@daily`.

use jiff::{Timestamp, ToSpan as _, civil::DateTime, tz::TimeZone};
use std::ops::RangeInclusive;

/// When something is to happen again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether the day fields are both restricted: then either may fit.
    either_day: bool,
    /// `@every`: seconds between two times.
    every: Option<i64>,
}

/// Why a schedule cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// Not five fields.
    #[error("expected exactly 5 fields, found {found}: {fields:?}")]
    Fields {
        /// How many there are.
        found: usize,
        /// What they are.
        fields: Vec<String>,
    },
    /// A field that is no list of ranges.
    #[error("failed to parse {0:?}")]
    Field(String),
    /// A value outside its field's range.
    #[error("{value} is out of range ({low}, {high}): {field}")]
    Range {
        /// The value.
        value: u32,
        /// The least one.
        low: u32,
        /// The greatest one.
        high: u32,
        /// The field.
        field: String,
    },
    /// A word that is not known.
    #[error("unrecognized descriptor: {0}")]
    Word(String),
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// How far ahead a time is looked for: a 29th of February that is a certain weekday comes within 28 years, or 40 around
/// a century.
const YEARS: i16 = 41;

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// [`CronError`]: it is none.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let text = text.trim();
        if let Some(word) = text.strip_prefix('@') {
            return Self::word(word, text);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            return Err(CronError::Fields { found: fields.len(), fields });
        };
        let free = |field: &str| field.starts_with(['*', '?']);
        let mut on = field(weekdays, 0..=7, &WEEKDAYS, 0)?;
        // 7 is Sunday, too.
        if on & (1 << 7) != 0 {
            on = (on | 1) & !(1 << 7);
        }
        Ok(Self {
            minutes: field(minutes, 0..=59, &[], 0)?,
            hours: field(hours, 0..=23, &[], 0)?,
            days: field(days, 1..=31, &[], 0)?,
            months: field(months, 1..=12, &MONTHS, 1)?,
            weekdays: on,
            either_day: !free(days) && !free(weekdays),
            every: None,
        })
    }

    fn word(word: &str, whole: &str) -> Result<Self, CronError> {
        let fields = match word {
            "yearly" | "annually" => "0 0 1 1 *",
            "monthly" => "0 0 1 * *",
            "weekly" => "0 0 * * 0",
            "daily" | "midnight" => "0 0 * * *",
            "hourly" => "0 * * * *",
            _ => {
                let every = word.strip_prefix("every ").and_then(seconds).filter(|every| *every > 0);
                let every = every.ok_or_else(|| CronError::Word(whole.to_owned()))?;
                return Ok(Self { every: Some(every), ..Self::parse("* * * * *")? });
            }
        };
        Self::parse(fields)
    }

    /// The first time after a moment, in a time zone; none if there is none within decades.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if let Some(every) = self.every {
            return Timestamp::from_second(after.as_second() + every).ok();
        }
        let start = zone.to_datetime(after);
        let mut at = start.checked_add(1.minute()).ok()?.with().second(0).subsec_nanosecond(0).build().ok()?;
        let last = start.year().saturating_add(YEARS);
        while at.year() < last {
            match self.fit(at) {
                Ok(()) => {
                    let found = zone.to_ambiguous_timestamp(at).compatible().ok()?;
                    if found > after {
                        return Some(found);
                    }
                    at = at.checked_add(1.minute()).ok()?;
                }
                Err(next) => at = next?,
            }
        }
        None
    }

    /// Whether a time fits; if not, the next that may.
    fn fit(&self, at: DateTime) -> Result<(), Option<DateTime>> {
        let has = |set: u64, value: i8| u32::try_from(value).is_ok_and(|value| set & (1 << value) != 0);
        let day = at.date();
        if !has(self.months, at.month()) {
            return Err(day.first_of_month().checked_add(1.month()).ok().map(|day| day.at(0, 0, 0, 0)));
        }
        let (by_day, by_weekday) = (has(self.days, at.day()), has(self.weekdays, at.weekday().to_sunday_zero_offset()));
        let fits = if self.either_day { by_day || by_weekday } else { by_day && by_weekday };
        if !fits {
            return Err(day.tomorrow().ok().map(|day| day.at(0, 0, 0, 0)));
        }
        if !has(self.hours, at.hour()) {
            return Err(day.at(at.hour(), 0, 0, 0).checked_add(1.hour()).ok());
        }
        if !has(self.minutes, at.minute()) {
            return Err(at.checked_add(1.minute()).ok());
        }
        Ok(())
    }
}

/// A comma-separated list of `*`, `n`, `n-m`, each with `/step`.
fn field(text: &str, range: RangeInclusive<u32>, names: &[&str], base: u32) -> Result<u64, CronError> {
    let bad = || CronError::Field(text.to_owned());
    let value = |word: &str| {
        let named = names.iter().position(|name| word.to_ascii_lowercase() == *name);
        match named {
            Some(at) => u32::try_from(at).map(|at| at + base).map_err(|_| bad()),
            None => word.parse().map_err(|_| bad()),
        }
    };
    let mut set = 0_u64;
    for part in text.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(bad)?),
            None => (part, 1),
        };
        let (low, high) = match span.split_once('-') {
            _ if matches!(span, "*" | "?") => (*range.start(), *range.end()),
            Some((low, high)) => (value(low)?, value(high)?),
            None if part.contains('/') => (value(span)?, *range.end()),
            None => (value(span)?, value(span)?),
        };
        for value in [low, high] {
            if !range.contains(&value) {
                return Err(CronError::Range {
                    value,
                    low: *range.start(),
                    high: *range.end(),
                    field: text.to_owned(),
                });
            }
        }
        if low > high {
            return Err(bad());
        }
        (low..=high).step_by(step as usize).for_each(|value| set |= 1 << value);
    }
    Ok(set)
}

/// `1h30m` as seconds.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        let factor = match rest[digits..].chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[digits + 1..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_found() {
        let cases = [
            ("*/15 * * * *", "2026-01-01T00:07:30Z", "2026-01-01T00:15:00Z"),
            ("0 3 * * *", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"),
            ("30 6 1 * *", "2026-01-31T00:00:00Z", "2026-02-01T06:30:00Z"),
            ("0 0 13 * 5", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z"),
            ("0 0 * * sun", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("5,10-12/2 1 * jan *", "2026-01-01T01:05:00Z", "2026-01-01T01:10:00Z"),
            ("@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"),
            ("@every 1h30m", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"),
        ];
        for (text, after, want) in cases {
            let schedule = Schedule::parse(text).expect(text);
            let next = schedule.next_after(after.parse().expect("a time"), &TimeZone::UTC);
            assert_eq!(next.map(|at| at.to_string()).as_deref(), Some(want), "{text}");
        }
        let never = Schedule::parse("0 0 31 2 *").expect("a schedule");
        assert_eq!(never.next_after("2026-01-01T00:00:00Z".parse().expect("a time"), &TimeZone::UTC), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "a * * * *", "5-1 * * * *", "@often", "@every x"]
        {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
