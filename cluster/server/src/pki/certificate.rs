//! Issuing certificates, and reading back what was issued.

use std::{net::IpAddr, path::Path};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use x509_parser::{extensions::GeneralName, pem::parse_x509_pem};

use super::{DAYS, Pair, RENEW_DAYS};
use crate::{Error, files};

/// The cluster's certificate authority.
pub(super) struct Authority {
    /// Its certificate, as PEM.
    pub(super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate says of its owner.
pub(super) struct Subject {
    /// The user, to Kubernetes.
    pub(super) name: String,
    /// The user's group.
    pub(super) group: Option<String>,
    /// Host names and addresses.
    pub(super) alternatives: Vec<String>,
    /// Client or server.
    pub(super) usage: ExtendedKeyUsagePurpose,
}

impl Authority {
    /// Loads the authority, or makes it.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Self, Error> {
        let failed = |source| Error::Certificate { subject: name.to_owned(), source };
        let (certificate_path, key_path) = (dir.join("ca.crt"), dir.join("ca.key"));
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        limit(&mut params, 10 * DAYS);
        if let (Some(certificate), Some(key)) = (files::read(&certificate_path)?, files::read(&key_path)?) {
            let key = KeyPair::from_pem(&key).map_err(failed)?;
            return Ok(Self { certificate, issuer: Issuer::new(params, key) });
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        // The key first: a certificate without its key would be taken for damage.
        files::write(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
        files::write(&certificate_path, certificate.as_bytes(), 0o644)?;
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Loads `file`.crt and `file`.key if they still serve, or makes them.
    pub(super) fn issue(&self, dir: &Path, file: &str, subject: &Subject) -> Result<Pair, Error> {
        let (certificate_path, key_path) = (dir.join(format!("{file}.crt")), dir.join(format!("{file}.key")));
        if let (Some(certificate), Some(key)) = (files::read(&certificate_path)?, files::read(&key_path)?)
            && serves(&certificate, subject)
            && KeyPair::from_pem(&key).is_ok()
        {
            return Ok(Pair { certificate, key });
        }
        let pair = self.make(subject)?;
        files::write(&key_path, pair.key.as_bytes(), 0o600)?;
        files::write(&certificate_path, pair.certificate.as_bytes(), 0o644)?;
        Ok(pair)
    }

    fn make(&self, subject: &Subject) -> Result<Pair, Error> {
        let failed = |source| Error::Certificate { subject: subject.name.clone(), source };
        let mut params = CertificateParams::new(subject.alternatives.clone()).map_err(failed)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(group) = &subject.group {
            params.distinguished_name.push(DnType::OrganizationName, group.clone());
        }
        params.distinguished_name.push(DnType::CommonName, subject.name.clone());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![subject.usage.clone()];
        params.use_authority_key_identifier_extension = true;
        limit(&mut params, DAYS);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// Valid from yesterday, for clocks differ, for `days`.
fn limit(params: &mut CertificateParams, days: i64) {
    let day = |offset: i64| {
        let date = (Timestamp::now() + SignedDuration::from_hours(24 * offset)).to_zoned(TimeZone::UTC).date();
        // Months and days of a calendar are positive and small.
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-1);
    params.not_after = day(days);
}

/// Whether a certificate lasts a good while yet and names all it must.
fn serves(pem: &str, subject: &Subject) -> bool {
    let Ok((_, pem)) = parse_x509_pem(pem.as_bytes()) else { return false };
    let Ok(certificate) = pem.parse_x509() else { return false };
    let left = certificate.validity().not_after.timestamp() - Timestamp::now().as_second();
    let named: Vec<String> = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    left > RENEW_DAYS * 24 * 3600 && subject.alternatives.iter().all(|name| named.contains(name))
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(address.to_string())
        }
        _ => None,
    }
}
