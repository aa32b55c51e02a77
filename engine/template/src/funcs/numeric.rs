//! Sprig's numbers.

use super::cast::{atoi, to_float64, to_int64};
use super::{Answer, Function, Type, fixed, int, string, variadic};
use crate::error::Failure;
use crate::exec::Context;
use crate::value::{List, ListKind, Value};

use Type::{Any, Float, Int, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("atoi", &[Str], |_, args| Ok(Value::int(atoi(&string(&args[0]))))),
    fixed("int64", &[Any], |_, args| Ok(Value::int64(to_int64(&args[0])))),
    fixed("int", &[Any], |_, args| Ok(Value::int(to_int64(&args[0])))),
    fixed("float64", &[Any], |_, args| Ok(Value::Float(to_float64(&args[0])))),
    fixed("toDecimal", &[Any], |_, args| {
        let text = crate::format::text(&args[0]);
        Ok(Value::int64(i64::from_str_radix(&text, 8).unwrap_or(0)))
    }),
    variadic("seq", &[Int], |context, args| sequence(context, &args.iter().map(int).collect::<Vec<_>>())),
    fixed("until", &[Int], |context, args| {
        let count = int(&args[0]);
        until(context, 0, count, if count < 0 { -1 } else { 1 })
    }),
    fixed("untilStep", &[Int, Int, Int], |context, args| until(context, int(&args[0]), int(&args[1]), int(&args[2]))),
    fixed("add1", &[Any], |_, args| Ok(Value::int64(to_int64(&args[0]).wrapping_add(1)))),
    variadic("add", &[Any], |_, args| {
        Ok(Value::int64(args.iter().fold(0, |sum, arg| i64::wrapping_add(sum, to_int64(arg)))))
    }),
    fixed("sub", &[Any, Any], |_, args| Ok(Value::int64(to_int64(&args[0]).wrapping_sub(to_int64(&args[1]))))),
    fixed("div", &[Any, Any], |_, args| divide(&args[0], &args[1], i64::wrapping_div)),
    fixed("mod", &[Any, Any], |_, args| divide(&args[0], &args[1], i64::wrapping_rem)),
    variadic("mul", &[Any, Any], |_, args| {
        Ok(Value::int64(args.iter().fold(1, |product, arg| i64::wrapping_mul(product, to_int64(arg)))))
    }),
    fixed("randInt", &[Int, Int], |context, args| {
        let (low, high) = (int(&args[0]), int(&args[1]));
        let span = high.checked_sub(low).and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0);
        let Some(span) = span else { return Err("invalid argument to Intn".into()) };
        let offset = i64::try_from(context.ambient.below(span)).unwrap_or(0);
        Ok(Value::int(low + offset))
    }),
    fixed("add1f", &[Any], |_, args| decimal(&args[0], &[Value::int(1)], Operation::Add)),
    variadic("addf", &[Any], |_, args| decimal(&Value::Float(0.0), args, Operation::Add)),
    variadic("subf", &[Any, Any], |_, args| decimal(&args[0], &args[1..], Operation::Subtract)),
    variadic("divf", &[Any, Any], |_, args| decimal(&args[0], &args[1..], Operation::Divide)),
    variadic("mulf", &[Any, Any], |_, args| decimal(&args[0], &args[1..], Operation::Multiply)),
    variadic("biggest", &[Any, Any], |_, args| Ok(extreme(args, i64::max))),
    variadic("max", &[Any, Any], |_, args| Ok(extreme(args, i64::max))),
    variadic("min", &[Any, Any], |_, args| Ok(extreme(args, i64::min))),
    variadic("maxf", &[Any, Any], |_, args| Ok(extreme_float(args, |one, other| one > other))),
    variadic("minf", &[Any, Any], |_, args| Ok(extreme_float(args, |one, other| one < other))),
    fixed("ceil", &[Any], |_, args| Ok(Value::Float(to_float64(&args[0]).ceil()))),
    fixed("floor", &[Any], |_, args| Ok(Value::Float(to_float64(&args[0]).floor()))),
    variadic("round", &[Any, Int, Float], |_, args| Ok(Value::Float(round(args)))),
];

fn divide(left: &Value, right: &Value, operation: fn(i64, i64) -> i64) -> Answer {
    match to_int64(right) {
        0 => Err(Failure::new("runtime error: integer divide by zero")),
        right => Ok(Value::int64(operation(to_int64(left), right))),
    }
}

fn extreme(args: &[Value], choose: fn(i64, i64) -> i64) -> Value {
    Value::int64(args.iter().map(to_int64).reduce(choose).unwrap_or(0))
}

fn extreme_float(args: &[Value], better: fn(f64, f64) -> bool) -> Value {
    let choose = |one: f64, other: f64| if one.is_nan() || better(one, other) { one } else { other };
    Value::Float(args.iter().map(to_float64).reduce(choose).unwrap_or(0.0))
}

/// The numbers from start to stop, which is left out. The list's size counts as output.
fn steps(context: &mut Context, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Failure> {
    let down = stop < start;
    if down && step >= 0 || !down && step <= 0 {
        return Ok(Vec::new());
    }
    let count = start.abs_diff(stop).div_ceil(step.unsigned_abs());
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    context.spend(count.saturating_mul(size_of::<Value>()))?;
    Ok(std::iter::successors(Some(start), |value| value.checked_add(step)).take(count).collect())
}

fn until(context: &mut Context, start: i64, stop: i64, step: i64) -> Answer {
    let numbers = steps(context, start, stop, step)?;
    Ok(Value::List(List::new(ListKind::Int, numbers.into_iter().map(Value::int).collect())))
}

fn sequence(context: &mut Context, params: &[i64]) -> Answer {
    let (start, end, step) = match *params {
        [end] => (1, end, if end < 1 { -1 } else { 1 }),
        [start, end] => (start, end, if end < start { -1 } else { 1 }),
        [start, step, end] if end < start && step > 0 => {
            let _ = (start, step, end);
            return Ok("".into());
        }
        [start, step, end] => (start, end, step),
        _ => return Ok("".into()),
    };
    let beyond = if end < start { end.saturating_sub(1) } else { end.saturating_add(1) };
    let numbers = steps(context, start, beyond, step)?;
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Ok(texts.join(" ").into())
}

fn round(args: &[Value]) -> f64 {
    let value = to_float64(&args[0]);
    let places = int(&args[1]);
    let from = match args.get(2) {
        Some(Value::Float(from)) => *from,
        _ => 0.5,
    };
    let power = 10_f64.powf(places as f64);
    let digit = power * value;
    let rounded = if digit.fract() >= from { digit.ceil() } else { digit.floor() };
    rounded / power
}

#[derive(Clone, Copy)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Decimal arithmetic, so that `0.1 + 0.2` is `0.3`. What does not fit falls back to floats.
fn decimal(first: &Value, rest: &[Value], operation: Operation) -> Answer {
    let first = to_float64(first);
    let rest: Vec<f64> = rest.iter().map(to_float64).collect();
    if matches!(operation, Operation::Divide) && rest.contains(&0.0) {
        return Err(Failure::new("decimal division by 0"));
    }
    let exact = rest.iter().try_fold(Decimal::of(first)?, |sum, value| {
        let value = Decimal::of(*value)?;
        Ok::<_, Failure>(sum.and_then(|sum| value.and_then(|value| sum.apply(value, operation))))
    })?;
    let result = exact.map(Decimal::value).unwrap_or_else(|| {
        rest.iter().fold(first, |sum, value| match operation {
            Operation::Add => sum + value,
            Operation::Subtract => sum - value,
            Operation::Multiply => sum * value,
            Operation::Divide => sum / value,
        })
    });
    Ok(Value::Float(result))
}

/// `digits * 10^-scale`
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    scale: u32,
}

const DIVISION_PLACES: u32 = 16;

impl Decimal {
    fn of(value: f64) -> Result<Option<Self>, Failure> {
        if !value.is_finite() {
            return Err(Failure::new(format!(
                "Cannot create a Decimal from {}",
                kpkg_yaml::number::format_general(value)
            )));
        }
        let text = format!("{value}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok();
        let scale = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
        Ok(digits.map(|digits| Self { digits, scale }))
    }

    fn scaled(self, scale: u32) -> Option<i128> {
        self.digits.checked_mul(10_i128.checked_pow(scale - self.scale)?)
    }

    fn apply(self, other: Self, operation: Operation) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        match operation {
            Operation::Add => Some(Self { digits: self.scaled(scale)?.checked_add(other.scaled(scale)?)?, scale }),
            Operation::Subtract => Some(Self { digits: self.scaled(scale)?.checked_sub(other.scaled(scale)?)?, scale }),
            Operation::Multiply => Some(Self {
                digits: self.digits.checked_mul(other.digits)?,
                scale: self.scale.checked_add(other.scale)?,
            }),
            Operation::Divide => {
                let numerator = self.scaled(scale)?.checked_mul(10_i128.pow(DIVISION_PLACES))?;
                let denominator = other.scaled(scale)?;
                let (quotient, remainder) = (numerator / denominator, numerator % denominator);
                let half = remainder.unsigned_abs() * 2 >= denominator.unsigned_abs();
                let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
                Some(Self { digits: quotient + if half { away } else { 0 }, scale: DIVISION_PLACES })
            }
        }
    }

    fn value(self) -> f64 {
        format!("{}e-{}", self.digits, self.scale).parse().unwrap_or(0.0)
    }
}
