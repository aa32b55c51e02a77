//! Functions and arithmetic.

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use super::value::{Cel, fault};
use super::{Budget, CelError};
use crate::quantity::Quantity;

/// The types that expressions can name.
pub(super) const TYPES: [&str; 9] = ["bool", "int", "uint", "double", "string", "list", "map", "null_type", "type"];

/// Functions with the numbers of their arguments, receivers included, and whether they are methods.
const KNOWN: &[(&str, usize, usize, bool)] = &[
    ("size", 1, 1, false),
    ("size", 1, 1, true),
    ("int", 1, 1, false),
    ("uint", 1, 1, false),
    ("double", 1, 1, false),
    ("string", 1, 1, false),
    ("bool", 1, 1, false),
    ("dyn", 1, 1, false),
    ("type", 1, 1, false),
    ("duration", 1, 1, false),
    ("timestamp", 1, 1, false),
    ("quantity", 1, 1, false),
    ("isQuantity", 1, 1, false),
    ("matches", 2, 2, true),
    ("matches", 2, 2, false),
    ("contains", 2, 2, true),
    ("startsWith", 2, 2, true),
    ("endsWith", 2, 2, true),
    ("lowerAscii", 1, 1, true),
    ("upperAscii", 1, 1, true),
    ("trim", 1, 1, true),
    ("split", 2, 2, true),
    ("join", 1, 2, true),
    ("replace", 3, 3, true),
    ("substring", 2, 3, true),
    ("charAt", 2, 2, true),
    ("indexOf", 2, 2, true),
    ("lastIndexOf", 2, 2, true),
    ("find", 2, 2, true),
    ("findAll", 2, 2, true),
    ("sum", 1, 1, true),
    ("min", 1, 1, true),
    ("max", 1, 1, true),
    ("isSorted", 1, 1, true),
    ("isGreaterThan", 2, 2, true),
    ("isLessThan", 2, 2, true),
    ("compareTo", 2, 2, true),
    ("sign", 1, 1, true),
    ("isInteger", 1, 1, true),
    ("asInteger", 1, 1, true),
];

pub(super) fn is_known(name: &str, arguments: usize, method: bool) -> bool {
    KNOWN.iter().any(|(own, least, most, is)| *own == name && *is == method && (*least..=*most).contains(&arguments))
}

type Answer<'a> = Result<Cel<'a>, CelError>;

fn overload<T>() -> Result<T, CelError> {
    fault("no such overload")
}

/// Calls a known function.
pub(super) fn call<'a>(name: &str, arguments: &[Cel<'a>], budget: &mut Budget) -> Answer<'a> {
    for argument in arguments {
        budget.spend(match argument {
            Cel::Text(text) => text.len() / 10 + 1,
            other => other.size().unwrap_or(1),
        })?;
    }
    match arguments {
        [Cel::Text(own), Cel::Text(other)] if !matches!(name, "join") => texts(name, own, other, budget),
        [Cel::Text(own), Cel::Text(old), Cel::Text(new)] if name == "replace" => {
            budget.spend(own.len().saturating_mul(new.len().max(1)) / old.len().max(1) / 10)?;
            Ok(Cel::text(own.replace(&**old, new)))
        }
        [Cel::Text(own), rest @ ..] if matches!(name, "substring" | "charAt") => part(name, own, rest),
        [Cel::Quantity(a), Cel::Quantity(b)] => match name {
            "isGreaterThan" => Ok(Cel::Bool(a > b)),
            "isLessThan" => Ok(Cel::Bool(a < b)),
            "compareTo" => Ok(Cel::Int(a.cmp(b) as i64)),
            _ => overload(),
        },
        [list @ (Cel::Array(_) | Cel::List(_)), rest @ ..] if name != "size" && name != "string" && name != "type" => {
            lists(name, &list.items().unwrap_or_default(), rest, budget)
        }
        [one] => single(name, one),
        _ => overload(),
    }
}

fn single<'a>(name: &str, value: &Cel<'a>) -> Answer<'a> {
    let number = |value: Option<i64>| value.map(Cel::Int).map_or_else(|| fault("integer overflow"), Ok);
    match (name, value) {
        ("dyn", value) => Ok(value.clone()),
        ("type", value) => Ok(Cel::Type(value.type_name())),
        ("size", value) => value.size().map_or_else(overload, |size| number(i64::try_from(size).ok())),
        ("string", value) => shown(value).map_or_else(overload, |text| Ok(Cel::text(text))),
        ("bool", Cel::Bool(value)) => Ok(Cel::Bool(*value)),
        ("bool", Cel::Text(text)) => text.parse().map(Cel::Bool).or_else(|_| fault("type conversion error")),
        ("int", Cel::Int(value)) => Ok(Cel::Int(*value)),
        ("int", Cel::Uint(value)) => number(i64::try_from(*value).ok()),
        #[expect(clippy::cast_possible_truncation, reason = "CEL cuts the fraction off; what is too large is refused")]
        ("int", Cel::Double(value)) => number((value.abs() < 9.2e18).then_some(*value as i64)),
        ("int", Cel::Text(text)) => text.parse().map(Cel::Int).or_else(|_| fault("type conversion error")),
        ("uint", Cel::Uint(value)) => Ok(Cel::Uint(*value)),
        ("uint", Cel::Int(value)) => {
            u64::try_from(*value).map(Cel::Uint).or_else(|_| fault("unsigned integer overflow"))
        }
        ("uint", Cel::Text(text)) => text.parse().map(Cel::Uint).or_else(|_| fault("type conversion error")),
        #[expect(clippy::cast_precision_loss, reason = "as in CEL")]
        ("double", Cel::Int(value)) => Ok(Cel::Double(*value as f64)),
        #[expect(clippy::cast_precision_loss, reason = "as in CEL")]
        ("double", Cel::Uint(value)) => Ok(Cel::Double(*value as f64)),
        ("double", Cel::Double(value)) => Ok(Cel::Double(*value)),
        ("double", Cel::Text(text)) => text.parse().map(Cel::Double).or_else(|_| fault("type conversion error")),
        ("duration", Cel::Text(text)) => {
            duration(text).map_or_else(|| fault("invalid duration"), |it| Ok(Cel::Duration(it)))
        }
        ("timestamp", Cel::Text(text)) => {
            text.parse::<Timestamp>().map(Cel::Time).or_else(|_| fault("invalid timestamp"))
        }
        ("quantity", Cel::Text(text)) => {
            text.parse::<Quantity>().map(Cel::Quantity).or_else(|_| fault("invalid quantity"))
        }
        ("isQuantity", Cel::Text(text)) => Ok(Cel::Bool(text.parse::<Quantity>().is_ok())),
        ("lowerAscii", Cel::Text(text)) => Ok(Cel::text(text.to_ascii_lowercase())),
        ("upperAscii", Cel::Text(text)) => Ok(Cel::text(text.to_ascii_uppercase())),
        ("trim", Cel::Text(text)) => Ok(Cel::text(text.trim())),
        ("sign", Cel::Quantity(amount)) => Ok(Cel::Int(amount.sign().into())),
        ("isInteger", Cel::Quantity(amount)) => Ok(Cel::Bool(amount.is_whole())),
        ("asInteger", Cel::Quantity(amount)) if amount.is_whole() => Ok(Cel::Int(amount.value())),
        _ => overload(),
    }
}

/// A scalar as text.
pub(super) fn shown(value: &Cel<'_>) -> Option<String> {
    Some(match value {
        Cel::Bool(value) => value.to_string(),
        Cel::Int(value) => value.to_string(),
        Cel::Uint(value) => value.to_string(),
        Cel::Double(value) => value.to_string(),
        Cel::Text(text) => text.to_string(),
        Cel::Time(time) => time.to_string(),
        Cel::Duration(length) => format!("{}s", length.as_secs_f64()),
        _ => return None,
    })
}

fn texts<'a>(name: &str, own: &str, other: &str, budget: &mut Budget) -> Answer<'a> {
    let place =
        |at: Option<usize>| Cel::Int(at.map_or(-1, |at| i64::try_from(own[..at].chars().count()).unwrap_or(-1)));
    let pattern = |budget: &mut Budget| {
        // Matching takes time by the length of both.
        budget.spend(own.len().saturating_mul(other.len()) / 40)?;
        Regex::new(other).map_err(|error| CelError::Value(format!("error parsing regexp: {error}")))
    };
    Ok(match name {
        "contains" => Cel::Bool(own.contains(other)),
        "startsWith" => Cel::Bool(own.starts_with(other)),
        "endsWith" => Cel::Bool(own.ends_with(other)),
        "matches" => Cel::Bool(pattern(budget)?.is_match(own)),
        "find" => Cel::text(pattern(budget)?.find(own).map_or("", |it| it.as_str())),
        "findAll" => Cel::list(pattern(budget)?.find_iter(own).map(|it| Cel::text(it.as_str())).collect()),
        "split" if other.is_empty() => Cel::list(own.chars().map(Cel::text).collect()),
        "split" => Cel::list(own.split(other).map(Cel::text).collect()),
        "indexOf" => place(own.find(other)),
        "lastIndexOf" => place(own.rfind(other)),
        _ => return overload(),
    })
}

fn part<'a>(name: &str, own: &str, places: &[Cel<'a>]) -> Answer<'a> {
    let count = own.chars().count();
    let place = |value: &Cel<'a>| match value {
        Cel::Int(at) => usize::try_from(*at).ok().filter(|at| *at <= count),
        _ => None,
    };
    let places: Option<Vec<usize>> = places.iter().map(place).collect();
    let (start, end) = match (name, places.as_deref()) {
        ("charAt", Some([at])) => (*at, (*at + 1).min(count)),
        ("substring", Some([start])) => (*start, count),
        ("substring", Some([start, end])) if start <= end => (*start, *end),
        _ => return fault("index out of range"),
    };
    Ok(Cel::text(own.chars().skip(start).take(end - start).collect::<String>()))
}

fn lists<'a>(name: &str, items: &[Cel<'a>], rest: &[Cel<'a>], budget: &mut Budget) -> Answer<'a> {
    let best = |wanted: std::cmp::Ordering| -> Answer<'a> {
        let mut best = items.first().map_or_else(|| fault(format!("{name} called on empty list")), Ok)?;
        for item in items {
            match item.order(best) {
                Some(order) if order == wanted => best = item,
                Some(_) => {}
                None => return overload(),
            }
        }
        Ok(best.clone())
    };
    match (name, rest) {
        ("join", []) => joined(items, ""),
        ("join", [Cel::Text(between)]) => joined(items, between),
        ("min", []) => best(std::cmp::Ordering::Less),
        ("max", []) => best(std::cmp::Ordering::Greater),
        ("sum", []) => items.iter().try_fold(Cel::Int(0), |sum, item| arithmetic("+", &sum, item, budget)),
        ("isSorted", []) => Ok(Cel::Bool(items.is_sorted_by(|a, b| a.order(b).is_some_and(std::cmp::Ordering::is_le)))),
        ("indexOf" | "lastIndexOf", [wanted]) => {
            let mut at = -1;
            for (index, item) in items.iter().enumerate() {
                if item.equals(wanted, budget)? {
                    at = i64::try_from(index).unwrap_or(-1);
                    if name == "indexOf" {
                        break;
                    }
                }
            }
            Ok(Cel::Int(at))
        }
        _ => overload(),
    }
}

fn joined<'a>(items: &[Cel<'_>], between: &str) -> Answer<'a> {
    let texts: Option<Vec<&str>> =
        items.iter().map(|it| if let Cel::Text(text) = it { Some(&**text) } else { None }).collect();
    texts.map_or_else(overload, |texts| Ok(Cel::text(texts.join(between))))
}

/// Arithmetic; numbers of different types meet as doubles.
pub(super) fn arithmetic<'a>(operator: &str, left: &Cel<'a>, right: &Cel<'a>, budget: &mut Budget) -> Answer<'a> {
    let whole = |value: Option<i64>| value.map(Cel::Int).map_or_else(|| fault("integer overflow"), Ok);
    let natural = |value: Option<u64>| value.map(Cel::Uint).map_or_else(|| fault("unsigned integer overflow"), Ok);
    match (left, right) {
        (Cel::Int(_), Cel::Int(0)) | (Cel::Uint(_), Cel::Uint(0)) if matches!(operator, "/" | "%") => {
            fault("division by zero")
        }
        (Cel::Int(a), Cel::Int(b)) => whole(match operator {
            "+" => a.checked_add(*b),
            "-" => a.checked_sub(*b),
            "*" => a.checked_mul(*b),
            "/" => a.checked_div(*b),
            _ => a.checked_rem(*b),
        }),
        (Cel::Uint(a), Cel::Uint(b)) => natural(match operator {
            "+" => a.checked_add(*b),
            "-" => a.checked_sub(*b),
            "*" => a.checked_mul(*b),
            "/" => a.checked_div(*b),
            _ => a.checked_rem(*b),
        }),
        (Cel::Text(a), Cel::Text(b)) if operator == "+" => {
            budget.spend((a.len() + b.len()) / 10)?;
            Ok(Cel::text(format!("{a}{b}")))
        }
        (Cel::Quantity(a), Cel::Quantity(b)) if matches!(operator, "+" | "-") => {
            let mut sum = a.clone();
            if operator == "+" {
                sum.add(b);
            } else {
                sum.sub(b);
            }
            Ok(Cel::Quantity(sum))
        }
        _ if operator == "+" && left.items().is_some() => {
            let (mut all, more) = (left.items().unwrap_or_default(), right.items());
            let Some(more) = more else { return overload() };
            budget.spend(all.len() + more.len())?;
            all.extend(more);
            Ok(Cel::list(all))
        }
        _ => {
            let (Cel::Double(a), Cel::Double(b)) = (single("double", left)?, single("double", right)?) else {
                return overload();
            };
            Ok(Cel::Double(match operator {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "/" => a / b,
                _ => return overload(),
            }))
        }
    }
}

/// Go's durations: `1h30m`, `-1.5s`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut seconds = 0.0;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(digits);
        let units = [("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let (name, factor) = units.into_iter().find(|(name, _)| unit.starts_with(name))?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = &unit[name.len()..];
        parts += 1;
    }
    let whole = (parts > 0).then(|| SignedDuration::try_from_secs_f64(seconds).ok())??;
    Some(if negative { -whole } else { whole })
}
