//! Label selectors: `app=web,tier in (front, back),!old` and their JSON form.

use super::SelectorError;
use crate::{meta, names, text::quote, validate::FieldError};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// Requirements that must all hold; none hold for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    /// Matches no object at all: a JSON selector that is absent.
    nothing: bool,
}

/// What one label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what; sorted.
    pub values: Vec<String>,
}

/// How a [`Requirement`] compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=` or `==`.
    Equals,
    /// `!=`; holds if the label is absent.
    NotEquals,
    /// `in (..)`.
    In,
    /// `notin (..)`; holds if the label is absent.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// `>`, as numbers.
    GreaterThan,
    /// `<`, as numbers.
    LessThan,
}

impl LabelSelector {
    /// Chooses everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Chooses nothing.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// Reads the JSON form; an absent (null) selector chooses nothing, an empty one everything.
    pub fn from_json(selector: &Value) -> Result<Self, SelectorError> {
        if selector.is_null() {
            return Ok(Self::nothing());
        }
        let mut requirements: Vec<Requirement> = meta::strings(&selector["matchLabels"])
            .map(|(key, value)| Requirement {
                key: key.to_owned(),
                operator: Operator::Equals,
                values: vec![value.to_owned()],
            })
            .collect();
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(SelectorError(format!("{} is not a valid label selector operator", quote(other)))),
            };
            let values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let key = expression["key"].as_str().unwrap_or_default();
            requirements.push(Requirement::new(key, operator, values.map(str::to_owned).collect())?);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements, nothing: false })
    }

    /// Reads a plain map of labels, as in a Service; an empty map chooses everything.
    pub fn from_map(map: &Value) -> Self {
        let requirement = |(key, value): (&str, &str)| Requirement {
            key: key.to_owned(),
            operator: Operator::Equals,
            values: vec![value.to_owned()],
        };
        Self { requirements: meta::strings(map).map(requirement).collect(), nothing: false }
    }

    /// Whether it chooses everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// The requirements, sorted by key.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether an object's labels fit.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(&object["metadata"]["labels"])
    }

    /// Whether a map of labels fits.
    pub fn matches_labels(&self, labels: &Value) -> bool {
        self.matches_with(|key| labels.get(key).and_then(Value::as_str))
    }

    /// Whether labels that are looked up by a function fit.
    pub fn matches_with<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(label(&requirement.key)))
    }
}

impl Requirement {
    /// Checks and makes a requirement.
    pub fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, SelectorError> {
        values.sort();
        values.dedup();
        let mut errors = Vec::new();
        let wrong = names::qualified_name(key);
        if !wrong.is_empty() {
            errors.push(FieldError::invalid("key", key, wrong.join("; ")));
        }
        if let Some(why) = wrong_count(operator, values.len()) {
            errors.push(FieldError::invalid("values", Value::from(values.clone()), why));
        }
        for (at, value) in values.iter().enumerate() {
            if matches!(operator, Operator::GreaterThan | Operator::LessThan) && value.parse::<i64>().is_err() {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                errors.push(FieldError::invalid(format!("values[{at}]"), value.as_str(), why));
            }
        }
        for (at, value) in values.iter().enumerate() {
            let wrong = names::label_value(value);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(format!("values[{at}][{key}]"), value.as_str(), wrong.join("; ")));
            }
        }
        if errors.is_empty() {
            return Ok(Self { key: key.to_owned(), operator, values });
        }
        Err(SelectorError(crate::status::aggregate(&errors)))
    }

    /// Whether a label's value fits; `None` if the label is absent.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let among = |value: &str| self.values.iter().any(|wanted| wanted == value);
        let compared = |value: &str| Some(value.parse::<i64>().ok()?.cmp(&self.values.first()?.parse().ok()?));
        match self.operator {
            Operator::Equals | Operator::In => value.is_some_and(among),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(among),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => value.and_then(compared).is_some_and(std::cmp::Ordering::is_gt),
            Operator::LessThan => value.and_then(compared).is_some_and(std::cmp::Ordering::is_lt),
        }
    }
}

fn wrong_count(operator: Operator, count: usize) -> Option<&'static str> {
    match operator {
        Operator::In | Operator::NotIn if count == 0 => Some("for 'in', 'notin' operators, values set can't be empty"),
        Operator::Equals | Operator::NotEquals if count != 1 => {
            Some("exact-match compatibility requires one single value")
        }
        Operator::Exists | Operator::DoesNotExist if count != 0 => {
            Some("values set must be empty for exists and does not exist")
        }
        Operator::GreaterThan | Operator::LessThan if count != 1 => {
            Some("for 'Gt', 'Lt' operators, exactly one value is required")
        }
        _ => None,
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, requirement) in self.requirements.iter().enumerate() {
            write!(f, "{}{requirement}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

// === parsing ===

impl FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut parser = Parser { tokens: scan(text), at: 0 };
        let mut requirements = parser.selector()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements, nothing: false })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    End,
    Symbol(&'a str),
    Word(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::End => "",
            Self::Symbol(text) | Self::Word(text) => text,
        }
    }

    fn is(self, symbol: &str) -> bool {
        self == Token::Symbol(symbol)
    }
}

fn scan(text: &str) -> Vec<Token<'_>> {
    const SPECIAL: &[char] = &['=', '!', '(', ')', ',', '>', '<'];
    const BLANK: &[char] = &[' ', '\t', '\r', '\n'];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(BLANK);
    while !rest.is_empty() {
        let length = if rest.starts_with(SPECIAL) {
            ["==", "!="].iter().find(|two| rest.starts_with(**two)).map_or(1, |two| two.len())
        } else {
            rest.find(|c| SPECIAL.contains(&c) || BLANK.contains(&c)).unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(length);
        tokens.push(if token.starts_with(SPECIAL) { Token::Symbol(token) } else { Token::Word(token) });
        rest = after.trim_start_matches(BLANK);
    }
    tokens.push(Token::End);
    tokens
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(requirements),
                token if starts_requirement(token) => {}
                token => return Err(found(token, ", expected: !, identifier, or 'end of string'")),
            }
            let requirement =
                self.requirement().map_err(|why| SelectorError(format!("unable to parse requirement: {why}")))?;
            requirements.push(requirement);
            match self.take() {
                Token::End => return Ok(requirements),
                token if token.is(",") => {
                    if !starts_requirement(self.peek()) {
                        return Err(found(self.peek(), ", expected: identifier after ','"));
                    }
                }
                token => return Err(found(token, ", expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let negated = self.peek().is("!");
        if negated {
            self.take();
        }
        let key = match self.take() {
            Token::Word(word) => word,
            token => return Err(found(token, ", expected: identifier")),
        };
        let wrong = names::qualified_name(key);
        if !wrong.is_empty() {
            let error = FieldError::invalid("<nil>", key, wrong.join("; "));
            return Err(SelectorError(error.to_string()));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if self.peek() == Token::End || self.peek().is(",") {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.exact_value()?],
        };
        Requirement::new(key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        Ok(match self.take() {
            Token::Word("in") => Operator::In,
            Token::Word("notin") => Operator::NotIn,
            Token::Symbol("=" | "==") => Operator::Equals,
            Token::Symbol("!=") => Operator::NotEquals,
            Token::Symbol(">") => Operator::GreaterThan,
            Token::Symbol("<") => Operator::LessThan,
            token => return Err(found(token, ", expected: in, notin, =, ==, !=, gt, lt")),
        })
    }

    fn exact_value(&mut self) -> Result<String, SelectorError> {
        if self.peek() == Token::End || self.peek().is(",") {
            return Ok(String::new());
        }
        match self.take() {
            Token::Word(word) => Ok(word.to_owned()),
            token => Err(found(token, ", expected: identifier")),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        match self.take() {
            token if token.is("(") => {}
            token => return Err(found(token, " expected: '('")),
        }
        let mut values = Vec::new();
        // A comma with nothing before or after it stands for the empty value.
        let mut empty = true;
        loop {
            match self.take() {
                Token::Word(word) if empty => {
                    values.push(word.to_owned());
                    empty = false;
                }
                token if token.is(",") => {
                    if empty {
                        values.push(String::new());
                    }
                    empty = true;
                }
                token if token.is(")") => {
                    if empty {
                        values.push(String::new());
                    }
                    return Ok(values);
                }
                token if empty && values.is_empty() => return Err(found(token, ", expected: ',', ')' or identifier")),
                token if empty => return Err(found(token, ", expected: ',', or identifier")),
                token => return Err(found(token, ", expected: ',' or ')'")),
            }
        }
    }
}

fn starts_requirement(token: Token<'_>) -> bool {
    matches!(token, Token::Word(_)) || token.is("!")
}

fn found(token: Token<'_>, expected: &str) -> SelectorError {
    SelectorError(format!("found '{}'{expected}", token.text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Result<LabelSelector, SelectorError> {
        text.parse()
    }

    #[test]
    fn parses_and_prints() {
        let cases = [
            ("", ""),
            ("a=b", "a=b"),
            ("a == b , c!=d", "a=b,c!=d"),
            ("x in (b,a, c)", "x in (a,b,c)"),
            ("x notin (a)", "x notin (a)"),
            ("!z,a", "a,!z"),
            ("a=,b", "a=,b"),
            ("a in ()", "a in ()"),
            ("a in (,b)", "a in (,b)"),
            ("in in (in)", "in in (in)"),
            ("n>1,n<5", "n>1,n<5"),
            ("example.com/a=b", "example.com/a=b"),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).map(|s| s.to_string()).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn explains_what_is_wrong() {
        let cases = [
            ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            ("a=b,", "found '', expected: identifier after ','"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
            (
                "n>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).map(|s| s.to_string()), Err(SelectorError(want.to_owned())), "{text}");
        }
    }

    #[test]
    fn matches_labels() {
        let object = json!({"metadata": {"labels": {"app": "web", "n": "3"}}});
        let cases = [
            ("", true),
            ("app=web", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (db,web)", true),
            ("app notin (db)", true),
            ("other notin (db)", true),
            ("app,n", true),
            ("!app", false),
            ("!other", true),
            ("n>2,n<4", true),
            ("app>2", false),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).expect(text).matches(&object), want, "{text}");
        }
    }

    #[test]
    fn json_form() {
        let labels = json!({"app": "web"});
        let cases = [
            (json!(null), false),
            (json!({}), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}), false),
            (json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}), true),
        ];
        for (selector, want) in cases {
            assert_eq!(LabelSelector::from_json(&selector).expect("valid").matches_labels(&labels), want, "{selector}");
        }
        let bad = json!({"matchExpressions": [{"key": "app", "operator": "Like"}]});
        let error = LabelSelector::from_json(&bad).expect_err("unknown operator");
        assert_eq!(error.to_string(), "\"Like\" is not a valid label selector operator");
    }
}
