//! Where implementations of strategic merge differ.

/// Whose rules are followed where implementations differ.
///
/// | | API server | Kustomize |
/// |---|---|---|
/// | lists are paired | by one key and its value, in the order of the live list | by all keys and their texts, the patch's elements first |
/// | `$patch: replace` or `delete` in an element of a list | is about the list, or the pair | is about the pair; about the list if it stands alone |
/// | `$patch: delete` in an object | empties it | takes it out |
/// | `$patch: merge` | is an error | is the default |
/// | `$setElementOrder`, `$retainKeys`, `$deleteFromPrimitiveList` | are carried out | are fields like others |
/// | objects that the schema says to replace | are replaced | are merged |
/// | a value of another kind | takes the place | is an error |
/// | what the object lacks | goes in without nulls and directives | is merged with itself |
/// | what the patch does not name | stays | is merged with nothing: empty nulls go |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Kubernetes' API server.
    ApiServer,
    /// Kustomize 5.
    Kustomize,
}

impl Mode {
    /// Whether `$setElementOrder`, `$retainKeys` and `$deleteFromPrimitiveList` mean anything.
    pub(super) fn has_list_directives(self) -> bool {
        self == Self::ApiServer
    }

    /// Whether `$patch: delete` leaves an empty object.
    pub(super) fn empties_deleted(self) -> bool {
        self == Self::ApiServer
    }

    /// Whether `$patch: merge` may stand in an object.
    pub(super) fn may_say_merge(self) -> bool {
        self == Self::Kustomize
    }

    /// Whether the schema may say that objects are replaced.
    pub(super) fn replaces_objects(self) -> bool {
        self == Self::ApiServer
    }

    /// Whether a value of another kind takes the place of what is there.
    pub(super) fn replaces_other_kinds(self) -> bool {
        self == Self::ApiServer
    }

    /// Whether the parts that only one side has go through the merge too.
    pub(super) fn merges_lone_parts(self) -> bool {
        self == Self::Kustomize
    }

    /// Whether elements are paired by all their keys, as texts, and the patch's stand first.
    pub(super) fn pairs_by_texts(self) -> bool {
        self == Self::Kustomize
    }
}
