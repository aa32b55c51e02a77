//! Rings of keys: whose a key is, and whether it may be trusted at a time.

use super::key::PublicKey;
use super::packet::{Packet, Reader, packets};
use super::signature::{BACK, Signature};
use super::{Problem, armor};

const SIGNATURE: u8 = 2;
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const SECRET_SUBKEY: u8 = 7;
const USER: u8 = 13;
const PUBLIC_SUBKEY: u8 = 14;
const SAYS_OF_KEY: u8 = 0x1F;
const REVOKES_KEY: u8 = 0x20;
const REVOKES_SUBKEY: u8 = 0x28;
const REVOKES_USER: u8 = 0x30;
const BINDS_SUBKEY: u8 = 0x18;
/// The flag of keys that may sign.
const MAY_SIGN: u8 = 0x02;

/// A key with whom it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(super) primary: PublicKey,
    /// The packet of the primary key, secret and all.
    pub(super) packet: Vec<u8>,
    /// Whether the packet is a secret key's.
    pub(super) is_secret: bool,
    words: Vec<Word>,
    standing: Standing,
    subkeys: Vec<(PublicKey, Standing)>,
}

/// What the primary key says of a key, itself or one below it: its newest word counts.
#[derive(Debug, Clone, Default)]
struct Standing {
    /// When it last said something.
    said: Option<u64>,
    expires: Option<u64>,
    revoked: bool,
    /// Why it may not sign, if it may not.
    problem: Option<&'static str>,
}

impl Standing {
    /// Takes note of a signature that was checked.
    fn learn(&mut self, signature: &Signature<'_>, key: &PublicKey, problem: Option<&'static str>) {
        let created = signature.created();
        if self.said.is_none_or(|said| created >= said) {
            self.said = Some(created);
            self.expires = signature.key_lifetime().map(|seconds| key.created + seconds);
            self.problem = problem;
        }
    }

    fn check(&self, now: u64) -> Result<(), Problem> {
        let problem = match (self.said, self.expires) {
            _ if self.revoked => "its key is revoked",
            (None, _) => "its key says nothing of itself that is understood",
            (_, Some(at)) if at <= now => "its key has expired",
            _ => return self.problem.map_or(Ok(()), |problem| Err(problem.to_owned())),
        };
        Err(problem.to_owned())
    }
}

/// Keys that are trusted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyring {
    pub(crate) owners: Vec<Owner>,
}

impl Keyring {
    /// Reads a ring, binary or in text form. Keys that are not supported are left out.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let binary = ["PGP PUBLIC KEY BLOCK", "PGP PRIVATE KEY BLOCK"]
            .into_iter()
            .find(|kind| text.contains(&format!("-----BEGIN {kind}-----")))
            .map(|kind| armor::decode(text, kind))
            .transpose()?;
        let all = packets(binary.as_deref().unwrap_or(bytes))?;
        let starts: Vec<usize> = all
            .iter()
            .enumerate()
            .filter(|(_, it)| matches!(it.tag, SECRET_KEY | PUBLIC_KEY))
            .map(|(at, _)| at)
            .collect();
        let ends = starts.iter().skip(1).copied().chain([all.len()]);
        let owners = starts.iter().zip(ends).filter_map(|(start, end)| owner(&all[*start..end]));
        Ok(Self { owners: owners.collect() })
    }

    /// The keys that may have made a signature, with their owners.
    pub(super) fn candidates(&self, signature: &Signature<'_>) -> Vec<Candidate<'_>> {
        let pairs =
            self.owners.iter().flat_map(|owner| {
                let subkeys = owner.subkeys.iter().map(|(key, standing)| (key, standing));
                std::iter::once((&owner.primary, &owner.standing))
                    .chain(subkeys)
                    .map(move |(key, standing)| Candidate { owner, key, standing })
            });
        pairs.filter(|it| signature.issuer().is_none_or(|issuer| issuer == it.key.id())).collect()
    }
}

/// A key that may have made a signature.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) owner: &'a Owner,
    pub(super) key: &'a PublicKey,
    standing: &'a Standing,
}

impl Candidate<'_> {
    /// Whether the key may be trusted at a time: it and the key that it hangs on.
    pub(super) fn check(&self, now: u64) -> Result<(), Problem> {
        // A primary key that only certifies may still own keys that sign.
        Standing { problem: None, ..self.owner.standing.clone() }.check(now)?;
        self.standing.check(now)
    }
}

/// One key with its users, subkeys, and what the key itself says of them.
fn owner(packets: &[Packet<'_>]) -> Option<Owner> {
    let first = packets.first()?;
    let primary = PublicKey::read(&mut Reader { rest: first.body }).ok()?;
    let mut owner = Owner {
        packet: first.body.to_vec(),
        is_secret: first.tag == SECRET_KEY,
        words: Vec::new(),
        standing: Standing::default(),
        subkeys: Vec::new(),
        primary,
    };
    let mut about = About::Key;
    for packet in &packets[1..] {
        match packet.tag {
            USER => about = About::User(packet.body),
            PUBLIC_SUBKEY | SECRET_SUBKEY => {
                about = About::Nothing;
                if let Ok(key) = PublicKey::read(&mut Reader { rest: packet.body }) {
                    owner.subkeys.push((key, Standing::default()));
                    about = About::Subkey;
                }
            }
            SIGNATURE => {
                if let Ok(signature) = Signature::read(packet.body) {
                    owner.learn(about, &signature);
                }
            }
            _ => about = About::Nothing,
        }
    }
    Some(owner)
}

/// What the signatures that follow speak of.
#[derive(Debug, Clone, Copy)]
enum About<'a> {
    Key,
    User(&'a [u8]),
    /// The last one.
    Subkey,
    /// Something that is not supported.
    Nothing,
}

impl Owner {
    fn learn(&mut self, about: About<'_>, signature: &Signature<'_>) {
        match (signature.kind, about) {
            // Whoever says so: a key that someone calls revoked is not trusted blindly.
            (REVOKES_KEY, _) => self.standing.revoked = true,
            (REVOKES_SUBKEY, About::Subkey) => {
                if let Some((_, standing)) = self.subkeys.last_mut() {
                    standing.revoked = true;
                }
            }
            (SAYS_OF_KEY, About::Key) if signature.verify(&self.primary, &self.primary.hashed()).is_ok() => {
                self.standing.learn(signature, &self.primary, of_primary(signature));
            }
            (0x10..=0x13 | REVOKES_USER, About::User(user)) => self.learn_user(user, signature),
            (BINDS_SUBKEY, About::Subkey) => {
                let Some((key, standing)) = self.subkeys.last_mut() else { return };
                let text = [self.primary.hashed(), key.hashed()].concat();
                if signature.verify(&self.primary, &text).is_ok() {
                    standing.learn(signature, key, of_subkey(signature, key, &text));
                }
            }
            _ => {}
        }
    }

    fn learn_user(&mut self, user: &[u8], signature: &Signature<'_>) {
        let length = u32::try_from(user.len()).unwrap_or(u32::MAX);
        let text = [&self.primary.hashed()[..], &[0xB4], &length.to_be_bytes(), user].concat();
        if signature.verify(&self.primary, &text).is_err() {
            return; // others may say what they like of a user
        }
        let name = String::from_utf8_lossy(user).into_owned();
        let created = signature.created();
        let is_good = signature.kind != REVOKES_USER;
        // The newest word counts, in whatever order they stand; of two at a time, the revocation.
        match self.words.iter_mut().find(|word| word.user == name) {
            Some(word) if (created, !is_good) > (word.at, !word.is_good) => {
                (word.at, word.is_good) = (created, is_good);
            }
            Some(_) => {}
            None => self.words.push(Word { user: name, at: created, is_good }),
        }
        if is_good {
            self.standing.learn(signature, &self.primary, of_primary(signature));
        }
    }

    /// `NAME <ADDRESS>`, as far as the key itself says so.
    pub(crate) fn users(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter(|word| word.is_good).map(|word| word.user.as_str())
    }
}

/// What a key last said of a user.
#[derive(Debug, Clone)]
struct Word {
    user: String,
    at: u64,
    is_good: bool,
}

fn of_primary(signature: &Signature<'_>) -> Option<&'static str> {
    let may_sign = signature.flags().is_none_or(|flags| flags & MAY_SIGN != 0);
    (!may_sign).then_some("its key is not one for signing")
}

/// A key that signs must itself say that it hangs on this primary key: else anyone could adopt another's key, and
/// its signatures with it.
fn of_subkey(signature: &Signature<'_>, key: &PublicKey, text: &[u8]) -> Option<&'static str> {
    if signature.flags().is_none_or(|flags| flags & MAY_SIGN == 0) {
        return Some("its key is not one for signing");
    }
    let is_back = |inner: Signature<'_>| inner.kind == BACK && inner.verify(key, text).is_ok();
    let proven = signature.embedded().into_iter().any(is_back);
    (!proven).then_some("its key does not say itself whose it is (there is no back signature)")
}
