//! This process as a holder of leases: a name that no other has, and whether another is dead.

use kpkg_release::lease::Holder;

/// This process.
pub(crate) fn holder() -> Holder {
    Holder { identity: identity(std::process::id()), is_dead }
}

/// `host/pid@where`: `where` names the boot, the process namespace and the start of the process, so
/// that a number given anew is not mistaken for the process that had it before.
fn identity(pid: u32) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this-machine".to_owned() } else { host.trim().to_owned() };
    format!("{host}/{pid}@{}", place(pid).unwrap_or_else(|| rand::random::<u64>().to_string()))
}

fn place(pid: u32) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}-{namespace}-{}", boot.trim().get(..8)?, start(pid)?))
}

/// When a process started, in the kernel's ticks: the 22nd field of its `stat`, counted after the
/// name, which may hold anything.
fn start(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = &stat[stat.rfind(')')? + 1..];
    rest.split_whitespace().nth(19).map(str::to_owned)
}

/// Whether the holder was a process of this machine, in our view of it, that runs no more.
fn is_dead(identity: &str) -> bool {
    let Some((name, place_of_other)) = identity.split_once('@') else { return false };
    let Some(pid) = name.rsplit('/').next().and_then(|it| it.parse::<u32>().ok()) else { return false };
    let Some(ours) = place(std::process::id()) else { return false };
    let machine = |place: &str| place.rsplit_once('-').map(|(machine, _)| machine.to_owned());
    machine(&ours) == machine(place_of_other) && place(pid).as_deref() != Some(place_of_other)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_dead_processes_of_this_machine_are_dead() {
        let own = identity(std::process::id());
        assert!(!is_dead(&own));
        assert!(!is_dead("elsewhere/1@abcdef01-4026531836-77"));
        assert!(!is_dead("helm"));
        let place = place(std::process::id()).unwrap();
        let (machine, _) = place.rsplit_once('-').unwrap();
        assert!(is_dead(&format!("host/{}@{machine}-1", std::process::id())));
    }
}
