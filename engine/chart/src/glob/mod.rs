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

use thiserror::Error;

use self::matcher::Matcher;
use self::search::Search;

/// A compiled pattern; one that cannot be read matches everything, as in Helm.
pub(crate) struct Glob(Result<Matcher, Stop>);

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
        Self(match parse::parse(pattern) {
            Ok(parts) => compile::compile(&parts),
            Err(parse::Error::TooLarge) => Err(Stop::TooLarge),
            Err(parse::Error::Malformed) => Ok(Matcher::Super),
        })
    }

    /// Whether a name matches, and how many steps it took to see.
    pub(crate) fn matches(&self, name: &str) -> Result<(bool, u64), Stop> {
        let matcher = self.0.as_ref().map_err(|stop| *stop)?;
        let mut search = Search::new(matcher.may_fail());
        Ok((search.matches(matcher, name.as_bytes())?, search.steps()))
    }
}
