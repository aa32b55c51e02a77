//! Server-side apply: who set which fields, and what becomes of an object when one of them applies anew.
//!
//! Every write goes through here. [`update`] books what an ordinary write changed to its writer; [`apply`] merges what a
//! manager wants into what is there, takes out what it no longer wants, and refuses to touch what others own unless it
//! is forced to. Both keep the books in `metadata.managedFields`. How fields merge is the schema's to say: [`Node`].
//!
//! ```
//! use kpkg_api::apply::{self, Node, Scope, Writer};
//! # use serde_json::json;
//! let kind = kpkg_api::schema::kind("", "v1", "ConfigMap").expect("served");
//! let node = Node::Object(kind.type_());
//! let writer = |manager| Writer { manager, api_version: "v1", subresource: "", now: "2026-01-01T00:00:00Z", scope: Scope::All };
//! let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}});
//! let live = apply::apply(node, None, &wanted, &writer("me"), false).expect("nobody else is there");
//! assert_eq!(live["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]["f:a"], json!({}));
//! let other = json!({"data": {"a": "2"}});
//! let error = apply::apply(node, Some(&live), &other, &writer("you"), false).expect_err("a conflict");
//! assert_eq!(error.to_string(), "Apply failed with 1 conflict: conflict with \"me\": .data.a");
//! ```

mod check;
mod client_side;
mod element;
mod engine;
mod error;
mod fields;
mod managers;
mod merge;
mod node;
mod set;
#[cfg(test)]
mod tests;

pub use element::{Element, Float, Scalar};
pub use engine::{Scope, Writer, apply, update};
pub use error::{ApplyError, Conflict};
pub use managers::{Entry, Manager, Managers, Operation};
pub use node::Node;
pub use set::{FieldPath, FieldSet};
