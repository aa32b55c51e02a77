//! The cluster's certificates.
//!
//! One certificate authority, made at the first start, signs the API server's certificate and the
//! administrator's; a key pair of its own signs service-account tokens. What expires soon, or no
//! longer names the machine's addresses, is made anew at a start; the authority is kept.

mod certificate;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use kpkg_network::{IpNet, nth_address};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};

use crate::{Error, Layout, files};
use certificate::{Authority, Subject};

/// Days that certificates last; the authority lasts ten times as long.
const DAYS: i64 = 365;
/// Days before the end at which a certificate is made anew.
const RENEW_DAYS: i64 = 90;

/// The certificates and keys of a cluster, as PEM.
#[derive(Clone)]
pub(crate) struct Pki {
    /// Where they are kept.
    pub(crate) dir: PathBuf,
    /// The authority's certificate.
    pub(crate) ca: String,
    /// The API server's.
    pub(crate) server: Pair,
    /// The administrator's, a member of `system:masters`.
    pub(crate) admin: Pair,
    /// The key that signs service-account tokens, as PKCS#8 DER.
    pub(crate) service_account_key: Vec<u8>,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Whom the API server's certificate must name.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) node_name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) service_cidr: IpNet,
    pub(crate) domain: String,
}

impl Pki {
    /// Loads what is there, makes what is missing or about to expire.
    pub(crate) fn open(layout: &Layout, cluster: &str, names: &Names) -> Result<Self, Error> {
        let dir = layout.pki();
        files::make_dir(&dir, 0o700)?;
        let authority = Authority::open(&dir, &format!("kpkg-{cluster}"))?;
        let server = authority.issue(
            &dir,
            "server",
            &Subject {
                name: "kube-apiserver".to_owned(),
                group: None,
                alternatives: names.all(),
                usage: ExtendedKeyUsagePurpose::ServerAuth,
            },
        )?;
        let admin = authority.issue(
            &dir,
            "admin",
            &Subject {
                name: "kubernetes-admin".to_owned(),
                group: Some("system:masters".to_owned()),
                alternatives: Vec::new(),
                usage: ExtendedKeyUsagePurpose::ClientAuth,
            },
        )?;
        let service_account_key = service_account_key(&dir.join("service-account.key"))?;
        Ok(Self { ca: authority.certificate, dir, server, admin, service_account_key })
    }
}

impl Names {
    fn all(&self) -> Vec<String> {
        let mut names: Vec<String> =
            ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(str::to_owned).into();
        names.push(format!("kubernetes.default.svc.{}", self.domain));
        names.push(self.node_name.clone());
        let mut addresses: Vec<IpAddr> = vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()];
        addresses.extend(nth_address(self.service_cidr, 1));
        addresses.extend(&self.addresses);
        addresses.dedup();
        names.extend(addresses.iter().map(IpAddr::to_string));
        names
    }
}

fn service_account_key(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Certificate { subject: "service accounts".to_owned(), source };
    if let Some(text) = files::read(path)? {
        return Ok(KeyPair::from_pem(&text).map_err(failed)?.serialize_der());
    }
    let key = KeyPair::generate().map_err(failed)?;
    files::write(path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key.serialize_der())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(address: [u8; 4]) -> Names {
        Names {
            node_name: "node".to_owned(),
            addresses: vec![address.into()],
            service_cidr: "10.43.0.0/16".parse().unwrap(),
            domain: "cluster.local".to_owned(),
        }
    }

    #[test]
    fn certificates_are_kept_until_names_change() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new("x", Some(dir.path())).unwrap();
        let first = Pki::open(&layout, "x", &names([192, 0, 2, 7])).unwrap();
        let second = Pki::open(&layout, "x", &names([192, 0, 2, 7])).unwrap();
        assert_eq!(first.server.certificate, second.server.certificate);
        assert_eq!(first.service_account_key, second.service_account_key);
        let moved = Pki::open(&layout, "x", &names([192, 0, 2, 8])).unwrap();
        assert_eq!(first.ca, moved.ca);
        assert_eq!(first.admin.certificate, moved.admin.certificate);
        assert_ne!(first.server.certificate, moved.server.certificate);
    }
}
