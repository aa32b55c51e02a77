//! Who a container's processes are: names looked up in the image's own files.
//!
//! The files are a stranger's: they are opened inside the root file system whatever links they are
//! (never through it), must be plain files, are read up to a bound, and lines that do not parse count
//! for nothing. Numbers are what they say or an error, never something else: an id that does not fit
//! must not become 0.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::invalid;
use crate::container::Security;

/// CVE-2026-47262: an image's group file may be made to be endless.
const LONGEST_FILE: u64 = 4 << 20;
const MOST_GROUPS: usize = 1024;
/// Kubernetes' greatest id.
const GREATEST_ID: u32 = i32::MAX as u32;

/// The identity of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups, the first one included: else the process would keep the runtime's
    /// (CVE-2023-25173).
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// A line of `/etc/passwd`.
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

/// A line of `/etc/group`.
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Resolves the user of a container: the pod's wish over the image's.
pub(crate) fn resolve(rootfs: &Path, security: &Security, image_user: &str) -> io::Result<User> {
    let (wanted_user, wanted_group) = match image_user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (image_user, None),
    };
    let uid_text = security.run_as_user.map(|uid| uid.to_string());
    let own = uid_text.as_deref().or(security.run_as_username.as_deref());
    let (user, group) = match own {
        Some(user) => (user, None),
        None if wanted_user.is_empty() => ("0", wanted_group),
        None => (wanted_user, wanted_group),
    };
    let accounts = parse_lines(&read(rootfs, "etc/passwd")?, account);
    let groups = parse_lines(&read(rootfs, "etc/group")?, group_line);
    let (uid, account) = find_user(user, &accounts)?;
    let gid = match (security.run_as_group, group) {
        (Some(gid), _) => checked(gid)?,
        (None, Some(group)) if !group.is_empty() => find_group(group, &groups)?,
        _ => account.map_or(0, |account| account.gid),
    };
    if security.run_as_non_root && uid == 0 {
        return Err(invalid("container has runAsNonRoot and its user is root"));
    }
    Ok(User {
        uid,
        gid,
        groups: all_groups(security, gid, account, &groups)?,
        home: account.map_or_else(|| "/".to_owned(), |account| account.home.clone()),
    })
}

/// A number is an id; anything else a name. A number too great is an error (CVE-2024-40635,
/// CVE-2026-46680).
fn number(text: &str) -> Option<io::Result<u32>> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().map_err(|_| too_great(text)).and_then(checked))
}

fn checked(id: u32) -> io::Result<u32> {
    if id <= GREATEST_ID { Ok(id) } else { Err(too_great(id)) }
}

fn too_great(id: impl std::fmt::Display) -> io::Error {
    invalid(format!("user or group id `{id}` is out of range"))
}

fn find_user<'a>(user: &str, accounts: &'a [Account]) -> io::Result<(u32, Option<&'a Account>)> {
    if let Some(uid) = number(user) {
        let uid = uid?;
        return Ok((uid, accounts.iter().find(|account| account.uid == uid)));
    }
    let missing = || invalid(format!("unable to find user `{}` in the image", user.escape_debug()));
    let account = accounts.iter().find(|account| account.name == user).ok_or_else(missing)?;
    Ok((account.uid, Some(account)))
}

fn find_group(group: &str, groups: &[Group]) -> io::Result<u32> {
    number(group).unwrap_or_else(|| {
        let found = groups.iter().find(|known| known.name == group);
        let found =
            found.ok_or_else(|| invalid(format!("unable to find group `{}` in the image", group.escape_debug())));
        found.map(|group| group.gid)
    })
}

fn all_groups(security: &Security, gid: u32, account: Option<&Account>, groups: &[Group]) -> io::Result<Vec<u32>> {
    let mut all = vec![gid];
    if let Some(account) = account.filter(|_| !security.strict_groups) {
        let member = |group: &&Group| group.members.contains(&account.name);
        all.extend(groups.iter().filter(member).map(|group| group.gid).take(MOST_GROUPS));
    }
    for gid in &security.supplemental_groups {
        all.push(checked(*gid)?);
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|gid| seen.insert(*gid));
    Ok(all)
}

/// Opens a path as the container would see it.
pub(crate) fn open_in_root(rootfs: &Path, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, rootfs, directory, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
}

/// The text of a file in the image; empty if there is none.
fn read(rootfs: &Path, path: &str) -> io::Result<String> {
    // Not blocking: it may be a pipe, which nobody will ever write.
    let file = match open_in_root(rootfs, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(file) => File::from(file),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(String::new());
        }
        Err(error) => return Err(io::Error::new(error.kind(), format!("/{path} of the image: {error}"))),
    };
    if !file.metadata()?.is_file() {
        return Err(invalid(format!("/{path} of the image is not a file")));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(invalid(format!("/{path} of the image is longer than {LONGEST_FILE} bytes")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse_lines<T>(text: &str, line: impl Fn(&str) -> Option<T>) -> Vec<T> {
    text.lines().filter_map(line).collect()
}

fn id(text: Option<&str>) -> Option<u32> {
    number(text?)?.ok()
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.trim().split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?.to_owned();
    let (uid, gid) = (id(fields.nth(1))?, id(fields.next())?);
    let home = fields.nth(1).filter(|home| home.starts_with('/')).unwrap_or("/").to_owned();
    Some(Account { name, uid, gid, home })
}

fn group_line(line: &str) -> Option<Group> {
    let mut fields = line.trim().split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?.to_owned();
    let gid = id(fields.nth(1))?;
    let members = fields.next().unwrap_or_default().split(',').filter(|name| !name.is_empty());
    Some(Group { name, gid, members: members.map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/sh\nodd:x:4294967296:5::/:\nbroken\n";
        std::fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
        let group = "root:x:0:\nweb:x:33:\ntape:x:26:web,root\nstaff:x:50:root\n";
        std::fs::write(dir.path().join("etc/group"), group).unwrap();
        dir
    }

    fn resolved(user: &str, security: &Security) -> io::Result<User> {
        resolve(image().path(), security, user)
    }

    #[test]
    fn names_and_numbers_are_found_in_the_images_files() {
        let plain = Security::default();
        let user = resolved("web", &plain).unwrap();
        assert_eq!((user.uid, user.gid, user.groups, user.home.as_str()), (33, 33, vec![33, 26], "/var/www"));
        assert_eq!(resolved("", &plain).unwrap().groups, [0, 26, 50]);
        assert_eq!(resolved("33:staff", &plain).unwrap().gid, 50);
        assert_eq!(resolved("1234", &plain).unwrap(), User { uid: 1234, gid: 0, groups: vec![0], home: "/".into() });
        let own =
            Security { run_as_user: Some(33), run_as_group: Some(7), supplemental_groups: vec![9, 7], ..plain.clone() };
        assert_eq!(resolved("root", &own).unwrap().groups, [7, 26, 9]);
        let strict = Security { strict_groups: true, ..own };
        assert_eq!(resolved("root", &strict).unwrap().groups, [7, 9]);
        assert!(resolved("nobody", &plain).is_err());
    }

    #[test]
    fn a_number_out_of_range_never_becomes_root() {
        // CVE-2024-40635, CVE-2026-46680
        let security = Security { run_as_non_root: true, ..Security::default() };
        for user in [
            "4294967296",
            "2147483648",
            "18446744073709551616",
            "0",
            "00",
            "root",
            "",
            "odd",
            "+0",
            "0x0",
            "1:4294967296",
        ] {
            assert!(resolved(user, &security).is_err(), "{user}");
        }
        assert!(resolved("33", &security).is_ok());
    }

    #[test]
    fn files_that_lead_out_or_never_end_are_no_way_out() {
        // CVE-2026-47262 and relatives
        let dir = image();
        let passwd = dir.path().join("etc/passwd");
        let plain = Security::default();
        std::fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink("/etc/hostname/../../../../../etc/passwd", &passwd).unwrap();
        assert!(resolve(dir.path(), &plain, "daemon").is_err());
        std::fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink("/proc/self/environ", &passwd).unwrap();
        assert_eq!(resolve(dir.path(), &plain, "").unwrap().uid, 0);
        std::fs::remove_file(&passwd).unwrap();
        let fifo = rustix::fs::mknodat(CWD, &passwd, rustix::fs::FileType::Fifo, Mode::RUSR, 0);
        fifo.unwrap();
        assert!(resolve(dir.path(), &plain, "").is_err());
        std::fs::remove_file(&passwd).unwrap();
        File::create(dir.path().join("etc/group")).unwrap().set_len(LONGEST_FILE + 1).unwrap();
        assert!(resolve(dir.path(), &plain, "").is_err());
    }
}
