//! Commands in containers, and attaching.

use std::time::Duration;

use kpkg_runtime::{ContainerConfig, ExecRequest, RuntimeError};
use libtest_mimic::Trial;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kit::test;

fn request(script: &str, tty: bool, stdin: bool) -> ExecRequest {
    ExecRequest { cmd: ["sh", "-c", script].map(str::to_owned).to_vec(), tty, stdin }
}

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_command_has_its_output_and_exit_code", |lab| async move {
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "export X=1; sleep 1000")).await;
            let cmd = ["sh", "-c", "echo $FROM_IMAGE; echo e >&2; exit 3"].map(str::to_owned);
            let result = lab.runtime.exec_sync(&id, &cmd, Duration::from_secs(20)).await.unwrap();
            assert_eq!((result.stdout, result.stderr, result.exit_code), (b"yes\n".to_vec(), b"e\n".to_vec(), 3));
            let error = lab.runtime.exec_sync(&id, &["nope".to_owned()], Duration::ZERO).await.unwrap_err().to_string();
            assert_eq!(error, "exec: \"nope\": executable file not found in $PATH");
            assert_eq!(lab.exec(&id, "kill -9 $$").await.0, 137);
            let big = lab.exec(&id, "head -c 5000000 /dev/zero | tr '\\0' x").await;
            assert_eq!((big.0, big.1.len()), (0, 5_000_000));
            // CVE-2022-31030
            let endless = lab.exec(&id, "head -c 40000000 /dev/zero | tr '\\0' x").await;
            assert_eq!((endless.0, endless.1.len()), (0, 16 << 20));
        }),
        test("a_command_over_its_time_is_killed_with_all_it_started", |lab| async move {
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let script = "sleep 2001 & (sleep 2002 & sleep 2003) & setsid sleep 2004 & trap '' TERM; sleep 2005";
            let cmd = ["sh", "-c", script].map(str::to_owned);
            let error = lab.runtime.exec_sync(&id, &cmd, Duration::from_millis(400)).await.unwrap_err();
            assert!(matches!(error, RuntimeError::ExecTimeout { .. }), "{error}");
            lab.until_async(|| async { lab.exec(&id, "ps | grep -c '[s]leep 200'").await.1 == "0\n" }).await;
        }),
        test("a_command_reads_its_input_to_the_end", |lab| async move {
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let mut streams = lab.runtime.exec(&id, request("cat; echo done", false, true)).await.unwrap();
            let mut stdin = streams.stdin.take().unwrap();
            let sent = vec![b'a'; 300_000];
            let (written, read) = tokio::join!(
                async {
                    stdin.write_all(&sent).await.unwrap();
                    stdin.shutdown().await.unwrap();
                },
                async {
                    let mut read = Vec::new();
                    streams.stdout.take().unwrap().read_to_end(&mut read).await.unwrap();
                    read
                }
            );
            let () = written;
            assert_eq!((read.len(), streams.wait.await.unwrap()), (sent.len() + 5, 0));
        }),
        test("a_command_with_a_terminal_is_resized_and_typed_to", |lab| async move {
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let script = "tty; read line; echo got $line; stty size; exit 4";
            let mut streams = lab.runtime.exec(&id, request(script, true, true)).await.unwrap();
            streams.resize.resize(100, 40).unwrap();
            let mut stdin = streams.stdin.take().unwrap();
            stdin.write_all(b"hello\n").await.unwrap();
            let mut text = String::new();
            streams.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
            assert_eq!(streams.wait.await.unwrap(), 4);
            for part in ["/dev/pts/0\r\n", "got hello\r\n", "40 100\r\n"] {
                assert!(text.contains(part), "{text:?}");
            }
            assert!(streams.stderr.is_none());
        }),
        test("who_leaves_a_command_ends_it", |lab| async move {
            let sandbox = lab.sandbox().await;
            let id = lab.start(&sandbox, lab.script("main", "sleep 1000")).await;
            let streams = lab.runtime.exec(&id, request("sleep 3001", false, false)).await.unwrap();
            assert_eq!(lab.exec(&id, "ps | grep -c '[s]leep 3001'").await.1, "1\n");
            drop(streams);
            lab.until_async(|| async { lab.exec(&id, "ps | grep -c '[s]leep 3001'").await.1 == "0\n" }).await;
        }),
        test("attaching_joins_input_and_output", |lab| async move {
            let sandbox = lab.sandbox().await;
            let script = "while read line; do echo out $line; echo err $line >&2; done; exit 2";
            let config = ContainerConfig { stdin: true, stdin_once: true, ..lab.script("main", script) };
            let id = lab.start(&sandbox, config).await;
            let mut first = lab.runtime.attach(&id).await.unwrap();
            let mut second = lab.runtime.attach(&id).await.unwrap();
            let mut stdin = first.stdin.take().unwrap();
            stdin.write_all(b"one\n").await.unwrap();
            for streams in [&mut first, &mut second] {
                let mut line = [0; 8];
                streams.stdout.as_mut().unwrap().read_exact(&mut line).await.unwrap();
                assert_eq!(&line, b"out one\n");
                streams.stderr.as_mut().unwrap().read_exact(&mut line).await.unwrap();
                assert_eq!(&line, b"err one\n");
            }
            // The input closes when the one it was for leaves, and the container sees its end.
            drop(second.stdin.take());
            drop(stdin);
            drop(first);
            assert_eq!(second.wait.await.unwrap(), 2);
            let mut rest = String::new();
            second.stdout.take().unwrap().read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "");
        }),
        test("who_attaches_and_does_not_read_holds_nobody_up", |lab| async move {
            // CVE-2022-23471, CVE-2025-64329
            let sandbox = lab.sandbox().await;
            let id = lab
                .start(&sandbox, lab.script("main", "sleep 0.3; head -c 20000000 /dev/zero | tr '\\0' x; echo; exit 0"))
                .await;
            let _lazy = lab.runtime.attach(&id).await.unwrap();
            assert_eq!(lab.runtime.wait_container(&id).await.unwrap().exit_code, Some(0));
        }),
        test("who_attaches_and_reads_slowly_gets_all_of_it", |lab| async move {
            let sandbox = lab.sandbox().await;
            let script = "sleep 0.3; head -c 3000000 /dev/zero | tr '\\0' x; exit 0";
            let id = lab.start(&sandbox, lab.script("main", script)).await;
            let mut streams = lab.runtime.attach(&id).await.unwrap();
            let mut stdout = streams.stdout.take().unwrap();
            let (mut total, mut buffer) = (0, vec![0; 100_000]);
            loop {
                match stdout.read(&mut buffer).await.unwrap() {
                    0 => break,
                    count => total += count,
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            assert_eq!((total, streams.wait.await.unwrap()), (3_000_000, 0));
        }),
        test("attaching_to_a_terminal_types_into_it", |lab| async move {
            let sandbox = lab.sandbox().await;
            let config = ContainerConfig {
                tty: true,
                stdin: true,
                ..lab.script("main", "read x; stty size; echo got $x; exit 1")
            };
            let id = lab.start(&sandbox, config).await;
            let mut streams = lab.runtime.attach(&id).await.unwrap();
            streams.resize.resize(90, 30).unwrap();
            streams.stdin.as_mut().unwrap().write_all(b"word\n").await.unwrap();
            let mut text = String::new();
            streams.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
            assert!(text.contains("30 90\r\n") && text.contains("got word\r\n"), "{text:?}");
            assert_eq!(streams.wait.await.unwrap(), 1);
        }),
    ]
}
