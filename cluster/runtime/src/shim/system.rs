//! The few system calls that nothing wraps safely.

#![allow(unsafe_code, reason = "each block says why it is sound")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Forks. `None` in the child.
///
/// The process must have one thread: another thread's locks would stay locked in the child for
/// ever. Shims never start a thread.
pub(super) fn fork() -> io::Result<Option<Pid>> {
    debug_assert_eq!(std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count), 1, "a shim has one thread");
    // SAFETY: there is one thread, so the child's memory is consistent.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Forks a process that is a child of this one's parent. `None` in the new process.
pub(super) fn fork_sibling() -> io::Result<Option<Pid>> {
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    // SAFETY: without a stack and without shared memory this is a fork, and there is one thread.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0_u64, 0_u64, 0_u64, 0_u64) } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(i32::try_from(pid).ok().and_then(Pid::from_raw)),
    }
}

/// Makes new namespaces for this process.
pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: there is one thread, so nobody is surprised by a new view of files or processes.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Ends this process without running anything that its parent would run, too.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any number and does not return.
    unsafe { libc::_exit(code) }
}

/// Blocks the signals that a shim handles, and answers where to read them.
pub(super) fn signal_file() -> io::Result<OwnedFd> {
    // SAFETY: `set` is filled by `sigemptyset` before anything reads it, and lives through the calls.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            file => Ok(OwnedFd::from_raw_fd(file)),
        }
    }
}

/// Undoes what a shim does to signals: a container must not inherit it.
pub(super) fn reset_signals() {
    // SAFETY: an empty set is a valid mask, and the default action a valid handler.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        for signal in [libc::SIGPIPE, libc::SIGCHLD] {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Sends a signal by its number.
pub(super) fn signal(pid: Pid, number: i32) -> io::Result<()> {
    // SAFETY: `kill` takes any numbers.
    match unsafe { libc::kill(pid.as_raw_nonzero().get(), number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Lets the kernel reap all children of this process.
pub(super) fn ignore_children() {
    // SAFETY: ignoring is a valid disposition of SIGCHLD.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
    }
}

/// Waits for a signal that ends this process.
pub(super) fn sleep_for_ever() -> ! {
    loop {
        // SAFETY: `pause` has no arguments and touches no memory.
        unsafe {
            libc::pause();
        }
    }
}

/// Closes all files from `first` on, except `keep`.
pub(super) fn close_from(first: RawFd, keep: Option<RawFd>) {
    let close = |from: RawFd, to: RawFd| {
        if let (Ok(from), Ok(to)) = (u32::try_from(from), u32::try_from(to))
            && from <= to
        {
            // SAFETY: the caller is about to become another program and uses none of these files again.
            unsafe {
                libc::syscall(libc::SYS_close_range, from, to, 0_u32);
            }
        }
    };
    match keep.filter(|keep| *keep >= first) {
        None => close(first, RawFd::MAX),
        Some(keep) => {
            close(first, keep - 1);
            close(keep + 1, RawFd::MAX);
        }
    }
}

/// Makes the terminal on standard input this session's own.
pub(super) fn control_terminal(terminal: &OwnedFd) -> io::Result<()> {
    // SAFETY: the file is open, and this request takes a number.
    match unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Executes a program in place of this one. Returns only if that failed.
pub(super) fn execute(program: &Path, arguments: &[CString], environment: &[CString]) -> io::Error {
    let Ok(program) = CString::new(program.as_os_str().as_bytes()) else {
        return io::ErrorKind::InvalidInput.into();
    };
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both lists end with a null pointer, and they and their strings live through the call.
    unsafe {
        libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr());
    }
    io::Error::last_os_error()
}

/// Enters the namespaces `flags` of the process behind a pidfd.
pub(super) fn enter_namespaces(process: &OwnedFd, flags: i32) -> io::Result<()> {
    // SAFETY: the file is open, and this process has one thread, as entering a mount namespace asks.
    match unsafe { libc::setns(process.as_raw_fd(), flags) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A file that can be read and executed but never written through any of its names, also not by a
/// container that runs it: the program that enters containers is executed from one (CVE-2019-5736).
/// It is a mount of its own, read-only and in no namespace where anybody could remount it.
pub(crate) fn read_only_copy(path: &Path) -> io::Result<OwnedFd> {
    let tree = open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    change_mounts(&tree, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV, 0)?;
    Ok(tree)
}

/// A tree of mounts in no namespace, apart from later changes of the machine's.
pub(super) fn copy_of_mounts(path: &Path, read_only: bool) -> io::Result<OwnedFd> {
    let recursive = OpenTreeFlags::AT_RECURSIVE;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | recursive;
    let tree = open_tree(CWD, path, flags)?;
    change_mounts(&tree, if read_only { libc::MOUNT_ATTR_RDONLY } else { 0 }, libc::AT_RECURSIVE)?;
    Ok(tree)
}

fn change_mounts(tree: &OwnedFd, set: u64, flags: i32) -> io::Result<()> {
    const EMPTY: &CStr = c"";
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    // SAFETY: the path is a C string, and the attributes live through the call and have the size said.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            EMPTY.as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
