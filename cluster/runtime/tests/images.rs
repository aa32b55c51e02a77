//! The image store: archives, names, removal, and a real registry (Debian's `docker-registry`).
//!
//! Unpacking keeps owners, so these tests need root; without it they pass without testing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use kpkg_runtime::image::{Credentials, ImageConfig, ImageError, ImageStore, ProgressEvent, PullOptions, silent};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

struct Lab {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("kpkg-image-test-").tempdir().unwrap();
        let store = ImageStore::open(&dir.path().join("root")).unwrap();
        Self { dir, store }
    }

    fn second_store(&self) -> ImageStore {
        ImageStore::open(&self.dir.path().join("second")).unwrap()
    }

    fn rootfs(&self, name: &str, content: &str) -> PathBuf {
        let rootfs = self.dir.path().join(name);
        fs::create_dir_all(rootfs.join("etc")).unwrap();
        fs::write(rootfs.join("etc/content"), content).unwrap();
        // The same content at another second would be another image.
        for path in ["etc/content", "etc", ""] {
            fs::File::open(rootfs.join(path)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        rootfs
    }

    async fn import(&self, name: &str, content: &str) -> kpkg_runtime::image::Image {
        let rootfs = self.rootfs("rootfs", content);
        self.store.import_rootfs_layer(&rootfs, config(), name).await.unwrap()
    }

    fn entries(&self, directory: &str) -> usize {
        fs::read_dir(self.dir.path().join("root").join(directory)).unwrap().count()
    }
}

fn config() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/bin/sh".to_owned()],
        cmd: vec!["-l".to_owned()],
        env: vec!["A=b".to_owned()],
        working_dir: "/work".to_owned(),
        user: "1:2".to_owned(),
        exposed_ports: vec!["80/tcp".to_owned()],
        volumes: vec!["/data".to_owned()],
        stop_signal: Some("SIGQUIT".to_owned()),
        labels: [("l".to_owned(), "v".to_owned())].into(),
    }
}

fn layer_content(root: &Path) -> Vec<String> {
    let layers = fs::read_dir(root.join("layers")).unwrap();
    let read = |layer: PathBuf| fs::read_to_string(layer.join("fs/etc/content")).unwrap();
    layers.map(|layer| read(layer.unwrap().path())).collect()
}

#[tokio::test]
async fn an_imported_image_is_found_by_all_its_names() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let image = lab.import("one", "x").await;
    assert_eq!(image.tags, ["docker.io/library/one:latest"]);
    assert_eq!(image.config, config());
    let again = lab.import("one:latest", "x").await;
    assert_eq!(again.id, image.id, "the same files make the same image");
    lab.store.tag("one", "example.com/two:3").unwrap();
    for name in ["one", "docker.io/library/one:latest", "example.com/two:3", &image.id, &image.id[7..19]] {
        assert_eq!(lab.store.resolve(name).unwrap().unwrap().id, image.id, "{name}");
    }
    for name in ["two", "one:2", "sha256:0000", "no such/name"] {
        assert!(lab.store.resolve(name).unwrap().is_none(), "{name}");
    }
    assert_eq!(lab.store.list().unwrap().len(), 1);
    assert_eq!(layer_content(&lab.dir.path().join("root")), ["x"]);
    let reopened = ImageStore::open(&lab.dir.path().join("root")).unwrap();
    assert_eq!(reopened.list().unwrap(), lab.store.list().unwrap());
}

#[tokio::test]
async fn removing_the_last_name_frees_what_nobody_else_needs() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let one = lab.import("one", "x").await;
    lab.store.tag("one", "alias").unwrap();
    lab.import("two", "y").await;
    let removed = lab.store.remove("one").await.unwrap();
    assert_eq!(
        (removed.untagged.as_slice(), removed.deleted.len()),
        (&["docker.io/library/one:latest".to_owned()][..], 0)
    );
    let removed = lab.store.remove(&one.id).await.unwrap();
    assert_eq!((removed.untagged, removed.deleted), (vec!["docker.io/library/alias:latest".to_owned()], vec![one.id]));
    assert!(removed.bytes > 0);
    assert_eq!((lab.entries("layers"), lab.entries("images/blobs/sha256"), lab.entries("images/names")), (1, 3, 1));
    assert!(matches!(lab.store.remove("one").await, Err(ImageError::NotFound { .. })));
    lab.store.remove("two").await.unwrap();
    assert_eq!((lab.entries("layers"), lab.entries("images/blobs/sha256"), lab.entries("images/ingest")), (0, 0, 0));
}

#[tokio::test]
async fn a_saved_image_loads_elsewhere_as_it_was() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let image = lab.import("example.com/app:1", "x").await;
    lab.import("other", "y").await;
    let archive = lab.dir.path().join("saved.tar");
    lab.store.save(&["example.com/app:1".to_owned(), "other".to_owned()], &archive).await.unwrap();
    let second = lab.second_store();
    let loaded = second.load(&archive).await.unwrap();
    assert_eq!(loaded.len(), 2);
    let found = second.resolve("example.com/app:1").unwrap().unwrap();
    assert_eq!((found.id, found.manifest, found.config), (image.id, image.manifest, image.config));
    let missing = lab.store.save(&["none".to_owned()], &archive).await.unwrap_err().to_string();
    assert_eq!(missing, "image `none` is not in the local store");
}

#[tokio::test]
async fn a_name_that_gets_another_meaning_frees_the_first() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let first = lab.import("app", "one").await;
    let second = lab.import("app", "two").await;
    assert!(lab.store.resolve(&first.id).unwrap().is_none());
    assert_eq!(lab.store.list().unwrap().into_iter().map(|image| image.id).collect::<Vec<_>>(), [second.id]);
    assert_eq!((lab.entries("layers"), lab.entries("images/blobs/sha256"), lab.entries("images/names")), (1, 3, 1));
}

#[tokio::test]
async fn unfinished_work_is_swept_when_its_process_is_gone_and_not_before() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let root = lab.dir.path().join("root");
    let scratch = lab.store.scratch_dir().unwrap();
    ImageStore::open(&root).unwrap();
    assert!(scratch.path().exists());
    fs::create_dir(root.join("images/ingest/left-by-a-crash")).unwrap();
    drop(scratch);
    ImageStore::open(&root).unwrap();
    assert_eq!(lab.entries("images/ingest"), 0);
}

/// What `docker save` wrote before it wrote OCI layouts.
fn old_docker_archive(lab: &Lab, path: &Path) {
    let layer = lab.dir.path().join("layer.tar");
    let status = Command::new("tar")
        .args(["-C", lab.rootfs("old", "old").to_str().unwrap(), "-cf"])
        .arg(&layer)
        .arg(".")
        .status();
    assert!(status.unwrap().success());
    use sha2::Digest;
    let layer_bytes = fs::read(&layer).unwrap();
    let hex = |bytes: &[u8]| sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"], "Env": null},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer_bytes))]},
    });
    let config = config.to_string();
    let name = format!("{}.json", hex(config.as_bytes()));
    let manifest =
        serde_json::json!([{"Config": name, "RepoTags": ["old:1"], "Layers": ["abc/layer.tar"]}]).to_string();
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in
        [("abc/layer.tar", &layer_bytes[..]), (&name, config.as_bytes()), ("manifest.json", manifest.as_bytes())]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    builder.finish().unwrap();
}

#[tokio::test]
async fn old_archives_plain_or_compressed_are_loaded() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let plain = lab.dir.path().join("old.tar");
    old_docker_archive(&lab, &plain);
    for (program, suffix) in [("true", ""), ("gzip", ".gz"), ("zstd", ".zst")] {
        if program != "true"
            && !Command::new(program).args(["-kq"]).arg(&plain).status().is_ok_and(|status| status.success())
        {
            continue;
        }
        let store = ImageStore::open(&lab.dir.path().join(format!("store{suffix}"))).unwrap();
        let images = store.load(&PathBuf::from(format!("{}{suffix}", plain.display()))).await.unwrap();
        assert_eq!(
            (images[0].tags.as_slice(), images[0].config.cmd.as_slice()),
            (&["docker.io/library/old:1".to_owned()][..], &["sh".to_owned()][..])
        );
        assert_eq!(layer_content(&lab.dir.path().join(format!("store{suffix}"))), ["old"]);
    }
}

#[tokio::test]
async fn a_damaged_archive_is_an_error_and_leaves_no_image() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    lab.import("app", &"x".repeat(100_000)).await;
    let archive = lab.dir.path().join("saved.tar");
    lab.store.save(&["app".to_owned()], &archive).await.unwrap();
    let bytes = fs::read(&archive).unwrap();
    let mut flipped = bytes.clone();
    flipped[600] ^= 1;
    let damaged = [bytes[..bytes.len() / 3].to_vec(), flipped, b"not a tar at all".repeat(100), Vec::new()];
    let second = lab.second_store();
    for (number, bytes) in damaged.into_iter().enumerate() {
        let path = lab.dir.path().join(format!("damaged-{number}.tar"));
        fs::write(&path, bytes).unwrap();
        let error = second.load(&path).await.unwrap_err();
        assert!(!error.to_string().is_empty(), "{number}");
    }
    assert!(second.list().unwrap().is_empty());
    assert_eq!(fs::read_dir(lab.dir.path().join("second/layers")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(lab.dir.path().join("second/images/ingest")).unwrap().count(), 0);
}

/// CVE-2023-25153: documents of an archive are not read into memory whatever their size.
#[tokio::test]
async fn gigantic_documents_of_an_archive_are_refused() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    for name in ["index.json", "manifest.json"] {
        let path = lab.dir.path().join("gigantic.tar");
        let mut builder = tar::Builder::new(fs::File::create(&path).unwrap());
        let parts = [("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()), (name, vec![b' '; 64 << 20])];
        for (name, bytes) in parts {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        builder.finish().unwrap();
        assert!(lab.store.load(&path).await.is_err(), "{name}");
        assert!(lab.store.list().unwrap().is_empty());
        assert_eq!(lab.entries("images/ingest"), 0);
    }
}

#[tokio::test]
async fn a_layer_that_is_not_what_the_configuration_says_is_refused() {
    if !is_root() {
        return;
    }
    let lab = Lab::new();
    let path = lab.dir.path().join("old.tar");
    old_docker_archive(&lab, &path);
    // The archive's configuration is right; the layer under its name is another one.
    let mut entries = tar::Archive::new(fs::File::open(&path).unwrap());
    let mut builder = tar::Builder::new(fs::File::create(lab.dir.path().join("lying.tar")).unwrap());
    for entry in entries.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().into_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        if name.ends_with("layer.tar") {
            let at = bytes.windows(3).position(|window| window == b"old").unwrap();
            bytes[at..at + 3].copy_from_slice(b"bad");
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.finish().unwrap();
    let error = lab.store.load(&lab.dir.path().join("lying.tar")).await.unwrap_err();
    assert!(matches!(error, ImageError::Digest { .. }), "{error}");
    assert!(lab.store.list().unwrap().is_empty());
}

/// A real registry on a free port of loopback.
struct Registry {
    child: Child,
    address: String,
    data: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    fn start(htpasswd: Option<&str>) -> Option<Self> {
        let data = tempfile::Builder::new().prefix("kpkg-registry-").tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let auth = match htpasswd {
            None => String::new(),
            Some(line) => {
                fs::write(data.path().join("htpasswd"), line).unwrap();
                format!("auth:\n  htpasswd:\n    realm: test\n    path: {}/htpasswd\n", data.path().display())
            }
        };
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n{auth}",
            data.path().join("data").display()
        );
        let path = data.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let child =
            Command::new("docker-registry").arg("serve").arg(path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let registry = Self { child: child.ok()?, address, data };
        for _ in 0..500 {
            if std::net::TcpStream::connect(&registry.address).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the registry does not come up");
    }

    /// The files of the registry's blobs, the largest first.
    fn blobs(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut pending = vec![self.data.path().join("data")];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                if entry.path().is_dir() {
                    pending.push(entry.path());
                } else if entry.file_name() == "data" {
                    files.push(entry.path());
                }
            }
        }
        files.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
        files
    }
}

#[tokio::test]
async fn what_is_pushed_to_a_registry_is_pulled_from_it() {
    let Some(registry) = is_root().then(|| Registry::start(None)).flatten() else { return };
    let lab = Lab::new();
    let name = format!("{}/team/app:1", registry.address);
    let image = lab.import(&name, "pushed").await;
    let options = PullOptions::default();
    let digest = lab.store.push(&name, &options, &silent).await.unwrap();
    assert_eq!(digest, image.manifest);
    let second = lab.second_store();
    let events = Mutex::new(Vec::new());
    let pulled = second.pull(&name, &options, &|event| events.lock().unwrap().push(event)).await.unwrap();
    assert_eq!((&pulled.id, &pulled.config), (&image.id, &image.config));
    assert_eq!(pulled.digests, [format!("{}/team/app@{digest}", registry.address)]);
    assert_eq!(layer_content(&lab.dir.path().join("second")), ["pushed"]);
    {
        let events = events.into_inner().unwrap();
        assert_eq!(events.first(), Some(&ProgressEvent::Resolving));
        assert!(
            events.iter().any(|event| matches!(event, ProgressEvent::Transferred { done, total, .. } if done == total))
        );
        assert_eq!(events.last(), Some(&ProgressEvent::Done));
    }
    // By digest, and once more with everything at hand.
    let by_digest = format!("{}/team/app@{digest}", registry.address);
    assert_eq!(second.pull(&by_digest, &options, &silent).await.unwrap().id, image.id);
    assert_eq!(second.resolve(&by_digest).unwrap().unwrap().id, image.id);
    for missing in [format!("{}/team/app:2", registry.address), format!("{}/nobody/x", registry.address)] {
        let error = second.pull(&missing, &options, &silent).await.unwrap_err();
        assert!(error.is_not_found(), "{error:?}");
    }
}

#[tokio::test]
async fn a_registry_that_sends_something_else_is_not_believed() {
    let Some(registry) = is_root().then(|| Registry::start(None)).flatten() else { return };
    let lab = Lab::new();
    let name = format!("{}/app:1", registry.address);
    lab.import(&name, &"x".repeat(300_000)).await;
    let options = PullOptions::default();
    lab.store.push(&name, &options, &silent).await.unwrap();
    let layer = registry.blobs().remove(0);
    let bytes = fs::read(&layer).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bad in [changed, bytes[..bytes.len() - 3].to_vec(), [&bytes[..], b"more"].concat()] {
        fs::write(&layer, bad).unwrap();
        let second = lab.second_store();
        assert!(second.pull(&name, &options, &silent).await.is_err());
        assert!(second.list().unwrap().is_empty());
        assert_eq!(fs::read_dir(lab.dir.path().join("second/layers")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(lab.dir.path().join("second/images/ingest")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_registry_with_a_login_wants_it() {
    // The password is `secret`.
    let line = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
    let Some(registry) = is_root().then(|| Registry::start(Some(line))).flatten() else { return };
    let lab = Lab::new();
    let name = format!("{}/app:1", registry.address);
    lab.import(&name, "x").await;
    let login = |password: &str| PullOptions {
        credentials: Some(Credentials::Basic { username: "user".to_owned(), password: password.to_owned() }),
        plain_http: false,
    };
    let anonymous = lab.store.push(&name, &PullOptions::default(), &silent).await.unwrap_err();
    assert!(anonymous.is_not_found(), "{anonymous:?}");
    assert!(lab.store.push(&name, &login("wrong"), &silent).await.is_err());
    lab.store.push(&name, &login("secret"), &silent).await.unwrap();
    lab.second_store().pull(&name, &login("secret"), &silent).await.unwrap();
    assert!(lab.second_store().pull(&name, &login("wrong"), &silent).await.unwrap_err().is_not_found());
}

/// Answers HTTP requests one after the other; every request's head is kept.
struct Server {
    address: String,
    heads: std::sync::Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str, &str) -> (String, Vec<u8>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = std::sync::Arc::new(Mutex::new(Vec::new()));
        let kept = std::sync::Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n")
                    && std::io::Read::read(&mut stream, &mut byte).is_ok_and(|count| count > 0)
                {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, body) = answer(&path, &head);
                kept.lock().unwrap().push(head);
                let answer =
                    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = std::io::Write::write_all(&mut stream, &[answer.as_bytes(), &body].concat());
            }
        });
        Self { address, heads }
    }
}

/// An image of one layer as a registry would send it: its manifest as JSON, and the blobs.
fn image() -> (serde_json::Value, Vec<u8>, Vec<u8>) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(100_000);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, "file", &vec![7; 100_000][..]).unwrap();
    let layer = tar.into_inner().unwrap();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}});
    let config = config.to_string().into_bytes();
    let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest(bytes), "size": bytes.len()});
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config), "layers": [descriptor("layer.v1.tar", &layer)]});
    (manifest, config, layer)
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[tokio::test]
async fn lies_of_a_registry_leave_nothing() {
    if !is_root() {
        return;
    }
    type Edit = fn(&mut serde_json::Value, &mut Vec<u8>, &mut Vec<u8>);
    let cases: [(&str, Edit, &str); 11] = [
        ("the truth", |_, _, _| {}, ""),
        ("a layer said to be longer", |it, _, _| it["layers"][0]["size"] = 200_000.into(), "digest"),
        ("a layer said to be shorter", |it, _, _| it["layers"][0]["size"] = 90_000.into(), "larger than 90000"),
        ("a gigantic layer", |it, _, _| it["layers"][0]["size"] = (1_u64 << 60).into(), "digest"),
        ("a layer of another type", |it, _, _| it["layers"][0]["mediaType"] = "text/html".into(), "layer"),
        ("a layer that is none", |_, _, layer| *layer = b"<html>".to_vec(), "digest"),
        ("a layer changed at its end", |_, _, layer| *layer.last_mut().unwrap() ^= 1, "digest"),
        (
            "one layer more",
            |it, _, _| {
                let layer = it["layers"][0].clone();
                it["layers"].as_array_mut().unwrap().push(layer);
            },
            "layers",
        ),
        ("another configuration", |_, config, _| config.push(b' '), "larger than"),
        ("a gigantic configuration", |it, _, _| it["config"]["size"] = (1_u64 << 40).into(), "configuration"),
        ("digests that are paths", |it, _, _| it["layers"][0]["digest"] = "sha256:../../x".into(), "not valid"),
    ];
    for (name, edit, want) in cases {
        let (mut manifest, mut config, mut layer) = image();
        edit(&mut manifest, &mut config, &mut layer);
        let config_digest = manifest["config"]["digest"].as_str().unwrap().to_owned();
        let server = Server::start(move |path, _| {
            let body = match path {
                path if path.contains("/manifests/") => manifest.to_string().into_bytes(),
                path if path.ends_with(&config_digest) => config.clone(),
                _ => layer.clone(),
            };
            ("200 OK".to_owned(), body)
        });
        let lab = Lab::new();
        let pulled = lab.store.pull(&format!("{}/app:1", server.address), &PullOptions::default(), &silent).await;
        if want.is_empty() {
            pulled.unwrap();
            continue;
        }
        let error = pulled.err().unwrap_or_else(|| panic!("{name} is believed"));
        let told = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(": ");
        assert!(told.contains(want), "{name}: {told}");
        assert!(lab.store.list().unwrap().is_empty(), "{name}");
        assert_eq!((lab.entries("layers"), lab.entries("images/ingest")), (0, 0), "{name}");
    }
    for (name, body) in
        [("a web page", b"<html>".to_vec()), ("a gigantic manifest", vec![b' '; 5 << 20]), ("nothing", Vec::new())]
    {
        let server = Server::start(move |_, _| ("200 OK".to_owned(), body.clone()));
        let lab = Lab::new();
        assert!(
            lab.store.pull(&format!("{}/app:1", server.address), &PullOptions::default(), &silent).await.is_err(),
            "{name}"
        );
        assert_eq!((lab.entries("images/blobs/sha256"), lab.entries("images/names")), (0, 0), "{name}");
    }
}

/// A connection that breaks in the middle of a layer: the rest is asked for, and unpacking goes on with it.
#[tokio::test]
async fn a_layer_goes_on_where_its_connection_broke() {
    if !is_root() {
        return;
    }
    let (manifest, config, layer) = image();
    let config_digest = manifest["config"]["digest"].as_str().unwrap().to_owned();
    let server = Server::start(move |path, head| {
        let from = head
            .to_lowercase()
            .find("range: bytes=")
            .map(|at| head[at + 13..].split('-').next().unwrap().parse().unwrap());
        match (path, from) {
            (path, _) if path.contains("/manifests/") => ("200 OK".to_owned(), manifest.to_string().into_bytes()),
            (path, _) if path.ends_with(&config_digest) => ("200 OK".to_owned(), config.clone()),
            // Half of it, ended as if it were whole.
            (_, None) => ("200 OK".to_owned(), layer[..layer.len() / 2].to_vec()),
            (_, Some(from)) => {
                let from: usize = from;
                ("206 Partial Content".to_owned(), layer[from..].to_vec())
            }
        }
    });
    let lab = Lab::new();
    lab.store.pull(&format!("{}/app:1", server.address), &PullOptions::default(), &silent).await.unwrap();
    let layers = fs::read_dir(lab.dir.path().join("root/layers")).unwrap();
    let files: Vec<PathBuf> = layers.map(|layer| layer.unwrap().path().join("fs/file")).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(fs::read(&files[0]).unwrap(), vec![7; 100_000]);
    assert_eq!(server.heads.lock().unwrap().iter().filter(|head| head.to_lowercase().contains("range:")).count(), 1);
}

#[tokio::test]
async fn a_login_is_not_shown_to_the_host_of_a_redirect() {
    // CVE-2020-15157
    if !is_root() {
        return;
    }
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#.to_vec();
    let elsewhere = {
        let config = config.clone();
        Server::start(move |_, _| ("200 OK".to_owned(), config.clone()))
    };
    let manifest = serde_json::json!({
        "schemaVersion": 2, "layers": [],
        "config": {"mediaType": "x", "digest": digest(&config), "size": config.len(), "urls": [format!("http://{}/x", elsewhere.address)]},
    });
    let (manifest, target) = (manifest.to_string().into_bytes(), elsewhere.address.clone());
    let registry = Server::start(move |path, head| {
        if path == "/v2/" || !head.to_lowercase().contains("authorization: basic") {
            ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"".to_owned(), Vec::new())
        } else if path.contains("/manifests/") {
            ("200 OK".to_owned(), manifest.clone())
        } else {
            (format!("307 Temporary Redirect\r\nLocation: http://{target}/blob"), Vec::new())
        }
    });
    let lab = Lab::new();
    let options = PullOptions {
        credentials: Some(Credentials::Basic { username: "user".to_owned(), password: "secret".to_owned() }),
        plain_http: false,
    };
    let pulled = lab.store.pull(&format!("{}/app:1", registry.address), &options, &silent).await;
    assert!(pulled.is_ok(), "{pulled:?}");
    let heads = elsewhere.heads.lock().unwrap();
    assert_eq!(heads.len(), 1);
    assert!(!heads[0].to_lowercase().contains("authorization"), "{}", heads[0]);
    assert!(registry.heads.lock().unwrap().iter().any(|head| head.to_lowercase().contains("authorization")));
}
