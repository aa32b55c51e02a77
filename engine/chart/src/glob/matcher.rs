//! The kinds of matchers, and how long what they match is.

/// A part of a compiled pattern.
#[derive(Debug)]
pub(super) enum Matcher {
    /// The empty text.
    Nothing,
    Text {
        text: String,
        /// In characters.
        len: usize,
    },
    /// Any text without a slash.
    Any,
    /// Any text.
    Super,
    /// One character other than a slash.
    Single,
    List {
        negated: bool,
        characters: Vec<char>,
    },
    Range {
        negated: bool,
        low: char,
        high: char,
    },
    /// Matchers of fixed lengths, one after the other.
    Row {
        matchers: Vec<Matcher>,
        /// The sum of their lengths.
        len: usize,
    },
    /// One that is searched for, and what must match on both sides of it.
    Tree(Box<Tree>),
    AnyOf(Vec<Matcher>),
    EveryOf(Vec<Matcher>),
    Contains {
        needle: String,
        negated: bool,
    },
    Prefix(String),
    Suffix(String),
    PrefixSuffix(String, String),
    /// Text, and then anything without a slash.
    PrefixAny(String),
    /// Anything without a slash, and then text.
    SuffixAny(String),
    /// At least so many characters.
    Min(usize),
    /// At most so many characters.
    Max(usize),
}

/// Its own length is never fixed: matchers that all have fixed lengths are a row.
#[derive(Debug)]
pub(super) struct Tree {
    /// What must match before; nothing but the empty text, if there is none.
    pub(super) left: Option<Matcher>,
    pub(super) value: Matcher,
    pub(super) right: Option<Matcher>,
}

impl Matcher {
    pub(super) fn text(text: &str) -> Self {
        Self::Text { text: text.to_owned(), len: text.chars().count() }
    }

    /// The number of characters of all that matches, if the library takes it to be the same.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::Single | Self::List { .. } | Self::Range { .. } => Some(1),
            Self::Text { len, .. } | Self::Row { len, .. } => Some(*len),
            Self::AnyOf(matchers) => len_of_any(matchers),
            _ => None,
        }
    }

    /// Whether a comparison may leave the text's bounds, as rows do that have a part of no length.
    pub(super) fn may_fail(&self) -> bool {
        match self {
            Self::Row { matchers, .. } => matchers.iter().any(|matcher| matcher.len() == Some(0) || matcher.may_fail()),
            Self::AnyOf(matchers) => matchers.iter().any(Self::may_fail),
            Self::Tree(tree) => {
                let sides = [&tree.left, &tree.right].into_iter().flatten();
                tree.value.may_fail() || sides.into_iter().any(Self::may_fail)
            }
            _ => false,
        }
    }
}

/// The library forgets alternatives of no fixed length if they come before the first that has one: `{foo*,bar}` is three long.
fn len_of_any(matchers: &[Matcher]) -> Option<usize> {
    let mut all = None;
    for matcher in matchers {
        match (all, matcher.len()) {
            (None, len) => all = len,
            (Some(all), Some(len)) if all == len => {}
            _ => return None,
        }
    }
    all
}
