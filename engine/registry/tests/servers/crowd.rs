//! Processes that use one cache at a time, some of them killed: nothing is ever half-written.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kpkg_registry::cache::Cache;
use kpkg_registry::chart::{pull, push};
use kpkg_registry::oci::digest_of;

use crate::kit::{Lab, Server, archive};

/// Names the work of a process that a test starts.
const WORK: &str = "KPKG_TEST_WORK";

/// Not a test by itself: what the processes of the tests below do, until they are killed or done.
#[tokio::test]
async fn work() {
    let Ok(work) = std::env::var(WORK) else { return };
    let parts: Vec<&str> = work.split(' ').collect();
    let mut lab = Lab::new();
    lab.client.cache = Cache::at(parts[1].into());
    for round in 0..1_000_000_u32 {
        let number = u8::try_from(round % 20).unwrap();
        match parts[0] {
            "prune" => drop(lab.client.cache.prune(Duration::ZERO, 0)),
            "fill" => drop(lab.client.cache.put(&vec![number; 300_000])),
            "push" => {
                let registry = lab.client.registry(parts[2]).await.unwrap();
                let place = format!("oci://{}/crowd", parts[2]).parse().unwrap();
                let version = format!("1.0.{number}");
                push(&registry, &place, archive("web", &version), None).await.unwrap();
            }
            _ => {
                let registry = lab.client.registry(parts[2]).await.unwrap();
                let reference = format!("oci://{}/crowd/web:1.0.{}", parts[2], number % 3).parse().unwrap();
                let fetched = pull(&registry, &lab.client.cache, &reference, false).await.unwrap();
                assert_eq!(fetched.archive.bytes().unwrap(), archive("web", &fetched.version));
            }
        }
    }
}

struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Worker {
    /// `temporary` takes what a killed process leaves.
    fn start(work: &str, temporary: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crowd::work", "--nocapture"]).env(WORK, work).env("TMPDIR", temporary);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

#[tokio::test]
async fn processes_that_pull_push_and_prune_do_not_disturb_each_other_even_when_killed() {
    let Some(server) = Server::registry(false, false) else { return };
    let lab = Lab::new();
    let cache = lab.path("shared");
    let registry = lab.client.registry(&server.address).await.unwrap();
    let place = format!("oci://{}/crowd", server.address).parse().unwrap();
    for number in 0..3 {
        push(&registry, &place, archive("web", &format!("1.0.{number}")), None).await.unwrap();
    }
    let work = |kind: &str| format!("{kind} {} {}", cache.display(), server.address);
    let mut lasting: Vec<Worker> =
        ["pull", "prune", "fill", "push"].map(|kind| Worker::start(&work(kind), lab.dir.path())).into();
    for round in 0..12 {
        let doomed = ["pull", "fill", "push", "prune"].map(|kind| Worker::start(&work(kind), lab.dir.path()));
        std::thread::sleep(Duration::from_millis(150 + 20 * round));
        drop(doomed); // SIGKILL
    }
    for worker in &mut lasting {
        assert!(worker.runs(), "a process failed over what others did");
    }
    drop(lasting);
    let shared = Cache::at(cache.clone());
    for entry in shared.list().unwrap() {
        let hex = entry.digest.trim_start_matches("sha256:");
        let bytes = std::fs::read(cache.join("blobs/sha256").join(hex)).unwrap();
        assert_eq!(digest_of(&bytes), entry.digest, "a blob is half-written");
    }
    // What the killed left is taken once it has settled; what is pushed is whole.
    std::thread::sleep(Duration::from_secs(6));
    shared.prune(Duration::ZERO, 0).unwrap();
    assert_eq!(std::fs::read_dir(cache.join("incoming")).unwrap().count(), 0);
    for tag in registry.tags("crowd/web").await.unwrap() {
        let reference = format!("oci://{}/crowd/web:{tag}", server.address).parse().unwrap();
        let fetched = pull(&registry, &shared, &reference, false).await.unwrap();
        assert_eq!(fetched.archive.bytes().unwrap(), archive("web", &tag));
    }
}
