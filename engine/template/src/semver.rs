//! Versions and ranges of versions, as the library Masterminds/semver reads them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

use crate::quote::quote;

/// A version; missing parts are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number.
    pub minor: u64,
    /// Third number.
    pub patch: u64,
    /// What follows a dash.
    pub prerelease: String,
    /// What follows a plus sign; it does not count when versions are compared.
    pub metadata: String,
    /// As it was written.
    pub original: String,
}

impl Version {
    /// Reads a version with or without a `v`, of one to three numbers.
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid = || "invalid semantic version".to_owned();
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, Some(metadata)),
            None => (rest, None),
        };
        let (numbers, prerelease) = match rest.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (rest, None),
        };
        let identifiers = |part: &str| {
            part.split('.')
                .all(|item| !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        };
        if prerelease.is_some_and(|part| !identifiers(part)) || metadata.is_some_and(|part| !identifiers(part)) {
            return Err(invalid());
        }
        let mut parsed = [0_u64; 3];
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > 3 {
            return Err(invalid());
        }
        for (slot, part) in parsed.iter_mut().zip(&parts) {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(invalid());
            }
            let too_large = || {
                format!(
                    "error parsing version segment: strconv.ParseUint: parsing {}: value out of range",
                    quote(part.as_bytes())
                )
            };
            *slot = part.parse().map_err(|_| too_large())?;
        }
        let prerelease = prerelease.unwrap_or_default();
        let leading_zero =
            |item: &str| item.len() > 1 && item.starts_with('0') && item.bytes().all(|byte| byte.is_ascii_digit());
        if prerelease.split('.').any(leading_zero) {
            return Err("version segment starts with 0".to_owned());
        }
        Ok(Self {
            major: parsed[0],
            minor: parsed[1],
            patch: parsed[2],
            prerelease: prerelease.to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// Compares by precedence.
    pub fn compare(&self, other: &Self) -> Ordering {
        (self.major, self.minor, self.patch)
            .cmp(&(other.major, other.minor, other.patch))
            .then_with(|| compare_prerelease(&self.prerelease, &other.prerelease))
    }

    fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

impl Display for Version {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut one, mut other) = (left.split('.'), right.split('.'));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A range of versions: alternatives of conditions that must all hold.
#[derive(Debug, Clone)]
pub struct Range {
    alternatives: Vec<Vec<Condition>>,
}

#[derive(Debug, Clone)]
struct Condition {
    operator: Operator,
    version: Version,
    /// Which parts were left out or written as a wildcard.
    open: Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Major,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

/// Longer operators first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("=>", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=<", Operator::AtMost),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

impl Range {
    /// Reads a range such as `>=1.2 <3 || ^4.0.0`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = rewrite_hyphens(text);
        let alternatives: Result<Vec<_>, String> = text.split("||").map(parse_alternative).collect();
        Ok(Self { alternatives: alternatives? })
    }

    /// Whether a version is in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|conditions| {
            let prereleases = conditions.iter().any(|condition| !condition.version.prerelease.is_empty());
            (version.prerelease.is_empty() || prereleases)
                && conditions.iter().all(|condition| condition.holds(version))
        })
    }
}

/// Whether a version is in a range; anything that cannot be read is not.
pub fn is_compatible(range: &str, version: &str) -> bool {
    match (Version::parse(version), Range::parse(range)) {
        (Ok(version), Ok(range)) => range.contains(&version),
        _ => false,
    }
}

/// `1.2 - 1.4` means `>= 1.2, <= 1.4`.
fn rewrite_hyphens(text: &str) -> Cow<'_, str> {
    if !text.split_whitespace().any(|word| word == "-") {
        return text.into();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut out: Vec<String> = Vec::new();
    let mut index = 0;
    while index < words.len() {
        if words.get(index + 1) == Some(&"-") && index + 2 < words.len() {
            out.push(format!(">= {}, <= {}", words[index], words[index + 2]));
            index += 3;
        } else {
            out.push(words[index].to_owned());
            index += 1;
        }
    }
    out.join(" ").into()
}

fn parse_alternative(text: &str) -> Result<Vec<Condition>, String> {
    let improper = || format!("improper constraint: {}", quote(text.as_bytes()));
    let mut conditions = Vec::new();
    let mut rest = text.trim_start();
    if rest.is_empty() {
        // The empty range is `*`... but Go's pattern wants at least a version.
        return Err(improper());
    }
    loop {
        let (operator, after) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)))
            .unwrap_or((Operator::Equal, rest));
        let after = after.trim_start();
        let end = after.find(|character: char| character.is_whitespace() || character == ',').unwrap_or(after.len());
        conditions.push(parse_condition(operator, &after[..end]).ok_or_else(improper)??);
        let tail = after[end..].trim_start();
        rest = match tail.strip_prefix(',') {
            Some(next) => {
                let next = next.trim_start();
                if next.is_empty() {
                    return Err(improper());
                }
                next
            }
            None => tail,
        };
        if rest.is_empty() {
            return Ok(conditions);
        }
    }
}

/// `None` where the text has not the form of a version; an error where only its parts are wrong.
fn parse_condition(operator: Operator, text: &str) -> Option<Result<Condition, String>> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let split = bare.find(['-', '+']).unwrap_or(bare.len());
    let (numbers, suffix) = bare.split_at(split);
    let parts: Vec<&str> = numbers.split('.').collect();
    let valid =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit() || b"xX*|".contains(&byte));
    if parts.len() > 3 || !parts.iter().all(valid) {
        return None;
    }
    let wild = |index: usize| parts.get(index).is_none_or(|part| matches!(*part, "x" | "X" | "*"));
    let prerelease = suffix.split('+').next().unwrap_or_default();
    let (open, version) = if wild(0) {
        (Open::Major, format!("0.0.0{prerelease}"))
    } else if wild(1) {
        (Open::Minor, format!("{}.0.0{prerelease}", parts[0]))
    } else if wild(2) {
        (Open::Patch, format!("{}.{}.0{prerelease}", parts[0], parts[1]))
    } else {
        (Open::Nothing, text.to_owned())
    };
    let version = Version::parse(&version).map_err(|_| "constraint parser error".to_owned());
    Some(version.map(|version| Condition { operator, version, open }))
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let order = version.compare(wanted);
        let exact = self.open == Open::Nothing;
        match self.operator {
            Operator::Equal if exact => order == Ordering::Equal,
            Operator::Equal | Operator::Tilde => self.tilde(version, order),
            Operator::NotEqual if exact => order != Ordering::Equal,
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater if exact => order == Ordering::Greater,
            Operator::Greater => match version.major.cmp(&wanted.major) {
                Ordering::Equal => match self.open {
                    Open::Minor => false,
                    Open::Patch => version.minor > wanted.minor,
                    _ => order == Ordering::Greater,
                },
                other => other == Ordering::Greater,
            },
            Operator::Less => order == Ordering::Less,
            Operator::AtLeast => order != Ordering::Less,
            Operator::AtMost if exact => order != Ordering::Greater,
            Operator::AtMost => {
                !(version.major > wanted.major
                    || version.major == wanted.major && version.minor > wanted.minor && self.open != Open::Minor)
            }
            Operator::Caret => self.caret(version, order),
        }
    }

    fn tilde(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        if order == Ordering::Less {
            return false;
        }
        if wanted.numbers() == (0, 0, 0) && !matches!(self.open, Open::Minor | Open::Patch) {
            return true;
        }
        version.major == wanted.major && (version.minor == wanted.minor || self.open == Open::Minor)
    }

    fn not_equal(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version.major != wanted.major {
            return true;
        }
        if version.minor != wanted.minor && self.open != Open::Minor {
            return true;
        }
        match self.open {
            Open::Minor => false,
            Open::Patch => {
                (!version.prerelease.is_empty() || !wanted.prerelease.is_empty())
                    && compare_prerelease(&version.prerelease, &wanted.prerelease) != Ordering::Equal
            }
            _ if version.patch != wanted.patch => true,
            _ => version.compare(wanted) != Ordering::Equal,
        }
    }

    fn caret(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        if order == Ordering::Less {
            return false;
        }
        if wanted.major > 0 || self.open == Open::Minor {
            return version.major == wanted.major;
        }
        if version.major > 0 {
            return false;
        }
        if wanted.minor > 0 || self.open == Open::Patch {
            return version.minor == wanted.minor;
        }
        version.minor == 0 && version.patch == wanted.patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cases = [
            ("^1.2.3", "1.9.0", true),
            ("^1.2.3", "2.0.0", false),
            ("~1.2.3", "1.2.9", true),
            ("~1.2.3", "1.3.0", false),
            (">=1.19-0", "1.33.4-gke.1", true),
            (">=1.19", "1.33.4-gke.1", false),
            (">= 1.16.0 < 1.22.0", "1.21.0", true),
            (">=1.16, <1.22 || >1.30", "1.36.0", true),
            ("1.x", "1.5.0", true),
            ("*", "3.0.0", true),
            ("*", "3.0.0-alpha", false),
            ("1.2 - 1.4", "1.3.5", true),
            ("!=1.2.3", "1.2.3", false),
            ("<1.2", "1.1.9", true),
            ("v1.2.3", "1.2.3", true),
            ("", "1.2.3", false),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("latest", "1.0.0", false),
            (">0.0.0-0", "1.0.0-beta", true),
        ];
        for (range, version, want) in cases {
            assert_eq!(is_compatible(range, version), want, "{range} {version}");
        }
    }
}
