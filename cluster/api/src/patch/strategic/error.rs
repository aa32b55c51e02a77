//! Why a strategic merge patch cannot be applied.

use super::tree::Kind;

/// Why a strategic merge patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// The patch is no object.
    #[error("invalid JSON document")]
    BadDocument,
    /// A list holds lists.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// `$deleteFromPrimitiveList` is malformed.
    #[error("invalid patch format of primitive list")]
    BadPrimitiveList,
    /// `$retainKeys` is malformed or leaves out a key of the patch.
    #[error("invalid patch format of retainKeys")]
    BadRetainKeys,
    /// `$setElementOrder` is malformed.
    #[error("invalid patch format of setElementOrder list")]
    BadElementOrder,
    /// The elements of the patch stand in another order than `$setElementOrder` says.
    #[error("The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n")]
    OrderMismatch {
        /// The list in the patch.
        patch: String,
        /// The list in the directive.
        order: String,
    },
    /// An element lacks the key it is paired by.
    #[error("map: {map} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The element.
        map: String,
        /// The key.
        key: String,
    },
    /// A list of objects is to be merged but has no merge key.
    #[error("cannot merge lists without merge key for {0}")]
    NoKeyDeclared(String),
    /// The value of `$patch` is unknown.
    #[error("unknown patch type: {directive} in map: {map}")]
    BadDirective {
        /// The value.
        directive: String,
        /// The object it stands in.
        map: String,
    },
    /// A list mixes objects and scalars, or is no list.
    #[error("expected a {expected}, but received a {actual}")]
    Mismatch {
        /// What should be there.
        expected: &'static str,
        /// What is there.
        actual: &'static str,
    },
    /// The patch has a value of another kind than the object, where that is not allowed.
    #[error("expected a value of kind {expected:?}, but received {found:?}")]
    OtherKind {
        /// What is there.
        expected: Kind,
        /// What the patch has.
        found: Kind,
    },
    /// `$patch: merge` in an element.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeInList,
}

impl StrategicError {
    /// Whether the patch is malformed (400); else it does not fit the object.
    pub fn is_bad_request(&self) -> bool {
        matches!(self, Self::BadDocument | Self::BadPrimitiveList | Self::BadRetainKeys | Self::BadElementOrder)
    }
}

/// What the functions here return.
pub(super) type Result<T> = std::result::Result<T, StrategicError>;
