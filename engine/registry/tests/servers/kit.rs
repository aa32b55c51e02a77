//! Servers of a test's own, on loopback, gone with it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kpkg_chart::{Chart, File, load_files, package};
use kpkg_registry::cache::Cache;
use kpkg_registry::{Access, Client, Connections, Credentials, LoginFile};

/// A chart of a name and version.
pub(crate) fn chart(name: &str, version: &str) -> Chart {
    let yaml = format!("apiVersion: v2\nname: {name}\nversion: {version}\ndescription: A test\nappVersion: \"1\"\n");
    load_files(vec![
        File::new("Chart.yaml", yaml.as_bytes()),
        File::new("values.yaml", *b"text: hello\n"),
        File::new(
            "templates/config.yaml",
            *b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  text: {{ .Values.text }}\n",
        ),
    ])
    .unwrap()
}

/// Its archive.
pub(crate) fn archive(name: &str, version: &str) -> Vec<u8> {
    package::package(&chart(name, version), &package::Settings::default()).unwrap().bytes
}

/// A folder with a client whose cache and configuration are in it.
pub(crate) struct Lab {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) client: Client,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("kpkg-servers-").tempdir().unwrap();
        let client = Client {
            access: Access { plain_http: true, ..Access::default() },
            login: None,
            logins: LoginFile::at(dir.path().join("config.json")),
            cache: Cache::at(dir.path().join("cache")),
            repositories: dir.path().join("repositories.yaml"),
            connections: Connections::default(),
        };
        Self { dir, client }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The client with a login, whose password must never be seen.
    pub(crate) fn secret(mut self) -> Self {
        self.client.login = Some(Credentials::Basic { username: "user".into(), password: "s3cret".into() });
        self
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server program that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(mut command: Command, address: String, dir: tempfile::TempDir) -> Option<Self> {
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            println!("skipped: {} is not installed", command.get_program().display());
            return None;
        };
        let server = Self { child, address, dir };
        for _ in 0..500 {
            if TcpStream::connect(&server.address).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} does not come up", command.get_program().display());
    }

    /// Debian's registry. With `login`, `user` and `secret` are wanted; with `tls`, it has a certificate whose
    /// authority is in `ca.pem`.
    pub(crate) fn registry(login: bool, tls: bool) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("kpkg-registry-").tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let path = |name: &str| dir.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            path("data")
        );
        if tls {
            certificates(dir.path());
            config.push_str(&format!("  tls:\n    certificate: {}\n    key: {}\n", path("cert.pem"), path("key.pem")));
        }
        if login {
            // The password is `secret`.
            let line = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
            fs::write(dir.path().join("htpasswd"), line).unwrap();
            config.push_str(&format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", path("htpasswd")));
        }
        fs::write(dir.path().join("config.yml"), config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(dir.path().join("config.yml"));
        Self::start(command, address, dir)
    }

    /// Debian's nginx, serving the folder `www`.
    pub(crate) fn nginx(extra: &str) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("kpkg-nginx-").tempdir().unwrap();
        let root = dir.path().display();
        fs::create_dir(dir.path().join("www")).unwrap();
        // Workers of another user must find their way in.
        let permissions: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(dir.path(), permissions).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let config = format!(
            "pid {root}/pid;\nerror_log {root}/error.log;\nworker_processes 1;\nevents {{}}\nhttp {{\n  access_log {root}/access.log;\n  \
             client_body_temp_path {root}/b;\n  proxy_temp_path {root}/p;\n  fastcgi_temp_path {root}/f;\n  \
             uwsgi_temp_path {root}/u;\n  scgi_temp_path {root}/s;\n  server {{\n    listen {address};\n    root {root}/www;\n    {extra}\n  }}\n}}\n"
        );
        fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let mut command = Command::new(program);
        // One process: a worker would outlive a master that is killed.
        command.arg("-c").arg(dir.path().join("nginx.conf")).args(["-g", "daemon off; master_process off;"]);
        Self::start(command, address, dir)
    }

    pub(crate) fn www(&self) -> PathBuf {
        self.dir.path().join("www")
    }

    pub(crate) fn requests(&self) -> String {
        fs::read_to_string(self.dir.path().join("access.log")).unwrap_or_default()
    }
}

/// A GnuPG home; its agent ends with it, also when the test fails.
pub(crate) struct GnuPg(PathBuf);

impl Drop for GnuPg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.0).args(["--kill", "all"]).output();
    }
}

impl GnuPg {
    /// `None` where there is no gpg.
    pub(crate) fn at(home: &Path) -> Option<Self> {
        if Command::new("gpg").arg("--version").output().is_err() {
            println!("skipped: gpg is not installed");
            return None;
        }
        fs::create_dir_all(home).unwrap();
        let permissions: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(home, permissions).unwrap();
        Some(Self(home.to_owned()))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        self.talk(&[&["--batch", "--yes"], arguments].concat(), b"")
    }

    /// Runs it with something to read.
    pub(crate) fn talk(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(&self.0).args(["--no-tty", "--pinentry-mode", "loopback"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

fn certificates(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut own = CertificateParams::new(Vec::new()).unwrap();
    own.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
    let own = own.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("cert.pem"), own.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// A request as a lying server sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.headers
            .iter()
            .find(|line| line.to_ascii_lowercase().starts_with(&prefix))
            .map(|line| &line[prefix.len()..])
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// Send the body in ten parts, with so much time before each.
    pub(crate) drip: Duration,
}

pub(crate) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into(), cut: None, drip: Duration::ZERO }
}

impl Answer {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn drip(mut self, pause: Duration) -> Self {
        self.drip = pause;
        self
    }

    pub(crate) fn cut(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self
    }
}

/// A server that answers whatever the test wants, and remembers what it was asked.
pub(crate) struct Liar {
    pub(crate) address: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Liar {
    pub(crate) fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (script, noted) = (Arc::new(script), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, noted) = (Arc::clone(&script), Arc::clone(&noted));
                std::thread::spawn(move || {
                    let _ = talk(stream, &*script, &noted);
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn talk(stream: TcpStream, script: &dyn Fn(&Seen) -> Answer, noted: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        headers.push(line.trim().to_owned());
    }
    let seen = Seen { method, path, headers };
    let length: u64 = seen.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    noted.lock().unwrap().push(seen.clone());
    let answer = script(&seen);
    let mut stream = stream;
    let mut text =
        format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())?;
    if seen.method != "HEAD" {
        let body = &answer.body[..answer.cut.unwrap_or(answer.body.len())];
        for part in body.chunks((body.len() / 10).max(1)) {
            stream.flush()?;
            std::thread::sleep(answer.drip);
            stream.write_all(part)?;
        }
    }
    stream.flush()
}
