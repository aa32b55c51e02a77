//! Publishing, measured: pulls, large indexes and many dependencies, side by side with the real Helm where it does the same.
//!
//! Servers are Debian's registry and nginx on loopback; times are of whole processes, Helm's without the start of Python.
//! What no program can be quicker than is measured beside: the same bytes by `curl`, hashed by OpenSSL's assembly.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{packages, shell};

const REGISTRY: &str = "127.0.0.1:15917";
const SITE: &str = "127.0.0.1:15918";
/// A chart may have files of this size, and a hundred megabytes of them.
const FILE: usize = 4 << 20;
const FILES: usize = 24;
/// A layer of many files, some hundred megabytes of them, that shrink as programs and texts do.
const LAYER_FILE: usize = 128 << 10;
const LAYER_FILES: usize = 2400;
const ENTRIES: usize = 100_000;
const SUBCHARTS: usize = 100;

/// A folder with everything, and the servers.
struct Bench {
    dir: tempfile::TempDir,
    kpkg: PathBuf,
    python: PathBuf,
    servers: Vec<Child>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Prints the figures.
pub(crate) fn bench() -> Result<()> {
    packages::debian(&[&packages::BUILD[..], &packages::TESTS[..]].concat())?;
    let python = packages::python_tools()?.join("python");
    let kpkg = shell::optimised_kpkg()?;
    let dir = tempfile::Builder::new().prefix("kpkg-bench-publish-").tempdir()?;
    let mut bench = Bench { dir, kpkg, python, servers: Vec::new() };
    bench.serve()?;
    println!("{:>10} {:>10} {:>7}", "kpkg", "other", "ratio");
    bench.large_chart()?;
    bench.large_layer()?;
    bench.large_index()?;
    bench.many_dependencies()
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn serve(&mut self) -> Result<()> {
        let root = self.dir.path().display().to_string();
        std::fs::create_dir(self.path("site"))?;
        // Workers of another user must find their way in.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.dir.path(), permissions)?;
        let registry = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\nhttp: {{addr: '{REGISTRY}'}}\n"
        );
        std::fs::write(self.path("registry.yml"), registry)?;
        let nginx = format!(
            "pid {root}/pid;\nerror_log {root}/error.log;\nevents {{}}\nhttp {{\n  access_log off;\n  client_body_temp_path {root}/b;\n  \
             proxy_temp_path {root}/p;\n  fastcgi_temp_path {root}/f;\n  uwsgi_temp_path {root}/u;\n  scgi_temp_path {root}/s;\n  \
             server {{ listen {SITE}; root {root}/site; }}\n}}\n"
        );
        std::fs::write(self.path("nginx.conf"), nginx)?;
        let mut registry = Command::new("docker-registry");
        registry.arg("serve").arg(self.path("registry.yml"));
        let mut nginx = Command::new("/usr/sbin/nginx");
        // One process: a worker would outlive a master that is killed.
        nginx.arg("-c").arg(self.path("nginx.conf")).args(["-g", "daemon off; master_process off;"]);
        for (mut command, address) in [(registry, REGISTRY), (nginx, SITE)] {
            self.servers.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
            let up = (0..200).any(|_| {
                std::thread::sleep(Duration::from_millis(50));
                std::net::TcpStream::connect(address).is_ok()
            });
            ensure!(up, "no server at {address}");
        }
        Ok(())
    }

    fn kpkg(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kpkg);
        command.args(args).current_dir(self.dir.path()).env("HOME", self.dir.path());
        command.env("KPKG_CACHE", self.path("cache"));
        command
    }

    /// What a line of Python takes with Helm loaded.
    fn helm(&self, line: &str, runs: usize, before: impl Fn() -> Result<()>) -> Result<Duration> {
        let program = format!(
            "import time, helm_python as h\nh.helm_sdk_version()\nt = time.monotonic()\n{line}\nprint(time.monotonic() - t)"
        );
        let mut best = Duration::MAX;
        for _ in 0..runs {
            before()?;
            let mut command = Command::new(&self.python);
            command.args(["-c", &program]).current_dir(self.dir.path()).env("HOME", self.dir.path());
            let output = command.output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let seconds = String::from_utf8(output.stdout)?;
            let seconds: f64 = seconds.lines().last().unwrap_or_default().parse().context("Python prints the time")?;
            best = best.min(Duration::from_secs_f64(seconds));
        }
        Ok(best)
    }

    fn large_chart(&self) -> Result<()> {
        let chart = self.path("big");
        write(&chart.join("Chart.yaml"), b"apiVersion: v2\nname: big\nversion: 1.0.0\n")?;
        let mut noise = Noise(1);
        for at in 0..FILES {
            write(&chart.join(format!("files/{at}")), &noise.bytes(FILE))?;
        }
        let place = format!("oci://{REGISTRY}/charts");
        run(&mut self.kpkg(&["package", "big"]))?;
        let push = fastest(1, || Ok(()), || self.kpkg(&["push", "big-1.0.0.tgz", &place, "--plain-http"]))?;
        let helm_push =
            self.helm(&format!("h.push('big-1.0.0.tgz', 'oci://{REGISTRY}/helm', plain_http=True)"), 1, || Ok(()))?;
        let megabytes = std::fs::metadata(self.path("big-1.0.0.tgz"))?.len() as f64 / 1e6;
        let url = format!("http://{REGISTRY}/v2/charts/big/blobs/{}", self.digest_of("big-1.0.0.tgz")?);
        let curl = format!("curl --silent --fail --output blob {url}");
        let hash = "openssl dgst -sha256 blob";
        // What kpkg must do at least, one after the other.
        let floor = self.shell(&format!("{curl} && {hash}"), 5)?;
        let curl = self.shell(&curl, 5)?;
        let reread = self.shell(&format!("{hash} && cp blob copy"), 5)?;
        let remote = format!("{place}/big:1.0.0");
        let pull = || self.kpkg(&["pull", &remote, "--plain-http", "--destination", "pulled"]);
        let ours = fastest(5, || remove(&self.path("cache")).and_then(|()| remove(&self.path("pulled"))), pull)?;
        let cached = fastest(5, || remove(&self.path("pulled")), pull)?;
        let line = format!("h.pull('{place}/big', version='1.0.0', destination='.', plain_http=True)");
        let helm = self.helm(&line, 5, || Ok(()))?;
        row(push, helm_push, &format!("push of a chart of {megabytes:.0} MB, against Helm's"));
        row(ours, helm, "its pull, against Helm's");
        row(ours, floor, "the same, against the floor: curl, then sha256");
        row(ours, curl, "the same, against curl alone (no digest, no cache)");
        row(cached, reread, "its pull from the cache, against sha256 and cp");
        Ok(())
    }

    /// An image of one layer: fetched, checked, inflated, unpacked, and on the disk.
    fn large_layer(&self) -> Result<()> {
        let mut words = Words::new();
        for at in 0..LAYER_FILES {
            write(&self.path(&format!("rootfs/usr/share/{}/{at}", at % 40)), &words.text(LAYER_FILE))?;
        }
        self.shell("tar -C rootfs --sort=name --owner=0 --group=0 -cf layer.tar usr && gzip -1 -k layer.tar", 1)?;
        self.layout()?;
        let place = format!("docker://{REGISTRY}/image:1");
        self.shell(&format!("skopeo copy --quiet --dest-tls-verify=false oci:layout {place}"), 1)?;
        let megabytes = std::fs::metadata(self.path("layer.tar.gz"))?.len() as f64 / 1e6;
        let url = format!("http://{REGISTRY}/v2/image/blobs/{}", self.digest_of("layer.tar.gz")?);
        let clear = "rm -rf store copied files && mkdir files && sync -f .";
        let unpack = "tar -xzf layer.tar.gz -C files";
        let timed = |script: &str| {
            let before = || self.shell(clear, 1).map(drop);
            fastest(3, before, || self.command(script))
        };
        let skopeo = format!("skopeo copy --quiet --src-tls-verify=false {place} dir:copied");
        let copied = timed(&skopeo)?;
        let unpacked = timed(&format!("{skopeo} && {unpack}"))?;
        let durable = timed(&format!("{skopeo} && {unpack} && sync -f ."))?;
        let floor = timed(&format!(
            "curl --silent --fail --output blob {url} && openssl dgst -sha256 blob && {unpack} && openssl dgst -sha256 layer.tar && sync -f ."
        ))?;
        let name = format!("{REGISTRY}/image:1");
        let pull = || {
            let mut command = self.kpkg(&["image", "pull", &name, "--plain-http"]);
            command.env("KPKG_DATA_DIR", self.path("store"));
            command
        };
        let ours = fastest(3, || self.shell(clear, 1).map(drop), pull)?;
        row(
            ours,
            copied,
            &format!("pull of an image layer of {megabytes:.0} MB, against skopeo's copy, which unpacks nothing"),
        );
        row(ours, unpacked, "the same, against skopeo, then tar (which does not wait for the disk)");
        row(ours, durable, "the same, against skopeo, then tar, then sync");
        row(ours, floor, "the same, against curl, sha256, tar, sha256 of what was inflated, sync");
        Ok(())
    }

    /// An OCI layout with the layer.
    fn layout(&self) -> Result<()> {
        let put = |bytes: &[u8]| -> Result<(String, usize)> {
            std::fs::create_dir_all(self.path("layout/blobs/sha256"))?;
            std::fs::write(self.path("part"), bytes)?;
            let digest = self.digest_of("part")?;
            std::fs::rename(self.path("part"), self.path("layout/blobs").join(digest.replace(':', "/")))?;
            Ok((digest, bytes.len()))
        };
        let kind = "application/vnd.oci.image";
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            self.digest_of("layer.tar")?
        );
        let (config, config_size) = put(config.as_bytes())?;
        let (layer, layer_size) = put(&std::fs::read(self.path("layer.tar.gz"))?)?;
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{kind}.manifest.v1+json","config":{{"mediaType":"{kind}.config.v1+json","digest":"{config}","size":{config_size}}},"layers":[{{"mediaType":"{kind}.layer.v1.tar+gzip","digest":"{layer}","size":{layer_size}}}]}}"#
        );
        let (manifest, size) = put(manifest.as_bytes())?;
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{kind}.manifest.v1+json","digest":"{manifest}","size":{size}}}]}}"#
        );
        std::fs::write(self.path("layout/index.json"), index)?;
        std::fs::write(self.path("layout/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(())
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-ec", script]).current_dir(self.dir.path());
        command
    }

    fn shell(&self, script: &str, runs: usize) -> Result<Duration> {
        fastest(runs, || Ok(()), || self.command(script))
    }

    fn digest_of(&self, name: &str) -> Result<String> {
        let output = Command::new("sha256sum").arg(self.path(name)).output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok(format!("sha256:{}", text.split(' ').next().unwrap_or_default()))
    }

    fn large_index(&self) -> Result<()> {
        let mut text = "apiVersion: v1\nentries:\n".to_owned();
        for number in 0..ENTRIES / 10 {
            text.push_str(&format!("  chart-{number:05}:\n"));
            for version in 0..10 {
                text.push_str(&format!(
                    "  - apiVersion: v2\n    appVersion: 1.{version}.0\n    created: \"2024-01-01T00:00:00Z\"\n    \
                     description: Chart number {number} of a large repository\n    digest: {number:064x}\n    keywords:\n    - bench\n    \
                     name: chart-{number:05}\n    urls:\n    - charts/chart-{number:05}-0.{version}.0.tgz\n    version: 0.{version}.0\n"
                ));
            }
        }
        write(&self.path("site/index.yaml"), text.as_bytes())?;
        let site = format!("http://{SITE}");
        run(&mut self.kpkg(&["repo", "add", "large", &site]))?;
        let first = fastest(3, || remove(&self.path("cache")), || self.kpkg(&["repo", "update"]))?;
        let update = fastest(10, || Ok(()), || self.kpkg(&["repo", "update"]))?;
        let search = fastest(10, || Ok(()), || self.kpkg(&["search", "repository 777", "number"]))?;
        let helm = self.helm(&format!("h.repo_index('{site}')"), 1, || Ok(()))?;
        row(first, helm, "the first `repo update` of 100,000 entries, against Helm's reading of the index");
        row(
            update + search,
            helm,
            "`repo update` and `search` once it is kept, against the same (Helm keeps the text)",
        );
        println!("{} {:>10} {:>7}  of that, `search`", shown(search), "", "");
        Ok(())
    }

    fn many_dependencies(&self) -> Result<()> {
        let mut needs = String::new();
        for at in 0..SUBCHARTS {
            let name = format!("part-{at}");
            write(
                &self.path(&format!("parts/{name}/Chart.yaml")),
                format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n").as_bytes(),
            )?;
            write(&self.path(&format!("parts/{name}/templates/a.yaml")), &vec![b'#'; 20_000])?;
            run(&mut self.kpkg(&["package", &format!("parts/{name}"), "-d", "site"]))?;
            needs.push_str(&format!("- {{name: {name}, version: ^1.0.0, repository: 'http://{SITE}'}}\n"));
        }
        run(&mut self.kpkg(&["repo", "index", "site"]))?;
        let head = "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n";
        write(&self.path("umbrella/Chart.yaml"), format!("{head}{needs}").as_bytes())?;
        let clear = || remove(&self.path("umbrella/charts"));
        let update = fastest(
            3,
            || remove(&self.path("cache")).and_then(|()| clear()),
            || self.kpkg(&["dependency", "update", "umbrella"]),
        )?;
        let helm_update = self.helm("h.dependency_update('umbrella')", 3, clear)?;
        // Helm's lock has no digests; ours is written again.
        run(&mut self.kpkg(&["dependency", "update", "umbrella"]))?;
        let build = fastest(10, clear, || self.kpkg(&["dependency", "build", "umbrella"]))?;
        let helm_build = self.helm("h.dependency_build('umbrella')", 3, clear)?;
        row(update, helm_update, "`dependency update` of 100 subcharts, nothing kept");
        row(build, helm_build, "`dependency build` of 100 subcharts, ours from the cache");
        Ok(())
    }
}

/// Bytes that do not shrink.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut word = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 32).to_le_bytes()
        };
        (0..count / 4).flat_map(|_| <[u8; 4]>::try_from(&word()[..4]).unwrap_or_default()).collect()
    }
}

/// Bytes that shrink to about a third.
struct Words {
    noise: Noise,
    known: Vec<Vec<u8>>,
}

impl Words {
    fn new() -> Self {
        let mut noise = Noise(2);
        let known = (0..4096).map(|at| noise.bytes(4 + at % 8 / 4 * 4)).collect();
        Self { noise, known }
    }

    fn text(&mut self, count: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(count);
        while text.len() < count {
            for pair in self.noise.bytes(1024).chunks_exact(2) {
                let at = usize::from(u16::from_le_bytes([pair[0], pair[1]])) % self.known.len();
                text.extend_from_slice(&self.known[at]);
            }
        }
        text.truncate(count);
        text
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The shortest of some runs, each after the same preparation.
fn fastest(runs: usize, before: impl Fn() -> Result<()>, command: impl Fn() -> Command) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..runs {
        before()?;
        let mut command = command();
        let begun = Instant::now();
        run(&mut command)?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}

fn row(ours: Duration, other: Duration, what: &str) {
    println!("{} {} {:>6.1}x  {what}", shown(ours), shown(other), other.as_secs_f64() / ours.as_secs_f64());
}

fn shown(time: Duration) -> String {
    format!("{:>8.0}ms", time.as_secs_f64() * 1e3)
}
