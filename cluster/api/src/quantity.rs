//! Amounts of resources: `500m`, `1Gi`, `1e3`.
//!
//! Exact to 10^-9, as in Kubernetes: what is finer is rounded away from zero. Amounts beyond about 10^29 are refused
//! (Kubernetes computes on with big numbers; nothing that large is a resource).

use std::{cmp::Ordering, fmt, str::FromStr};

/// Ten to the ninth: amounts are counted in units of 10^-9.
const NANO: i128 = 1_000_000_000;

/// An exact amount and the way it is written.
#[derive(Debug, Clone)]
pub struct Quantity {
    nanos: i128,
    format: Format,
    /// The text as it was given, where Kubernetes keeps it.
    text: Option<Box<str>>,
}

/// How an amount is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With `e3`.
    DecimalExponent,
    /// With `Ki`, `Mi`, ...
    BinarySi,
    /// With `m`, `k`, `M`, ...
    DecimalSi,
}

/// Why a text is no [`Quantity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not look like one at all.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The unit is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The number is malformed or too large.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
}

impl Default for Quantity {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, format: Format::DecimalSi, text: None };

    /// A whole number.
    pub fn new(value: i64, format: Format) -> Self {
        Self { nanos: i128::from(value) * NANO, format, text: None }
    }

    /// A number of thousandths.
    pub fn from_milli(value: i64) -> Self {
        Self { nanos: i128::from(value) * (NANO / 1000), format: Format::DecimalSi, text: None }
    }

    /// Reads a JSON string or number.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, QuantityError> {
        match value {
            serde_json::Value::String(text) => text.trim().parse(),
            serde_json::Value::Number(number) => number.to_string().parse(),
            _ => Err(QuantityError::Format),
        }
    }

    /// The amount, rounded up to a whole number.
    pub fn value(&self) -> i64 {
        self.ceil(NANO)
    }

    /// The amount in thousandths, rounded up.
    pub fn milli_value(&self) -> i64 {
        self.ceil(NANO / 1000)
    }

    fn ceil(&self, unit: i128) -> i64 {
        let up = i128::from(self.nanos.rem_euclid(unit) != 0);
        i64::try_from(self.nanos.div_euclid(unit) + up).unwrap_or(if self.nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// The amount with what is finer than a thousandth rounded up.
    #[must_use]
    pub fn round_up_to_milli(&self) -> Self {
        let unit = NANO / 1000;
        match self.nanos.rem_euclid(unit) {
            0 => self.clone(),
            rest => Self { nanos: self.nanos - rest + unit, format: self.format, text: None },
        }
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        match self.nanos.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
    }

    /// Whether it is a whole number.
    pub fn is_whole(&self) -> bool {
        self.nanos % NANO == 0
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Adds; nothing takes the other's format.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, other.nanos);
    }

    /// Subtracts; nothing takes the other's format.
    pub fn sub(&mut self, other: &Self) {
        self.combine(other, other.nanos.saturating_neg());
    }

    fn combine(&mut self, other: &Self, nanos: i128) {
        if self.is_zero() {
            self.format = other.format;
        }
        self.nanos = self.nanos.saturating_add(nanos);
        self.text = None;
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

// === parsing ===

/// A quantity's text, taken apart.
struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

/// What a suffix means: a power of ten or of two.
enum Unit {
    Ten(i32, Format),
    Two(u32),
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = split(text)?;
        let unit = unit(parts.suffix).ok_or(QuantityError::Suffix)?;
        let digits = format!("{}{}", parts.whole, parts.fraction);
        if digits.is_empty() {
            return Err(QuantityError::Numeric);
        }
        let places = i32::try_from(parts.fraction.len()).map_err(|_| QuantityError::Numeric)?;
        let (magnitude, format) = match unit {
            Unit::Ten(exponent, format) => (scale(&digits, exponent - places)?, format),
            Unit::Two(exponent) => binary(&digits, places, exponent)?,
        };
        let kept = keeps_text(&parts, &digits, places, magnitude);
        let nanos = if parts.negative { -magnitude } else { magnitude };
        Ok(Self { nanos, format, text: kept.then(|| text.into()) })
    }
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let negative = text.starts_with('-');
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, mut rest) = rest.split_at(digits(rest));
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = after.split_at(digits(after));
    }
    let suffix = rest;
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let exponent = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    if digits(exponent) != exponent.len() {
        return Err(QuantityError::Format);
    }
    let whole = whole.trim_start_matches('0');
    // A lone sign or unit has no number at all; a zero does.
    let whole = if whole.is_empty() && text.len() > suffix.len() && fraction.is_empty() { "0" } else { whole };
    Ok(Parts { negative, whole, fraction, suffix })
}

fn unit(suffix: &str) -> Option<Unit> {
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    const DECIMAL: [(&str, i32); 10] =
        [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    if let Some(at) = BINARY.iter().position(|name| *name == suffix) {
        return Some(Unit::Two(u32::try_from(at + 1).unwrap_or_default() * 10));
    }
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some(Unit::Ten(*exponent, Format::DecimalSi));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    Some(Unit::Ten(exponent.clamp(-1000, 1000), Format::DecimalExponent))
}

/// The digits times 10^exponent in nanos, rounded up.
fn scale(digits: &str, exponent: i32) -> Result<i128, QuantityError> {
    let exponent = exponent + 9;
    if exponent >= 0 {
        let power = 10_i128.checked_pow(exponent.unsigned_abs());
        let number = number(digits)?;
        return if number == 0 {
            Ok(0)
        } else {
            power.and_then(|p| p.checked_mul(number)).ok_or(QuantityError::Numeric)
        };
    }
    let cut = digits.len().saturating_sub(usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX));
    let (kept, lost) = digits.split_at(cut);
    let up = lost.bytes().any(|digit| digit != b'0');
    Ok(number(kept)? + i128::from(up))
}

/// The digits, of which some are decimal places, times 2^exponent in nanos; capped as Kubernetes does.
fn binary(digits: &str, places: i32, exponent: u32) -> Result<(i128, Format), QuantityError> {
    let cap = i128::from(i64::MAX) * NANO;
    let number = number(digits)?;
    let product = number.checked_mul(1_i128 << exponent);
    let power = 10_i128.checked_pow(places.unsigned_abs()).ok_or(QuantityError::Numeric)?;
    let nanos = match product.and_then(|product| product.checked_mul(NANO)) {
        Some(nanos) => nanos / power + i128::from(nanos % power != 0),
        None if power == 1 => cap,
        None => return Err(QuantityError::Numeric),
    };
    let format = if nanos > 0 && nanos < NANO { Format::DecimalSi } else { Format::BinarySi };
    Ok((nanos.min(cap), format))
}

fn number(digits: &str) -> Result<i128, QuantityError> {
    if digits.is_empty() { Ok(0) } else { digits.parse().map_err(|_| QuantityError::Numeric) }
}

/// Whether Kubernetes keeps the text because it takes it for canonical.
fn keeps_text(parts: &Parts<'_>, digits: &str, places: i32, magnitude: i128) -> bool {
    match unit(parts.suffix) {
        Some(Unit::Two(exponent)) => {
            let spare = 14_usize.saturating_sub(usize::try_from(exponent * 3 / 10).unwrap_or_default());
            let odd = number(digits).is_ok_and(|value| value & 7 != 0);
            places == 0 && digits.len() <= spare && magnitude <= i128::from(i64::MAX) * NANO && odd
        }
        Some(Unit::Ten(exponent, _)) => {
            let scale = exponent - places;
            let aligned = scale >= -9 && scale % 3 == 0;
            aligned && digits.len() <= 18 && !digits.ends_with("000") && !digits.starts_with('0')
        }
        None => false,
    }
}

// === printing ===

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        let small = self.nanos.abs() < 1024 * NANO;
        match self.format {
            Format::BinarySi if !small && self.is_whole() => self.fmt_binary(f),
            Format::DecimalExponent => self.fmt_decimal(f, true),
            Format::BinarySi | Format::DecimalSi => self.fmt_decimal(f, false),
        }
    }
}

impl Quantity {
    fn fmt_binary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        let mut value = self.nanos / NANO;
        let mut unit = 0;
        while value != 0 && value % 1024 == 0 && unit + 1 < UNITS.len() {
            value /= 1024;
            unit += 1;
        }
        write!(f, "{value}{}", UNITS[unit])
    }

    fn fmt_decimal(&self, f: &mut fmt::Formatter<'_>, exponent: bool) -> fmt::Result {
        const UNITS: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let mut value = self.nanos;
        let mut unit = 0;
        if value == 0 {
            return f.write_str("0");
        }
        while value % 1000 == 0 && (exponent || unit + 1 < UNITS.len()) {
            value /= 1000;
            unit += 1;
        }
        match i32::try_from(unit).unwrap_or_default() * 3 - 9 {
            0 => write!(f, "{value}"),
            power if exponent => write!(f, "{value}e{power}"),
            _ => write!(f, "{value}{}", UNITS[unit]),
        }
    }
}

/// The text of a quantity in Kubernetes' canonical form.
pub fn canonical(text: &str) -> Result<String, QuantityError> {
    Ok(text.trim().parse::<Quantity>()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_canonical_form() {
        let cases = [
            ("0", "0"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("1.5", "1500m"),
            ("100m", "100m"),
            ("1024Mi", "1Gi"),
            ("1Gi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000Mi", "1000Mi"),
            ("0.5Mi", "512Ki"),
            ("512", "512"),
            ("1000", "1k"),
            ("1200", "1200"),
            ("12000", "12k"),
            ("1e3", "1e3"),
            ("1000e0", "1e3"),
            ("1E", "1E"),
            ("1E3", "1E3"),
            ("0.1n", "1n"),
            ("-1.5", "-1500m"),
            ("1023Ki", "1023Ki"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("+5", "+5"),
            ("00010", "00010"),
            ("-", "0"),
            (".5", "500m"),
            ("5.", "5."),
            ("100Ei", "9223372036854775807"),
            ("0Gi", "0"),
        ];
        for (text, want) in cases {
            assert_eq!(canonical(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_quantity() {
        let cases = [
            ("", QuantityError::Format),
            ("abc", QuantityError::Format),
            ("1.2.3", QuantityError::Format),
            ("1 Gi", QuantityError::Format),
            ("1Kii", QuantityError::Suffix),
            ("1ki", QuantityError::Suffix),
            ("1m5", QuantityError::Suffix),
            ("1ee", QuantityError::Suffix),
            ("1e99", QuantityError::Numeric),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Quantity>().map(|q| q.to_string()), Err(want), "{text}");
        }
        let _ = format!("1{}", "0".repeat(100_000)).parse::<Quantity>();
        let _ = "1e-2147483648".parse::<Quantity>();
        let _ = "1.1e-2147483649".parse::<Quantity>();
    }

    #[test]
    fn computes_exactly() {
        let parse = |text: &str| text.parse::<Quantity>().expect(text);
        assert_eq!(parse("1500m").value(), 2);
        assert_eq!(parse("-1500m").value(), -1);
        assert_eq!(parse("0.1").milli_value(), 100);
        assert_eq!(parse("1u").milli_value(), 1);
        assert!(parse("1Gi") > parse("1G") && parse("1000m") == parse("1"));
        let mut sum = Quantity::ZERO;
        sum.add(&parse("512Mi"));
        sum.add(&parse("512Mi"));
        assert_eq!(sum.to_string(), "1Gi");
        sum.sub(&parse("1Gi"));
        assert!(sum.is_zero());
        assert_eq!(Quantity::from_milli(250).to_string(), "250m");
        assert_eq!(Quantity::new(1 << 20, Format::BinarySi).to_string(), "1Mi");
    }
}
