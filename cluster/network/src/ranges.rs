//! Choosing address ranges nobody else uses.
use ipnet::IpNet;

use crate::Error;

/// The ranges of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    /// For pods.
    pub pods: IpNet,
    /// For services.
    pub services: IpNet,
}

/// Picks ranges that overlap none of `taken` (routes of the host, ranges of other clusters).
/// What the user named (`pods`, `services`) is kept as it is.
pub fn pick(
    _taken: &[IpNet],
    _pods: Option<IpNet>,
    _services: Option<IpNet>,
) -> Result<Ranges, Error> {
    unimplemented!()
}

/// The ranges this machine has routes or addresses for, those of our own clusters included.
pub async fn host_ranges() -> Result<Vec<IpNet>, Error> {
    unimplemented!()
}
