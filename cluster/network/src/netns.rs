//! Network namespaces that outlive the thread that made them: pinned by a bind mount.
//!
//! A thread that entered another namespace must never be used for anything else again, so all
//! work inside one is done by a thread that ends with it.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::Error;

/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";
/// File system type of namespace files.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// Whether a namespace is pinned at `path`.
pub(crate) fn is_pinned(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(NSFS_MAGIC))
}

/// Runs `work` on a thread of its own, which ends afterwards.
pub(crate) fn on_throwaway_thread<T: Send>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, work)
            .map_err(|source| Error::kernel("start a thread", source))?
            .join()
            .map_err(|_| Error::Thread { action })?
    })
}

/// Moves the calling thread into the namespace at `path`, creating and pinning it if it is not
/// there. Only for a thread that will end soon. The namespace itself is returned too.
pub(crate) fn enter(path: &Path) -> Result<File, Error> {
    if is_pinned(path) {
        let namespace = File::open(path).map_err(|e| Error::file("open", path, e))?;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| Error::kernel("enter a network namespace", e))?;
        return Ok(namespace);
    }
    create(path)?;
    File::open(path).map_err(|e| Error::file("open", path, e))
}

fn create(path: &Path) -> Result<(), Error> {
    // The mount needs a file to sit on; one left by a crash serves as well.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| Error::file("create", path, e))?;
    #[expect(unsafe_code, reason = "the system call is only offered as unsafe")]
    // SAFETY: only the network namespace is unshared; the hazard is about file descriptor tables.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
        .map_err(|e| Error::kernel("create a network namespace", e))?;
    rustix::mount::mount_bind(OWN, path).map_err(|e| Error::file("mount a namespace on", path, e))
}

/// Takes the pin away. The namespace ends with the last process inside.
pub(crate) fn unpin(path: &Path) -> Result<(), Error> {
    loop {
        // A crash between two attaches can leave mounts on top of each other.
        match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(error) => return Err(Error::file("unmount", path, error)),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", path, error)),
        _ => Ok(()),
    }
}

/// The files directly in a folder; a folder that is not there has none.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", folder, error)),
    };
    entries.map(|entry| entry.map(|e| e.path()).map_err(|e| Error::file("read", folder, e))).collect()
}
