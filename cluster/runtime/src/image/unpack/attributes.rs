//! Owner, mode, times and extended attributes of what is unpacked.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};

use super::invalid;

/// Extended attributes that an image may set; above all not overlayfs's own.
const ALLOWED: [&str; 2] = ["security.capability", "user."];
const PAX_XATTR: &str = "SCHILY.xattr.";
const LONGEST_XATTR: usize = 64 << 10;
const SET_ID_BITS: u32 = 0o6000;

/// What a file is besides its content.
#[derive(Debug, Clone)]
pub(super) struct Attributes {
    uid: u32,
    gid: u32,
    mode: u32,
    modified: Timespec,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl Attributes {
    /// Those of a directory that nothing describes.
    pub(super) fn plain_directory() -> Self {
        let modified = Timespec { tv_sec: 0, tv_nsec: 0 };
        Self { uid: 0, gid: 0, mode: 0o755, modified, xattrs: Vec::new() }
    }

    /// Those of an entry of an archive.
    pub(super) fn of(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Self> {
        let id = |value: u64| u32::try_from(value).map_err(|_| invalid("an owner that no system has"));
        let mut attributes = Self {
            uid: id(entry.header().uid()?)?,
            gid: id(entry.header().gid()?)?,
            mode: entry.header().mode()? & 0o7777,
            modified: Timespec { tv_sec: i64::try_from(entry.header().mtime()?).unwrap_or(0), tv_nsec: 0 },
            xattrs: Vec::new(),
        };
        let Some(extensions) = entry.pax_extensions()? else { return Ok(attributes) };
        for extension in extensions {
            let extension = extension?;
            let Ok(key) = extension.key() else { continue };
            if let Some(name) = key.strip_prefix(PAX_XATTR) {
                attributes.add_xattr(name, extension.value_bytes())?;
            } else if key == "mtime" {
                attributes.modified = extension.value().ok().and_then(parse_time).unwrap_or(attributes.modified);
            }
        }
        Ok(attributes)
    }

    /// Those of a file in an unpacked layer.
    pub(super) fn of_file(path: &Path) -> io::Result<Self> {
        let stat = rustix::fs::lstat(path)?;
        let mut attributes = Self {
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o7777,
            modified: Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) },
            xattrs: Vec::new(),
        };
        let mut names = vec![0; LONGEST_XATTR];
        let length = rustix::fs::llistxattr(path, &mut names[..])?;
        for name in names[..length].split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()) {
            if is_allowed(name) {
                let mut value = vec![0; LONGEST_XATTR];
                let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
                attributes.add_xattr(name, &value[..length])?;
            }
        }
        Ok(attributes)
    }

    fn add_xattr(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        if value.len() > LONGEST_XATTR {
            return Err(invalid("an extended attribute that is too long"));
        }
        if is_allowed(name) && !name.contains('\0') {
            self.xattrs.push((name.to_owned(), value.to_owned()));
        }
        Ok(())
    }

    /// Gives them to `path`, which is of this kind. Never follows a symbolic link.
    pub(super) fn apply(&self, path: &Path, kind: FileType) -> io::Result<()> {
        let owner = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
        rustix::fs::chownat(CWD, path, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
        if kind != FileType::Symlink {
            // After the owner: changing that takes the set-id bits away. Devices never need them.
            let mode = match kind {
                FileType::RegularFile | FileType::Directory => self.mode,
                _ => self.mode & !SET_ID_BITS,
            };
            rustix::fs::chmodat(CWD, path, Mode::from_raw_mode(mode), AtFlags::empty())?;
        }
        for (name, value) in &self.xattrs {
            match rustix::fs::lsetxattr(path, name.as_str(), value, XattrFlags::empty()) {
                // `user.` does not exist on links and devices, nor on every file system.
                Err(rustix::io::Errno::PERM | rustix::io::Errno::NOTSUP) if name.starts_with("user.") => {}
                outcome => outcome?,
            }
        }
        self.apply_times(path)
    }

    /// Sets the time only: again for directories, when all their entries are in place.
    pub(super) fn apply_times(&self, path: &Path) -> io::Result<()> {
        let times = Timestamps { last_access: self.modified, last_modification: self.modified };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }
}

/// Directories whose times are set when everything is in place.
pub(super) type Later = std::collections::BTreeMap<PathBuf, Attributes>;

fn is_allowed(name: &str) -> bool {
    name == ALLOWED[0] || name.starts_with(ALLOWED[1])
}

/// `seconds.fraction`, as PAX headers write times.
fn parse_time(text: &str) -> Option<Timespec> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some(Timespec { tv_sec: seconds.parse().ok()?, tv_nsec: digits.parse().ok()? })
}
