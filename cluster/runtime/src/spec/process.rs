//! The container's first process: what it is, as whom and with which environment.

use std::io;

use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};

use super::{Input, capabilities, invalid};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MOST_FILES: u64 = 1 << 20;
const UMASK: u32 = 0o022;

/// Makes the `process` of the specification.
pub(super) fn build(input: &Input<'_>) -> io::Result<Value> {
    let config = &input.container.config;
    let security = &config.security;
    let mut capabilities = capabilities::of(security)?;
    capabilities.retain(|name| capabilities::is_available(name));
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(MOST_FILES).min(MOST_FILES);
    let mut process = json!({
        "terminal": config.tty,
        "user": {
            "uid": input.user.uid, "gid": input.user.gid, "additionalGids": input.user.groups, "umask": UMASK,
        },
        "args": arguments(input)?,
        "env": environment(input),
        "cwd": working_dir(input)?,
        "capabilities": {
            "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
            "inheritable": [], "ambient": [],
        },
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": files, "hard": files}],
    });
    // libcontainer loads the filter of system calls before it gives up its rights if this is absent,
    // and after if it is present; only then can the filter be loaded without it being `true`.
    if security.no_new_privs && !security.privileged {
        process["noNewPrivileges"] = json!(true);
    }
    if let Some(score) = input.oom_score {
        process["oomScoreAdj"] = json!(score);
    }
    Ok(process)
}

/// `command` replaces the entry point and, with it, the image's arguments; `args` replaces the
/// arguments.
fn arguments(input: &Input<'_>) -> io::Result<Vec<String>> {
    let (config, image) = (&input.container.config, &input.container.image.config);
    let (program, arguments) = match (&config.command[..], &config.args[..]) {
        ([], []) => (&image.entrypoint[..], &image.cmd[..]),
        ([], args) => (&image.entrypoint[..], args),
        (command, args) => (command, args),
    };
    let all: Vec<String> = program.iter().chain(arguments).cloned().collect();
    if all.is_empty() {
        return Err(invalid("no command specified"));
    }
    if all.iter().any(|argument| argument.contains('\0')) {
        return Err(invalid("the command contains a zero byte"));
    }
    Ok(all)
}

/// The directory in which the process starts.
pub(super) fn working_dir(input: &Input<'_>) -> io::Result<String> {
    let image = &input.container.image.config.working_dir;
    let directory = input.container.config.working_dir.as_ref().filter(|dir| !dir.is_empty()).unwrap_or(image);
    match directory.as_str() {
        "" => Ok("/".to_owned()),
        // CVE-2024-21626: no way through open files of the runtime. libcontainer also checks the
        // directory it ends up in.
        path if !path.starts_with('/') || path.contains('\0') || path.contains("/proc/self/fd") => {
            Err(invalid(format!("working directory `{}`", path.escape_debug())))
        }
        path => Ok(path.to_owned()),
    }
}

/// The image's environment under the pod's, each name once, and what every process may expect.
fn environment(input: &Input<'_>) -> Vec<String> {
    let config = &input.container.config;
    let mut pairs: Vec<(String, String)> = vec![("PATH".to_owned(), PATH.to_owned())];
    if let Some(hostname) = &input.sandbox.config.hostname {
        pairs.push(("HOSTNAME".to_owned(), hostname.clone()));
    }
    if config.tty {
        pairs.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    pairs.push(("HOME".to_owned(), input.user.home.clone()));
    let image = input.container.image.config.env.iter().filter_map(|entry| entry.split_once('='));
    let own = config.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in image.chain(own) {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            continue;
        }
        match pairs.iter_mut().find(|(known, _)| known == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => pairs.push((name.to_owned(), value.to_owned())),
        }
    }
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}
