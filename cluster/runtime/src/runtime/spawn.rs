//! Starts shims.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::shim;

/// The program that becomes a shim, through a mount that nobody can write.
#[derive(Debug)]
pub(super) struct ShimProgram {
    file: OwnedFd,
}

impl ShimProgram {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: shim::read_only_copy(path)? })
    }

    /// Starts the shim of the sandbox in `directory`; it answers requests when this returns. Blocks.
    pub(super) fn start(&self, directory: &Path) -> io::Result<()> {
        let mut child = Command::new(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
            .arg0("kpkg")
            .args(shim::spawn_arguments(directory))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut said = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut said)?; // ends when the shim lets go of it, or has failed
        }
        child.wait()?;
        if said == shim::READY {
            Ok(())
        } else {
            Err(io::Error::other(if said.is_empty() { "it ended at once".to_owned() } else { said }))
        }
    }
}
