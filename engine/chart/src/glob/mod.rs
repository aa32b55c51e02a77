//! Patterns of `.Files.Glob`: `*` within a folder, `**` across, `?`, `[a-c]`, `{one,two}`.
//!
//! Helm's library turns a pattern into a tree of matchers that search for each other's neighbours, and the search has gaps:
//! `{foo*,bar}.txt` finds `foo.txt`, but not `foo-1.txt`. Charts are written against what Helm finds, so the tree is built and
//! searched here as there: [`parse`] reads a pattern, [`compile`] makes the tree, [`matcher`] and [`search`] ask it.

mod compile;
mod matcher;
mod parse;
mod search;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use thiserror::Error;

use self::matcher::Matcher;
use self::search::Search;

/// A compiled pattern; one that cannot be read matches everything, as in Helm.
pub(crate) struct Glob {
    matcher: Result<Matcher, Stop>,
    /// Steps for all names so far.
    steps: Cell<usize>,
}

/// Steps for all names of one pattern: more than what a hundred thousand files take.
const MAX_STEPS: usize = 100_000_000;

/// Why a name was not compared to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Stop {
    /// Helm's library fails here, in Go's words.
    #[error("runtime error: slice bounds out of range [:{end}] with length {length}")]
    OutOfRange { end: usize, length: usize },
    /// Helm would take time without end.
    #[error("pattern takes longer to compare than allowed")]
    TooSlow,
    #[error("pattern is larger than allowed")]
    TooLarge,
}

impl Glob {
    pub(crate) fn parse(pattern: &str) -> Self {
        let matcher = match parse::parse(pattern) {
            Ok(parts) => compile::compile(&parts),
            Err(parse::Error::TooLarge) => Err(Stop::TooLarge),
            Err(parse::Error::Malformed) => Ok(Matcher::Super),
        };
        Self { matcher, steps: Cell::new(0) }
    }

    pub(crate) fn matches(&self, name: &str) -> Result<bool, Stop> {
        let matcher = self.matcher.as_ref().map_err(|stop| *stop)?;
        let mut search = Search::new(matcher.may_fail());
        let matched = search.matches(matcher, name.as_bytes())?;
        self.steps.set(self.steps.get().saturating_add(search.steps()));
        if self.steps.get() > MAX_STEPS { Err(Stop::TooSlow) } else { Ok(matched) }
    }
}
