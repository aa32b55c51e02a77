//! What containers cannot do, and what they can when told.

use std::fs;
use std::time::Duration;

use kpkg_runtime::{Capabilities, ContainerConfig, Mount, Propagation, SandboxConfig, Seccomp, Security};
use libtest_mimic::Trial;

use crate::kit::{Lab, pod, test};

fn mount(host: impl Into<std::path::PathBuf>, container: &str, readonly: bool) -> Mount {
    Mount { host_path: host.into(), container_path: container.into(), readonly, propagation: Propagation::Private }
}

async fn with(lab: &Lab, security: Security, script: &str) -> Vec<String> {
    let sandbox = lab.sandbox().await;
    let name = format!("sh-{sandbox}");
    let lines = lab.run(&sandbox, ContainerConfig { security, ..lab.script(&name, script) }).await.1;
    lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
    lines
}

const CAPABILITIES: &str = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | tr -d '\\t' | tr '\\n' ' '; echo";

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_container_sees_only_itself", |lab| async move {
            let (_, lines) = lab.sh("hostname; echo /proc/[0-9]*; echo /proc/self/fd/*; cat /proc/self/cgroup | cut -d: -f3 | grep -v '^/$' | grep -v shims").await;
            assert_eq!(&lines[..2], ["one", "/proc/1"], "{lines:?}");
            assert_eq!(lines[2], "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3", "CVE-2024-21626");
            assert_eq!(lines.len(), 3, "{lines:?}");
        }),
        test("capabilities_are_bounded_and_never_inherited", |lab| async move {
            // CVE-2022-29162, GHSA-c9cp-9c75-9v8c
            let plain = "CapInh:0000000000000000 CapPrm:00000000a80425fb CapEff:00000000a80425fb CapBnd:00000000a80425fb CapAmb:0000000000000000 ";
            assert_eq!(with(&lab, Security::default(), CAPABILITIES).await, [plain]);
            let capabilities = Capabilities { add: vec!["NET_ADMIN".to_owned()], drop: vec!["ALL".to_owned()] };
            let one = "CapInh:0000000000000000 CapPrm:0000000000001000 CapEff:0000000000001000 CapBnd:0000000000001000 CapAmb:0000000000000000 ";
            assert_eq!(with(&lab, Security { capabilities, ..Security::default() }, CAPABILITIES).await, [one]);
            let user = Security { run_as_user: Some(33), ..Security::default() };
            let none = "CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:00000000a80425fb CapAmb:0000000000000000 ";
            assert_eq!(with(&lab, user, CAPABILITIES).await, [none]);
        }),
        test("users_and_groups_are_the_images_and_the_pods", |lab| async move {
            // CVE-2023-25173: no group of the runtime's is left
            let script = "id -u; id -g; id -G; echo $HOME";
            let user = Security {
                run_as_username: Some("web".to_owned()),
                supplemental_groups: vec![2000],
                ..Security::default()
            };
            assert_eq!(with(&lab, user, script).await, ["33", "33", "33 26 2000", "/home/web"]);
            let number = Security { run_as_user: Some(1234), ..Security::default() };
            assert_eq!(with(&lab, number, script).await, ["1234", "0", "0", "/"]);
            let sandbox = lab.sandbox().await;
            let security = Security { run_as_non_root: true, ..Security::default() };
            let id = lab
                .runtime
                .create_container(&sandbox, ContainerConfig { security, ..lab.script("x", "") })
                .await
                .unwrap();
            let error = lab.runtime.start_container(&id).await.unwrap_err().to_string();
            assert_eq!(error, "container has runAsNonRoot and its user is root");
        }),
        test("commands_are_confined_as_the_container_is", |lab| async move {
            let sandbox = lab.sandbox().await;
            let security = Security {
                run_as_user: Some(33),
                supplemental_groups: vec![7],
                no_new_privs: true,
                capabilities: Capabilities { add: vec![], drop: vec!["ALL".to_owned()] },
                ..Security::default()
            };
            let script = format!(
                "id -u; id -G; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; {CAPABILITIES}; cat /proc/self/oom_score_adj; umask; echo /proc/self/fd/*"
            );
            let mut config = ContainerConfig { security, ..lab.script("main", &format!("{script}; sleep 1000")) };
            config.resources.oom_score_adj = Some(321);
            let id = lab.start(&sandbox, config).await;
            lab.until_logged("main", "0022").await;
            let exec = lab.exec(&id, &script).await.1;
            let exec: Vec<&str> = exec.lines().collect();
            assert_eq!(exec[..4], ["33", "33 7 26", "NoNewPrivs:\t1", "Seccomp:\t2"]);
            assert_eq!(exec[5..], ["321", "0022", "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3"]);
            assert_eq!(crate::kit::lines(&lab.log_path("main.log"))[..exec.len()], exec[..]);
        }),
        test("the_kernels_files_are_closed", |lab| async move {
            let script = "
                echo x > /proc/sys/kernel/domainname; echo x > /sys/kernel/profiling; mkdir /sys/fs/cgroup/x; mkdir /sys/fs/cgroup/memory/x
                ls /sys/firmware | wc -l; mknod /tmp/m c 1 1 && head -c 1 /tmp/m; head -c 1 /dev/null && echo null; true";
            let (_, lines) = lab.sh(script).await;
            let refused = lines.iter().filter(|line| line.contains("Read-only file system")).count();
            assert!(refused >= 3, "{lines:?}");
            assert!(lines.contains(&"0".to_owned()), "{lines:?}");
            assert!(lines.contains(&"null".to_owned()), "{lines:?}");
            assert!(lines.iter().any(|line| line.contains("/tmp/m") && line.contains("not permitted")), "{lines:?}");
        }),
        test("the_filter_of_system_calls_holds_in_containers_and_commands", |lab| async move {
            let sandbox = lab.sandbox().await;
            let script = "unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1; unshare -m true 2>&1; true";
            let admin = Security {
                capabilities: Capabilities { add: vec!["SYS_ADMIN".to_owned()], drop: vec![] },
                ..Security::default()
            };
            let plain = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let (_, text) = lab.exec(&plain, script).await;
            assert_eq!(
                text.matches("Operation not permitted").count() + text.matches("permission denied").count(),
                3,
                "{text}"
            );
            let unconfined = Security { seccomp: Seccomp::Unconfined, ..Security::default() };
            let lines = with(&lab, unconfined, "grep Seccomp: /proc/self/status; unshare -U true && echo free").await;
            assert_eq!(lines, ["Seccomp:\t0", "free"]);
            assert_eq!(with(&lab, admin, "mount -t tmpfs x /tmp && echo mounted").await, ["mounted"]);
        }),
        test("a_profile_of_ones_own_is_used", |lab| async move {
            let profile = lab.dir.path().join("profile.json");
            let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}"#;
            fs::write(&profile, json).unwrap();
            for no_new_privs in [false, true] {
                let security =
                    Security { seccomp: Seccomp::Localhost(profile.clone()), no_new_privs, ..Security::default() };
                let lines = with(&lab, security, "mkdir /tmp/x || touch /tmp/y && echo ok").await;
                assert_eq!(lines.last().unwrap(), "ok", "{lines:?}");
                assert!(lines[0].contains("not permitted"), "{lines:?}");
            }
        }),
        test("a_read_only_root_is_one_and_mounts_are_as_told", |lab| async move {
            let data = lab.dir.path().join("data");
            fs::create_dir_all(data.join("sub")).unwrap();
            fs::write(data.join("file"), "content").unwrap();
            let sandbox = lab.sandbox().await;
            let security = Security { read_only_rootfs: true, ..Security::default() };
            let mounts = vec![
                mount(data.join("file"), "/etc/one", true),
                mount(&data, "/ro", true),
                mount(&data, "/rw/deep", false),
            ];
            let script = "cat /etc/one; echo; touch /x /ro/x /ro/sub/x /etc/one 2>&1 | grep -c 'Read-only file system'; touch /rw/deep/new && echo written";
            let config = ContainerConfig { security, mounts, ..lab.script("main", script) };
            let (_, lines) = lab.run(&sandbox, config).await;
            assert_eq!(lines, ["content", "4", "written"]);
            assert!(data.join("new").exists());
            let missing = ContainerConfig { mounts: vec![mount("/nowhere", "/x", true)], ..lab.script("x", "") };
            assert!(lab.runtime.create_container(&sandbox, missing).await.is_err());
        }),
        test("later_mounts_of_the_machine_appear_when_told", |lab| async move {
            let data = lab.dir.path().join("shared");
            fs::create_dir_all(data.join("later")).unwrap();
            rustix::mount::mount_bind(&data, &data).unwrap();
            rustix::mount::mount_change(&data, rustix::mount::MountPropagationFlags::SHARED).unwrap();
            let sandbox = lab.sandbox().await;
            let slave = Mount { propagation: Propagation::HostToContainer, ..mount(&data, "/data", false) };
            let config = |mount| ContainerConfig { mounts: vec![mount], ..lab.script("main", "sleep 1000") };
            let told = lab.start(&sandbox, config(slave)).await;
            let parted = lab.start(&sandbox, config(mount(&data, "/data", false))).await;
            let flags = rustix::mount::MountFlags::empty();
            rustix::mount::mount("tmpfs", data.join("later"), "tmpfs", flags, None).unwrap();
            fs::write(data.join("later/file"), "").unwrap();
            let seen = (lab.exec(&told, "ls /data/later").await.1, lab.exec(&parted, "ls /data/later").await.1);
            lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
            rustix::mount::unmount(data.join("later"), rustix::mount::UnmountFlags::DETACH).unwrap();
            rustix::mount::unmount(&data, rustix::mount::UnmountFlags::DETACH).unwrap();
            assert_eq!(seen, ("file\n".to_owned(), String::new()));
        }),
        test("a_mount_below_a_symbolic_link_stays_in_the_container", |lab| async move {
            // CVE-2021-30465, CVE-2024-45310
            let data = lab.dir.path().join("data");
            let outside = lab.dir.path().join("outside");
            fs::create_dir_all(&data).unwrap();
            fs::create_dir_all(&outside).unwrap();
            fs::write(data.join("file"), "x").unwrap();
            std::os::unix::fs::symlink(&outside, data.join("link")).unwrap();
            let sandbox = lab.sandbox().await;
            let mounts = vec![mount(&data, "/data", false), mount(data.join("file"), "/data/link/made", false)];
            let config = ContainerConfig { mounts, ..lab.script("main", "sleep 1000") };
            let id = lab.runtime.create_container(&sandbox, config).await.unwrap();
            let _ = lab.runtime.start_container(&id).await; // either it fails or it stays inside
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        }),
        test("an_image_with_links_for_kernel_directories_is_refused", |lab| async move {
            // CVE-2026-41579, CVE-2019-19921
            for name in ["dev", "proc", "sys"] {
                let rootfs = lab.dir.path().join(format!("evil-{name}"));
                crate::kit::busybox_rootfs(&rootfs);
                std::os::unix::fs::symlink("/tmp", rootfs.join(name)).unwrap();
                let image = format!("localhost/evil-{name}:1");
                lab.runtime
                    .images()
                    .import_rootfs_layer(&rootfs, kpkg_runtime::image::ImageConfig::default(), &image)
                    .await
                    .unwrap();
                let sandbox = lab.sandbox().await;
                let id = lab
                    .runtime
                    .create_container(&sandbox, ContainerConfig { image, ..lab.script("x", "true") })
                    .await
                    .unwrap();
                let error = lab.runtime.start_container(&id).await.unwrap_err().to_string();
                assert_eq!(error, format!("/{name} of the image is not a directory"));
            }
        }),
        test("no_working_directory_leads_out", |lab| async move {
            // CVE-2024-21626
            let sandbox = lab.sandbox().await;
            for number in 3..12 {
                for directory in [format!("/proc/self/fd/{number}"), format!("/proc/thread-self/fd/{number}")] {
                    let config = ContainerConfig {
                        working_dir: Some(directory.clone()),
                        ..lab.script("x", "pwd; ls /../../../etc")
                    };
                    let id = lab.runtime.create_container(&sandbox, config).await.unwrap();
                    assert!(lab.runtime.start_container(&id).await.is_err(), "{directory}");
                }
            }
        }),
        test("a_privileged_container_has_the_machines_devices_and_rights", |lab| async move {
            let security = Security { privileged: true, ..Security::default() };
            let lines = with(&lab, security, "grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev/kmsg; touch /sys/fs/cgroup/x 2>/dev/null; echo ok").await;
            let own = fs::read_to_string("/proc/self/status").unwrap();
            let own = own
                .lines()
                .find(|line| line.starts_with("CapBnd"))
                .unwrap()
                .split_whitespace()
                .nth(1)
                .unwrap()
                .to_owned();
            assert!(lines[0].ends_with(&own), "{lines:?}");
            assert_eq!(&lines[1..], ["Seccomp:\t0", "/dev/kmsg", "ok"]);
        }),
        test("the_machines_devices_may_be_mounted_and_stay_as_they_are", |lab| async move {
            // A machine's `/dev` in miniature: libcontainer must not fill it with its links.
            let devices = lab.dir.path().join("dev");
            fs::create_dir_all(&devices).unwrap();
            let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::from_raw_mode(0o666));
            let null = rustix::fs::makedev(1, 3);
            rustix::fs::mknodat(rustix::fs::CWD, devices.join("null"), kind, mode, null).unwrap();
            fs::write(devices.join("ptmx"), "mine").unwrap();
            let sandbox = lab.sandbox().await;
            let config = |privileged, script: &str| {
                let security = Security { privileged, ..Security::default() };
                ContainerConfig { security, mounts: vec![mount(&devices, "/dev", false)], ..lab.script("dev", script) }
            };
            let (_, lines) =
                lab.run(&sandbox, config(true, "ls /dev; cat /dev/ptmx; echo; echo x > /dev/null && echo ok")).await;
            assert_eq!(lines, ["null", "ptmx", "mine", "ok"]);
            assert_eq!(fs::read_dir(&devices).unwrap().count(), 2);
            let id = lab.runtime.create_container(&sandbox, config(false, "true")).await.unwrap();
            let error = lab.runtime.start_container(&id).await.unwrap_err().to_string();
            assert_eq!(error, "a mount at /dev needs a privileged container");
            assert_eq!(fs::read_dir(&devices).unwrap().count(), 2);
        }),
        test("containers_of_a_pod_share_memory_and_name_and_nothing_else", |lab| async move {
            let config = SandboxConfig { shm_bytes: Some(1 << 20), ..pod("shared") };
            let sandbox = lab.runtime.run_pod_sandbox(config).await.unwrap();
            let first =
                lab.start(&sandbox, lab.script("first", "echo secret > /dev/shm/x; touch /tmp/mine; sleep 1000")).await;
            lab.until_async(|| async { lab.exec(&first, "cat /dev/shm/x").await.0 == 0 }).await;
            let second = lab.start(&sandbox, lab.script("second", "sleep 1000")).await;
            let (_, text) = lab.exec(&second, "cat /dev/shm/x; hostname; ls /tmp; ps | grep -c '[s]leep 1000'; df -k /dev/shm | tail -1 | awk '{print $2}'").await;
            assert_eq!(text, "secret\nshared\n1\n1024\n");
            let links = ["ipc", "uts", "net", "mnt", "pid", "cgroup"]
                .map(|name| format!("readlink /proc/self/ns/{name}"))
                .join("; ");
            let (one, two) = (lab.exec(&first, &links).await.1, lab.exec(&second, &links).await.1);
            let same: Vec<bool> = one.lines().zip(two.lines()).map(|(one, two)| one == two).collect();
            assert_eq!(same, [true, true, true, false, false, false]);
            let own = fs::read_link("/proc/self/ns/ipc").unwrap();
            assert!(!one.contains(own.to_str().unwrap()));
        }),
        test("a_pod_may_share_its_processes", |lab| async move {
            let config = SandboxConfig { share_process_namespace: true, ..pod("pids") };
            let sandbox = lab.runtime.run_pod_sandbox(config).await.unwrap();
            let first = lab.start(&sandbox, lab.script("first", "sleep 4001 & sleep 4002 & wait")).await;
            let second = lab.start(&sandbox, lab.script("second", "sleep 1000")).await;
            let (_, text) =
                lab.exec(&second, "ps | grep -c '[s]leep 400'; cat /proc/1/comm; ls /proc/1/root/ 2>&1").await;
            let mut lines = text.lines();
            assert_eq!((lines.next(), lines.next()), (Some("3"), Some("pause")));
            assert!(lines.next().unwrap().contains("Permission denied"), "{text}");
            lab.runtime.stop_container(&first, Duration::ZERO, None).await.unwrap();
            assert_eq!(lab.exec(&second, "ps | grep -c '[s]leep 400'").await.1, "0\n");
            lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
        }),
        test("a_pod_may_see_the_machine_when_told", |lab| async move {
            let config = SandboxConfig { host_pid: true, host_ipc: true, hostname: None, ..pod("host") };
            let sandbox = lab.runtime.run_pod_sandbox(config).await.unwrap();
            let id = lab.start(&sandbox, lab.script("main", "sleep 5001 & sleep 1000")).await;
            let own = std::process::id();
            assert_eq!(lab.exec(&id, &format!("test -d /proc/{own} && echo seen")).await.1, "seen\n");
            let pid = lab.runtime.container_status(&id).unwrap().pid.unwrap();
            let ipc = fs::read_link(format!("/proc/{pid}/ns/ipc")).unwrap();
            assert_eq!(ipc, fs::read_link("/proc/self/ns/ipc").unwrap());
            lab.runtime.stop_container(&id, Duration::ZERO, None).await.unwrap();
            assert_eq!(lab.runtime.container_stats(&id).unwrap().usage.pids, 0);
        }),
        test("a_pod_lives_in_the_network_it_is_given", |lab| async move {
            let netns = lab.dir.path().join("netns");
            fs::write(&netns, "").unwrap();
            crate::kit::pin_network(&netns);
            let sysctls = [("net.ipv4.ip_unprivileged_port_start".to_owned(), "77".to_owned())].into();
            let config = SandboxConfig { netns: Some(netns.clone()), sysctls, ..pod("net") };
            let sandbox = lab.runtime.run_pod_sandbox(config).await.unwrap();
            let script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep -c : /proc/net/dev; readlink /proc/self/ns/net";
            let id = lab.start(&sandbox, lab.script("main", &format!("{script}; sleep 1000"))).await;
            let (_, text) = lab.exec(&id, script).await;
            let own = fs::read_link("/proc/self/ns/net").unwrap();
            assert!(text.starts_with("77\n1\n") && !text.contains(own.to_str().unwrap()), "{text}");
            lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
            rustix::mount::unmount(&netns, rustix::mount::UnmountFlags::DETACH).unwrap();
        }),
        test("namespaced_kernel_parameters_are_the_pods", |lab| async move {
            let sysctls = [("kernel.shmmax".to_owned(), "123456".to_owned())].into();
            let sandbox = lab.runtime.run_pod_sandbox(SandboxConfig { sysctls, ..pod("sysctl") }).await.unwrap();
            let (_, lines) = lab.run(&sandbox, lab.script("main", "cat /proc/sys/kernel/shmmax")).await;
            assert_eq!(lines, ["123456"]);
            let sysctls = [("vm.swappiness".to_owned(), "1".to_owned())].into();
            assert!(lab.runtime.run_pod_sandbox(SandboxConfig { sysctls, ..pod("evil") }).await.is_err());
        }),
        test("the_program_that_enters_containers_cannot_be_overwritten", |lab| async move {
            // CVE-2019-5736
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let pid = lab.runtime.container_status(&id).unwrap().pid.unwrap();
            let shim = crate::kit::parent_of(pid);
            let error = fs::File::options().write(true).open(format!("/proc/{shim}/exe")).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(30 | 26)), "{error}"); // EROFS or ETXTBSY
            let config = ContainerConfig {
                command: vec!["/proc/self/exe".to_owned(), "--list".to_owned()],
                ..lab.script("self", "")
            };
            let trick = lab.runtime.create_container(&sandbox, config).await.unwrap();
            let _ = lab.runtime.start_container(&trick).await; // it may run itself; it cannot write itself
            let modified = fs::metadata(&lab.config.shim_exe).unwrap().modified().unwrap();
            assert!(modified < std::time::SystemTime::now());
        }),
        test("directories_are_closed_to_others", |lab| async move {
            // CVE-2021-41103, CVE-2024-25621
            use std::os::unix::fs::PermissionsExt;
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let sandbox_dir = lab.config.state.join("sandboxes").join(sandbox.as_str());
            let paths = [
                lab.config.state.clone(),
                sandbox_dir.clone(),
                sandbox_dir.join("containers").join(id.as_str()),
                lab.config.root.join("containers"),
                lab.config.root.join("containers").join(id.as_str()),
                lab.config.root.join("layers"),
                lab.config.root.join("images/blobs/sha256"),
            ];
            for path in paths {
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700, "{}", path.display());
            }
            let socket = sandbox_dir.join("shim.sock");
            assert_eq!(fs::metadata(socket).unwrap().permissions().mode() & 0o777, 0o600, "CVE-2020-15257");
            let abstract_sockets = fs::read_to_string("/proc/net/unix").unwrap();
            assert!(!abstract_sockets.lines().any(|line| line.contains(" @") && line.contains("shim")));
        }),
    ]
}
