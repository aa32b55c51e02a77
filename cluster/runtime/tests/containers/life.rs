//! The life of containers: start, output, end.

use std::time::Duration;

use kpkg_runtime::{ContainerConfig, ContainerState, EventKind, LogRotation, Resources, SandboxFilter, SandboxState};
use libtest_mimic::Trial;

use crate::kit::{BUSYBOX, lines, pod, test};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_container_runs_writes_and_ends", |lab| async move {
            let sandbox = lab.sandbox().await;
            let script = "echo out; echo err >&2; echo $FROM_IMAGE $HOSTNAME $HOME; printf unfinished; exit 7";
            let (status, lines) = lab.run(&sandbox, lab.script("main", script)).await;
            assert_eq!(status.state, ContainerState::Exited);
            assert_eq!((status.exit_code, status.reason.as_str()), (Some(7), "Error"));
            assert!(status.started_at.unwrap() <= status.finished_at.unwrap());
            let mut sorted = lines.clone();
            sorted.sort();
            assert_eq!(sorted, ["out", "stderr: err", "unfinished", "yes one /root"]);
        }),
        test("a_command_that_cannot_run_says_why", |lab| async move {
            let sandbox = lab.sandbox().await;
            let cases = [
                ("nothing-here", "exec: \"nothing-here\": executable file not found in $PATH"),
                ("/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
                ("/bin", "exec: \"/bin\": is a directory"),
                ("/nothing", "exec: \"/nothing\": stat: no such file or directory"),
            ];
            for (command, want) in cases {
                let config = ContainerConfig { command: vec![command.to_owned()], ..lab.script("bad", "") };
                let id = lab.runtime.create_container(&sandbox, config).await.unwrap();
                let error = lab.runtime.start_container(&id).await.unwrap_err().to_string();
                assert!(error.contains(want), "{error}");
                let status = lab.runtime.container_status(&id).unwrap();
                assert_eq!((status.exit_code, status.reason.as_str()), (Some(128), "ContainerCannotRun"));
                assert!(status.message.contains(want), "{}", status.message);
                assert!(lab.runtime.start_container(&id).await.is_err());
            }
        }),
        test("command_and_args_replace_the_images_as_kubernetes_says", |lab| async move {
            let sandbox = lab.sandbox().await;
            let args = ContainerConfig {
                command: vec![],
                args: ["echo", "hi"].map(str::to_owned).to_vec(),
                working_dir: Some("/made/for/it".to_owned()),
                ..lab.script("args", "")
            };
            assert_eq!(lab.run(&sandbox, args).await.1, ["hi"]);
            let both = ContainerConfig {
                command: ["sh", "-c"].map(str::to_owned).to_vec(),
                args: vec!["pwd; echo $A $FROM_IMAGE".to_owned()],
                working_dir: Some("/made/for/it".to_owned()),
                env: vec![("A".to_owned(), "b c".to_owned()), ("FROM_IMAGE".to_owned(), "no".to_owned())],
                ..lab.script("both", "")
            };
            assert_eq!(lab.run(&sandbox, both).await.1, ["/made/for/it", "b c no"]);
        }),
        test("a_container_stops_in_its_time_or_is_killed", |lab| async move {
            let sandbox = lab.sandbox().await;
            let polite = lab.script("polite", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done");
            let polite = lab.start(&sandbox, polite).await;
            lab.until_logged("polite", "up").await;
            lab.runtime.stop_container(&polite, Duration::from_secs(20), None).await.unwrap();
            let status = lab.runtime.container_status(&polite).unwrap();
            assert_eq!((status.exit_code, status.signal), (Some(3), None));
            assert_eq!(lines(&lab.log_path("polite.log")), ["up", "bye"]);
            let deaf =
                lab.start(&sandbox, lab.script("deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done")).await;
            lab.until_logged("deaf", "up").await;
            lab.runtime.stop_container(&deaf, Duration::from_millis(300), None).await.unwrap();
            let status = lab.runtime.container_status(&deaf).unwrap();
            assert_eq!((status.exit_code, status.signal, status.reason.as_str()), (Some(137), Some(9), "Error"));
            let other = lab.script("other", "trap 'exit 4' USR1; echo up; while :; do sleep 0.05; done");
            let other = lab.start(&sandbox, other).await;
            lab.until_logged("other", "up").await;
            lab.runtime.stop_container(&other, Duration::from_secs(20), Some("SIGUSR1")).await.unwrap();
            assert_eq!(lab.runtime.container_status(&other).unwrap().exit_code, Some(4));
        }),
        test("a_container_over_its_memory_is_reported_as_killed_for_it", |lab| async move {
            if !crate::kit::has_limits() {
                return;
            }
            let sandbox = lab.sandbox().await;
            let resources = Resources { memory_limit: Some(24 << 20), ..Resources::default() };
            let config = ContainerConfig { resources, ..lab.script("oom", "tail /dev/zero") };
            let (status, _) = lab.run(&sandbox, config).await;
            assert_eq!((status.exit_code, status.reason.as_str()), (Some(137), "OOMKilled"));
        }),
        test("events_tell_of_every_change", |lab| async move {
            let mut events = lab.runtime.events();
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "exit 0")).await;
            lab.runtime.wait_container(&id).await.unwrap();
            lab.runtime.remove_container(&id).await.unwrap();
            for want in [EventKind::Created, EventKind::Started, EventKind::Exited, EventKind::Removed] {
                let event = events.recv().await.unwrap();
                assert_eq!((event.kind, &event.container), (want, &id));
            }
            assert!(lab.runtime.container_status(&id).unwrap_err().is_not_found());
        }),
        test("no_line_is_lost_however_fast_they_come", |lab| async move {
            let sandbox = lab.sandbox().await;
            let rotation = LogRotation { max_bytes: 100_000, max_files: 1000 };
            let script = "i=0; while [ $i -lt 200 ]; do seq $((i*100)) $((i*100+99)); i=$((i+1)); done";
            let config = ContainerConfig { log_rotation: rotation, ..lab.script("many", script) };
            let log = config.log_path.clone().unwrap();
            let id = lab.start(&sandbox, config).await;
            assert_eq!(lab.runtime.wait_container(&id).await.unwrap().exit_code, Some(0));
            let mut files: Vec<_> =
                std::fs::read_dir(log.parent().unwrap()).unwrap().map(|file| file.unwrap().path()).collect();
            assert!(files.len() > 2, "{files:?}");
            files.sort_by_key(|file| (file == &log, file.clone()));
            let all: Vec<String> = files.iter().flat_map(|file| lines(file)).collect();
            let want: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
            assert!(all == want, "{} lines", all.len());
        }),
        test("a_server_that_dies_loses_no_container_no_line_and_no_exit_code", |mut lab| async move {
            let sandbox = lab.sandbox().await;
            let ends = lab
                .start(&sandbox, lab.script("ends", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done; exit 9"))
                .await;
            let stays = lab
                .start(&sandbox, lab.script("stays", "trap 'exit 5' TERM; while :; do echo tick; sleep 0.05; done"))
                .await;
            let before = lab.runtime.container_status(&stays).unwrap();
            lab = lab.restart().await;
            assert_eq!(lab.runtime.container_status(&stays).unwrap(), before);
            let status = lab.runtime.wait_container(&ends).await.unwrap();
            assert_eq!(status.exit_code, Some(9));
            assert_eq!(lines(&lab.log_path("ends.log")), ["1", "2", "3", "4", "5", "6", "7", "8"]);
            // Now it ends while nobody is there.
            let quick = lab.start(&sandbox, lab.script("quick", "sleep 0.3; echo last; exit 6")).await;
            let pid = lab.runtime.container_status(&quick).unwrap().pid.unwrap();
            lab = lab.restart_after(|| async { crate::kit::until_gone(pid).await }).await;
            assert_eq!(lab.runtime.container_status(&quick).unwrap().exit_code, Some(6));
            assert_eq!(lines(&lab.log_path("quick.log")), ["last"]);
            assert_eq!(lab.exec(&stays, "echo still here").await, (0, "still here\n".to_owned()));
            lab.runtime.stop_container(&stays, Duration::from_secs(20), None).await.unwrap();
            assert_eq!(lab.runtime.container_status(&stays).unwrap().exit_code, Some(5));
        }),
        test("a_lost_shim_takes_its_pod_with_it", |lab| async move {
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let pid = lab.runtime.container_status(&id).unwrap().pid.unwrap();
            crate::kit::kill_parent_of(pid);
            let status = lab.runtime.wait_container(&id).await.unwrap();
            assert_eq!((status.state, status.reason.as_str()), (ContainerState::Exited, "Unknown"));
            crate::kit::until_gone(pid).await;
            let ready = SandboxFilter { state: Some(SandboxState::Ready), ..SandboxFilter::default() };
            lab.until(|| lab.runtime.list_pod_sandboxes(&ready).is_empty()).await;
            lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
        }),
        test("a_dead_sandbox_does_not_take_its_successor_with_it", |mut lab| async move {
            let config = pod("twice");
            let first = lab.runtime.run_pod_sandbox(config.clone()).await.unwrap();
            let old = lab.start(&first, lab.script("old", "sleep 1000")).await;
            crate::kit::kill_parent_of(lab.runtime.container_status(&old).unwrap().pid.unwrap());
            lab.runtime.wait_container(&old).await.unwrap();
            let second = kpkg_runtime::SandboxConfig { attempt: 1, ..config };
            let second = lab.runtime.run_pod_sandbox(second).await.unwrap();
            let new = lab.start(&second, lab.script("new", "sleep 1000")).await;
            lab = lab.restart().await;
            assert_eq!(lab.runtime.container_status(&new).unwrap().state, ContainerState::Running);
            lab.runtime.remove_pod_sandbox(&first).await.unwrap();
            assert_eq!(lab.exec(&new, "echo alive").await.1, "alive\n");
        }),
        test("a_stopped_pod_has_ended_and_a_removed_one_leaves_nothing", |lab| async move {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000 & sleep 1000")).await;
            lab.runtime.create_container(&sandbox, lab.script("never", "")).await.unwrap();
            lab.runtime.stop_pod_sandbox(&sandbox).await.unwrap();
            assert_eq!(lab.runtime.container_status(&id).unwrap().exit_code, Some(137));
            assert_eq!(lab.runtime.pod_sandbox_status(&sandbox).unwrap().state, SandboxState::NotReady);
            assert!(lab.runtime.create_container(&sandbox, lab.script("late", "")).await.is_err());
            lab.runtime.stop_pod_sandbox(&sandbox).await.unwrap();
            lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
            lab.runtime.remove_pod_sandbox(&sandbox).await.unwrap();
            assert!(lab.runtime.list_pod_sandboxes(&SandboxFilter::default()).is_empty());
            assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
            for directory in [lab.config.state.join("sandboxes"), lab.config.root.join("containers")] {
                assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0);
            }
            assert_eq!(lab.groups_below(), ["shims"]);
        }),
        test("limits_change_while_a_container_runs", |lab| async move {
            if !crate::kit::has_limits() {
                return;
            }
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let resources = Resources {
                memory_limit: Some(64 << 20),
                cpu_quota: Some(20_000),
                cpu_period: Some(100_000),
                pids_limit: Some(77),
                ..Resources::default()
            };
            lab.runtime.update_container_resources(&id, &resources).await.unwrap();
            assert_eq!(lab.runtime.container_status(&id).unwrap().resources, resources);
            let seen = lab.exec(&id, "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null").await.1;
            assert_eq!(seen, "77\n");
            lab.runtime.update_pod_sandbox_resources(&sandbox, &resources).unwrap();
            let stats = lab.runtime.container_stats(&id).unwrap();
            assert!(stats.usage.memory_bytes > 0 && stats.usage.pids >= 1 && stats.usage.cpu_nanos > 0, "{stats:?}");
            assert!(lab.runtime.pod_sandbox_stats(&sandbox).unwrap().pids >= 1);
        }),
        test("a_terminal_is_one_in_every_way", |lab| async move {
            let sandbox = lab.sandbox().await;
            let script =
                "tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo $TERM; ls -l /dev/console | cut -c1";
            let config = ContainerConfig { tty: true, ..lab.script("tty", script) };
            let (status, lines) = lab.run(&sandbox, config).await;
            assert_eq!(status.exit_code, Some(0));
            assert_eq!(lines, ["/dev/pts/0", "all", "xterm", "c"]);
        }),
        test("an_image_that_is_not_there_is_an_error", |lab| async move {
            let sandbox = lab.sandbox().await;
            let config = ContainerConfig { image: "localhost/none:1".to_owned(), ..lab.script("x", "") };
            let error = lab.runtime.create_container(&sandbox, config).await.unwrap_err().to_string();
            assert_eq!(error, "image `localhost/none:1` is not in the local store");
            let used = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let error = lab.runtime.images().remove(BUSYBOX).await.unwrap_err().to_string();
            assert_eq!(error, format!("image `{BUSYBOX}` is used by container {used}"));
        }),
        test("two_servers_do_not_share_a_directory", |lab| async move {
            let lab = &lab;
            let error = kpkg_runtime::Runtime::open(lab.config.clone()).await.unwrap_err().to_string();
            assert!(error.contains("used by another process"), "{error}");
        }),
        test("a_bad_sandbox_leaves_nothing_behind", |lab| async move {
            let missing = kpkg_runtime::SandboxConfig { netns: Some("/nowhere/net".into()), ..pod("bad") };
            let error = lab.runtime.run_pod_sandbox(missing).await.unwrap_err().to_string();
            assert!(error.contains("enter the network namespace /nowhere/net"), "{error}");
            let evil = kpkg_runtime::SandboxConfig { uid: "../x".to_owned(), ..pod("bad") };
            assert!(lab.runtime.run_pod_sandbox(evil).await.is_err());
            let evil = kpkg_runtime::SandboxConfig { cgroup_parent: Some("../../x".to_owned()), ..pod("bad") };
            assert!(lab.runtime.run_pod_sandbox(evil).await.is_err());
            assert_eq!(std::fs::read_dir(lab.config.state.join("sandboxes")).unwrap().count(), 0);
            assert_eq!(lab.groups_below(), ["shims"]);
        }),
    ]
}
