//! Values files that `sops` sealed for `age` keys, opened.
//!
//! Sops encrypts the values of a YAML file and leaves its keys readable: every value by a *data key*
//! (AES-256-GCM), bound to its place in the file; the data key for each *recipient* by age (X25519);
//! and a checksum over all values, so that none can be moved, dropped or added. An *identity* is the
//! secret half of a recipient.
//!
//! - [`sops`]: whether a file is sealed, and opening it; start here
//! - [`age`]: the age format, both ways: [`Identity`], [`Recipient`]
//!
//! ```
//! use kpkg_secrets::{Identity, age};
//!
//! let identity: Identity =
//!     "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX".parse()?;
//! let sealed = age::encrypt(b"text", &[identity.recipient()])?;
//! assert_eq!(age::decrypt(sealed.as_bytes(), &[identity])?, b"text");
//! # Ok::<(), kpkg_secrets::SecretError>(())
//! ```
//!
//! It reads no files and no environment, knows no other keys than age's own, and writes no sops files.

pub mod age;
mod bech32;
mod error;
mod payload;
pub mod sops;

pub use age::{Identity, Recipient};
pub use error::{Result, SecretError};
