//! Makes an image from a root file system.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::blobs::BlobWriter;
use super::documents::{ConfigFile, Descriptor, Manifest, OCI_CONFIG, OCI_LAYER_GZIP, Rootfs, architecture};
use super::layers::decompress;
use super::layout::Layout;
use super::{ImageConfig, ImageError, hex};

/// Fast: the layer is unpacked on this machine at once; a registry compresses nobody's bytes.
const LEVEL: u32 = 1;

/// Stores the root file system as an image; answers the manifest's digest.
pub(super) fn import(layout: &Layout, rootfs: &Path, config: ImageConfig) -> Result<String, ImageError> {
    let (layer, diff) = store_layer(layout, rootfs)?;
    layout.unpack_layer(&layer.digest, &diff, std::slice::from_ref(&diff))?;
    store_documents(layout, vec![layer], vec![diff], config)
}

/// Writes configuration and manifest of an image whose layers are stored.
fn store_documents(
    layout: &Layout,
    layers: Vec<Descriptor>,
    diff_ids: Vec<String>,
    config: ImageConfig,
) -> Result<String, ImageError> {
    let config = ConfigFile {
        created: None, // the same input makes the same image
        architecture: architecture().to_owned(),
        os: "linux".to_owned(),
        config: Some(config.into()),
        rootfs: Rootfs { kind: "layers".to_owned(), diff_ids },
    };
    let config = to_json(&config)?;
    let config = Descriptor::new(OCI_CONFIG, layout.put_blob(&config)?, config.len() as u64);
    let manifest = Manifest::new(config, layers, BTreeMap::new());
    layout.put_blob(&to_json(&manifest)?)
}

pub(super) fn to_json<T: serde::Serialize>(document: &T) -> Result<Vec<u8>, ImageError> {
    serde_json::to_vec(document)
        .map_err(|error| ImageError::Document { what: "a new document".to_owned(), problem: error.to_string() })
}

fn store_layer(layout: &Layout, rootfs: &Path) -> Result<(Descriptor, String), ImageError> {
    let writer = GzEncoder::new(BlobWriter::new(layout)?, Compression::new(LEVEL));
    let mut writer = Hashing { inner: writer, hash: Sha256::new() };
    let written = if rootfs.is_dir() {
        write_tar(rootfs, &mut writer)
    } else {
        File::open(rootfs).and_then(decompress).and_then(|mut tar| copy_tar(&mut tar, &mut writer))
    };
    written.map_err(ImageError::file("read", rootfs))?;
    let diff = format!("sha256:{}", hex(&writer.hash.finalize()));
    let blob = writer.inner.finish().map_err(ImageError::file("write into", layout.ingest()))?;
    let (digest, size) = blob.commit(layout, "the new layer", None)?;
    Ok((Descriptor::new(OCI_LAYER_GZIP, digest, size), diff))
}

fn copy_tar(tar: &mut dyn Read, writer: &mut impl Write) -> io::Result<()> {
    io::copy(tar, writer).map(drop)
}

/// Writes a directory as a tar in the order of names, so that the same files make the same layer.
fn write_tar(rootfs: &Path, writer: &mut impl Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(writer);
    builder.follow_symlinks(false);
    let mut links = std::collections::HashMap::new();
    append(&mut builder, rootfs, Path::new(""), &mut links)?;
    builder.finish()
}

type Links = std::collections::HashMap<(u64, u64), std::path::PathBuf>;

fn append(builder: &mut tar::Builder<impl Write>, rootfs: &Path, relative: &Path, links: &mut Links) -> io::Result<()> {
    let path = rootfs.join(relative);
    let mut names: Vec<_> =
        fs::read_dir(&path)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    for name in names {
        let relative = relative.join(name);
        let path = rootfs.join(&relative);
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.file_type().is_socket() {
            continue;
        }
        if !metadata.is_dir() && metadata.nlink() > 1 {
            match links.entry((metadata.dev(), metadata.ino())) {
                std::collections::hash_map::Entry::Occupied(first) => {
                    append_link(builder, &relative, first.get(), &metadata)?;
                    continue;
                }
                std::collections::hash_map::Entry::Vacant(empty) => {
                    empty.insert(relative.clone());
                }
            }
        }
        append_capability(builder, &path)?;
        builder.append_path_with_name(&path, &relative)?;
        if metadata.is_dir() {
            append(builder, rootfs, &relative, links)?;
        }
    }
    Ok(())
}

fn append_link(
    builder: &mut tar::Builder<impl Write>,
    path: &Path,
    target: &Path,
    metadata: &fs::Metadata,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_metadata(metadata);
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    builder.append_link(&mut header, path, target)
}

/// File capabilities are the one extended attribute that programs in images depend on.
fn append_capability(builder: &mut tar::Builder<impl Write>, path: &Path) -> io::Result<()> {
    let mut value = [0; 64];
    match rustix::fs::lgetxattr(path, "security.capability", &mut value[..]) {
        Ok(length) => builder.append_pax_extensions([("SCHILY.xattr.security.capability", &value[..length])]),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
