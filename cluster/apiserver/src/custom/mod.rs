//! Kinds that `CustomResourceDefinition` objects define.
//!
//! A definition is checked and given its status while it is written (`definition`), so a kind is served from the moment
//! that its definition is answered. What is served is read from the stored definitions after each write ([`serve`]);
//! `cleanup` takes the objects of deleted definitions away.
//!
//! Rules in CEL that use what [`kpkg_api::cel`] does not know are not evaluated, and webhooks that convert are not called:
//! objects of a kind with several versions are served as they are, under the version asked for. Who writes such a definition
//! is warned.

mod cleanup;
mod columns;
mod definition;
mod json_path;
mod resource;
mod scale;
mod serve;

pub(crate) use cleanup::start as start_cleanup;
pub(crate) use columns::table;
pub(crate) use definition::{FINALIZER, faults, is_definition, settle, update_faults, warnings};
pub(crate) use resource::Custom;
pub(crate) use scale::ScalePaths;
