//! Tokens to an expression.

use super::lex::{Token, fault};
use super::{CelError, MAX_DEPTH, functions};

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Name(String),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Field(Box<Expr>, String),
    Has(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// A function, methods' receivers first.
    Call(String, Vec<Expr>),
    Fold(Box<Fold>),
}

/// A macro over a list, or over the keys of a map.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    pub(super) kind: Kind,
    pub(super) over: Expr,
    pub(super) name: String,
    pub(super) body: Expr,
    /// What becomes of an element that `map` with a filter lets pass.
    pub(super) then: Option<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "exists" => Self::Exists,
            "exists_one" => Self::ExistsOne,
            "filter" => Self::Filter,
            "map" => Self::Map,
            _ => return None,
        })
    }
}

/// Operators by how closely they bind, the loosest first.
const LEVELS: [&[&str]; 3] = [&["==", "!=", "<", "<=", ">", ">=", "in"], &["+", "-"], &["*", "/", "%"]];

pub(super) struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    /// How high the tree is that was parsed last: walking it takes so much stack.
    height: usize,
    /// The variables of macros around this place.
    bound: Vec<String>,
    names: Vec<String>,
}

impl Parser {
    pub(super) fn new(tokens: Vec<(Token, usize)>) -> Self {
        Self { tokens, at: 0, depth: 0, height: 0, bound: Vec::new(), names: Vec::new() }
    }

    /// The free names that were used.
    pub(super) fn names(self) -> Vec<String> {
        self.names
    }

    pub(super) fn whole(&mut self) -> Result<Expr, CelError> {
        let root = self.choice()?;
        if *self.peek() == Token::End { Ok(root) } else { self.refuse("the expression should end") }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn refuse<T>(&self, problem: impl Into<String>) -> Result<T, CelError> {
        Err(fault(problem, self.tokens[self.at].1))
    }

    /// Notes that a tree was put on top of the last one and of one `beside` it.
    fn raise(&mut self, beside: usize) -> Result<(), CelError> {
        self.height = 1 + self.height.max(beside);
        if self.height > MAX_DEPTH { self.refuse("the expression is nested too deeply") } else { Ok(()) }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Token::Sign(own) if *own == sign);
        if is {
            self.next();
        }
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), CelError> {
        if self.takes(sign) { Ok(()) } else { self.refuse(format!("`{sign}` is missing")) }
    }

    fn choice(&mut self) -> Result<Expr, CelError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.refuse("the expression is nested too deeply");
        }
        let test = self.or()?;
        let whole = if self.takes("?") {
            let tests = self.height;
            let yes = self.or()?;
            let beside = tests.max(self.height);
            self.expect(":")?;
            let no = self.choice()?;
            self.raise(beside)?;
            Expr::Choice(Box::new(test), Box::new(yes), Box::new(no))
        } else {
            test
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn or(&mut self) -> Result<Expr, CelError> {
        let mut left = self.and()?;
        while self.takes("||") {
            let beside = self.height;
            let right = self.and()?;
            self.raise(beside)?;
            left = Expr::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, CelError> {
        let mut left = self.binary(0)?;
        while self.takes("&&") {
            let beside = self.height;
            let right = self.binary(0)?;
            self.raise(beside)?;
            left = Expr::And(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn binary(&mut self, level: usize) -> Result<Expr, CelError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let found = match self.peek() {
                Token::Sign(sign) => operators.iter().find(|it| *it == sign),
                Token::Name(name) if name == "in" => operators.iter().find(|it| **it == "in"),
                _ => None,
            };
            let Some(operator) = found else { return Ok(left) };
            self.next();
            let beside = self.height;
            let right = self.binary(level + 1)?;
            self.raise(beside)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Expr, CelError> {
        let mut signs = Vec::new();
        while let Token::Sign(sign @ ("!" | "-")) = *self.peek() {
            self.next();
            signs.push(sign);
        }
        let inner = self.member()?;
        for _ in &signs {
            self.raise(0)?;
        }
        Ok(signs.into_iter().rev().fold(inner, |inner, sign| match sign {
            "!" => Expr::Not(Box::new(inner)),
            _ => Expr::Negative(Box::new(inner)),
        }))
    }

    fn member(&mut self) -> Result<Expr, CelError> {
        let mut value = self.primary()?;
        loop {
            let beside = self.height;
            if self.takes("[") {
                let index = self.choice()?;
                self.expect("]")?;
                self.raise(beside)?;
                value = Expr::Index(Box::new(value), Box::new(index));
            } else if self.takes(".") {
                let Token::Name(name) = self.next() else { return self.refuse("a name is missing") };
                value = if self.takes("(") {
                    self.method(value, name)?
                } else {
                    Expr::Field(Box::new(value), unescaped(&name))
                };
                self.raise(beside)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn method(&mut self, receiver: Expr, name: String) -> Result<Expr, CelError> {
        if let Some(kind) = Kind::of(&name) {
            return self.fold(kind, receiver);
        }
        let mut arguments = vec![receiver];
        arguments.extend(self.arguments(")")?);
        self.call(name, arguments, true)
    }

    fn fold(&mut self, kind: Kind, over: Expr) -> Result<Expr, CelError> {
        let Token::Name(name) = self.next() else { return self.refuse("a macro begins with a name") };
        self.expect(",")?;
        self.bound.push(name.clone());
        let body = self.choice()?;
        let beside = self.height;
        let then = if kind == Kind::Map && self.takes(",") { Some(self.choice()?) } else { None };
        self.bound.pop();
        self.raise(beside)?;
        self.expect(")")?;
        Ok(Expr::Fold(Box::new(Fold { kind, over, name, body, then })))
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expr>, CelError> {
        let mut found = Vec::new();
        let mut beside = 0;
        while !self.takes(end) {
            found.push(self.choice()?);
            beside = self.height.max(beside);
            if !self.takes(",") {
                self.expect(end)?;
                break;
            }
        }
        self.height = 0;
        self.raise(beside)?;
        Ok(found)
    }

    fn call(&self, name: String, arguments: Vec<Expr>, method: bool) -> Result<Expr, CelError> {
        if !functions::is_known(&name, arguments.len(), method) {
            return self.refuse(format!("the function `{name}` is not known here"));
        }
        Ok(Expr::Call(name, arguments))
    }

    fn primary(&mut self) -> Result<Expr, CelError> {
        self.height = 1;
        Ok(match self.next() {
            Token::Int(value) => Expr::Int(value),
            Token::Uint(value) => Expr::Uint(value),
            Token::Double(value) => Expr::Double(value),
            Token::Text(text) => Expr::Text(text),
            Token::Sign("(") => {
                let inner = self.choice()?;
                self.expect(")")?;
                inner
            }
            Token::Sign("[") => Expr::List(self.arguments("]")?),
            Token::Sign("{") => self.map()?,
            Token::Name(name) => self.name(name)?,
            _ => {
                self.at = self.at.saturating_sub(1);
                return self.refuse("a value is missing");
            }
        })
    }

    fn map(&mut self) -> Result<Expr, CelError> {
        let mut found = Vec::new();
        let mut beside = 0;
        while !self.takes("}") {
            let key = self.choice()?;
            beside = self.height.max(beside);
            self.expect(":")?;
            found.push((key, self.choice()?));
            beside = self.height.max(beside);
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        self.height = 0;
        self.raise(beside)?;
        Ok(Expr::Map(found))
    }

    fn name(&mut self, name: String) -> Result<Expr, CelError> {
        if self.takes("(") {
            if name == "has" {
                let mut arguments = self.arguments(")")?;
                return match (arguments.pop(), arguments.is_empty()) {
                    (Some(Expr::Field(of, name)), true) => Ok(Expr::Has(of, name)),
                    _ => self.refuse("`has` takes one field"),
                };
            }
            let arguments = self.arguments(")")?;
            return self.call(name, arguments, false);
        }
        match name.as_str() {
            "true" => return Ok(Expr::Bool(true)),
            "false" => return Ok(Expr::Bool(false)),
            "null" => return Ok(Expr::Null),
            _ => {}
        }
        let is_known = self.bound.contains(&name) || functions::TYPES.contains(&name.as_str());
        if !is_known && !["self", "oldSelf"].contains(&name.as_str()) {
            return self.refuse(format!("the name `{name}` is not known here"));
        }
        self.names.push(name.clone());
        Ok(Expr::Name(name))
    }
}

/// Kubernetes' names for fields that CEL cannot spell: `x__dash__kubernetes`, `__if__`.
fn unescaped(name: &str) -> String {
    if !name.contains("__") {
        return name.to_owned();
    }
    if let Some(keyword) = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"))
        && !["underscores", "dot", "dash", "slash"].contains(&keyword)
        && keyword.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        return keyword.to_owned();
    }
    let marks = [("__dot__", "."), ("__dash__", "-"), ("__slash__", "/"), ("__underscores__", "__")];
    let mut out = String::new();
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if let Some((mark, plain)) = marks.iter().find(|(mark, _)| rest.starts_with(mark)) {
            out.push_str(plain);
            rest = &rest[mark.len()..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}
