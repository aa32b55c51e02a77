//! Sprig's keys and certificates. RSA keys come from the rendering's randomness, so a seed repeats them.

use std::any::Any;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;

use super::primes::prime;
use super::{Answer, Function, Type, fixed, int, string};
use crate::error::Failure;
use crate::exec::Context;
use crate::object::Object;
use crate::value::{Kind, Value};

use Type::{Any as Anything, Int, List, String as Str};

/// Bits of the keys of certificates, and of `genPrivateKey "rsa"`.
const CERTIFICATE_BITS: u32 = 2048;
const KEY_BITS: u32 = 4096;
const EXPONENT: u64 = 65537;
/// One pair of primes in some ten thousand does not suit the exponent.
const ATTEMPTS: usize = 8;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("genPrivateKey", &[Str], |context, args| Ok(private_key(context, &string(&args[0]))?.into())),
    fixed("genCA", &[Str, Int], |context, args| {
        let key = rsa_key(context)?;
        authority(context, args, &key)
    }),
    fixed("genCAWithKey", &[Str, Int, Str], |context, args| {
        let key = given_key(&args[2])?;
        authority(context, args, &key)
    }),
    fixed("genSelfSignedCert", &[Str, List, List, Int], |context, args| {
        let key = rsa_key(context)?;
        self_signed(context, args, &key)
    }),
    fixed("genSelfSignedCertWithKey", &[Str, List, List, Int, Str], |context, args| {
        let key = given_key(&args[4])?;
        self_signed(context, args, &key)
    }),
    fixed("genSignedCert", &[Str, List, List, Int, Anything], |context, args| {
        let key = rsa_key(context)?;
        signed(context, args, &key)
    }),
    fixed("genSignedCertWithKey", &[Str, List, List, Int, Anything, Str], |context, args| {
        let key = given_key(&args[5])?;
        signed(context, args, &key)
    }),
    fixed("buildCustomCert", &[Str, Str], |_, args| custom(&string(&args[0]), &string(&args[1]))),
];

/// `sprig.certificate`: the certificate and its key, in PEM.
struct Certificate {
    certificate: String,
    key: String,
}

impl Object for Certificate {
    fn type_name(&self) -> &'static str {
        "sprig.certificate"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn print(&self) -> String {
        format!("{{{} {}}}", self.certificate, self.key)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(self.certificate.as_str().into()),
            "Key" => Some(self.key.as_str().into()),
            _ => None,
        }
    }

    fn plain(&self) -> Value {
        Value::map([("Cert".into(), self.certificate.as_str().into()), ("Key".into(), self.key.as_str().into())].into())
    }
}

/// A key as it is printed, and as it signs.
struct Key {
    pem: String,
    pair: KeyPair,
}

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> Failure {
    let what = what.to_owned();
    move |error| Failure::new(format!("{what}: {error}"))
}

fn rsa_der(context: &mut Context, bits: u32) -> Result<Vec<u8>, Failure> {
    let problem = failed("error generating rsa key");
    let random = context.ambient.generator();
    for _ in 0..ATTEMPTS {
        let primes = [prime(random, bits / 2), prime(random, bits / 2)];
        let primes = primes.into_iter().collect::<Result<_, _>>().map_err(|error| problem(&error))?;
        if let Ok(key) = RsaPrivateKey::from_primes(primes, EXPONENT.into()) {
            let der = key.to_pkcs1_der().map_err(|error| problem(&error))?;
            return Ok(der.as_bytes().to_vec());
        }
    }
    Err(problem(&"no primes suit the exponent"))
}

fn rsa_key(context: &mut Context) -> Result<Key, Failure> {
    let der = rsa_der(context, CERTIFICATE_BITS)?;
    let pair = key_pair(&pkcs8(RSA_OID, &der))?;
    Ok(Key { pem: pem("RSA PRIVATE KEY", &der), pair })
}

fn key_pair(pkcs8: &[u8]) -> Result<KeyPair, Failure> {
    KeyPair::try_from(pkcs8).map_err(|error| failed("parsing private key")(&error))
}

fn private_key(context: &mut Context, kind: &str) -> Result<String, Failure> {
    match kind {
        "" | "rsa" => Ok(pem("RSA PRIVATE KEY", &rsa_der(context, KEY_BITS)?)),
        "ecdsa" => {
            let pair = KeyPair::generate().map_err(|error| failed("failed to generate private key")(&error))?;
            let der = pair.serialize_der();
            let inner = inner_key(&der).ok_or_else(|| Failure::new("failed to generate private key"))?;
            Ok(pem("EC PRIVATE KEY", inner))
        }
        "ed25519" => {
            let mut seed = [0_u8; 32];
            context.ambient.fill(&mut seed);
            Ok(pem("PRIVATE KEY", &[ED25519_PREFIX, &seed].concat()))
        }
        other => Ok(format!("Unknown type {other}")),
    }
}

// === encodings ===

const RSA_OID: &[u8] = &[0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];
const P256_OID: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03,
    0x01, 0x07,
];
const P384_OID: &[u8] =
    &[0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22];
const P384_CURVE: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22];
const ED25519_PREFIX: &[u8] =
    &[0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        short @ 0..0x80 => out.push(u8::try_from(short).unwrap_or(0)),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(0));
            out.extend(bytes);
        }
    }
    out.extend_from_slice(body);
    out
}

/// A PKCS #8 envelope around a key of some algorithm.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tagged(0x30, &[&[0x02, 0x01, 0x00], algorithm, &tagged(0x04, key)].concat())
}

/// The length and the start of what a tag holds.
fn header(der: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*der.get(1)?);
    if first < 0x80 {
        return Some((first, 2));
    }
    let count = first & 0x7F;
    let bytes = der.get(2..2 + count).filter(|_| count <= 4)?;
    Some((bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + count))
}

/// The key inside a PKCS #8 envelope.
fn inner_key(der: &[u8]) -> Option<&[u8]> {
    let (_, start) = header(der)?;
    let mut rest = der.get(start..)?;
    for _ in 0..2 {
        let (length, start) = header(rest)?;
        rest = rest.get(start + length..)?;
    }
    let (length, start) = header(rest)?;
    rest.get(start..start + length)
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The first block of a PEM text: its label and contents.
fn read_pem(text: &str) -> Option<(String, Vec<u8>)> {
    let start = text.find("-----BEGIN ")? + "-----BEGIN ".len();
    let (label, rest) = text[start..].split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let compact: String = body.chars().filter(|character| !character.is_whitespace()).collect();
    Some((label.to_owned(), STANDARD.decode(compact).ok()?))
}

fn given_key(value: &Value) -> Result<Key, Failure> {
    let pem = string(value).into_owned();
    let pair = parse_key(&pem).map_err(|problem| Failure::new(format!("parsing private key: {problem}")))?;
    Ok(Key { pem: normalized(&pem), pair })
}

/// The key's own block alone, as Go encodes it anew.
fn normalized(text: &str) -> String {
    read_pem(text).map_or_else(|| text.to_owned(), |(label, der)| pem(&label, &der))
}

fn parse_key(text: &str) -> Result<KeyPair, String> {
    let (label, der) = read_pem(text).ok_or("no PEM data in input")?;
    let envelope = match label.as_str() {
        "PRIVATE KEY" => der,
        "RSA PRIVATE KEY" => pkcs8(RSA_OID, &der),
        "EC PRIVATE KEY" if der.windows(P384_CURVE.len()).any(|window| window == P384_CURVE) => pkcs8(P384_OID, &der),
        "EC PRIVATE KEY" => pkcs8(P256_OID, &der),
        other => match other.strip_suffix(" PRIVATE KEY") {
            Some(kind) => return Err(format!("invalid private key type {kind}")),
            None => return Err(format!("no private key data in PEM block of type {other}")),
        },
    };
    KeyPair::try_from(envelope.as_slice()).map_err(|error| error.to_string())
}

// === certificates ===

fn params(context: &mut Context, name: &str, days: i64) -> CertificateParams {
    let mut serial = [0_u8; 16];
    context.ambient.fill(&mut serial);
    serial[0] &= 0x7F;
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    if !name.is_empty() {
        subject.push(DnType::CommonName, name);
    }
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = u64::try_from(context.ambient.now().timestamp().as_second()).unwrap_or(0);
    params.not_before = epoch + Duration::from_secs(now);
    // RFC 5280 ends with the year 9999, and so does the encoder.
    let last: u64 = 253_402_300_799;
    let end = now.saturating_add_signed(days.saturating_mul(86400)).min(last);
    params.not_after = epoch + Duration::from_secs(end);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

fn authority(context: &mut Context, args: &[Value], key: &Key) -> Answer {
    let mut params = params(context, &string(&args[0]), int(&args[1]));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    finish(params.self_signed(&key.pair), key)
}

fn finish(certificate: Result<rcgen::Certificate, rcgen::Error>, key: &Key) -> Answer {
    let certificate = certificate.map_err(|error| failed("error creating certificate")(&error))?;
    Ok(Value::object(Certificate { certificate: pem("CERTIFICATE", certificate.der()), key: key.pem.clone() }))
}

fn leaf_params(context: &mut Context, args: &[Value]) -> Result<CertificateParams, Failure> {
    let mut params = params(context, &string(&args[0]), int(&args[3]));
    for address in super::items(&args[1]).unwrap_or_default() {
        let shown = crate::format::text(&address);
        let Value::String(text) = &address else {
            return Err(format!("error parsing ip: {shown} is not a string").into());
        };
        let parsed: IpAddr = text.to_str().parse().map_err(|_| Failure::new(format!("error parsing ip: {shown}")))?;
        params.subject_alt_names.push(SanType::IpAddress(parsed));
    }
    for name in super::items(&args[2]).unwrap_or_default() {
        let shown = crate::format::text(&name);
        let Value::String(_) = &name else {
            return Err(format!("error processing alternate dns name: {shown} is not a string").into());
        };
        let dns = shown.try_into().map_err(|error: rcgen::Error| failed("error creating certificate")(&error))?;
        params.subject_alt_names.push(SanType::DnsName(dns));
    }
    Ok(params)
}

fn self_signed(context: &mut Context, args: &[Value], key: &Key) -> Answer {
    let params = leaf_params(context, args)?;
    finish(params.self_signed(&key.pair), key)
}

fn signed(context: &mut Context, args: &[Value], key: &Key) -> Answer {
    let Value::Object(object) = &args[4] else {
        return Err(wrong_authority(&args[4]));
    };
    let Some(authority) = object.as_any().downcast_ref::<Certificate>() else {
        return Err(wrong_authority(&args[4]));
    };
    let (_, der) = read_pem(&authority.certificate).ok_or_else(|| Failure::new("unable to decode certificate"))?;
    let signer =
        parse_key(&authority.key).map_err(|problem| Failure::new(format!("error parsing private key: {problem}")))?;
    let issuer = Issuer::from_ca_cert_der(&der.into(), signer)
        .map_err(|error| failed("error parsing certificate: decodedSignerCert.Bytes")(&error))?;
    let mut params = leaf_params(context, args)?;
    params.use_authority_key_identifier_extension = true;
    finish(params.signed_by(&key.pair, &issuer), key)
}

fn wrong_authority(value: &Value) -> Failure {
    Failure::new(format!("wrong type for value; expected sprig.certificate; got {}", value.type_name()))
}

fn custom(certificate: &str, key: &str) -> Answer {
    let decode = |text: &str, what: &str| {
        STANDARD.decode(text).map_err(|_| Failure::new(format!("unable to decode base64 {what}")))
    };
    let certificate = String::from_utf8_lossy(&decode(certificate, "certificate")?).into_owned();
    let key = String::from_utf8_lossy(&decode(key, "private key")?).into_owned();
    if read_pem(&certificate).is_none() {
        return Err("unable to decode certificate".into());
    }
    parse_key(&key).map_err(|problem| Failure::new(format!("error parsing private key: {problem}")))?;
    Ok(Value::object(Certificate { certificate, key }))
}
