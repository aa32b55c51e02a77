//! From a container's spec to a running container.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod};
use kpkg_runtime::{Capabilities, ContainerConfig, Mount, Propagation, SandboxConfig, Seccomp, Security};
use kube::ResourceExt;

use super::observed::{annotation, label, spec_hash};
use super::worker::Worker;
use crate::env::{self, ConfigError, Sources, expand};
use crate::status::Reason;
use crate::volumes::{self, Volumes};
use crate::{podfiles, resources};

/// Where containers write their last words by default.
const MESSAGE_PATH: &str = "/dev/termination-log";

/// What a container's configuration is made from.
pub(super) struct Plan<'a> {
    pub(super) worker: &'a Worker,
    pub(super) pod: &'a Pod,
    pub(super) container: &'a Container,
    pub(super) sources: &'a Sources<'a>,
    pub(super) volumes: &'a Volumes,
    pub(super) attempt: u32,
    pub(super) image_user: &'a str,
}

/// The sandbox of a pod.
pub(super) fn sandbox(worker: &Worker, pod: &Pod, attempt: u32, netns: Option<PathBuf>) -> SandboxConfig {
    let spec = pod.spec.clone().unwrap_or_default();
    let uid = pod.uid().unwrap_or_default();
    let (hostname, full) = podfiles::hostname(pod, &worker.config().cluster_domain);
    let hostname = if spec.set_hostname_as_fqdn == Some(true) { full.unwrap_or(hostname) } else { hostname };
    let context = spec.security_context.unwrap_or_default();
    SandboxConfig {
        name: pod.name_any(),
        namespace: pod.namespace().unwrap_or_default(),
        uid: uid.clone(),
        attempt,
        hostname: netns.as_ref().map(|_| hostname),
        netns,
        cgroup_parent: Some(resources::cgroup_parent(pod, &uid)),
        sysctls: context.sysctls.into_iter().flatten().map(|it| (it.name, it.value)).collect(),
        share_process_namespace: spec.share_process_namespace == Some(true),
        host_pid: spec.host_pid == Some(true),
        host_ipc: spec.host_ipc == Some(true),
        labels: BTreeMap::from([
            (label::POD_NAME.to_owned(), pod.name_any()),
            (label::POD_NAMESPACE.to_owned(), pod.namespace().unwrap_or_default()),
            (label::POD_UID.to_owned(), uid),
        ]),
        ..SandboxConfig::default()
    }
}

/// A container's configuration, or why it cannot be made.
pub(super) fn configure(plan: &Plan<'_>) -> Result<ContainerConfig, Reason> {
    let Plan { worker, pod, container, .. } = plan;
    let bad = |error: ConfigError| Reason::new("CreateContainerConfigError", error.0);
    let env = env::environment(pod, container, plan.sources).map_err(bad)?;
    let lookup = |name: &str| env.iter().rev().find(|(it, _)| it == name).map(|(_, value)| value.clone());
    let expand_all = |list: &Option<Vec<String>>| list.iter().flatten().map(|it| expand(it, lookup)).collect::<Vec<_>>();
    let uid = pod.uid().unwrap_or_default();
    let pod_dir = worker.config().pod_dir(&uid);
    let wanted = container.volume_mounts.as_deref().unwrap_or_default();
    let mut mounts = volumes::mounts(&pod_dir, &container.name, wanted, plan.volumes, &|text| expand(text, lookup))
        .map_err(|error| Reason::new("CreateContainerConfigError", error))?;
    let message_file = pod_dir.join("containers").join(&container.name).join(format!("{}.message", plan.attempt));
    own_files(plan, &pod_dir, &message_file, &mut mounts)
        .map_err(|error| Reason::new("CreateContainerError", error.to_string()))?;
    let security = security(pod, container, plan.image_user)?;
    let namespace = pod.namespace().unwrap_or_default();
    let log_dir = worker.config().pod_log_dir(&namespace, &pod.name_any(), &uid);
    Ok(ContainerConfig {
        name: container.name.clone(),
        attempt: plan.attempt,
        image: container.image.clone().unwrap_or_default(),
        command: expand_all(&container.command),
        args: expand_all(&container.args),
        working_dir: container.working_dir.clone().filter(|it| !it.is_empty()),
        env,
        mounts,
        security,
        resources: resources::of_container(pod, container, plan.sources.facts.node_memory),
        log_path: Some(log_dir.join(&container.name).join(format!("{}.log", plan.attempt))),
        tty: container.tty == Some(true),
        stdin: container.stdin == Some(true),
        stdin_once: container.stdin_once == Some(true),
        labels: BTreeMap::from([
            (label::POD_NAME.to_owned(), pod.name_any()),
            (label::POD_NAMESPACE.to_owned(), namespace),
            (label::POD_UID.to_owned(), uid),
            (label::CONTAINER_NAME.to_owned(), container.name.clone()),
        ]),
        annotations: BTreeMap::from([
            (annotation::HASH.to_owned(), spec_hash(container)),
            (annotation::RESTART_COUNT.to_owned(), plan.attempt.to_string()),
            (annotation::MESSAGE_FILE.to_owned(), message_file.display().to_string()),
            (annotation::MESSAGE_PATH.to_owned(), message_path(container).to_owned()),
            (
                annotation::MESSAGE_POLICY.to_owned(),
                container.termination_message_policy.clone().unwrap_or_else(|| "File".to_owned()),
            ),
        ]),
        ..ContainerConfig::default()
    })
}

fn message_path(container: &Container) -> &str {
    container.termination_message_path.as_deref().filter(|it| !it.is_empty()).unwrap_or(MESSAGE_PATH)
}

/// Mounts the files that every container has, unless the user mounts something there.
fn own_files(plan: &Plan<'_>, pod_dir: &Path, message_file: &Path, mounts: &mut Vec<Mount>) -> std::io::Result<()> {
    let files = [
        (pod_dir.join("etc-hosts"), "/etc/hosts"),
        (pod_dir.join("resolv.conf"), "/etc/resolv.conf"),
        (pod_dir.join("hostname"), "/etc/hostname"),
    ];
    for (host_path, container_path) in files {
        let taken = mounts.iter().any(|it| it.container_path == Path::new(container_path));
        if !taken && host_path.exists() {
            mounts.push(mount(host_path, container_path));
        }
    }
    if let Some(parent) = message_file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(message_file, "")?;
    // Whoever the container runs as may write its last words.
    std::fs::set_permissions(message_file, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    mounts.push(mount(message_file.to_owned(), message_path(plan.container)));
    Ok(())
}

fn mount(host_path: PathBuf, container_path: &str) -> Mount {
    Mount { host_path, container_path: container_path.into(), readonly: false, propagation: Propagation::Private }
}

/// Writes the pod's own files.
pub(super) fn write_pod_files(worker: &Worker, pod: &Pod, ip: Option<IpAddr>) -> std::io::Result<()> {
    let config = worker.config();
    let dir = config.pod_dir(&pod.uid().unwrap_or_default());
    std::fs::create_dir_all(&dir)?;
    let (name, full) = podfiles::hostname(pod, &config.cluster_domain);
    let machine = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let own_network = pod.spec.as_ref().and_then(|it| it.host_network) != Some(true);
    let hosts = match ip.filter(|_| own_network) {
        Some(ip) => podfiles::hosts(pod, ip, &name, full.as_deref()),
        None => podfiles::host_network_hosts(pod, &machine("/etc/hosts")),
    };
    // Written in place: containers hold these very files.
    std::fs::write(dir.join("etc-hosts"), hosts)?;
    if own_network {
        std::fs::write(dir.join("hostname"), format!("{name}\n"))?;
    }
    let resolv = podfiles::resolv_conf(pod, config.cluster_dns, &config.cluster_domain, &machine("/etc/resolv.conf"));
    std::fs::write(dir.join("resolv.conf"), resolv)
}

/// Who the container's processes are and what they may do: its own context over the pod's.
fn security(pod: &Pod, container: &Container, image_user: &str) -> Result<Security, Reason> {
    let all = pod.spec.as_ref().and_then(|it| it.security_context.clone()).unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |value: Option<i64>| value.and_then(|it| u32::try_from(it).ok());
    let user = id(own.run_as_user.or(all.run_as_user));
    let non_root = own.run_as_non_root.or(all.run_as_non_root) == Some(true);
    if non_root {
        check_non_root(pod, container, user, image_user)?;
    }
    let mut groups: Vec<u32> = all.supplemental_groups.iter().flatten().filter_map(|it| u32::try_from(*it).ok()).collect();
    groups.extend(id(all.fs_group));
    let privileged = own.privileged == Some(true);
    let profile = own.seccomp_profile.or(all.seccomp_profile);
    let seccomp = match profile.as_ref().map(|it| it.type_.as_str()) {
        Some("Unconfined") => Seccomp::Unconfined,
        Some("Localhost") => {
            let path = profile.and_then(|it| it.localhost_profile).unwrap_or_default();
            Seccomp::Localhost(PathBuf::from("/var/lib/kubelet/seccomp").join(path))
        }
        // The safer of the two that Kubernetes allows where nothing is said.
        _ => Seccomp::RuntimeDefault,
    };
    let capabilities = own.capabilities.unwrap_or_default();
    Ok(Security {
        run_as_user: user,
        run_as_group: id(own.run_as_group.or(all.run_as_group)),
        run_as_non_root: non_root,
        supplemental_groups: groups,
        strict_groups: all.supplemental_groups_policy.as_deref() == Some("Strict"),
        capabilities: Capabilities {
            add: capabilities.add.unwrap_or_default(),
            drop: capabilities.drop.unwrap_or_default(),
        },
        privileged,
        read_only_rootfs: own.read_only_root_filesystem == Some(true),
        no_new_privs: own.allow_privilege_escalation == Some(false),
        seccomp,
        masked_paths: (own.proc_mount.as_deref() == Some("Unmasked")).then(Vec::new),
        readonly_paths: (own.proc_mount.as_deref() == Some("Unmasked")).then(Vec::new),
        ..Security::default()
    })
}

/// `runAsNonRoot` must be known to hold before anything runs (the kubelet's words).
fn check_non_root(pod: &Pod, container: &Container, user: Option<u32>, image_user: &str) -> Result<(), Reason> {
    let about = format!("(pod: \"{}_{}({})\", container: {})", pod.name_any(), pod.namespace().unwrap_or_default(), pod.uid().unwrap_or_default(), container.name);
    let refuse = |text: String| Err(Reason::new("CreateContainerConfigError", text));
    match user {
        Some(0) => return refuse(format!("container's runAsUser breaks non-root policy {about}")),
        Some(_) => return Ok(()),
        None => {}
    }
    let name = image_user.split(':').next().unwrap_or_default();
    match name.parse::<u32>() {
        Ok(0) => refuse(format!("container has runAsNonRoot and image will run as root {about}")),
        Ok(_) => Ok(()),
        Err(_) if name.is_empty() || name == "root" => {
            refuse(format!("container has runAsNonRoot and image will run as root {about}"))
        }
        Err(_) => refuse(format!(
            "container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {about}"
        )),
    }
}
