use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use tar::{EntryType, Header};

use super::*;

/// A layer in the making.
struct Maker {
    builder: tar::Builder<Vec<u8>>,
}

fn layer() -> Maker {
    Maker { builder: tar::Builder::new(Vec::new()) }
}

impl Maker {
    /// Adds an entry under exactly this name, however bad it is.
    fn raw(mut self, name: &str, kind: EntryType, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_000_000_000);
        if !link.is_empty() {
            header.set_link_name_literal(link).unwrap();
        }
        header.set_cksum();
        self.builder.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.raw(name, EntryType::Regular, "", content.as_bytes())
    }

    fn dir(self, name: &str) -> Self {
        self.raw(name, EntryType::Directory, "", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(name, EntryType::Symlink, target, b"")
    }

    fn hardlink(self, name: &str, target: &str) -> Self {
        self.raw(name, EntryType::Link, target, b"")
    }

    fn xattr(mut self, name: &str, value: &[u8]) -> Self {
        self.builder.append_pax_extensions([(format!("SCHILY.xattr.{name}").as_str(), value)]).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.builder.into_inner().unwrap()
    }

    /// Unpacks above the layers in `stack`, and adds the new one to them.
    fn on(self, stack: &mut Stack) -> io::Result<PathBuf> {
        let target = stack.dir.path().join(format!("layer-{}", stack.layers.len()));
        fs::create_dir(&target).unwrap();
        unpack(&self.bytes()[..], &target, &stack.layers, Limits { entries: 100, bytes: 100_000 })?;
        stack.layers.insert(0, target.clone());
        Ok(target)
    }

    fn alone(self) -> io::Result<(Stack, PathBuf)> {
        let mut stack = Stack::new();
        let path = self.on(&mut stack)?;
        Ok((stack, path))
    }
}

#[derive(Debug)]
struct Stack {
    dir: tempfile::TempDir,
    layers: Vec<PathBuf>,
}

impl Stack {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), layers: Vec::new() }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn is_whiteout(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path).unwrap();
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

fn is_opaque(path: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(path, lower::OPAQUE_XATTR, &mut value[..]) == Ok(1)
}

#[test]
fn files_have_what_the_archive_says() {
    if !is_root() {
        return;
    }
    let capability: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let maker = layer()
        .dir("a/")
        .xattr("security.capability", capability)
        .file("a/f", "content")
        .hardlink("a/g", "a/f")
        .symlink("a/s", "/etc/passwd")
        .raw("a/fifo", EntryType::Fifo, "", b"");
    let (_stack, root) = maker.alone().unwrap();
    let file = fs::metadata(root.join("a/f")).unwrap();
    assert_eq!(
        (file.uid(), file.gid(), file.mode() & 0o7777, file.mtime(), file.nlink()),
        (7, 8, 0o640, 1_000_000_000, 2)
    );
    assert_eq!(fs::metadata(root.join("a")).unwrap().mtime(), 1_000_000_000);
    assert_eq!(fs::read_link(root.join("a/s")).unwrap(), Path::new("/etc/passwd"));
    let mut value = [0; 32];
    let length = rustix::fs::lgetxattr(root.join("a/f"), "security.capability", &mut value[..]).unwrap();
    assert_eq!(&value[..length], capability);
}

/// CVE-2021-32760, CVE-2025-47290.
#[test]
fn nothing_leaves_the_layer() {
    if !is_root() {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let out = outside.path().to_str().unwrap();
    let refused: [(&str, Maker); 9] = [
        ("climbing", layer().file("../x", "")),
        ("climbing inside", layer().file("a/../../x", "")),
        ("climbing link", layer().file("f", "").hardlink("l", "../../etc/passwd")),
        ("link to nothing", layer().hardlink("l", &format!("{out}/secret"))),
        ("link to a directory", layer().dir("d/").hardlink("l", "d")),
        ("file as directory", layer().file("f", "").file("f/x", "")),
        ("endless links", layer().symlink("a", "b").symlink("b", "a").file("a/x", "")),
        ("whiteout of nothing", layer().file(".wh...", "")),
        ("whiteout device", layer().raw("w", EntryType::Char, "", b"")),
    ];
    for (name, maker) in refused {
        assert!(maker.alone().is_err(), "{name}");
    }
    // Links that lead out are followed inside, as a container would.
    let (_stack, root) = layer().symlink("out", out).file("out/new", "x").file("/abs", "y").alone().unwrap();
    assert_eq!(fs::read_to_string(root.join(out.trim_start_matches('/')).join("new")).unwrap(), "x");
    assert_eq!(fs::read_to_string(root.join("abs")).unwrap(), "y");
    let (_stack, root) = layer().symlink("up", "../../../..").file("up/etc/new", "x").alone().unwrap();
    assert_eq!(fs::read_to_string(root.join("etc/new")).unwrap(), "x");
    // CVE-2021-32760: attributes of what a link points to stay as they are.
    let before = fs::metadata(outside.path().join("secret")).unwrap();
    layer().symlink("l", &format!("{out}/secret")).symlink("l", &format!("{out}/secret")).alone().unwrap();
    let after = fs::metadata(outside.path().join("secret")).unwrap();
    assert_eq!((before.mode(), before.uid(), before.mtime()), (after.mode(), after.uid(), after.mtime()));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn too_much_is_refused() {
    if !is_root() {
        return;
    }
    let many = (0..101).fold(layer(), |maker, number| maker.file(&format!("f{number}"), ""));
    assert!(many.alone().unwrap_err().to_string().contains("too many entries"));
    let large = layer().raw("f", EntryType::Regular, "", &vec![0; 200_000]);
    assert!(large.alone().unwrap_err().to_string().contains("too large"));
    let mut cut = layer().file("f", &"x".repeat(2000)).bytes();
    cut.truncate(1000);
    let target = tempfile::tempdir().unwrap();
    assert!(unpack(&cut[..], target.path(), &[], Limits::default()).is_err());
    let lying = layer().xattr("user.x", &vec![0; 70_000]).file("f", "");
    assert!(lying.alone().is_err());
}

#[test]
fn deletions_become_overlayfs_marks() {
    if !is_root() {
        return;
    }
    let mut stack = Stack::new();
    layer().dir("a/").file("a/gone", "").file("a/kept", "").dir("b/").file("b/old", "").on(&mut stack).unwrap();
    let top = layer()
        .file("a/.wh.gone", "")
        .file("a/.wh.never", "")
        .file("a/.wh..wh.plnk", "")
        .dir("b/")
        .file("b/.wh..wh..opq", "")
        .file("b/new", "")
        .on(&mut stack)
        .unwrap();
    assert!(is_whiteout(&top.join("a/gone")));
    assert!(!top.join("a/never").exists() && !top.join("a/kept").exists());
    assert!(is_opaque(&top.join("b")) && !is_opaque(&top.join("a")));
    // What comes back after a deletion comes back alone.
    let next = layer().dir("a/gone/").file("a/gone/x", "").on(&mut stack).unwrap();
    assert!(next.join("a/gone/x").exists());
    let again = layer().file(".wh.a", "").dir("a/").file("a/fresh", "").on(&mut stack).unwrap();
    assert!(is_opaque(&again.join("a")) && again.join("a/fresh").exists());
}

#[test]
fn the_layers_below_show_through_what_is_implicit() {
    if !is_root() {
        return;
    }
    let mut stack = Stack::new();
    layer()
        .dir("home/")
        .file("home/f", "below")
        .dir("usr/")
        .dir("usr/bin/")
        .symlink("bin", "usr/bin")
        .on(&mut stack)
        .unwrap();
    let top = layer().file("home/g", "").file("bin/tool", "").hardlink("home/link", "home/f").on(&mut stack).unwrap();
    let home = fs::metadata(top.join("home")).unwrap();
    assert_eq!((home.uid(), home.mode() & 0o7777), (7, 0o640));
    assert!(top.join("usr/bin/tool").is_file() && fs::symlink_metadata(top.join("bin")).is_err());
    assert_eq!(fs::read_to_string(top.join("home/link")).unwrap(), "below");
    assert_eq!(fs::metadata(top.join("home/link")).unwrap().nlink(), 2);
    // A directory may take the place of a link, and a file that of a directory.
    let next = layer().dir("bin/").file("bin/x", "").file("home", "file").on(&mut stack).unwrap();
    assert!(next.join("bin/x").is_file() && next.join("home").is_file());
}

#[test]
fn overlayfs_own_attributes_are_not_for_images() {
    if !is_root() {
        return;
    }
    let maker = layer().xattr("trusted.overlay.redirect", b"/etc").dir("d/");
    let (_stack, root) = maker.alone().unwrap();
    let mut value = [0; 16];
    assert!(rustix::fs::lgetxattr(root.join("d"), "trusted.overlay.redirect", &mut value[..]).is_err());
}
