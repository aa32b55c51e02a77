//! Text that stands in the clear, with its signature below.

use super::keyring::Keyring;
use super::packet::packets;
use super::secret::SecretKey;
use super::signature::{Signature, cover, hashed, uncovered};
use super::{Hash, Problem, armor};

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE_BLOCK: &str = "PGP SIGNATURE";
const SIGNATURE: u8 = 2;
/// By so much may the clock of whoever signed be ahead of ours.
const CLOCKS_DIFFER: u64 = 24 * 3600;

/// A text that somebody signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The text, with plain line ends.
    pub(crate) text: String,
    /// Who signed it: `NAME <ADDRESS>`.
    pub(crate) by: Vec<String>,
    /// The key's fingerprint.
    pub(crate) fingerprint: Vec<u8>,
}

/// Reads a signed text and checks its signature against a keyring.
pub(crate) fn signed_text(document: &str, keyring: &Keyring, now: u64) -> Result<Signed, Problem> {
    let start = document.find(BEGIN).filter(|at| *at == 0 || document[..*at].ends_with('\n'));
    let start = start.ok_or("signature block not found")?;
    let rest = &document[start + BEGIN.len()..];
    let marker = format!("-----BEGIN {SIGNATURE_BLOCK}-----");
    let (message, _) = rest.split_once(&format!("\n{marker}")).ok_or("signature block not found")?;
    let message = message.strip_prefix("\r\n").or(message.strip_prefix('\n')).ok_or("signature block not found")?;
    let (headers, body) = split_headers(message)?;
    if headers.iter().any(|line| !line.starts_with("Hash: ")) {
        return Err("it has unknown headers".to_owned());
    }
    let lines: Vec<&str> = body
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .map(|line| line.strip_prefix("- ").unwrap_or(line))
        .collect();
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end_matches([' ', '\t'])).collect();
    let text = trimmed.join("\r\n");
    let block = armor::decode(&rest[message.len()..], SIGNATURE_BLOCK)?;
    let mut problem = "no signature of a known key".to_owned();
    for packet in packets(&block)? {
        if packet.tag != SIGNATURE {
            return Err("its signature block holds something else".to_owned());
        }
        let signature = Signature::read(packet.body)?;
        if !matches!(signature.kind, 0 | 1) {
            return Err("its signature is not one of a text".to_owned());
        }
        for candidate in keyring.candidates(&signature) {
            let checked = signature.verify(candidate.key, text.as_bytes()).and_then(|()| candidate.check(now));
            match checked.and_then(|()| is_current(&signature, now)) {
                Ok(()) => {
                    let owner = candidate.owner;
                    let fingerprint = owner.primary.fingerprint();
                    return Ok(Signed {
                        text: lines.join("\n"),
                        by: owner.users().map(str::to_owned).collect(),
                        fingerprint,
                    });
                }
                Err(found) => problem = found,
            }
        }
    }
    Err(problem)
}

fn is_current(signature: &Signature<'_>, now: u64) -> Result<(), Problem> {
    if signature.created() > now + CLOCKS_DIFFER {
        return Err("the signature is from the future".to_owned());
    }
    match signature.lifetime() {
        Some(seconds) if signature.created() + seconds <= now => Err("the signature has expired".to_owned()),
        _ => Ok(()),
    }
}

/// The lines before the first empty one, and the text after it.
fn split_headers(message: &str) -> Result<(Vec<&str>, &str), Problem> {
    let mut headers = Vec::new();
    let mut rest = message;
    loop {
        let (line, after) = rest.split_once('\n').ok_or("it has no text")?;
        let line = line.trim_end_matches('\r');
        rest = after;
        if line.is_empty() {
            return Ok((headers, rest));
        }
        headers.push(line);
    }
}

/// Signs a text.
pub(crate) fn sign_text(text: &str, key: &SecretKey, now: u64) -> Result<String, Problem> {
    let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    let canonical: Vec<&str> = lines.iter().map(|line| line.trim_end_matches([' ', '\t', '\r'])).collect();
    let covered = cover(&key.public, now);
    let whole = hashed(canonical.join("\r\n").as_bytes(), &covered);
    let digest = Hash::Sha512.digest(&whole);
    let body = [&covered[..], &uncovered(&key.public), &digest[..2], &key.sign(&whole)?].concat();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let packet = [&[0xC0 | SIGNATURE, 255][..], &length.to_be_bytes(), &body].concat();
    let escaped: Vec<String> =
        lines.iter().map(|line| if line.starts_with('-') { format!("- {line}") } else { (*line).to_owned() }).collect();
    Ok(format!("{BEGIN}\nHash: SHA512\n\n{}\n{}", escaped.join("\n"), armor::encode(&packet, SIGNATURE_BLOCK)))
}
