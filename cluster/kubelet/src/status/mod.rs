//! A pod's status: made from what is observed ([`generate`]), written when it changed ([`Writer`]).

mod conditions;
mod container;
mod generate;
mod phase;
mod writer;

pub(crate) use generate::{Failed, Input, StartErrors, StartFailure, generate, of_others, with_others};
pub(crate) use writer::Writer;
