//! Starting a cluster in the background.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    net::UnixDatagram,
    process::{Child, Command},
};

use crate::{
    Error, Layout, Request, Settings, files,
    notify::{self, Notice},
    preflight, process, registry, status,
};

/// How long a start may take: the first one makes keys and may load kernel modules.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server's log that is longer is put aside at a start.
const LONGEST_LOG: u64 = 16 << 20;

/// A cluster that is up.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it keeps its things.
    pub layout: Layout,
    /// What was chosen for it.
    pub settings: Settings,
    /// Whether it was up before.
    pub was_running: bool,
}

/// Decides how the cluster runs, checks the machine, and makes the data directory.
pub async fn prepare(request: &Request) -> Result<(Layout, Settings), Error> {
    preflight::check_root()?;
    let _choosing = registry::Choosing::begin()?;
    let (layout, settings) = request.resolve().await?;
    if let Some(pid) = process::running(&layout)? {
        return Err(Error::Running { pid });
    }
    preflight::check(&layout, &settings).await?;
    layout.create()?;
    settings.save(&layout)?;
    registry::add(&layout, &settings)?;
    Ok((layout, settings))
}

/// Starts the cluster in a process of its own, `exe cluster run --detached`, and returns when its
/// node is ready. One that is running already is fine. `progress` is told each step.
pub async fn start(request: &Request, exe: &Path, mut progress: impl FnMut(&str)) -> Result<Started, Error> {
    let begun = Instant::now();
    loop {
        match prepare(request).await {
            Ok((layout, settings)) => {
                launch(&layout, &settings, exe, &mut progress).await?;
                return Ok(Started { layout, settings, was_running: false });
            }
            Err(Error::Running { .. }) => {
                progress("the server is running already");
                if let Some(started) = join_running(request, begun).await? {
                    return Ok(started);
                }
                // It was on its way out: a killed process holds its lock until its last page is gone.
            }
            Err(error) => return Err(error),
        }
    }
}

async fn launch(
    layout: &Layout,
    settings: &Settings,
    exe: &Path,
    progress: &mut impl FnMut(&str),
) -> Result<(), Error> {
    progress("starting the server");
    let socket_name = format!("@kpkg-start-{}-{}", settings.name, uuid::Uuid::new_v4());
    let address = notify::address(OsStr::new(&socket_name)).map_err(Error::system("make a socket"))?;
    let socket = std::os::unix::net::UnixDatagram::bind_addr(&address)
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .and_then(UnixDatagram::from_std)
        .map_err(Error::system("make a socket"))?;
    let mut child = spawn(layout, settings, exe, &socket_name)?;
    wait(&socket, &mut child, layout, progress).await
}

fn spawn(layout: &Layout, settings: &Settings, exe: &Path, socket: &str) -> Result<Child, Error> {
    let path = layout.log();
    if fs::metadata(&path).is_ok_and(|log| log.len() > LONGEST_LOG) {
        let older = path.with_extension("log.1");
        fs::rename(&path, &older).map_err(Error::file("rename", &path))?;
    }
    let log = File::options().create(true).append(true).open(&path).map_err(Error::file("open", &path))?;
    let twin = log.try_clone().map_err(Error::file("open", &path))?;
    Command::new(exe)
        .args(["-v", "cluster", "run", "--detached", "--name", &settings.name, "--data-dir"])
        .arg(layout.root())
        .args(["--api-port", &settings.api_port.to_string()])
        .env(notify::VARIABLE, socket)
        // Each of glibc's arenas keeps what was once used in it.
        .env("MALLOC_ARENA_MAX", "2")
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .env("NO_COLOR", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(twin)
        .spawn()
        .map_err(Error::file("run", exe))
}

/// Waits until the server says that it is ready, or gives up.
async fn wait(
    socket: &UnixDatagram,
    child: &mut Child,
    layout: &Layout,
    progress: &mut impl FnMut(&str),
) -> Result<(), Error> {
    let begun = Instant::now();
    let mut step = "starting the server".to_owned();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let length = tokio::select! {
            biased;
            length = socket.recv(&mut buffer) => length.map_err(Error::system("hear from the server"))?,
            _ = child.wait() => return Err(Error::Start { reason: last_words(layout), hint: None }),
            () = tokio::time::sleep(left) => return Err(Error::Timeout { waited: PATIENCE, step }),
        };
        match Notice::decode(&String::from_utf8_lossy(&buffer[..length])) {
            Some(Notice::Ready) => return Ok(()),
            Some(Notice::Failed { error, hint }) => return Err(Error::Start { reason: error, hint }),
            Some(Notice::Status(text)) => {
                progress(&text);
                step = text;
            }
            Some(Notice::Stopping) | None => {}
        }
    }
}

/// What a server said before it ended without a word to us.
fn last_words(layout: &Layout) -> String {
    let log = files::read(&layout.log()).ok().flatten().unwrap_or_default();
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let panic = lines.iter().rposition(|line| line.contains("panicked at"));
    let from = panic.unwrap_or(lines.len().saturating_sub(3));
    let last = lines.iter().skip(from).take(3).copied().collect::<Vec<_>>().join("\n");
    format!("the server ended; {} says\n{last}", layout.log().display())
}

/// Waits for a server that somebody else started; `None` if it ends.
async fn join_running(request: &Request, begun: Instant) -> Result<Option<Started>, Error> {
    let (layout, settings) = request.resolve().await?;
    while !status::is_ready(&layout, &settings).await {
        if process::running(&layout)?.is_none() {
            return Ok(None);
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::Timeout { waited: PATIENCE, step: "waiting for the node".to_owned() });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Some(Started { layout, settings, was_running: true }))
}
