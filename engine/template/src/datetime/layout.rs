//! Layouts: texts such as `Jan _2 2006`, cut into the pieces that they name.

pub(super) const MONTHS: [&str; 12] = [
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
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A piece of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
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
pub(super) const WORDS: [(&str, Piece<'static>); 34] = [
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
pub(super) fn next_piece(layout: &str) -> Option<(Piece<'_>, &str)> {
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

pub(super) fn piece_at(layout: &str, at: usize) -> Option<(Piece<'static>, usize)> {
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
pub(super) fn fraction(rest: &str) -> Option<(Piece<'static>, usize)> {
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
