//! Numbers that may be percentages.

use serde_json::Value;

/// An integer, or a text that is usually a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntOrString<'a> {
    /// A number.
    Int(i64),
    /// A text.
    String(&'a str),
}

/// Why no number could be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntStrError {
    /// The text does not end in a percent sign.
    #[error("invalid value for IntOrString: invalid type: string is not a percentage")]
    NotAPercentage,
    /// What stands before the percent sign is no number.
    #[error("invalid value for IntOrString: invalid value \"{0}\": not a number")]
    NotANumber(String),
}

impl<'a> IntOrString<'a> {
    /// Reads a JSON number or string; `None` for all else.
    pub fn from_json(value: &'a Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Int),
            Value::String(text) => Some(Self::String(text)),
            _ => None,
        }
    }

    /// The number, or that percentage of `total`.
    pub fn scaled(self, total: i64, round_up: bool) -> Result<i64, IntStrError> {
        let text = match self {
            Self::Int(value) => return Ok(value),
            Self::String(text) => text,
        };
        let digits = text.strip_suffix('%').ok_or(IntStrError::NotAPercentage)?;
        let percent: i64 = digits.parse().map_err(|_| IntStrError::NotANumber(text.to_owned()))?;
        let product = i128::from(percent) * i128::from(total);
        let up = i128::from(round_up && product.rem_euclid(100) != 0);
        Ok(i64::try_from(product.div_euclid(100) + up).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_percentages() {
        for (value, total, up, want) in [
            (IntOrString::Int(3), 10, true, Ok(3)),
            (IntOrString::String("25%"), 10, true, Ok(3)),
            (IntOrString::String("25%"), 10, false, Ok(2)),
            (IntOrString::String("100%"), 7, false, Ok(7)),
            (IntOrString::String("25"), 10, true, Err(IntStrError::NotAPercentage)),
            (IntOrString::String("x%"), 10, true, Err(IntStrError::NotANumber("x%".to_owned()))),
        ] {
            assert_eq!(value.scaled(total, up), want);
        }
    }
}
