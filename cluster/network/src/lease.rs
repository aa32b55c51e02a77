//! Which pod holds which address, on disk.
//!
//! One small file per pod, named by its UID, holding the address; and one file with the address
//! handed out last. All are written beside and renamed, so a crash leaves the old or the new
//! state. Nothing is synced to the platter: a lease matters only while its namespace exists, and
//! no namespace survives what an unsynced file does not.
//!
//! The search for a free address starts after the last one handed out and wraps at the end of the
//! range, so an address rests as long as possible before another pod gets it: a peer that still
//! talks to the pod of before must not reach a stranger.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;

use crate::{Error, netns};

const LAST: &str = ".last";
/// Kubernetes' UIDs have 36 characters; static pods' may be longer.
const UID_MAX: usize = 128;

/// The leases of one cluster.
#[derive(Debug)]
pub(crate) struct Leases {
    folder: PathBuf,
    range: Ipv4Net,
    last: Ipv4Addr,
    by_pod: BTreeMap<String, Ipv4Addr>,
    taken: BTreeSet<Ipv4Addr>,
}

impl Leases {
    /// Reads the folder. Leases that cannot be (damaged, outside the range, given twice) are
    /// dropped, with a word in the log.
    pub(crate) fn open(folder: &Path, range: Ipv4Net) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
        let mut leases = Self {
            folder: folder.to_owned(),
            range,
            last: gateway(range),
            by_pod: BTreeMap::new(),
            taken: BTreeSet::new(),
        };
        for path in netns::files(folder)? {
            leases.take_up(&path)?;
        }
        Ok(leases)
    }

    fn take_up(&mut self, path: &Path) -> Result<(), Error> {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let address = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        let usable = address.filter(|&a| self.may_be_leased(a));
        match usable {
            Some(address) if name == LAST => self.last = address,
            Some(address) if check_uid(name).is_ok() && self.taken.insert(address) => {
                self.by_pod.insert(name.to_owned(), address);
            }
            _ => {
                tracing::warn!(path = %path.display(), ?address, "dropped a lease that cannot be");
                fs::remove_file(path).map_err(|e| Error::file("remove", path, e))?;
            }
        }
        Ok(())
    }

    /// The pod's address: the one it has, or a fresh one, on disk before this returns.
    pub(crate) fn lease(&mut self, pod_uid: &str) -> Result<Ipv4Addr, Error> {
        check_uid(pod_uid)?;
        if let Some(&address) = self.by_pod.get(pod_uid) {
            return Ok(address);
        }
        let address =
            self.next_free().ok_or(Error::NoAddress { range: self.range.into(), leased: self.by_pod.len() })?;
        // First the mark, then the lease: a crash between them skips an address for one round.
        self.write(LAST, address)?;
        self.last = address;
        self.write(pod_uid, address)?;
        self.taken.insert(address);
        self.by_pod.insert(pod_uid.to_owned(), address);
        Ok(address)
    }

    /// Gives the pod's address back, if it has one.
    pub(crate) fn release(&mut self, pod_uid: &str) -> Result<(), Error> {
        if let Some(address) = self.by_pod.remove(pod_uid) {
            self.taken.remove(&address);
            let path = self.folder.join(pod_uid);
            fs::remove_file(&path)
                .or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
                .map_err(|e| Error::file("remove", path, e))?;
        }
        Ok(())
    }

    /// The address a pod holds.
    pub(crate) fn get(&self, pod_uid: &str) -> Option<Ipv4Addr> {
        self.by_pod.get(pod_uid).copied()
    }

    /// All leases, by pod.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Ipv4Addr)> {
        self.by_pod.iter().map(|(pod, &address)| (pod.as_str(), address))
    }

    fn next_free(&self) -> Option<Ipv4Addr> {
        let after = range_after(self.last, self.range.broadcast());
        let before = range_after(gateway(self.range), self.last);
        after.chain(before).find(|a| self.may_be_leased(*a) && !self.taken.contains(a))
    }

    /// Inside the range, and neither its network, its gateway nor its broadcast address.
    fn may_be_leased(&self, address: Ipv4Addr) -> bool {
        self.range.contains(&address)
            && address != self.range.network()
            && address != gateway(self.range)
            && address != self.range.broadcast()
    }

    fn write(&self, name: &str, address: Ipv4Addr) -> Result<(), Error> {
        let path = self.folder.join(name);
        // Not a UID, so a crash's leftover is swept at the next start.
        let beside = self.folder.join(".new");
        fs::write(&beside, format!("{address}\n"))
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|e| Error::file("write", path, e))
    }
}

/// The addresses above `low` up to `high`.
fn range_after(low: Ipv4Addr, high: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> {
    (u32::from(low).saturating_add(1)..=u32::from(high)).map(Ipv4Addr::from)
}

/// The first address of a range, which the bridge has.
pub(crate) fn gateway(range: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(range.network()).saturating_add(1))
}

/// Whether a UID can be a file name, nothing else.
pub(crate) fn check_uid(uid: &str) -> Result<(), Error> {
    let fits = (1..=UID_MAX).contains(&uid.len())
        && !uid.starts_with('.')
        && uid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits { Ok(()) } else { Err(Error::BadPodUid { uid: uid.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Leases {
        Leases::open(folder, "10.1.0.0/28".parse().unwrap()).unwrap()
    }

    fn last_byte(leases: &mut Leases, pod: &str) -> u8 {
        leases.lease(pod).unwrap().octets()[3]
    }

    #[test]
    fn an_address_rests_until_the_range_wraps_also_over_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let mut leases = open(dir.path());
        assert_eq!(last_byte(&mut leases, "a"), 2);
        assert_eq!(last_byte(&mut leases, "b"), 3);
        assert_eq!(last_byte(&mut leases, "a"), 2, "the same pod keeps its address");
        leases.release("b").unwrap();
        let mut leases = open(dir.path());
        assert_eq!(last_byte(&mut leases, "c"), 4, "3 was free, but is resting");
        for index in 5..=14 {
            assert_eq!(last_byte(&mut leases, &format!("pod-{index}")), index);
        }
        assert_eq!(last_byte(&mut leases, "d"), 3, "wrapped");
        let error = leases.lease("e").unwrap_err();
        assert!(matches!(error, Error::NoAddress { leased: 13, .. }), "{error}");
        leases.release("a").unwrap();
        assert_eq!(last_byte(&mut leases, "e"), 2);
    }

    #[test]
    fn leases_that_cannot_be_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        put("good", "10.1.0.5\n");
        put("twin", "10.1.0.5\n");
        put("empty", "");
        put("outside", "10.2.0.5\n");
        put("gateway", "10.1.0.1\n");
        put(".new", "10.1.0.9\n");
        let leases = open(dir.path());
        assert_eq!(leases.iter().count(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn uids_are_file_names() {
        for bad in ["", ".", "..", "../x", "a/b", ".last", "a b", "\u{e4}"] {
            assert!(check_uid(bad).is_err(), "{bad:?}");
        }
        assert!(check_uid("7f3b1c1e-95a5-4f0c-8f5b-0a1b2c3d4e5f").is_ok());
    }
}
