//! What can go wrong in the network, with the facts a message needs.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

/// Why an operation on the cluster's network failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Only IPv4 ranges are served.
    #[error("range {range} is IPv6, but only IPv4 ranges are served")]
    Ipv6NotServed {
        /// The range asked for.
        range: IpNet,
    },
    /// The range is too small, too large, or has bits set after its prefix.
    #[error("range {range} does not serve: it must be a network address with a prefix from /8 to /28")]
    BadRange {
        /// The range asked for.
        range: IpNet,
    },
    /// Pods and services share addresses.
    #[error("pod range {pods} and service range {services} overlap")]
    RangesOverlap {
        /// The pod range.
        pods: IpNet,
        /// The service range.
        services: IpNet,
    },
    /// The name server's address is not a service address.
    #[error("the name server's address {address} is not inside the service range {services}")]
    DnsOutsideServices {
        /// The address asked for.
        address: IpAddr,
        /// The service range.
        services: IpNet,
    },
    /// The kernel would not take the bridge's name.
    #[error("`{name}` cannot name a bridge: 1 to 15 bytes, no slash, no space")]
    BadBridgeName {
        /// The name asked for.
        name: String,
    },
    /// Something else has the bridge's name.
    #[error("link `{name}` exists and is not a bridge")]
    BridgeNameTaken {
        /// The bridge's name.
        name: String,
    },
    /// No free range was found.
    #[error("every candidate range for {what} overlaps a route of this machine or another cluster; name one by hand")]
    NoFreeRange {
        /// `pods` or `services`.
        what: &'static str,
    },
    /// A pod's identity cannot be a file name.
    #[error("`{uid}` cannot be a pod's UID")]
    BadPodUid {
        /// The text given.
        uid: String,
    },
    /// All pod addresses are leased.
    #[error("no address is free in the pod range {range}; {leased} are leased")]
    NoAddress {
        /// The pod range.
        range: IpNet,
        /// How many leases there are.
        leased: usize,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {path}")]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel refused a request about links, addresses, routes or packet rules.
    #[error("the kernel refused to {action}")]
    Kernel {
        /// What was attempted, as a verb with its object.
        action: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A netlink message could not be understood.
    #[error("the kernel's answer to {action} could not be read: {detail}")]
    Answer {
        /// What was asked.
        action: String,
        /// What was wrong with the answer.
        detail: String,
    },
    /// A thread that works inside another namespace died.
    #[error("the thread that was to {action} died")]
    Thread {
        /// What it was doing.
        action: &'static str,
    },
    /// The name server could not take its address.
    #[error("cannot listen for DNS on {address}")]
    DnsListen {
        /// Address and port.
        address: std::net::SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// For logs, which print the causes too when they are given this.
pub(crate) fn as_dyn(error: &Error) -> &(dyn std::error::Error + 'static) {
    error
}

impl Error {
    pub(crate) fn kernel(action: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Kernel { action: action.into(), source: source.into() }
    }

    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::File { action, path: path.into(), source: source.into() }
    }

    /// The error number the kernel gave, if it was the kernel that refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Kernel { source, .. } | Self::File { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}
