//! Who a container's processes are and what they may do, from the two security contexts.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Container, Pod, SeccompProfile};
use kpkg_runtime::{Capabilities, Seccomp, Security};

use crate::volumes::fs_group;

/// The container's context over the pod's. `root` holds local seccomp profiles below `seccomp/`.
pub(super) fn security(pod: &Pod, container: &Container, root: &std::path::Path) -> Security {
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let own = container.security_context.clone().unwrap_or_default();
    let id = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok());
    let privileged = own.privileged == Some(true);
    let groups = of_pod.supplemental_groups.iter().flatten().filter_map(|group| u32::try_from(*group).ok());
    let capabilities = own.capabilities.unwrap_or_default();
    let unmasked = own.proc_mount.as_deref() == Some("Unmasked");
    Security {
        run_as_user: id(own.run_as_user.or(of_pod.run_as_user)),
        run_as_group: id(own.run_as_group.or(of_pod.run_as_group)),
        run_as_username: None,
        run_as_non_root: own.run_as_non_root.or(of_pod.run_as_non_root) == Some(true),
        supplemental_groups: groups.chain(fs_group(pod)).collect(),
        strict_groups: of_pod.supplemental_groups_policy.as_deref() == Some("Strict"),
        capabilities: Capabilities {
            add: capabilities.add.unwrap_or_default(),
            drop: capabilities.drop.unwrap_or_default(),
        },
        privileged,
        read_only_rootfs: own.read_only_root_filesystem == Some(true),
        no_new_privs: own.allow_privilege_escalation == Some(false),
        seccomp: if privileged {
            Seccomp::Unconfined
        } else {
            seccomp(own.seccomp_profile.or(of_pod.seccomp_profile), root)
        },
        masked_paths: unmasked.then(Vec::new),
        readonly_paths: unmasked.then(Vec::new),
    }
}

/// Pods that say nothing get the runtime's filter (Kubernetes' `seccompDefault`).
fn seccomp(profile: Option<SeccompProfile>, root: &std::path::Path) -> Seccomp {
    let Some(profile) = profile else { return Seccomp::RuntimeDefault };
    match profile.type_.as_str() {
        "Unconfined" => Seccomp::Unconfined,
        "Localhost" => {
            Seccomp::Localhost(root.join("seccomp").join(PathBuf::from(profile.localhost_profile.unwrap_or_default())))
        }
        _ => Seccomp::RuntimeDefault,
    }
}

/// Why a container that must not run as root would; `image_user` is the image's.
pub(super) fn root_refused(pod: &str, container: &Container, security: &Security, image_user: &str) -> Option<String> {
    if !security.run_as_non_root {
        return None;
    }
    let name = &container.name;
    match security.run_as_user {
        Some(0) => {
            return Some(format!("container's runAsUser breaks non-root policy (pod: {pod:?}, container: {name})"));
        }
        Some(_) => return None,
        None => {}
    }
    let user = image_user.split(':').next().unwrap_or_default();
    match user.parse::<u32>() {
        Ok(0) => {}
        Ok(_) => return None,
        Err(_) if user.is_empty() || user == "root" => {}
        Err(_) => {
            return Some(format!(
                "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root (pod: {pod:?}, container: {name})"
            ));
        }
    }
    Some(format!("container has runAsNonRoot and image will run as root (pod: {pod:?}, container: {name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_root_is_checked_against_the_image() {
        let container = Container { name: "c".to_owned(), ..Container::default() };
        let cases = [
            (None, "", true),
            (None, "0", true),
            (None, "1000:1000", false),
            (None, "www-data", true),
            (Some(5), "", false),
            (Some(0), "5", true),
        ];
        for (user, image, refused) in cases {
            let security = Security { run_as_non_root: true, run_as_user: user, ..Security::default() };
            assert_eq!(root_refused("p", &container, &security, image).is_some(), refused, "{user:?} {image}");
        }
        assert_eq!(root_refused("p", &container, &Security::default(), ""), None);
    }
}
