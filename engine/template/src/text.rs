//! Go's strings: any bytes, never changed, cheap to copy.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bytes that stand in the value itself. Most keys, names and words of charts are no longer; with these many a [`Text`]
/// is no larger than a list or a map.
const SHORT: usize = 22;

/// An immutable string of bytes, usually UTF-8.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    /// What follows the length is zero.
    Short { length: u8, bytes: [u8; SHORT] },
    /// More than [`SHORT`] bytes.
    Long(Arc<[u8]>),
}

impl Text {
    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Long(bytes) => bytes,
        }
    }

    /// The text; bytes that are not UTF-8 are replaced.
    pub fn to_str(&self) -> Cow<'_, str> {
        lossy(self.as_bytes())
    }

    /// How many bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Short { length, .. } => usize::from(*length),
            Repr::Long(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first bytes, as [`head`] has them.
    #[inline]
    pub(crate) fn head(&self) -> u128 {
        match &self.0 {
            Repr::Short { bytes, .. } => first(bytes),
            Repr::Long(bytes) => first(bytes),
        }
    }

    /// A text to look for among others.
    #[inline]
    pub(crate) fn probe(text: &[u8]) -> Probe<'_> {
        match Self::short(text) {
            Some(Self(Repr::Short { length, bytes })) => Probe::Short { length, bytes },
            _ => Probe::Long(text),
        }
    }

    fn short(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(Repr::Short { length: u8::try_from(text.len()).ok()?, bytes }))
    }
}

/// A text that others are compared with.
pub(crate) enum Probe<'a> {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(&'a [u8]),
}

impl Probe<'_> {
    /// Whether a text is this one.
    #[inline]
    pub(crate) fn is(&self, text: &Text) -> bool {
        match (self, &text.0) {
            (Self::Short { length, bytes }, Repr::Short { length: other, bytes: others }) => {
                length == other && bytes == others
            }
            (Self::Long(bytes), Repr::Long(others)) => **bytes == **others,
            _ => false,
        }
    }
}

/// The first sixteen bytes of a text, zeros where there are fewer, as a number: texts whose heads differ are in the order
/// of their heads.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> u128 {
    if bytes.len() >= 16 {
        return first(bytes);
    }
    let mut padded = [0; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    u128::from_be_bytes(padded)
}

#[inline]
fn first(bytes: &[u8]) -> u128 {
    bytes.first_chunk().map_or(0, |first| u128::from_be_bytes(*first))
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head().cmp(&other.head()).then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self::short(bytes).unwrap_or_else(|| Self(Repr::Long(bytes.into())))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Arc<[u8]>> for Text {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self::short(&bytes).unwrap_or(Self(Repr::Long(bytes)))
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_str())
    }
}

/// Bytes as text; what is not UTF-8 is replaced. Quick for what is.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_as_their_bytes() {
        let whole = b"\0a\0\0b\xFF0123456789 0123456789 0123456789";
        let parts: Vec<&[u8]> = (0..8).flat_map(|from| (from..whole.len()).map(move |to| &whole[from..to])).collect();
        for one in &parts {
            assert_eq!(Text::from(*one).as_bytes(), *one);
            assert_eq!(Text::from(*one).len(), one.len());
            assert_eq!(Text::from(*one).head(), head(one));
            for other in &parts {
                let (text, against) = (Text::from(*one), Text::from(*other));
                assert_eq!(text.cmp(&against), one.cmp(other));
                assert_eq!(text == against, one == other);
            }
        }
    }

    #[test]
    fn a_value_is_no_larger_than_its_text() {
        assert_eq!(size_of::<Text>(), 24);
        assert_eq!(size_of::<crate::Value>(), 24);
    }
}
