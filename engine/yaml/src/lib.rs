//! YAML read and written as Go's libraries do, byte for byte.
//!
//! A text becomes tokens ([`scanner`](self)), tokens become nodes sent to a [`Sink`] (what is common takes a shortcut, line
//! by line), and the reader's sink makes a [`Value`] of them: the JSON model that Helm works on. On the way back, an [`Emitter`]
//! chooses styles, folds and orders keys like go-yaml. Words: a *mark* is a place in the text, a
//! *flavour* names the Go library whose output is equalled, a *natural* order puts `k2` before `k10`.
//!
//! - [`read`] and [`read_with`]: a text's first document as a value, bounded in size, depth and aliases
//! - [`read_parts`]: only some keys of it; [`decode`]: bytes that are to be read
//! - [`write()`]: a value as text; [`Emitter`] for values of any other kind
//! - [`node`]: a tree that keeps how scalars were written, for Kustomize, who edits documents
//! - [`Parser`], [`Sink`]: the layer below, with positions, for other models of a document
//! - [`number`], [`resolve`]: Go's numbers, and what a bare word means
//!
//! ```
//! let value = kpkg_yaml::read("b: yes\na: [1, 0x10]\n")?;
//! assert_eq!(kpkg_yaml::write(&value), "a:\n- 1\n- 16\nb: true\n");
//! # Ok::<(), kpkg_yaml::Error>(())
//! ```
//!
//! It does not keep comments or styles, and knows no files.

mod analysis;
mod emitter;
mod encoding;
mod entries;
mod error;
mod keys;
mod lines;
pub mod node;
pub mod number;
mod parser;
mod parts;
mod reader;
mod resolve;
mod scanner;
mod value;
mod write;

pub use emitter::{Emitter, Flavour};
pub use encoding::decode;
pub use entries::{Entries, Key};
pub use error::Error;
pub use keys::{compare_keys, sort_by_keys};
pub use parser::{Parser, Properties, Scalar, Sink};
pub use parts::read_parts;
pub use reader::{Options, read, read_bytes, read_with};
pub use resolve::{Resolved, is_timestamp, json_timestamp, resolve, resolve_core};
pub use scanner::{Mark, Style};
pub use value::{Binary, Map, Value};
pub use write::{emit, float_text, write, write_json};
