//! What the server must be told.

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

/// What an [`ApiServer`](crate::ApiServer) must be told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses for Services. The first one becomes that of `default/kubernetes`.
    pub service_cidr: Cidr,
    /// Ports for Services of type NodePort.
    pub node_port_range: RangeInclusive<u16>,
    /// The key that signs service-account tokens: P-256 as PKCS#8 DER ([`Config::new_signing_key`]). Whoever has it can
    /// be any service account.
    pub service_account_key: Vec<u8>,
    /// Who signs service-account tokens, and whom they are for by default.
    pub issuer: String,
    /// Where pods reach this server; becomes the endpoint of Service `default/kubernetes`. None means no endpoint.
    pub advertise: Option<SocketAddr>,
    /// The most requests at once, watches and other long ones not counted.
    pub max_in_flight: usize,
}

impl Config {
    /// The defaults, with this signing key.
    pub fn new(service_account_key: Vec<u8>) -> Self {
        Self {
            service_cidr: Cidr { base: Ipv4Addr::new(10, 43, 0, 0), prefix: 16 },
            node_port_range: 30000..=32767,
            service_account_key,
            issuer: "https://kubernetes.default.svc.cluster.local".to_owned(),
            advertise: None,
            max_in_flight: 600,
        }
    }

    /// A new signing key, for a new cluster.
    pub fn new_signing_key() -> Vec<u8> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .expect("the system has random bytes")
            .as_ref()
            .to_vec()
    }
}

/// A range of IPv4 addresses: `10.43.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The first address.
    pub base: Ipv4Addr,
    /// How many leading bits all addresses share.
    pub prefix: u8,
}

/// A text that is no range of IPv4 addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of IPv4 addresses such as 10.43.0.0/16")]
pub struct CidrError(String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let error = || CidrError(text.to_owned());
        let (base, prefix) = text.split_once('/').ok_or_else(error)?;
        let cidr = Self { base: base.parse().map_err(|_| error())?, prefix: prefix.parse().map_err(|_| error())? };
        if cidr.prefix > 30 || cidr.base.to_bits() & (cidr.size() - 1) != 0 {
            return Err(error());
        }
        Ok(cidr)
    }
}

impl Cidr {
    /// How many addresses it has. A prefix of 0 counts one less than there are.
    pub(crate) fn size(self) -> u32 {
        u32::try_from(1_u64 << (32 - u32::from(self.prefix.min(32)))).unwrap_or(u32::MAX)
    }

    /// The address at an offset.
    pub(crate) fn at(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits().wrapping_add(offset))
    }

    /// Whether the address lies in the range and may be given out: neither the first nor the last.
    pub(crate) fn assignable(self, address: Ipv4Addr) -> bool {
        let offset = address.to_bits().wrapping_sub(self.base.to_bits());
        offset > 0 && offset < self.size() - 1
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        let cidr: Cidr = "10.43.0.0/16".parse().expect("a range");
        assert_eq!((cidr.size(), cidr.at(1)), (65536, Ipv4Addr::new(10, 43, 0, 1)));
        assert!(cidr.assignable(cidr.at(1)) && !cidr.assignable(cidr.at(0)) && !cidr.assignable(cidr.at(65535)));
        assert!(!cidr.assignable(Ipv4Addr::new(10, 44, 0, 1)));
        for bad in ["10.43.0.0", "10.43.0.1/16", "10.43.0.0/31", "::/64", "x/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
