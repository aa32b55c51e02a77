//! Folders of files for tests, and the two programs that build them.

use std::path::{Path, PathBuf};
use std::process::Command;

use kpkg_overlay::{Options, build};

/// A folder of files, gone with the value.
pub(crate) struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    /// Files from one text: `=== path` begins each.
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for part in text.split("=== ").skip(1) {
            let (path, content) = part.split_once('\n').expect("a path and a content");
            let path = folder.path().join(path.trim());
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes folders");
            std::fs::write(path, content).expect("writes");
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What we make of a folder in it.
    pub(crate) fn ours(&self, folder: &str) -> Result<String, String> {
        let path = self.path().join(folder);
        let built = build(path.to_str().expect("a UTF-8 path"), &Options::default());
        built.and_then(|built| built.text()).map_err(|error| error.chain())
    }

    /// What the real Kustomize makes of it; `None` where there is none.
    pub(crate) fn theirs(&self, folder: &str) -> Option<Result<String, String>> {
        let output = Command::new(kubectl()?).arg("kustomize").arg(self.path().join(folder)).output().ok()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Some(if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) })
    }

    /// Whether both agree; says so where there is nothing to compare with.
    pub(crate) fn compare(&self, name: &str, folder: &str) {
        let ours = self.ours(folder);
        match (ours, self.theirs(folder)) {
            (_, None) => {}
            (Ok(ours), Some(Ok(theirs))) => assert_eq!(ours, theirs, "{name}"),
            (Err(_), Some(Err(_))) => {}
            (ours, Some(theirs)) => panic!("{name}: ours {ours:?}, Kustomize {theirs:?}"),
        }
    }
}

/// kubectl with Kustomize 5.8.1 in it, on the search path.
pub(crate) fn kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).filter(|file| file.is_file());
    let is_right = |file: &PathBuf| {
        let output = Command::new(file).args(["version", "--client"]).output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("Kustomize Version: v5.8.1"))
    };
    found.into_iter().find(is_right)
}
