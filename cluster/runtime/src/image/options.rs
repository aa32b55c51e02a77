//! What a pull or push may be told, and what it tells while it runs.

use kpkg_oci::Credentials;

/// How to reach a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// The login; `None` looks into Docker's configuration file.
    pub credentials: Option<Credentials>,
    /// Speak HTTP without TLS. Registries on loopback are tried so without being told.
    pub plain_http: bool,
}

/// What happens during a pull or push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressEvent {
    /// The registry is asked what the name stands for.
    Resolving,
    /// The layers are known.
    Layers {
        /// How many there are.
        count: usize,
        /// Their bytes on the wire.
        bytes: u64,
    },
    /// Bytes of a layer went over the wire.
    Transferred {
        /// The layer's digest.
        layer: String,
        /// Bytes so far.
        done: u64,
        /// All its bytes.
        total: u64,
    },
    /// The layer need not be transferred: it is there already.
    Exists {
        /// The layer's digest.
        layer: String,
    },
    /// The layer is being unpacked.
    Unpacking {
        /// The layer's digest.
        layer: String,
    },
    /// Everything is in place.
    Done,
}

/// Hears what happens during a pull or push.
pub type Progress<'a> = dyn Fn(ProgressEvent) + Send + Sync + 'a;

/// A [`Progress`] that tells nobody.
pub fn silent(_: ProgressEvent) {}
