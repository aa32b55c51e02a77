//! Commands that fetch something by a URL, as a user runs them; the server is the test's own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// Serves some files, and remembers the `authorization` headers it was sent.
struct Site {
    address: String,
    logins: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start(files: HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let logins: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&logins);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                for line in lines.take_while(|line| !line.is_empty()) {
                    if line.to_ascii_lowercase().starts_with("authorization: ") {
                        noted.lock().expect("no panic").push(line);
                    }
                }
                let (status, body) = match files.get(&path) {
                    Some(body) => ("200 OK", body.as_slice()),
                    None => ("404 Not Found", &b"<html>nothing</html>"[..]),
                };
                let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(&[head.as_bytes(), body].concat());
            }
        });
        Self { address, logins }
    }
}

/// Runs kpkg in a folder that is its home as well.
fn kpkg(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpkg"));
    command.args(args).current_dir(folder).env("HOME", folder).env_remove("KUBECONFIG").env_remove("KPKG_CACHE");
    command.output().expect("kpkg starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn values_come_from_urls_as_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(kpkg(folder.path(), &["create", "web"]).status.success());
    let files = [("/a/values.yaml", "replicaCount: 7\n"), ("/late.yaml", "replicaCount: 8\n"), ("/text", "from afar")];
    let site = Site::start(files.map(|(path, body)| (path.to_owned(), body.into())).into());
    let url = |path: &str| format!("http://{}{path}", site.address);
    let rendered = |args: &[&str]| {
        let ran = kpkg(folder.path(), &[&["template", "web"][..], args].concat());
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        text(&ran.stdout)
    };
    assert!(rendered(&["-f", &url("/a/values.yaml")]).contains("replicas: 7\n"));
    assert!(rendered(&["-f", &url("/a/values.yaml"), "-f", &url("/late.yaml")]).contains("replicas: 8\n"));
    let set = format!("fullnameOverride={}", url("/text"));
    assert!(rendered(&["--set-file", &set]).contains("from afar"));

    let missing = kpkg(folder.path(), &["template", "web", "-f", &url("/none.yaml")]);
    assert!(!missing.status.success() && missing.stdout.is_empty());
    assert!(
        text(&missing.stderr).contains(&format!("{} was not found", url("/none.yaml"))),
        "{}",
        text(&missing.stderr)
    );
}

/// GHSA-6w87-g839-9wv7 and CVE-2023-25163: a login in a URL is used, and seen nowhere, however much is logged.
#[test]
fn a_login_in_a_url_is_in_no_log() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(kpkg(folder.path(), &["create", "web"]).status.success());
    let site = Site::start([("/v.yaml".to_owned(), b"replicaCount: 7\n".to_vec())].into());
    for path in ["/v.yaml", "/none.yaml"] {
        let url = format!("http://user:s3cret@{}{path}", site.address);
        let ran =
            kpkg(folder.path(), &["-vvv", "template", "web", "-f", &url, "--trace", "Deployment/web:spec.replicas"]);
        let seen = text(&ran.stdout) + &text(&ran.stderr);
        assert!(seen.contains(&site.address), "{seen}");
        for secret in ["s3cret", "dXNlcjpzM2NyZXQ"] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
    let logins = site.logins.lock().expect("no panic");
    assert!(logins.iter().any(|line| line.contains("dXNlcjpzM2NyZXQ")), "{logins:?}");
}

/// CVE-2026-35205: where a signature is wanted, a missing one is a failure, and nothing is written.
#[test]
fn a_chart_without_its_proof_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert!(kpkg(path, &["create", "web"]).status.success());
    let packed = kpkg(path, &["package", "web"]);
    let whole = path.canonicalize().expect("a folder").join("web-0.1.0.tgz");
    let want = format!("Successfully packaged chart and saved it to: {}\n", whole.display());
    assert_eq!(text(&packed.stdout), want, "{}", text(&packed.stderr));
    let archive = std::fs::read(whole).expect("packed");
    let site = Site::start([("/web-0.1.0.tgz".to_owned(), archive)].into());
    std::fs::write(path.join("ring"), "").expect("a file");
    let url = format!("http://{}/web-0.1.0.tgz", site.address);
    for args in [
        &["pull", &url, "--verify", "--keyring", "ring", "-d", "got"][..],
        &["pull", &url, "--verify-key", "ring", "-d", "got"],
        &["pull", &url, "--prov", "-d", "elsewhere"],
        &["template", &url, "--verify", "--keyring", "ring"],
        &["verify", "web-0.1.0.tgz", "--keyring", "ring"],
        &["template", "web-0.1.0.tgz", "--verify", "--keyring", "ring"],
    ] {
        let ran = kpkg(path, args);
        assert!(!ran.status.success(), "{args:?}");
        assert!(!path.join("got").exists() && !path.join("elsewhere").exists(), "{args:?}");
    }
    let unsigned = ["package", "web", "--sign", "--key", "nobody", "--keyring", "ring", "-d", "got"];
    assert!(!kpkg(path, &unsigned).status.success());
    assert!(!path.join("got").exists(), "an archive that should be signed is not left unsigned");
    assert!(kpkg(path, &["pull", &url, "-d", "got"]).status.success());
}

/// CVE-2026-50162: where a link stands, it is replaced or refused, never followed.
#[test]
fn what_is_written_follows_no_links() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert!(kpkg(path, &["create", "web"]).status.success());
    assert!(kpkg(path, &["package", "web", "-d", "made"]).status.success());
    let archive = std::fs::read(path.join("made/web-0.1.0.tgz")).expect("packed");
    let site = Site::start([("/web-0.1.0.tgz".to_owned(), archive.clone())].into());
    let url = format!("http://{}/web-0.1.0.tgz", site.address);
    std::fs::write(path.join("precious"), "kept").expect("a file");
    std::fs::create_dir(path.join("got")).expect("a folder");
    std::os::unix::fs::symlink("../precious", path.join("got/web-0.1.0.tgz")).expect("a link");
    std::os::unix::fs::symlink("../made", path.join("got/web")).expect("a link");
    assert!(kpkg(path, &["pull", &url, "-d", "got"]).status.success());
    assert!(kpkg(path, &["package", "web", "-d", "got"]).status.success());
    assert!(!kpkg(path, &["pull", &url, "--untar", "-d", "got"]).status.success());
    assert_eq!(std::fs::read(path.join("precious")).expect("there"), b"kept");
    assert_eq!(std::fs::read(path.join("got/web-0.1.0.tgz")).expect("there"), archive);
    assert_eq!(std::fs::read_dir(path.join("made")).expect("there").count(), 1);
}
