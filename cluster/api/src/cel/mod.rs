//! The Common Expression Language, as far as the rules of custom resource definitions use it.
//!
//! [`Program::compile`] refuses what this evaluator does not know, so that a rule is either evaluated as
//! Kubernetes does or reported as not evaluated, never guessed at. [`Program::run`] ends when its
//! [`Budget`] does: rules are somebody else's programs. Left out are extensions that definitions
//! hardly use: durations' and times' arithmetic, optionals, addresses and URLs.

mod eval;
mod functions;
mod lex;
mod parse;
mod value;

pub use value::Cel;

use serde_json::Value;

/// How deep an expression may be nested.
const MAX_DEPTH: usize = 120;
/// The longest expression.
const MAX_LENGTH: usize = 64 << 10;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Program {
    root: parse::Expr,
    names: Vec<String>,
}

/// How much evaluation may cost; Kubernetes' limit for one rule.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    left: u64,
}

/// What one rule may cost, in steps.
const RULE: u64 = 1_000_000;

impl Default for Budget {
    fn default() -> Self {
        Self::up_to(RULE)
    }
}

impl Budget {
    /// That of one rule, or less if less is left.
    pub fn up_to(left: u64) -> Self {
        let limit = left.min(RULE);
        Self { limit, left: limit }
    }

    /// What was spent of it.
    pub fn spent(&self) -> u64 {
        self.limit - self.left
    }

    pub(crate) fn spend(&mut self, cost: usize) -> Result<(), CelError> {
        let left = self.left.checked_sub(cost as u64);
        self.left = left.unwrap_or_default();
        left.map(drop).ok_or(CelError::Budget)
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CelError {
    /// It is no expression, or uses what is not known here.
    #[error("{problem} at byte {at}")]
    Syntax {
        /// What.
        problem: String,
        /// Where.
        at: usize,
    },
    /// It costs too much.
    #[error("operation cancelled: actual cost limit exceeded")]
    Budget,
    /// A value lacks what is asked of it.
    #[error("{0}")]
    Value(String),
}

impl Program {
    /// Compiles an expression over the variables `self` and `oldSelf`.
    ///
    /// # Errors
    /// It cannot be parsed, or uses functions that are not known here.
    pub fn compile(text: &str) -> Result<Self, CelError> {
        if text.len() > MAX_LENGTH {
            return Err(CelError::Syntax { problem: "the expression is too long".to_owned(), at: MAX_LENGTH });
        }
        let mut parser = parse::Parser::new(lex::tokens(text)?);
        let root = parser.whole()?;
        Ok(Self { root, names: parser.names() })
    }

    /// Whether it asks for the value of before.
    pub fn compares(&self) -> bool {
        self.names.iter().any(|name| name == "oldSelf")
    }

    /// Its value.
    ///
    /// # Errors
    /// A value lacks what is asked of it, or the budget ends.
    pub fn run<'a>(&'a self, own: &'a Value, old: Option<&'a Value>, budget: &mut Budget) -> Result<Cel<'a>, CelError> {
        let mut scope = vec![("self", Cel::from_json(own))];
        scope.extend(old.map(|old| ("oldSelf", Cel::from_json(old))));
        eval::Eval { scope, budget }.value(&self.root)
    }
}

#[cfg(test)]
mod tests;
