//! Go's text/template with Sprig's and Helm's functions, as Helm runs it.
//!
//! Texts are parsed once into [`Templates`]; a [`Renderer`] runs them on [`Value`]s. Values are Go's:
//! `int`, `int64` and `float64` kept apart, strings of bytes, maps that are shared and change in place.
//! What the host adds are [`Object`]s with fields and methods, and a [`Host`] that answers `lookup`.
//! Nothing here reads a file, the environment or a network: chance and time come as [`Ambient`], and only
//! [`Clock::system`] asks what time it is, and where.
//!
//! - [`Templates::parse`], [`Renderer::render`]: start here
//! - [`Value`], [`Object`]: what templates see
//! - [`Error`], [`helm_text`]: what went wrong, where, and in Helm's words
//!
//! ```
//! use std::rc::Rc;
//!
//! use kpkg_template::{Ambient, Limits, NoHost, Renderer, Templates, Value, with_stack};
//!
//! let templates = Templates::parse([("hello.txt", "Hello, {{ .name | upper }}!".to_owned())]).map_err(|(_, error)| error)?;
//! let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
//! let text = with_stack(|| {
//!     let dot = Value::map([("name".into(), "world".into())].into());
//!     Renderer::new(&templates, Rc::new(NoHost), &ambient, Limits::default()).render("hello.txt", &dot)
//! })?;
//! assert_eq!(text, b"Hello, WORLD!");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ambient;
mod ast;
mod changes;
mod datetime;
mod encode;
mod error;
mod exec;
mod format;
mod funcs;
mod host;
mod jinja;
mod json;
mod lex;
mod object;
mod parallel;
mod parse;
mod printf;
mod quote;
mod render;
pub mod semver;
mod set;
mod text;
mod toml;
mod trace;
mod url;
mod value;
mod weight;

pub use ambient::{Ambient, Clock};
pub use error::{Error, ErrorKind, Failure, Place, helm_text};
pub use exec::{Context, Limits};
pub use format::print_bytes;
pub use funcs::{Type, names as function_names};
pub use host::{Host, LookupRequest, NoHost};
pub use object::{Object, Signature};
pub use parallel::{at_once, in_parallel};
pub use render::{Renderer, with_stack};
pub use set::Templates;
pub use text::Text;
pub use trace::{Fragment, Read, Span, Trace};
/// A regular expression in Go's syntax.
pub fn go_regex(pattern: &str) -> Result<regex::bytes::Regex, String> {
    funcs::go_regex(pattern)
}

/// A text in double quotes, with Go's escapes.
pub fn quote(bytes: &[u8]) -> String {
    quote::quote(bytes)
}

/// A value as `toYaml` writes it, with the break at its end.
pub fn to_yaml(value: &Value) -> Result<Vec<u8>, String> {
    encode::yaml(value, Vec::new())
}

/// What Go finds wrong with a JSON text.
pub fn json_problem(text: &[u8]) -> Option<String> {
    json::parse(text).err()
}

/// A time in a layout of Go's `time` package, such as `2006-01-02 15:04:05Z0700`.
pub fn format_time(time: &jiff::Zoned, layout: &str) -> String {
    datetime::format(time, layout)
}

/// Checks a text against a layout of Go's `time` package.
pub fn parse_time(layout: &str, text: &str) -> Result<(), String> {
    datetime::parse(layout, text, &jiff::tz::TimeZone::UTC).map(|_| ())
}

/// Whether Go's `net/url` reads a text as an address with a scheme that can be asked for.
pub fn is_request_url(text: &str) -> bool {
    url::is_request_url(text.as_bytes())
}

/// The text that `fmt.Print` writes for a value.
pub fn print(value: &Value) -> String {
    format::text(value)
}

pub use value::{Entries, IntKind, Kind, List, ListKind, Map, MapKind, Value, entries};
