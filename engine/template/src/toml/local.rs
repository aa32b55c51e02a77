//! Times without a zone. The library gives them the local one under names of its own, which show in templates, and by which
//! it knows them when it writes them.

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::datetime::format;

pub(super) const DATETIME: &str = "datetime-local";
pub(super) const DATE: &str = "date-local";
pub(super) const TIME: &str = "time-local";

/// How such times are written again.
const LAYOUTS: [(&str, &str); 3] =
    [(DATETIME, "2006-01-02T15:04:05.999999999"), (DATE, "2006-01-02"), (TIME, "15:04:05.999999999")];

/// The offset that is in force here now, even for times when another one is, under a name.
pub(super) fn zone(name: &str, now: &Zoned) -> TimeZone {
    // POSIX counts offsets to the west.
    let seconds = -now.offset().seconds();
    let (sign, total) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
    let rule = format!("<{name}>{sign}{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
    TimeZone::posix(&rule).unwrap_or_else(|_| now.offset().to_time_zone())
}

/// A time as the TOML library writes it: what has a local zone is moved to UTC and loses it.
pub(super) fn text(time: &Zoned) -> String {
    let info = time.time_zone().to_offset_info(time.timestamp());
    let local = LAYOUTS.iter().find(|(name, _)| *name == info.abbreviation());
    match local {
        Some((_, layout)) => format(&time.with_time_zone(TimeZone::UTC), layout),
        None => format(time, "2006-01-02T15:04:05.999999999Z07:00"),
    }
}
