//! A container's files: the image's layers with a writable one on top.
//!
//! They are mounted in a mount namespace that belongs to the start of this container and goes with
//! its last process, so nothing of it is ever to be seen, or left behind, on the machine.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, mount_change, move_mount, open_tree,
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::system;
use crate::container::{Mount, Propagation};
use crate::record::{ContainerDir, ContainerRecord};

/// Directories of an image on which the kernel's file systems are mounted. They must be directories:
/// a link would lead libcontainer to the machine's files (CVE-2026-41579, CVE-2019-19921,
/// CVE-2023-28642).
const MOUNT_POINTS: [&str; 3] = ["dev", "proc", "sys"];

fn step(name: &'static str) -> impl Fn(Errno) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// Gives this process mounts of its own, and mounts the container's root and the pod's `/dev/shm`
/// there.
pub(super) fn mount_all(dir: &ContainerDir, record: &ContainerRecord, pause: i32, own_ipc: bool) -> io::Result<()> {
    system::unshare(UnshareFlags::NEWNS).map_err(step("make the container's mounts"))?;
    // Volumes are parted from the machine's later mounts unless one asks for them; then none is.
    let wants_later = |mount: &Mount| mount.propagation == Propagation::HostToContainer;
    let propagation = if record.config.mounts.iter().any(wants_later) {
        MountPropagationFlags::DOWNSTREAM
    } else {
        MountPropagationFlags::PRIVATE
    };
    let all = propagation | MountPropagationFlags::REC;
    mount_change("/", all).map_err(step("part from the machine's mounts"))?;
    mount_overlay(record, &dir.rootfs())?;
    check_mount_points(&dir.rootfs())?;
    if own_ipc { mount_shm(pause, &dir.shm()) } else { Ok(()) }
}

fn mount_overlay(record: &ContainerRecord, target: &Path) -> io::Result<()> {
    let (upper, work) = (record.files.join("upper"), record.files.join("work"));
    if record.layers.is_empty() {
        return mount_bind(&upper, target);
    }
    match mount_with_configuration(&record.layers, &upper, &work, target) {
        // Before Linux 6.8 layers could not be given one by one.
        Err(Errno::INVAL | Errno::NOSYS) => mount_with_options(&record.layers, &upper, &work, target),
        outcome => outcome,
    }
    .map_err(step("mount the image's layers"))
}

fn mount_bind(source: &Path, target: &Path) -> io::Result<()> {
    rustix::mount::mount_bind(source, target).map_err(step("mount the container's files"))
}

fn mount_with_configuration(layers: &[PathBuf], upper: &Path, work: &Path, target: &Path) -> rustix::io::Result<()> {
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let overlay = overlay.as_fd();
    for layer in layers {
        fsconfig_set_string(overlay, "lowerdir+", layer)?;
    }
    fsconfig_set_string(overlay, "upperdir", upper)?;
    fsconfig_set_string(overlay, "workdir", work)?;
    fsconfig_create(overlay)?;
    let mounted = fsmount(overlay, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(mounted, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// The older way: all in one page of text, into which many layers fit only by short names.
fn mount_with_options(layers: &[PathBuf], upper: &Path, work: &Path, target: &Path) -> rustix::io::Result<()> {
    let open = |path: &PathBuf| {
        rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    };
    let layers = layers.iter().map(open).collect::<rustix::io::Result<Vec<OwnedFd>>>()?;
    let names: Vec<String> = layers.iter().map(|layer| format!("/proc/self/fd/{}", layer.as_raw_fd())).collect();
    let options = format!("lowerdir={},upperdir={},workdir={}", names.join(":"), upper.display(), work.display());
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount("overlay", target, "overlay", MountFlags::empty(), options.as_c_str())
}

/// Takes the pod's `/dev/shm` out of the pause process's mounts.
fn mount_shm(pause: i32, target: &Path) -> io::Result<()> {
    let open = |path: String| rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let own = open("/proc/self/ns/mnt".to_owned())?;
    let theirs = open(format!("/proc/{pause}/ns/mnt"))?;
    move_into_link_name_space(theirs.as_fd(), Some(LinkNameSpaceType::Mount))
        .map_err(step("reach the pod's /dev/shm"))?;
    let tree = open_tree(CWD, "/shm", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC);
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount))
        .map_err(step("return from the pod's mounts"))?;
    let tree = tree.map_err(step("take the pod's /dev/shm"))?;
    move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(step("mount the pod's /dev/shm"))
}

fn check_mount_points(rootfs: &Path) -> io::Result<()> {
    for name in MOUNT_POINTS {
        match fs::symlink_metadata(rootfs.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(io::Error::other(format!("/{name} of the image is not a directory"))),
        }
    }
    Ok(())
}

/// Makes the working directory if it is missing, owned by the user. Links are followed inside the
/// root only.
pub(super) fn make_working_dir(rootfs: &Path, directory: &str, uid: u32, gid: u32) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, rootfs, flags, Mode::empty())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut reached = PathBuf::from("/");
    let mut at = rustix::fs::openat2(&root, ".", flags, Mode::empty(), resolve)?;
    for part in Path::new(directory).components() {
        let std::path::Component::Normal(part) = part else { continue };
        reached.push(part);
        at = match rustix::fs::openat2(&root, &reached, flags, Mode::empty(), resolve) {
            Err(Errno::NOENT) => make_directory(&at, part, uid, gid)?,
            outcome => outcome.map_err(step("enter the working directory"))?,
        };
    }
    drop(at);
    Ok(())
}

fn make_directory(parent: &OwnedFd, name: &std::ffi::OsStr, uid: u32, gid: u32) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)).map_err(step("make the working directory"))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&directory)?.st_mode);
    if kind == FileType::Directory {
        rustix::fs::fchown(&directory, Some(rustix::fs::Uid::from_raw(uid)), Some(rustix::fs::Gid::from_raw(gid)))?;
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: usize = 100;

    /// Both ways to mount take more layers than images have, and show the same.
    #[test]
    fn many_layers_are_mounted_in_both_ways() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let layers: Vec<PathBuf> =
            (0..LAYERS).map(|number| dir.path().join(format!("a-layer-with-a-long-name-{number}"))).collect();
        for (number, layer) in layers.iter().enumerate() {
            fs::create_dir(layer).unwrap();
            fs::write(layer.join("same"), number.to_string()).unwrap();
            fs::write(layer.join(format!("only-{number}")), "").unwrap();
        }
        let new = dir.path().join("new");
        let old = dir.path().join("old");
        let mount_in = |name: &Path| {
            let part = |part: &str| {
                let path = name.join(part);
                fs::create_dir_all(&path).unwrap();
                path
            };
            (part("upper"), part("work"), part("merged"))
        };
        // A thread of its own may have mounts of its own.
        let seen = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                system::unshare(UnshareFlags::NEWNS).unwrap();
                mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
                let (upper, work, merged) = mount_in(&new);
                mount_with_configuration(&layers, &upper, &work, &merged).unwrap();
                let first = (fs::read_dir(&merged).unwrap().count(), fs::read_to_string(merged.join("same")).unwrap());
                let (upper, work, merged) = mount_in(&old);
                mount_with_options(&layers, &upper, &work, &merged).unwrap();
                [first, (fs::read_dir(&merged).unwrap().count(), fs::read_to_string(merged.join("same")).unwrap())]
            });
            thread.join().unwrap()
        });
        let want = (LAYERS + 1, "0".to_owned());
        assert_eq!(seen, [want.clone(), want]);
    }
}
