//! Short names for long contents.

use sha2::{Digest, Sha256};

/// The first half of a SHA-256, in hexadecimal: enough to tell states apart.
pub(crate) fn of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
