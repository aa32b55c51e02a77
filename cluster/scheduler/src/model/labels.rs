//! Labels and what selects them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// One condition on labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// The label is there, with one of these values.
    In(String, Vec<String>),
    /// The label is not there, or has none of these values.
    NotIn(String, Vec<String>),
    /// The label is there.
    Exists(String),
    /// The label is not there.
    Missing(String),
    /// The label is a whole number larger than this.
    Greater(String, i64),
    /// The label is a whole number smaller than this.
    Less(String, i64),
    /// It could not be read, and holds for nothing.
    Never,
}

impl Requirement {
    /// Reads the form in which selectors are written.
    pub fn new(key: &str, operator: &str, values: &[String]) -> Self {
        let number = || values.first().and_then(|value| value.parse().ok());
        match operator {
            "In" => Self::In(key.to_owned(), values.to_vec()),
            "NotIn" => Self::NotIn(key.to_owned(), values.to_vec()),
            "Exists" => Self::Exists(key.to_owned()),
            "DoesNotExist" => Self::Missing(key.to_owned()),
            "Gt" => number().map_or(Self::Never, |number| Self::Greater(key.to_owned(), number)),
            "Lt" => number().map_or(Self::Never, |number| Self::Less(key.to_owned(), number)),
            _ => Self::Never,
        }
    }

    /// Whether it holds for what `label` looks up.
    pub fn holds<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        let number = |key: &str| label(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(key, values) => label(key).is_some_and(|value| values.iter().any(|known| known == value)),
            Self::NotIn(key, values) => label(key).is_none_or(|value| values.iter().all(|known| known != value)),
            Self::Exists(key) => label(key).is_some(),
            Self::Missing(key) => label(key).is_none(),
            Self::Greater(key, bound) => number(key).is_some_and(|value| value > *bound),
            Self::Less(key, bound) => number(key).is_some_and(|value| value < *bound),
            Self::Never => false,
        }
    }
}

/// Conditions that must all hold; an empty list holds for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

impl Selector {
    /// A selector that selects nothing.
    pub fn nothing() -> Self {
        Self { requirements: vec![Requirement::Never] }
    }

    /// A selector as an object carries it; one that is absent selects nothing.
    pub fn of(selector: Option<&LabelSelector>) -> Self {
        let Some(selector) = selector else { return Self::nothing() };
        let mut built = Self::default();
        built.require_all(selector.match_labels.iter().flatten());
        built.requirements.extend(selector.match_expressions.iter().flatten().map(|expression| {
            Requirement::new(&expression.key, &expression.operator, expression.values.as_deref().unwrap_or_default())
        }));
        built
    }

    /// Adds that these labels have these values.
    pub fn require_all<'a>(&mut self, labels: impl Iterator<Item = (&'a String, &'a String)>) {
        self.requirements.extend(labels.map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()])));
    }

    /// Adds all conditions of another.
    pub fn extend(&mut self, other: &Self) {
        self.requirements.extend(other.requirements.iter().cloned());
    }

    /// Adds one condition.
    pub fn require(&mut self, requirement: Requirement) {
        self.requirements.push(requirement);
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether all conditions hold.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(|key| labels.get(key).map(String::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_as_written() {
        let labels: Labels = [("app".into(), "web".into()), ("cores".into(), "8".into())].into();
        let cases = [
            ("app", "In", &["web", "db"][..], true),
            ("app", "In", &["db"], false),
            ("none", "In", &["db"], false),
            ("app", "NotIn", &["db"], true),
            ("none", "NotIn", &["db"], true),
            ("app", "NotIn", &["web"], false),
            ("app", "Exists", &[], true),
            ("none", "Exists", &[], false),
            ("none", "DoesNotExist", &[], true),
            ("app", "DoesNotExist", &[], false),
            ("cores", "Gt", &["7"], true),
            ("cores", "Gt", &["8"], false),
            ("cores", "Lt", &["9"], true),
            ("app", "Gt", &["1"], false),
            ("cores", "Gt", &["x"], false),
            ("app", "Odd", &[], false),
        ];
        for (key, operator, values, want) in cases {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            let requirement = Requirement::new(key, operator, &values);
            assert_eq!(requirement.holds(|key| labels.get(key).map(String::as_str)), want, "{requirement:?}");
        }
        assert!(Selector::default().matches(&labels));
        assert!(!Selector::of(None).matches(&labels));
        assert!(Selector::of(Some(&LabelSelector::default())).matches(&labels));
    }
}
