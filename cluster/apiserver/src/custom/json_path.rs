//! The part of JSONPath that definitions use: fields, elements, all elements, and elements by a field's value.

use serde_json::Value;

/// A path to values in an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    /// `[?(@.type=="Ready")]`
    Where(Vec<String>, Value),
}

impl JsonPath {
    /// Reads a path such as `.spec.replicas`; none if it uses what is not known.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut rest = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        rest = rest.strip_prefix('$').unwrap_or(rest);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, left) = match rest.strip_prefix('[') {
                Some(inner) => bracket(inner)?,
                None => field(rest.strip_prefix('.')?)?,
            };
            steps.extend(step);
            rest = left;
        }
        Some(Self(steps))
    }

    /// The values that the path leads to.
    pub(crate) fn find<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![object];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        found
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let items = || value.as_array().into_iter().flatten();
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::All => value.as_object().map_or_else(|| items().collect(), |map| map.values().collect()),
            Self::Index(at) => {
                let count = items().count();
                let at = if *at < 0 { i64::try_from(count).ok().map(|count| count + at) } else { Some(*at) };
                at.and_then(|at| usize::try_from(at).ok()).and_then(|at| value.get(at)).into_iter().collect()
            }
            Self::Where(path, wanted) => items()
                .filter(|item| path.iter().try_fold(*item, |value, name| value.get(name)) == Some(wanted))
                .collect(),
        }
    }
}

/// A name up to the next dot or bracket; a backslash takes the meaning from what follows.
fn field(text: &str) -> Option<(Option<Step>, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    let mut end = text.len();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.push(characters.next()?.1),
            '.' | '[' => {
                end = at;
                break;
            }
            c => name.push(c),
        }
    }
    let step = match name.as_str() {
        // `.[0]`, or the object itself.
        "" => None,
        "*" => Some(Step::All),
        _ => Some(Step::Field(name)),
    };
    if step.is_none() && end == 0 && text.starts_with('.') {
        return None;
    }
    Some((step, &text[end..]))
}

fn bracket(text: &str) -> Option<(Option<Step>, &str)> {
    if let Some(condition) = text.strip_prefix("?(") {
        let end = condition.find(")]")?;
        return Some((Some(condition_of(&condition[..end])?), &condition[end + 2..]));
    }
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let end = text[1..].find(quote)? + 1;
        let rest = text[end + 1..].strip_prefix(']')?;
        return Some((Some(Step::Field(text[1..end].to_owned())), rest));
    }
    let (inner, rest) = text.split_once(']')?;
    let step = if inner == "*" { Step::All } else { Step::Index(inner.parse().ok()?) };
    Some((Some(step), rest))
}

fn condition_of(text: &str) -> Option<Step> {
    let (path, value) = text.split_once("==")?;
    let path = path.trim().strip_prefix("@.")?.split('.').map(str::to_owned).collect();
    let value = value.trim();
    let quoted = value.strip_prefix(['"', '\'']).and_then(|value| value.strip_suffix(['"', '\'']));
    let value = match quoted {
        Some(text) => Value::from(text),
        None => serde_json::from_str(value).ok()?,
    };
    Some(Step::Where(path, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_values() {
        let object = json!({
            "spec": {"replicas": 3, "a.b": "dotted", "list": ["x", "y"]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        });
        let cases = [
            (".spec.replicas", json!([3])),
            (".spec.a\\.b", json!(["dotted"])),
            (".spec['a.b']", json!(["dotted"])),
            (".spec.list[0]", json!(["x"])),
            (".spec.list[-1]", json!(["y"])),
            (".spec.list[*]", json!(["x", "y"])),
            (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
            (".status.conditions[?(@.type=='Other')].status", json!(["False"])),
            ("{.spec.replicas}", json!([3])),
            (".none.at.all", json!([])),
        ];
        for (path, want) in cases {
            let found = JsonPath::parse(path).expect(path);
            assert_eq!(json!(found.find(&object)), want, "{path}");
        }
        for bad in ["spec", ".spec[", ".spec[?(x)]", ".spec[a]"] {
            assert_eq!(JsonPath::parse(bad), None, "{bad}");
        }
    }
}
