//! Go's strings: any bytes, never changed, cheap to copy.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kpkg_gounicode::lossy;
use kpkg_yaml::Key;

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

    /// The first sixteen bytes, zeros where there are fewer, as a number: texts whose heads differ are in the order of their
    /// heads.
    #[inline]
    fn head(&self) -> u128 {
        match &self.0 {
            Repr::Short { bytes, .. } => first(bytes),
            Repr::Long(bytes) => first(bytes),
        }
    }

    fn short(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(Repr::Short { length: u8::try_from(text.len()).ok()?, bytes }))
    }
}

/// A text that keys are compared with.
pub enum Probe<'a> {
    /// What stands in the value itself.
    Short(Text),
    /// Anything longer.
    Long(&'a [u8]),
}

impl Key for Text {
    type Sought = [u8];
    type Probe<'a> = Probe<'a>;

    #[inline]
    fn probe(sought: &[u8]) -> Probe<'_> {
        Self::short(sought).map_or(Probe::Long(sought), Probe::Short)
    }

    #[inline]
    fn is(&self, probe: &Probe<'_>) -> bool {
        match (probe, &self.0) {
            (Probe::Short(sought), Repr::Short { length, bytes }) => {
                matches!(&sought.0, Repr::Short { length: other, bytes: others } if length == other && bytes == others)
            }
            (Probe::Long(sought), Repr::Long(bytes)) => **sought == **bytes,
            _ => false,
        }
    }

    #[inline]
    fn compare(&self, probe: &Probe<'_>) -> Ordering {
        match probe {
            Probe::Short(sought) => self.cmp(sought),
            Probe::Long(sought) => self.head().cmp(&first(sought)).then_with(|| self.as_bytes().cmp(sought)),
        }
    }
}

#[inline]
fn first(bytes: &[u8]) -> u128 {
    bytes.first_chunk().map_or(0, |first| u128::from_be_bytes(*first))
}

impl Default for Text {
    fn default() -> Self {
        Self::from("")
    }
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
            for other in &parts {
                let (text, against) = (Text::from(*one), Text::from(*other));
                assert_eq!(text.cmp(&against), one.cmp(other));
                assert_eq!(text == against, one == other);
                let probe = Text::probe(other);
                assert_eq!((text.is(&probe), text.compare(&probe)), (one == other, one.cmp(other)));
            }
        }
    }

    #[test]
    fn a_value_is_no_larger_than_its_text() {
        assert_eq!(size_of::<Text>(), 24);
        assert_eq!(size_of::<crate::Value>(), 24);
    }
}
