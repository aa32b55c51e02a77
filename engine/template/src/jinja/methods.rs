//! Methods that Python's strings and mappings have, as far as templates use them.

use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{Error, ErrorKind, State};

/// Calls a method that neither minijinja nor the object itself knows.
pub(super) fn call(_state: &mut State<'_, '_>, value: &Jinja, method: &str, args: &[Jinja]) -> Result<Jinja, Error> {
    match value.kind() {
        ValueKind::Map => mapping(value, method, args),
        ValueKind::String => string(value.as_str().unwrap_or_default(), method, args),
        _ => Err(ErrorKind::UnknownMethod.into()),
    }
}

fn mapping(value: &Jinja, method: &str, args: &[Jinja]) -> Result<Jinja, Error> {
    let pairs = || -> Result<Vec<(Jinja, Jinja)>, Error> {
        value.try_iter()?.map(|key| Ok((key.clone(), value.get_item(&key)?))).collect()
    };
    match (method, args) {
        ("get", [key]) => Ok(present(value.get_item(key)?).unwrap_or_else(|| Jinja::from(()))),
        ("get", [key, default]) => Ok(present(value.get_item(key)?).unwrap_or_else(|| default.clone())),
        ("keys", []) => Ok(value.try_iter()?.collect()),
        ("values", []) => Ok(pairs()?.into_iter().map(|(_, item)| item).collect()),
        ("items", []) => Ok(pairs()?.into_iter().map(|(key, item)| Jinja::from(vec![key, item])).collect()),
        _ => Err(ErrorKind::UnknownMethod.into()),
    }
}

fn present(value: Jinja) -> Option<Jinja> {
    Some(value).filter(|value| !value.is_undefined())
}

fn string(text: &str, method: &str, args: &[Jinja]) -> Result<Jinja, Error> {
    let args: Vec<&str> = args
        .iter()
        .map(|arg| arg.as_str().ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{method} takes texts"))))
        .collect::<Result<_, _>>()?;
    Ok(match (method, args.as_slice()) {
        ("startswith", [prefix]) => text.starts_with(prefix).into(),
        ("endswith", [suffix]) => text.ends_with(suffix).into(),
        ("lower", []) => text.to_lowercase().into(),
        ("upper", []) => text.to_uppercase().into(),
        ("strip", []) => text.trim().into(),
        ("rstrip", []) => text.trim_end().into(),
        ("lstrip", []) => text.trim_start().into(),
        ("split", []) => text.split_whitespace().map(Jinja::from).collect(),
        ("split", [separator]) if !separator.is_empty() => text.split(separator).map(Jinja::from).collect(),
        ("splitlines", []) => text.lines().map(Jinja::from).collect(),
        ("removeprefix", [prefix]) => text.strip_prefix(prefix).unwrap_or(text).into(),
        ("removesuffix", [suffix]) => text.strip_suffix(suffix).unwrap_or(text).into(),
        _ => return Err(ErrorKind::UnknownMethod.into()),
    })
}
