//! What root in a container may do.

use std::collections::BTreeSet;
use std::io;

use rustix::thread::CapabilitySet;

use super::invalid;
use crate::container::Security;

/// All capabilities that the kernel knows, by number.
pub(crate) const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// What containers have unless told otherwise.
const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The container's set. Nothing of it is ever inheritable or ambient: programs gain no rights by
/// being executed.
pub(super) fn of(security: &Security) -> io::Result<BTreeSet<&'static str>> {
    if security.privileged {
        return Ok(ALL.into());
    }
    let (add, drop) = (&security.capabilities.add, &security.capabilities.drop);
    let is_all = |name: &String| name.eq_ignore_ascii_case("all");
    let mut set: BTreeSet<&'static str> = DEFAULT.into();
    if add.iter().any(is_all) {
        set = ALL.into();
    }
    if drop.iter().any(is_all) {
        set.clear();
        if add.iter().any(is_all) {
            set = ALL.into(); // as Kubernetes' runtimes read `add: [ALL], drop: [ALL]`
        }
    }
    for name in add.iter().filter(|name| !is_all(name)) {
        set.insert(known(name)?);
    }
    for name in drop.iter().filter(|name| !is_all(name)) {
        set.remove(known(name)?);
    }
    Ok(set)
}

/// Whether this machine lets its own root have it: a machine that is itself a container may not.
pub(super) fn is_available(name: &str) -> bool {
    let bit = ALL.iter().position(|known| *known == name).and_then(|number| CapabilitySet::from_bits(1 << number));
    bit.is_some_and(|bit| rustix::thread::capability_is_in_bounding_set(bit).unwrap_or(false))
}

fn known(name: &str) -> io::Result<&'static str> {
    let upper = name.to_ascii_uppercase();
    let upper = upper.strip_prefix("CAP_").unwrap_or(&upper);
    ALL.into_iter()
        .find(|known| &known["CAP_".len()..] == upper)
        .ok_or_else(|| invalid(format!("unknown capability to add or drop: `{}`", name.escape_debug())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Capabilities;

    fn set(add: &[&str], drop: &[&str]) -> Vec<&'static str> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let capabilities = Capabilities { add: own(add), drop: own(drop) };
        of(&Security { capabilities, ..Security::default() }).unwrap().into_iter().collect()
    }

    #[test]
    fn added_and_dropped_as_kubernetes_says() {
        assert_eq!(set(&[], &[]).len(), DEFAULT.len());
        assert_eq!(set(&["NET_BIND_SERVICE"], &["ALL"]), ["CAP_NET_BIND_SERVICE"]);
        assert_eq!(set(&["ALL"], &["sys_admin"]).len(), ALL.len() - 1);
        assert!(set(&["cap_sys_time"], &[]).contains(&"CAP_SYS_TIME"));
        assert!(!set(&[], &["KILL"]).contains(&"CAP_KILL"));
        let bad = Capabilities { add: vec!["EVERYTHING".to_owned()], drop: vec![] };
        assert!(of(&Security { capabilities: bad, ..Security::default() }).is_err());
    }
}
