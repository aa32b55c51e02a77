//! Where an entry goes: resolves paths inside the layer and makes room.

use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::attributes::{Attributes, Later};
use super::lower::{self, OPAQUE_XATTR};
use super::{LONGEST_PATH, invalid};

const MOST_LINKS: usize = 40;

/// Splits an entry's name into the directory and the last component; `None` is the root. A name
/// that climbs up is refused; a leading `/` means the layer's root.
pub(super) fn split(name: &Path) -> io::Result<Option<(PathBuf, OsString)>> {
    if name.as_os_str().len() >= LONGEST_PATH {
        return Err(invalid("the path is too long"));
    }
    if name.as_os_str().as_bytes().contains(&0) {
        return Err(invalid("the path contains a zero byte"));
    }
    let mut parts: Vec<&OsStr> = Vec::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => return Err(invalid("the path leaves the image")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let Some(base) = parts.pop() else { return Ok(None) };
    Ok(Some((parts.iter().collect(), base.to_owned())))
}

/// The layer's directory as it grows.
pub(super) struct Tree<'a> {
    root: &'a Path,
    parents: &'a [PathBuf],
    /// Directories by the name that entries use for them.
    resolved: HashMap<PathBuf, PathBuf>,
    later: Later,
}

impl<'a> Tree<'a> {
    /// A tree at `root`, an empty directory, above `parents`.
    pub(super) fn new(root: &'a Path, parents: &'a [PathBuf]) -> io::Result<Self> {
        let attributes = match parents.first() {
            Some(parent) => Attributes::of_file(parent)?,
            None => Attributes::plain_directory(),
        };
        attributes.apply(root, FileType::Directory)?;
        Ok(Self { root, parents, resolved: HashMap::new(), later: Later::new() })
    }

    pub(super) fn root(&self) -> &Path {
        self.root
    }

    /// The path on this machine of a resolved path in the layer.
    pub(super) fn absolute(&self, resolved: &Path) -> PathBuf {
        self.root.join(resolved)
    }

    /// The directory that `name` leads to, made where it is missing. The answer has no symbolic
    /// link in it and lies in this layer.
    pub(super) fn directory(&mut self, name: &Path) -> io::Result<PathBuf> {
        if let Some(known) = self.resolved.get(name) {
            return Ok(known.clone());
        }
        let mut resolved = PathBuf::new();
        let mut pending: VecDeque<OsString> = name.iter().map(OsStr::to_owned).collect();
        let mut links = 0;
        while let Some(part) = pending.pop_front() {
            let candidate = resolved.join(&part);
            match self.step(&candidate)? {
                Step::Directory => resolved = candidate,
                Step::Link(target) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(invalid("too many symbolic links on the way"));
                    }
                    follow(&mut resolved, &mut pending, &target);
                }
            }
            while pending.front().is_some_and(|part| part == "..") {
                pending.pop_front();
                resolved.pop();
            }
        }
        self.resolved.insert(name.to_owned(), resolved.clone());
        Ok(resolved)
    }

    /// What one component is, in this layer or brought up from those below.
    fn step(&mut self, candidate: &Path) -> io::Result<Step> {
        let path = self.absolute(candidate);
        if let Some(found) = lower::stat(&path)? {
            if lower::is_whiteout(&found) {
                self.make_directory(candidate, &Attributes::plain_directory())?;
                return Ok(Step::Directory);
            }
            return match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory => Ok(Step::Directory),
                FileType::Symlink => Ok(Step::Link(fs::read_link(path)?)),
                _ => Err(invalid("a file stands where a directory is needed")),
            };
        }
        match lower::look_up(self.parents, candidate)? {
            Some((below, FileType::Symlink)) => Ok(Step::Link(fs::read_link(below)?)),
            Some((below, FileType::Directory)) => {
                self.create_directory(candidate, &Attributes::of_file(&below)?)?;
                Ok(Step::Directory)
            }
            _ => {
                self.create_directory(candidate, &Attributes::plain_directory())?;
                Ok(Step::Directory)
            }
        }
    }

    fn create_directory(&mut self, resolved: &Path, attributes: &Attributes) -> io::Result<()> {
        let path = self.absolute(resolved);
        fs::create_dir(&path)?;
        attributes.apply(&path, FileType::Directory)?;
        self.later.insert(path, attributes.clone());
        Ok(())
    }

    /// Makes a directory that the layer describes, or gives an existing one its attributes.
    pub(super) fn make_directory(&mut self, resolved: &Path, attributes: &Attributes) -> io::Result<()> {
        let path = self.absolute(resolved);
        let found = lower::stat(&path)?;
        if found.as_ref().is_some_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory) {
            attributes.apply(&path, FileType::Directory)?;
            self.later.insert(path, attributes.clone());
            return Ok(());
        }
        let deleted_below = found.as_ref().is_some_and(lower::is_whiteout);
        self.clear(resolved)?;
        self.create_directory(resolved, attributes)?;
        if deleted_below { self.make_opaque(resolved) } else { Ok(()) }
    }

    /// Removes what this layer has at a path, so that something else can stand there.
    pub(super) fn clear(&mut self, resolved: &Path) -> io::Result<()> {
        let path = self.absolute(resolved);
        let Some(found) = lower::stat(&path)? else { return Ok(()) };
        self.resolved.clear(); // they may lead through what goes away
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            self.later.retain(|later, _| !later.starts_with(&path));
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
    }

    /// Hides what the layers below have at a path. What this layer itself put there stays.
    pub(super) fn hide(&mut self, resolved: &Path) -> io::Result<()> {
        match lower::stat(&self.absolute(resolved))? {
            Some(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => self.make_opaque(resolved),
            Some(_) => Ok(()),
            None if lower::look_up(self.parents, resolved)?.is_none() => Ok(()),
            None => {
                let path = self.absolute(resolved);
                rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0)?;
                Ok(())
            }
        }
    }

    /// Hides everything that the layers below have in a directory.
    pub(super) fn make_opaque(&self, resolved: &Path) -> io::Result<()> {
        rustix::fs::lsetxattr(self.absolute(resolved), OPAQUE_XATTR, b"y", XattrFlags::empty())?;
        Ok(())
    }

    /// Makes sure that a file to be linked is in this layer, copying it from below if need be.
    pub(super) fn bring_up(&mut self, resolved: &Path) -> io::Result<()> {
        let path = self.absolute(resolved);
        match lower::stat(&path)? {
            Some(found) if lower::is_whiteout(&found) => {}
            Some(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
                return Err(invalid("a hard link to a directory"));
            }
            Some(_) => return Ok(()),
            None => match lower::look_up(self.parents, resolved)? {
                Some((below, FileType::RegularFile)) => {
                    fs::copy(&below, &path)?;
                    return Attributes::of_file(&below)?.apply(&path, FileType::RegularFile);
                }
                Some((below, FileType::Symlink)) => {
                    std::os::unix::fs::symlink(fs::read_link(&below)?, &path)?;
                    return Attributes::of_file(&below)?.apply(&path, FileType::Symlink);
                }
                _ => {}
            },
        }
        Err(invalid("a hard link to something that is not there"))
    }

    /// Sets the times of directories, which changed as their entries came.
    pub(super) fn finish(self) -> io::Result<()> {
        self.later.iter().try_for_each(|(path, attributes)| attributes.apply_times(path))
    }
}

enum Step {
    Directory,
    Link(PathBuf),
}

/// Continues at a link's target, seen from the directory that holds the link.
fn follow(resolved: &mut PathBuf, pending: &mut VecDeque<OsString>, target: &Path) {
    if target.is_absolute() {
        *resolved = PathBuf::new();
    }
    for component in target.components().rev() {
        match component {
            Component::Normal(part) => pending.push_front(part.to_owned()),
            Component::ParentDir => pending.push_front("..".into()),
            _ => {}
        }
    }
}
