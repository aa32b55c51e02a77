//! What is known of a value's place: its fields, its elements, and how a list there merges.

use crate::schema::{Field, Shape, Type};

/// What is known of a value.
pub trait Place<'p>: Copy {
    /// What is known of a field of it.
    fn field(self, name: &str) -> Option<Self>;
    /// What is known of its elements.
    fn elements(self) -> Option<Self>;
    /// How a list merges; `None` if it is replaced.
    fn merging(self) -> Option<Merging<'p>>;
    /// Whether an object is replaced although it could be merged.
    fn is_replaced(self) -> bool;
}

/// How the elements of a list are paired. Without any key, they are scalars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merging<'p> {
    /// The list's name.
    pub list: &'p str,
    /// The one key that strategic merge knows.
    pub merge_key: Option<&'p str>,
    /// All keys by which elements differ.
    pub map_keys: Vec<&'p str>,
}

impl<'p> Merging<'p> {
    /// The keys by which elements differ; none if they are scalars.
    pub fn keys(&self) -> Vec<&'p str> {
        if self.map_keys.is_empty() { self.merge_key.into_iter().collect() } else { self.map_keys.clone() }
    }
}

/// A place in the type table.
#[derive(Debug, Clone, Copy)]
pub enum Typed<'t> {
    /// An object of a type.
    Object(&'t Type),
    /// A field of a type.
    Field(&'t Type, &'t Field),
}

impl<'t> Place<'t> for Typed<'t> {
    fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Object(type_) => type_.field(name).map(|field| Self::Field(type_, field)),
            Self::Field(_, field) => match field.shape {
                Shape::Single => Self::Object(field.message()?).field(name),
                Shape::Map => field.message().map(Self::Object),
                Shape::List | Shape::MapOfLists => None,
            },
        }
    }

    fn elements(self) -> Option<Self> {
        match self {
            Self::Field(_, field) if field.shape == Shape::List => field.message().map(Self::Object),
            _ => None,
        }
    }

    fn merging(self) -> Option<Merging<'t>> {
        match self {
            Self::Field(_, field) if field.patch_strategy.merge => {
                Some(Merging { list: field.name, merge_key: field.patch_merge_key, map_keys: field.map_keys.clone() })
            }
            _ => None,
        }
    }

    fn is_replaced(self) -> bool {
        matches!(self, Self::Field(_, field) if field.patch_strategy.replace)
    }
}
