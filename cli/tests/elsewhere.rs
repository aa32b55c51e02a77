//! What kustomizations name elsewhere: repositories by git over HTTP, files, charts; from servers of the test's own,
//! good, slow, broken, and such as send on to others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n";
/// `me:s3cret`, as HTTP has it.
const LOGIN: &str = "Basic bWU6czNjcmV0";
/// No refusal takes so long.
const SOON: Duration = Duration::from_secs(60);

struct Ran {
    is_ok: bool,
    out: String,
    err: String,
}

/// Runs kpkg in a folder that is its home and holds its cache.
fn kpkg(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpkg"));
    command.args(args).current_dir(folder).env("HOME", folder).env("XDG_CACHE_HOME", folder.join("cache"));
    command.env_remove("KUBECONFIG").env_remove("KPKG_CACHE").env_remove("HTTP_PROXY").env_remove("http_proxy");
    let output = command.output().expect("kpkg starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { is_ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

// === Servers ===

/// A request, as far as the servers here look at it.
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut request = Self { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reader.take(length).read_to_end(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A server on loopback, and what it was sent to log in.
struct Server {
    address: String,
    logins: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request by a whole response; an empty one means that the connection is closed.
    fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let logins: Arc<Mutex<Vec<String>>> = Arc::default();
        let (noted, answer) = (Arc::clone(&logins), Arc::new(answer));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = Request::read(&stream) else { return };
                    noted.lock().expect("no panic").extend(request.header("authorization").map(str::to_owned));
                    let _ = stream.write_all(&answer(&request));
                });
            }
        });
        Self { address, logins }
    }

    fn logins(&self) -> Vec<String> {
        self.logins.lock().expect("no panic").clone()
    }
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Git's own server program, behind a login if one is wanted.
fn git(root: &Path, login: Option<&'static str>) -> Server {
    let root = root.to_owned();
    Server::start(move |request| {
        if login.is_some() && request.header("authorization") != login {
            return response("401 Unauthorized", "www-authenticate: Basic realm=\"git\"\r\n", b"");
        }
        backend(&root, request)
    })
}

fn backend(root: &Path, request: &Request) -> Vec<u8> {
    let mut program = Command::new("git");
    program.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    program.env("REQUEST_METHOD", &request.method).env("PATH_INFO", &request.path).env("QUERY_STRING", &request.query);
    program.env("CONTENT_LENGTH", request.body.len().to_string());
    let passed = [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "HTTP_GIT_PROTOCOL"),
    ];
    program.envs(passed.iter().filter_map(|(header, name)| Some((name, request.header(header)?))));
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("git runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let body = request.body.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let output = child.wait_with_output().expect("git ends").stdout;
    let _ = writer.join();
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let headers: String =
        head.lines().filter(|line| !line.starts_with("Status: ")).map(|line| format!("{line}\r\n")).collect();
    response(status, &headers, output.get(end + 4..).unwrap_or_default())
}

/// A repository `repo` with a base in it, tagged `v1`; the commit.
fn repository(folder: &Path) -> (PathBuf, String) {
    let top = folder.join("served");
    let root = top.join("repo");
    write(&root, "base/kustomization.yaml", "namePrefix: far-\nresources: [pod.yaml]\n");
    write(&root, "base/pod.yaml", POD);
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&root).env("HOME", folder).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]);
        let output = git.args(args).output().expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=base"]);
    git(&["tag", "v1"]);
    let commit = git(&["rev-parse", "HEAD"]);
    (top, commit)
}

/// Builds what lies at an address; a failure must come soon and print nothing.
fn build(folder: &Path, resource: &str) -> Ran {
    write(folder, "kustomization.yaml", &format!("resources: ['{resource}']\n"));
    let start = Instant::now();
    let ran = kpkg(folder, &["build"]);
    assert!(start.elapsed() < SOON, "{resource} took {:?}", start.elapsed());
    assert!(ran.is_ok || ran.out.is_empty(), "{resource}: {}", ran.out);
    ran
}

fn built(folder: &Path, resource: &str) {
    let ran = build(folder, resource);
    assert!(ran.is_ok, "{resource}: {}", ran.err);
    assert_eq!(ran.out, POD.replace("web", "far-web"), "{resource}");
}

// === Tests ===

#[test]
fn repositories_over_http() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (root, commit) = repository(folder);
    let server = git(&root, None);
    let at = |query: &str| format!("http://{}/repo//base{query}", server.address);
    for query in ["?ref=v1", "?ref=main", "?version=v1&timeout=60s"] {
        built(folder, &at(query));
    }
    let missing = build(folder, &at("?ref=nosuch"));
    assert!(!missing.is_ok && missing.err.contains("nosuch"), "{}", missing.err);
    let elsewhere = build(folder, &format!("http://{}/other//base?ref=v1", server.address));
    assert!(!elsewhere.is_ok && elsewhere.err.contains("not found"), "{}", elsewhere.err);

    // A commit is fetched once.
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let counting = Server::start(move |request| {
        *count.lock().expect("no panic") += 1;
        backend(&root, request)
    });
    let pinned = format!("http://{}/repo//base?ref={commit}", counting.address);
    built(folder, &pinned);
    let requests = *asked.lock().expect("no panic");
    built(folder, &pinned);
    assert!(requests > 0 && *asked.lock().expect("no panic") == requests);
}

#[test]
fn logins_stay_where_they_belong() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (root, _) = repository(folder);
    let server = git(&root, Some(LOGIN));
    let host = &server.address;

    let refused = build(folder, &format!("http://{host}/repo//base?ref=v1"));
    assert!(!refused.is_ok && refused.err.contains("terminal prompts disabled"), "{}", refused.err);
    built(folder, &format!("http://me:s3cret@{host}/repo//base?ref=v1"));
    let wrong = [
        format!("http://me:s3cret@{host}/repo//base?ref=nosuch"),
        format!("http://me:s3cret@{host}/repo//nosuch?ref=v1"),
        format!("http://me:s3cret@{host}/none.yaml"),
        "http://me:s3cret@127.0.0.1:1/repo//base?ref=v1".to_owned(),
    ];
    for address in wrong {
        let ran = build(folder, &address);
        assert!(!ran.is_ok && !ran.err.contains("s3cret"), "{}", ran.err);
    }
    std::fs::remove_file(folder.join("kustomization.yaml")).expect("removed");
    let kept = Command::new("grep").args(["-rl", "s3cret"]).arg(folder).output().expect("grep runs");
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "");

    // Another server asks for a login, too: it is not for that one.
    let other = git(&root, Some(LOGIN));
    let location = format!("http://{}", other.address);
    let sender = Server::start(move |request| {
        let to = format!("location: {location}{}?{}\r\n", request.path, request.query);
        response("302 Found", &to, b"")
    });
    for resource in ["repo//base?ref=v1", "pod.yaml"] {
        let ran = build(folder, &format!("http://me:s3cret@{}/{resource}", sender.address));
        assert!(!ran.is_ok && !ran.err.contains("s3cret"), "{}", ran.err);
    }
    assert_eq!(other.logins(), [""; 0]);
}

#[test]
fn bad_servers_are_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (root, _) = repository(folder);
    let good = git(&root, None);
    let to = format!("http://{}", good.address);
    let sends_on = Server::start(move |request| {
        response("301 Moved Permanently", &format!("location: {to}{}?{}\r\n", request.path, request.query), b"")
    });
    built(folder, &format!("http://{}/repo//base?ref=v1", sends_on.address));

    let around = Server::start(|request| response("302 Found", &format!("location: {}\r\n", request.path), b""));
    let servers = [
        around,
        Server::start(|_| Vec::new()),
        Server::start(|_| b"what?\r\n\r\n".to_vec()),
        Server::start(|_| response("500 Internal Server Error", "", b"broken")),
        Server::start(|_| response("200 OK", "content-type: text/html\r\n", b"<html>welcome</html>")),
        Server::start(|_| {
            let kind = "content-type: application/x-git-upload-pack-advertisement\r\n";
            response("200 OK", kind, b"001e# service=git-upload-pack\n0000ffffgarbage")
        }),
        Server::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nthe connection ends early".to_vec()),
    ];
    for (at, server) in servers.iter().enumerate() {
        for resource in ["repo//base?ref=v1", "pod.yaml"] {
            let ran = build(folder, &format!("http://{}/{resource}", server.address));
            assert!(!ran.is_ok && ran.err.contains(&server.address), "{at}: {}", ran.err);
        }
    }
    let silent = Server::start(|_| {
        std::thread::sleep(SOON);
        Vec::new()
    });
    let ran = build(folder, &format!("http://{}/repo//base?ref=v1&timeout=2s", silent.address));
    assert!(!ran.is_ok && ran.err.contains("cannot fetch"), "{}", ran.err);
}

#[test]
fn charts_from_a_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for args in [&["create", "shop"][..], &["package", "shop"]] {
        let ran = kpkg(folder, args);
        assert!(ran.is_ok, "{args:?}: {}", ran.err);
    }
    std::fs::remove_dir_all(folder.join("shop")).expect("removed");
    let archive = std::fs::read(folder.join("shop-0.1.0.tgz")).expect("an archive");
    let entry = |version: &str| {
        format!("  - {{apiVersion: v2, name: shop, version: {version}, urls: [files/shop-{version}.tgz]}}\n")
    };
    let index = format!("apiVersion: v1\nentries:\n  shop:\n{}{}", entry("0.1.0"), entry("0.0.9"));
    let server = Server::start(move |request| match request.path.as_str() {
        "/charts/index.yaml" => response("200 OK", "", index.as_bytes()),
        "/charts/files/shop-0.1.0.tgz" => response("200 OK", "", &archive),
        _ => response("404 Not Found", "", b""),
    });
    let build = |chart: &str, args: &[&str]| {
        let text = format!(
            "namePrefix: p-\nhelmCharts:\n- {{name: shop, repo: 'http://{}/charts', {chart}}}\n",
            server.address
        );
        write(folder, "kustomization.yaml", &text);
        kpkg(folder, &[&["build"][..], args].concat())
    };
    for chart in ["version: 0.1.0, releaseName: r", "releaseName: r, valuesInline: {replicaCount: 3}"] {
        let ran = build(chart, &["--enable-helm"]);
        assert!(ran.is_ok, "{chart}: {}", ran.err);
        assert!(ran.out.contains("name: p-r-shop\n"), "{}", ran.out);
        assert_eq!(ran.out.contains("replicas: 3"), chart.contains("valuesInline"), "{}", ran.out);
    }
    assert!(!folder.join("charts").exists(), "nothing is left in the kustomization's folder");
    let refused: [(&str, &[&str], &str); 4] = [
        ("version: 0.1.0", &[], "--enable-helm"),
        ("version: 0.1.0", &["--enable-helm", "--offline"], "nothing may be fetched"),
        ("version: 9.9.9", &["--enable-helm"], "9.9.9"),
        ("version: 0.0.9", &["--enable-helm"], "shop-0.0.9.tgz"),
    ];
    for (chart, args, reason) in refused {
        let ran = build(chart, args);
        assert!(!ran.is_ok && ran.out.is_empty() && ran.err.contains(reason), "{chart} {args:?}: {}", ran.err);
    }
}
