//! JSONPath templates as kubectl and Helm know them: `{.image.tag}`, `{range .ports[*]}{.name}{"\n"}{end}`.
//!
//! Text outside of braces stays. Inside are paths (fields, `['key']`, indexes, slices, unions, `*`, `..`, filters),
//! quoted texts, and `range` with its `end`. What a path leads to is written side by side: maps and lists as JSON, the
//! rest plainly. A key that is not there is an error.

use serde_json::Value;

/// Why a template has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonPathError {
    /// It is not one.
    #[error("error parsing jsonpath {template}: {problem}")]
    Malformed {
        /// The template.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It does not fit what it is used on.
    #[error("error executing jsonpath {template:?}: {problem}")]
    Unanswered {
        /// The template.
        template: String,
        /// What does not fit.
        problem: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Node>),
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// `*`, with or without brackets.
    All,
    /// Everything below, and what is there itself.
    Below,
    Slice(Option<i64>, Option<i64>, usize),
    Index(i64),
    Union(Vec<Step>),
    Where(Operand, Option<(String, Operand)>),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(Vec<Step>),
    Plain(Value),
}

/// What a template makes of a value.
pub fn evaluate(template: &str, value: &Value) -> Result<String, JsonPathError> {
    let nodes = Parser { rest: template }
        .nodes(false)
        .map_err(|problem| JsonPathError::Malformed { template: template.to_owned(), problem })?;
    let mut text = String::new();
    run(&nodes, value, &mut text)
        .map(|()| text)
        .map_err(|problem| JsonPathError::Unanswered { template: template.to_owned(), problem })
}

// === running ===

fn run(nodes: &[Node], value: &Value, text: &mut String) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(plain) => text.push_str(plain),
            Node::Path(steps) => {
                let found: Vec<String> = follow(steps, value)?.into_iter().map(shown).collect();
                text.push_str(&found.join(" "));
            }
            Node::Range(steps, inner) => {
                for item in follow(steps, value)? {
                    run(inner, item, text)?;
                }
            }
        }
    }
    Ok(())
}

fn follow<'a>(steps: &[Step], value: &'a Value) -> Result<Vec<&'a Value>, String> {
    let mut found = vec![value];
    let mut anywhere = false;
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            match take(step, value, &mut next) {
                // Below all of something, what has no such key is passed over.
                Err(_) if anywhere => {}
                outcome => outcome?,
            }
        }
        anywhere |= *step == Step::Below;
        found = next;
    }
    Ok(found)
}

fn take<'a>(step: &Step, value: &'a Value, found: &mut Vec<&'a Value>) -> Result<(), String> {
    match (step, value) {
        (Step::Field(key), _) => found.push(value.get(key).ok_or_else(|| format!("{key} is not found"))?),
        (Step::All, Value::Array(items)) => found.extend(items),
        (Step::All, Value::Object(map)) => found.extend(map.values()),
        (Step::All, _) => {}
        (Step::Below, _) => below(value, found),
        (Step::Union(steps), _) => steps.iter().try_for_each(|step| take(step, value, found))?,
        (Step::Index(index), Value::Array(items)) => {
            let outside = || format!("array index out of bounds: index {index}, length {}", items.len());
            found.push(&items[place(*index, items.len()).filter(|at| *at < items.len()).ok_or_else(outside)?]);
        }
        (Step::Slice(from, to, step), Value::Array(items)) => {
            let bound = |bound: &Option<i64>, otherwise| match bound {
                None => Ok(otherwise),
                Some(index) => place(*index, items.len())
                    .filter(|at| *at <= items.len())
                    .ok_or_else(|| format!("array index out of bounds: index {index}, length {}", items.len())),
            };
            let (from, to) = (bound(from, 0)?, bound(to, items.len())?);
            if from > to {
                return Err(format!("starting index {from} is greater than ending index {to}"));
            }
            found.extend(items[from..to].iter().step_by(*step));
        }
        (Step::Where(left, test), Value::Array(items)) => {
            for item in items {
                if holds(left, test.as_ref(), item)? {
                    found.push(item);
                }
            }
        }
        (Step::Index(_) | Step::Slice(..) | Step::Where(..), _) => return Err("it is not an array or slice".to_owned()),
    }
    Ok(())
}

/// An index from the front, whichever end it counts from.
fn place(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(at) => Some(at),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn below<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| below(item, found)),
        Value::Object(map) => map.values().for_each(|item| below(item, found)),
        _ => {}
    }
}

fn holds(left: &Operand, test: Option<&(String, Operand)>, item: &Value) -> Result<bool, String> {
    let read = |operand: &Operand| match operand {
        Operand::Plain(value) => Some(value.clone()),
        // What is not there equals nothing.
        Operand::Path(steps) => follow(steps, item).ok().and_then(|found| found.first().copied().cloned()),
    };
    let Some((operator, right)) = test else { return Ok(read(left).is_some()) };
    let (Some(left), Some(right)) = (read(left), read(right)) else { return Ok(false) };
    let order = match (&left, &right) {
        (Value::Number(one), Value::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(order.is_some_and(|order| match operator.as_str() {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            kpkg_template::print(&kpkg_template::Value::Float(number.as_f64().unwrap_or_default()))
        }
        Value::Null | Value::Bool(_) => value.to_string(),
        // As Go's encoder, which thinks of web pages.
        _ => value.to_string().replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
    }
}

// === reading ===

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// Nodes up to the end, or up to the `end` of a range (which may be left out).
    fn nodes(&mut self, inside: bool) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        while !self.rest.is_empty() {
            if !self.eat("{") {
                let end = self.rest.find('{').unwrap_or(self.rest.len());
                nodes.push(Node::Text(self.rest[..end].to_owned()));
                self.rest = &self.rest[end..];
                continue;
            }
            self.blanks();
            if self.word("end") {
                self.close()?;
                return if inside { Ok(nodes) } else { Err("not in range, nothing to end".to_owned()) };
            }
            if self.word("range") {
                self.blanks();
                let steps = self.path()?;
                self.close()?;
                nodes.push(Node::Range(steps, self.nodes(true)?));
                continue;
            }
            if self.rest.starts_with('}') {
                // What one stands on.
                nodes.push(Node::Path(Vec::new()));
            }
            while !self.eat("}") {
                nodes.push(self.part()?);
                self.blanks();
            }
        }
        Ok(nodes)
    }

    /// A path or a quoted text.
    fn part(&mut self) -> Result<Node, String> {
        match self.rest.chars().next() {
            Some('"' | '\'') => self.quoted().map(Node::Text),
            Some('.' | '$' | '@' | '[' | '*') => self.path().map(Node::Path),
            Some(other) => Err(format!("unrecognized character in action: {other:?}")),
            None => Err("unclosed action".to_owned()),
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Eats a word that ends there.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word).filter(|rest| rest.starts_with([' ', '}', '.']));
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn close(&mut self) -> Result<(), String> {
        self.blanks();
        if self.eat("}") { Ok(()) } else { Err("unclosed action".to_owned()) }
    }

    fn path(&mut self) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        let _ = self.eat("$") || self.eat("@");
        loop {
            if self.eat("..") {
                steps.push(Step::Below);
                if !self.rest.starts_with(['[', '*']) {
                    steps.push(self.field()?);
                }
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else if self.eat(".*") || self.eat("*") {
                steps.push(Step::All);
            } else if self.eat(".") {
                // A dot alone is what one stands on.
                if self.rest.starts_with(|letter: char| !ends_name(letter)) {
                    steps.push(self.field()?);
                }
            } else {
                return Ok(steps);
            }
        }
    }

    /// A key, up to what cannot belong to it; a backslash takes the next letter along.
    fn field(&mut self) -> Result<Step, String> {
        let (mut key, mut escaped) = (String::new(), false);
        let mut end = self.rest.len();
        for (at, letter) in self.rest.char_indices() {
            match letter {
                '\\' if !escaped => escaped = true,
                letter if ends_name(letter) && !escaped => {
                    end = at;
                    break;
                }
                letter => {
                    key.push(letter);
                    escaped = false;
                }
            }
        }
        self.rest = &self.rest[end..];
        if key.is_empty() { Err("a key is missing".to_owned()) } else { Ok(Step::Field(key)) }
    }

    /// After `[`, up to and with `]`.
    fn bracket(&mut self) -> Result<Step, String> {
        self.blanks();
        if self.eat("?(") {
            return self.filter();
        }
        let mut parts = Vec::new();
        loop {
            self.blanks();
            parts.push(match self.rest.chars().next() {
                Some('"' | '\'') => Step::Field(self.quoted()?),
                _ => {
                    let end = self.rest.find([',', ']']).ok_or("unterminated array")?;
                    let (inner, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    slice(inner.trim())?
                }
            });
            self.blanks();
            if self.eat("]") {
                return Ok(if parts.len() == 1 { parts.remove(0) } else { Step::Union(parts) });
            }
            if !self.eat(",") {
                return Err("unterminated array".to_owned());
            }
        }
    }

    fn filter(&mut self) -> Result<Step, String> {
        let left = self.operand()?;
        self.blanks();
        let operator = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|operator| self.eat(operator));
        let test = match operator {
            Some(operator) => Some((operator.to_owned(), self.operand()?)),
            None => None,
        };
        self.blanks();
        if self.eat(")") && self.eat("]") { Ok(Step::Where(left, test)) } else { Err("unterminated filter".to_owned()) }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.blanks();
        match self.rest.chars().next() {
            Some('"' | '\'') => Ok(Operand::Plain(Value::String(self.quoted()?))),
            Some('@' | '$' | '.') => self.path().map(Operand::Path),
            _ => {
                let end = self.rest.find([')', ' ', '=', '!', '<', '>']).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                serde_json::from_str(word).map(Operand::Plain).map_err(|_| format!("unrecognized operand {word:?}"))
            }
        }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut letters = self.rest.char_indices();
        let quote = letters.next().map(|(_, quote)| quote);
        let mut text = String::new();
        while let Some((at, letter)) = letters.next() {
            match letter {
                letter if Some(letter) == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => text.push(match letters.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, 't')) => '\t',
                    Some((_, 'r')) => '\r',
                    Some((_, other)) => other,
                    None => break,
                }),
                other => text.push(other),
            }
        }
        Err("unterminated quoted string".to_owned())
    }
}

fn ends_name(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '.' | '[' | ']' | '{' | '}' | '(' | ')' | ',' | '=' | '!' | '<' | '>' | '*' | '"' | '\'')
}

/// `*`, `3`, `-1`, `1:`, `:-1`, `::2`.
fn slice(text: &str) -> Result<Step, String> {
    let wrong = || format!("invalid array index {text}");
    let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
    let bound = |text: &str| if text.is_empty() { Ok(None) } else { number(text).map(Some) };
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    match parts[..] {
        ["*"] => Ok(Step::All),
        [index] => number(index).map(Step::Index),
        [from, to] => Ok(Step::Slice(bound(from)?, bound(to)?, 1)),
        [from, to, step] => {
            let step = bound(step)?.unwrap_or(1);
            let step = usize::try_from(step).ok().filter(|step| *step > 0).ok_or("step must be > 0")?;
            Ok(Step::Slice(bound(from)?, bound(to)?, step))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kubectl 1.37 answers to the same, but for keys that are not there: Helm takes these for errors.
    #[test]
    fn templates_say_what_kubectl_says() {
        let value = serde_json::json!({
            "num": 3, "big": 1_000_000, "half": 1.5, "on": true, "text": "a<b>&c", "none": null, "empty": [],
            "list": [{"name": "one", "v": 1}, {"name": "two", "v": 2, "w": {"x": 1}}, {"name": "three", "v": 10}],
            "nested": {"deep": {"name": "inner"}, "dotted.key": "hit"},
        });
        let cases = [
            ("{.num} {$.num} {@.num}{.on}", "3 3 3true"),
            ("plain {.half} text", "plain 1.5 text"),
            ("{.text}{\"quoted\\t\"}", "a<b>&cquoted\t"),
            ("{.nested.deep}", "{\"name\":\"inner\"}"),
            ("{.list[0]}", "{\"name\":\"one\",\"v\":1}"),
            ("{.list[*].name}", "one two three"),
            ("{.list[-1].name} {.list[0:2].v} {.list[::2].v} {.list[-2:].v}", "three 1 2 1 10 2 10"),
            ("{.list[0,2].name} {['num','half']}", "one three 3 1.5"),
            ("{.nested.dotted\\.key} {.nested['dotted.key']}", "hit hit"),
            ("{..name}", "one two three inner"),
            ("{.list..v}", "1 2 10"),
            ("{.list[?(@.v==2)].name} {.list[?(2==@.v)].v} {.list[?(@.name==\"two\")].v}", "two 2 2"),
            ("{.list[?(@.v>1)].name} {.list[?(@.v!=2)].v} {.list[?(@.v>=2)].v}", "two three 1 10 2 10"),
            ("{.list[?(@.w)].name}", "two"),
            ("{range .list[*]}{.name}={.v}{'\\n'}{end}.", "one=1\ntwo=2\nthree=10\n."),
            ("{range .list[*]}{.name}", "onetwothree"),
            ("{.empty}{.empty[*]} {.none}", "[] null"),
            ("num", "num"),
            ("{range .list[:1]}{}{end}", "{\"name\":\"one\",\"v\":1}"),
        ];
        for (template, want) in cases {
            assert_eq!(evaluate(template, &value).as_deref(), Ok(want), "{template}");
        }
        for (template, want) in [
            ("{.nothing}", "nothing is not found"),
            ("{.list[5].name}", "array index out of bounds: index 5, length 3"),
            ("{.list[0:9].v}", "array index out of bounds"),
            ("{.list[1:0].v}", "starting index 1 is greater than ending index 0"),
            ("{.list[a]}", "invalid array index a"),
            ("{.num", "unclosed action"),
            ("{end}", "not in range, nothing to end"),
            ("{.num[0]}", "it is not an array or slice"),
            ("{.list[?(@.name==2)].v}", "incompatible types for comparison"),
            ("{.list[?(@.name=~\"t\")].v}", "unterminated filter"),
            ("{\"open", "unterminated quoted string"),
            ("{.list[0", "unterminated array"),
            ("{.list[::0]}", "step must be > 0"),
            ("{%}", "unrecognized character in action: '%'"),
        ] {
            let error = evaluate(template, &value).expect_err(template);
            assert!(error.to_string().contains(want), "{template}: {error}");
        }
    }
}
