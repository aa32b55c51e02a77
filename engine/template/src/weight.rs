//! How large a value is once everything it refers to is written out.
//!
//! Values share their parts, so a template of ten lines can make one that is small in memory and has 2^60
//! leaves. Functions that walk over whole values are refused such ones before they start.

use crate::error::Failure;
use crate::text::Text;
use crate::value::Value;

/// What one value may weigh, in bytes of a rough text of it.
const LIMIT: usize = 64 << 20;
/// What a value adds besides its own text.
const NODE: usize = 16;

/// The steps that making a key or hashing a password counts as.
const KEY: u64 = 2_000_000;

/// Functions that walk over all that their arguments hold.
const WALKERS: &[&str] = &[
    "cat",
    "compact",
    "deepCopy",
    "deepEqual",
    "eq",
    "fail",
    "has",
    "html",
    "join",
    "js",
    "merge",
    "mergeOverwrite",
    "mustCompact",
    "mustDeepCopy",
    "mustHas",
    "mustMerge",
    "mustMergeOverwrite",
    "mustToJson",
    "mustToPrettyJson",
    "mustToRawJson",
    "mustToToml",
    "mustToYaml",
    "mustUniq",
    "mustWithout",
    "ne",
    "print",
    "printf",
    "println",
    "quote",
    "required",
    "sortAlpha",
    "squote",
    "toJson",
    "toPrettyJson",
    "toRawJson",
    "toString",
    "toStrings",
    "toToml",
    "toYaml",
    "toYamlPretty",
    "uniq",
    "urlquery",
    "without",
];

/// Whether the function of that name walks over its arguments.
pub(crate) const fn walks(name: &str) -> bool {
    is_one_of(name, WALKERS)
}

/// Whether a name is in a list; tables of functions are made when the program is compiled.
pub(crate) const fn is_one_of(name: &str, names: &[&str]) -> bool {
    let mut at = 0;
    while at < names.len() {
        if same(names[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether two texts are the same; comparing them as such is not for constants.
pub(crate) const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// How the cost of a call grows with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As its arguments do.
    Plain,
    /// It makes a key or hashes a password.
    Key,
    /// It does much with each part.
    Shuffle,
    /// It compares items with many others.
    Sort,
    /// It compares every item with every other.
    Pairs,
}

impl Effort {
    /// That of the function of some name.
    pub(crate) const fn of(name: &str) -> Self {
        const KEYS: &[&str] =
            &["bcrypt", "derivePassword", "genCA", "genPrivateKey", "genSelfSignedCert", "genSignedCert", "htpasswd"];
        if is_one_of(name, KEYS) {
            Self::Key
        } else if is_one_of(name, &["shuffle"]) {
            Self::Shuffle
        } else if is_one_of(name, &["sortAlpha"]) {
            Self::Sort
        } else if is_one_of(name, &["uniq", "mustUniq"]) {
            Self::Pairs
        } else {
            Self::Plain
        }
    }

    /// What a call costs, in steps: functions are not charged alike, and pay for what they are given.
    pub(crate) fn steps(self, values: &[Value]) -> u64 {
        let size = |value: &Value| match value {
            Value::List(list) => list.len(),
            other => other.text().map_or(0, Text::len) / 16,
        };
        let given = values.iter().map(size).sum::<usize>() as u64;
        match self {
            Self::Plain => given,
            Self::Key => given + KEY,
            Self::Shuffle => given.saturating_mul(16),
            Self::Sort => given.saturating_mul(8),
            Self::Pairs => given.saturating_mul(given) / 4,
        }
    }
}

/// The weight of values together, or a refusal if it is beyond the limit.
pub(crate) fn check(values: &[Value]) -> Result<usize, Failure> {
    let mut weight = 0_usize;
    let mut left: Vec<Value> = values.iter().filter(|value| weigh(value, &mut weight)).cloned().collect();
    while let Some(value) = left.pop() {
        if weight > LIMIT {
            return Err(Failure::limit(format!("the value is larger than the limit of {LIMIT} bytes")));
        }
        match &value {
            Value::List(list) => left.extend(list.items().iter().filter(|item| weigh(item, &mut weight)).cloned()),
            Value::Map(map) => {
                let entries = map.entries();
                weight = entries.keys().fold(weight, |weight, key| weight.saturating_add(key.len()));
                left.extend(entries.values().filter(|item| weigh(item, &mut weight)).cloned());
            }
            _ => {}
        }
    }
    Ok(weight)
}

/// Adds what a value weighs by itself; `true` if there is more in it.
fn weigh(value: &Value, weight: &mut usize) -> bool {
    *weight = weight.saturating_add(NODE + value.text().map_or(0, Text::len));
    matches!(value, Value::List(_) | Value::Map(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_parts_count_each_time() {
        let mut value = Value::from("leaf");
        for _ in 0..60 {
            value = Value::list(vec![value.clone(), value]);
        }
        assert!(check(&[value]).is_err());
        assert!(check(&[Value::from("x"), Value::list(vec![Value::int(1)])]).is_ok());
    }

    #[test]
    fn names_of_walkers_exist() {
        for name in WALKERS {
            assert!(crate::funcs::find(name).is_some(), "{name}");
        }
    }
}
