//! What can be wrong with a YAML text, worded as Go's libraries word it.

use thiserror::Error;

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not YAML.
    #[error("yaml: {}{problem}", line_prefix(*line))]
    Syntax {
        /// The line to blame, counted from 1; `None` where Go names none.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// The text is YAML but has no counterpart in JSON.
    #[error("{problem}")]
    NotJson {
        /// What JSON cannot hold.
        problem: String,
    },
    /// The text is larger than the reader's limit.
    #[error("yaml: document of {size} bytes exceeds the limit of {limit} bytes")]
    TooLarge {
        /// Bytes in the text.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl Error {
    pub(crate) fn syntax(line: Option<usize>, problem: impl Into<String>) -> Self {
        Self::Syntax { line, problem: problem.into() }
    }

    pub(crate) fn plain(problem: impl Into<String>) -> Self {
        Self::syntax(None, problem)
    }

    /// The line to blame, counted from 1, where one is known.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Syntax { line, .. } => *line,
            _ => None,
        }
    }
}

fn line_prefix(line: Option<usize>) -> String {
    line.map(|line| format!("line {line}: ")).unwrap_or_default()
}
