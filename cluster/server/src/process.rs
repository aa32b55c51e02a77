//! The server's process: one for a data directory, found by the lock it holds.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{Error, Layout};

/// Held by the server as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the data directory for this process.
    pub(crate) fn take(layout: &Layout) -> Result<Self, Error> {
        let path = layout.lock();
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Whoever asks whether a server runs holds the lock for a moment as well.
                Err(TryLockError::WouldBlock) => match running(layout)? {
                    Some(pid) => return Err(Error::Running { pid }),
                    None => std::thread::sleep(Duration::from_millis(5)),
                },
                Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
            }
        }
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(Error::file("write", &path))?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a process forked a moment ago still has a copy.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

/// The process that serves the data directory.
pub(crate) fn running(layout: &Layout) -> Result<Option<u32>, Error> {
    let path = layout.lock();
    let mut file = match File::options().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("open", &path)(error)),
    };
    // A server writes its number right after it took the lock; one that just ended clears it.
    for _ in 0..50 {
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
        }
        let mut text = String::new();
        let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
        read.map_err(Error::file("read", &path))?;
        if let Ok(pid) = text.trim().parse() {
            return Ok(Some(pid));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(None)
}

/// Asks the server to end and waits; kills it after `patience`. `false` if none ran.
pub(crate) fn stop(layout: &Layout, patience: Duration) -> Result<bool, Error> {
    let Some(number) = running(layout)? else { return Ok(false) };
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let Some(Ok(process)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return Ok(false) };
    for (signal, patience) in [(Signal::TERM, patience), (Signal::KILL, Duration::from_secs(5))] {
        // It may have ended by itself.
        let _ = pidfd_send_signal(&process, signal);
        // The server gives its files up before it ends: it may still have much memory to free.
        let wait = Timespec::try_from(patience).ok();
        let ended = retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], wait.as_ref()));
        if ended.is_ok_and(|count| count > 0) {
            return Ok(true);
        }
    }
    Err(Error::Stuck { pid: number })
}
