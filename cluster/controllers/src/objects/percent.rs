//! Numbers that may be given as a part of a whole.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Which way a part of a pod goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// To the larger number.
    Up,
    /// To the smaller number.
    Down,
}

/// The number that `value` means out of `total`. What cannot be read counts as zero: validation
/// has refused it before.
pub(crate) fn resolve(value: &IntOrString, total: i32, round: Round) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let Some(percent) = text.strip_suffix('%').and_then(|digits| digits.parse::<i64>().ok()) else { return 0 };
            let hundredths = percent.saturating_mul(i64::from(total));
            let whole = match round {
                Round::Up => hundredths.saturating_add(99).div_euclid(100),
                Round::Down => hundredths.div_euclid(100),
            };
            i32::try_from(whole).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_rounded_as_asked() {
        let cases = [("25%", 10, 3, 2), ("0%", 10, 0, 0), ("100%", 7, 7, 7), ("1%", 3, 1, 0), ("x", 3, 0, 0)];
        for (text, total, up, down) in cases {
            let value = IntOrString::String(text.into());
            assert_eq!(resolve(&value, total, Round::Up), up, "{text} of {total}");
            assert_eq!(resolve(&value, total, Round::Down), down, "{text} of {total}");
        }
        assert_eq!(resolve(&IntOrString::Int(4), 100, Round::Up), 4);
    }
}
