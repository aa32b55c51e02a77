//! The vocabulary of the Kubernetes API: what objects look like, which are legal, and how they change.
//!
//! Pure functions over JSON values, driven by one table of types ([`schema`]). An object on its way into the store
//! passes, in this order: [`protobuf`] or JSON decoding, [`schema::conform`] (unknown fields, wrong types, Go's
//! canonical form), [`defaults`], [`validate`]. Patches are in [`patch`], the errors of all of it become a
//! [`status::Status`].
//!
//! ```
//! use kpkg_api::{defaults, schema, validate};
//! let kind = schema::kind("", "v1", "ConfigMap").expect("served");
//! let mut object = serde_json::json!({"metadata": {"name": "Bad", "namespace": "default"}, "dat": {}});
//! let findings = schema::conform(kind.type_(), &mut object)?;
//! assert_eq!(findings.unknown, ["unknown field \"dat\""]);
//! defaults::apply(kind, &mut object);
//! let errors = validate::create(kind, &object);
//! assert_eq!(errors[0].path, "metadata.name");
//! # Ok::<(), kpkg_api::schema::TypeError>(())
//! ```
//!
//! It reads no clock, no file and no environment, and knows nothing of HTTP beyond the codes in a Status.

pub mod apply;
pub mod cel;
pub mod cron;
pub mod defaults;
pub mod intstr;
pub mod meta;
pub mod names;
pub mod patch;
pub mod protobuf;
pub mod quantity;
pub mod resources;
pub mod schema;
pub mod selector;
pub mod status;
pub mod structural;
pub mod text;
pub mod time;
pub mod validate;
mod value;
