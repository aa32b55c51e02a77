//! The images that tests run, built from recipes once and kept as archives beside the build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A shell and small tools: what most pods of the tests run.
pub const BUSYBOX: &str = "kpkg.test/busybox:1";

/// The images of the bundled chart `wordpress`: the chart whose recipe makes it, and its reference.
pub const BUNDLED: [(&str, &str); 2] =
    [("mariadb", "docker.io/library/mariadb:10.11"), ("wordpress", "docker.io/library/wordpress:6.8-apache")];

/// One build at a time: they share the cache, and each keeps the processors busy.
static BUILDING: Mutex<()> = Mutex::new(());

/// The archive of `busybox`, for `kpkg image load`.
pub fn busybox() -> PathBuf {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/busybox.yaml");
    archive(&recipe, BUSYBOX)
}

/// The archive of a bundled chart's image.
pub fn bundled(chart: &str, reference: &str) -> PathBuf {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts");
    archive(&charts.join(chart).join(format!("images/{chart}.yaml")), reference)
}

/// Builds `recipe` unless its archive is newer than everything it is made from.
///
/// # Panics
///
/// If the build fails.
fn archive(recipe: &Path, reference: &str) -> PathBuf {
    let _one = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let kpkg = crate::kpkg();
    let cache = kpkg.parent().expect("kpkg is in a folder").join("test-images");
    std::fs::create_dir_all(&cache).expect("the cache can be made");
    let archive = cache.join(format!("{}.tar", reference.replace(['/', ':'], "_")));
    let folder = recipe.with_extension("");
    if newest(&[recipe.to_path_buf(), folder]) < modified(&archive) {
        return archive;
    }
    let store = tempfile::tempdir_in(&cache).expect("a temporary folder");
    let fresh = store.path().join("image.tar");
    run(&kpkg, store.path(), &["image", "build", &recipe.display().to_string(), "--tag", reference]);
    run(&kpkg, store.path(), &["image", "save", reference, "--output", &fresh.display().to_string()]);
    std::fs::rename(&fresh, &archive).expect("the archive can be moved");
    archive
}

fn run(kpkg: &Path, data_dir: &Path, args: &[&str]) {
    let output = Command::new(kpkg).args(args).env("KPKG_DATA_DIR", data_dir).output().expect("kpkg runs");
    assert!(output.status.success(), "kpkg {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|it| it.modified()).ok()
}

/// The newest change below `paths`.
fn newest(paths: &[PathBuf]) -> Option<std::time::SystemTime> {
    let below = |path: &PathBuf| {
        let children = std::fs::read_dir(path).into_iter().flatten().flatten().map(|it| it.path());
        children.filter_map(|child| modified(&child)).max().max(modified(path))
    };
    paths.iter().filter_map(below).max()
}
