//! Identities of sandboxes and containers: 64 lower-case hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::RuntimeError;

const LENGTH: usize = 64;

fn random() -> String {
    let bytes: [u8; LENGTH / 2] = rand::random();
    crate::image::hex(&bytes)
}

fn is_valid(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $noun:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new identity that nothing else has.
            pub(crate) fn random() -> Self {
                Self(random())
            }

            /// The identity as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = RuntimeError;

            fn from_str(text: &str) -> Result<Self, RuntimeError> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = RuntimeError;

            fn try_from(text: String) -> Result<Self, RuntimeError> {
                if is_valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(RuntimeError::NotFound { what: $noun, id: text })
                }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id! {
    /// The identity of a pod sandbox.
    SandboxId, "pod sandbox"
}
id! {
    /// The identity of a container.
    ContainerId, "container"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_hexadecimal_is_an_identity() {
        let id = ContainerId::random();
        assert_eq!(id.as_str().parse::<ContainerId>().unwrap(), id);
        for text in ["", "abc", "../../etc", &"g".repeat(64), &"A".repeat(64)] {
            assert!(text.parse::<ContainerId>().is_err(), "{text}");
        }
    }
}
