//! A way to the API server that kills its user at a chosen request.
//!
//! `kubectl proxy` on a Unix socket stands in for TLS; in front of it, on loopback, requests are
//! counted, and at the chosen one the client is killed: before the server sees it, or after.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::{Machine, eventually};

/// The way.
pub struct Cutter {
    kubectl: Child,
    shared: Arc<Shared>,
    kubeconfig: PathBuf,
}

struct Shared {
    socket: PathBuf,
    /// Which client it is, of those that ran one after the other.
    run: AtomicUsize,
    count: AtomicUsize,
    limit: AtomicUsize,
    before: AtomicUsize,
    victim: AtomicU32,
}

/// When the client is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before the server has the request.
    Before,
    /// After the server answered it.
    After,
}

impl Cutter {
    /// Opens a way to the machine's cluster.
    ///
    /// # Panics
    ///
    /// If it cannot be opened.
    pub fn new(machine: &Machine) -> Self {
        let socket = machine.dir().join("api.sock");
        let mut kubectl = machine.kubectl_command(&["proxy", "--unix-socket"]);
        let kubectl = kubectl.arg(&socket).stdout(Stdio::null()).spawn().expect("kubectl runs");
        eventually("kubectl proxy listens", Duration::from_secs(30), || UnixStream::connect(&socket).ok());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let kubeconfig = machine.dir().join("cutter.kubeconfig");
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"Config","current-context":"c","users":[{{"name":"u","user":{{}}}}],
            "clusters":[{{"name":"c","cluster":{{"server":"http://127.0.0.1:{port}"}}}}],
            "contexts":[{{"name":"c","context":{{"cluster":"c","user":"u"}}}}]}}"#
        );
        std::fs::write(&kubeconfig, text).expect("the test's folder is writable");
        let shared = Arc::new(Shared {
            socket,
            run: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
            before: AtomicUsize::new(0),
            victim: AtomicU32::new(0),
        });
        let state = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = state.clone();
                std::thread::spawn(move || state.serve(client));
            }
        });
        Self { kubectl, shared, kubeconfig }
    }

    /// Runs `kpkg ARGS` on this way, outside the machine, and kills it at request `limit` (from 1).
    /// Answers its exit code, or `None` if it was killed.
    ///
    /// # Panics
    ///
    /// If kpkg cannot be started.
    pub fn kpkg(&self, args: &[&str], limit: usize, cut: Cut) -> Option<i32> {
        self.shared.run.fetch_add(1, Ordering::SeqCst);
        self.shared.count.store(0, Ordering::SeqCst);
        self.shared.limit.store(limit, Ordering::SeqCst);
        self.shared.before.store(usize::from(cut == Cut::Before), Ordering::SeqCst);
        self.shared.victim.store(0, Ordering::SeqCst);
        let log = std::fs::File::create(self.kubeconfig.with_extension("log")).expect("the folder is writable");
        let mut child = self.command(args).stderr(log).stdout(Stdio::null()).spawn().expect("kpkg runs");
        self.shared.victim.store(child.id(), Ordering::SeqCst);
        child.wait().expect("kpkg ends").code()
    }

    /// `kpkg ARGS` on this way, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::kpkg());
        command.args(args).env("KUBECONFIG", &self.kubeconfig).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// What the last kpkg said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.kubeconfig.with_extension("log")).unwrap_or_default()
    }

    /// How many requests the last kpkg sent.
    pub fn requests(&self) -> usize {
        self.shared.count.load(Ordering::SeqCst)
    }

    /// The kubeconfig of this way.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        // The program itself is a child of the `nsenter` that was started.
        let pid = self.kubectl.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|it| it.parse().ok()) {
            if let Some(child) = rustix::process::Pid::from_raw(child) {
                let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
            }
        }
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

impl Shared {
    /// Passes requests on, one after the other; ends with the connection, or the client.
    fn serve(&self, client: TcpStream) {
        let Ok(upstream) = UnixStream::connect(&self.socket) else { return };
        let answered = Arc::new(AtomicUsize::new(0));
        let (Ok(mut back), Ok(mut out)) = (upstream.try_clone(), client.try_clone()) else { return };
        let heard = answered.clone();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = back.read(&mut buffer) {
                heard.fetch_add(count, Ordering::SeqCst);
                if out.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = out.shutdown(std::net::Shutdown::Both);
        });
        let mut reader = BufReader::new(client);
        let mut upstream = upstream;
        while let Some(request) = read_request(&mut reader) {
            let run = self.run.load(Ordering::SeqCst);
            let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
            let limit = self.limit.load(Ordering::SeqCst);
            if number > limit {
                // Its sender is about to die; until then it hears nothing.
                std::thread::sleep(Duration::from_secs(3));
                return;
            }
            let last = number == limit;
            if last && self.before.load(Ordering::SeqCst) == 1 {
                self.kill(run);
                return;
            }
            let before = answered.load(Ordering::SeqCst);
            if upstream.write_all(&request).is_err() {
                return;
            }
            if last {
                for _ in 0..200 {
                    if answered.load(Ordering::SeqCst) > before {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                self.kill(run);
                return;
            }
        }
    }

    /// Kills the client of a run, unless it came to its end and another one runs.
    fn kill(&self, run: usize) {
        let is_over = || self.run.load(Ordering::SeqCst) != run;
        // The first request may come before its sender's number is known here.
        let victim = eventually("the client's number", Duration::from_secs(5), || {
            Some(self.victim.load(Ordering::SeqCst)).filter(|it| *it != 0 || is_over())
        });
        if is_over() {
            return;
        }
        let pid = i32::try_from(victim).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// One request with its body, as bytes; `None` at the end.
fn read_request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&line).to_lowercase();
        if let Some(value) = text.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        bytes.extend(&line);
        if text.trim().is_empty() {
            break;
        }
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    reader.read_exact(&mut bytes[start..]).ok()?;
    Some(bytes)
}
