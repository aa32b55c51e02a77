//! Names of a chart's files.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt::{self, Debug, Display, Formatter};
use std::ops::Deref;
use std::sync::Arc;

/// A path relative to a chart's folder, with slashes. A file of a subchart is one of the charts around too, and everywhere its
/// name is the end of one path.
#[derive(Clone)]
pub struct FileName {
    path: Arc<str>,
    start: usize,
}

impl FileName {
    /// What follows the first so many bytes of a name; nothing, if that is none.
    pub(crate) fn after(&self, count: usize) -> Self {
        let name = self.get(count..).unwrap_or_default();
        Self { path: self.path.clone(), start: self.path.len() - name.len() }
    }
}

impl Deref for FileName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.path[self.start..]
    }
}

impl<T: Into<Arc<str>>> From<T> for FileName {
    fn from(path: T) -> Self {
        Self { path: path.into(), start: 0 }
    }
}

impl PartialEq for FileName {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for FileName {}

impl PartialOrd for FileName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FileName {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Borrow<str> for FileName {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq<str> for FileName {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for FileName {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl Display for FileName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&**self, f)
    }
}

impl Debug for FileName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&**self, f)
    }
}
