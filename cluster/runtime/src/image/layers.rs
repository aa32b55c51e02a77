//! Unpacked layers, named by what they and all below them contain.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use kpkg_oci::digest_of;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ahead::Ahead;
use super::layout::Layout;
use super::unpack::{self, Limits};
use super::{ImageError, hex};
use crate::durable::{self, Durability};

const BUFFER: usize = 256 << 10;
/// zstd windows up to 128 MiB: what `zstd --long` makes; more would be memory taken by a stranger.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What is known of an unpacked layer.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    chain: String,
    diff: String,
    parent: Option<String>,
}

/// The chain ids of layers, lowest first: each names a layer together with all below it.
pub(super) fn chain_ids(diff_ids: &[String]) -> Vec<String> {
    let mut chain: Vec<String> = Vec::with_capacity(diff_ids.len());
    for diff in diff_ids {
        let id = match chain.last() {
            None => diff.clone(),
            Some(below) => digest_of(format!("{below} {diff}").as_bytes()),
        };
        chain.push(id);
    }
    chain
}

impl Layout {
    /// The directory with a layer's files.
    pub(super) fn layer_files(&self, chain: &str) -> Result<PathBuf, ImageError> {
        Ok(self.layer(chain)?.join("fs"))
    }

    /// Whether a layer is unpacked.
    pub(super) fn has_layer(&self, chain: &str) -> bool {
        self.layer(chain).is_ok_and(|path| path.join("layer.json").exists())
    }

    /// Unpacks the stored blob `digest` as [`Self::unpack_layer_of`] does.
    pub(super) fn unpack_layer(&self, digest: &str, diff: &str, chain: &[String]) -> Result<(), ImageError> {
        let is_unpacked = chain.last().is_some_and(|id| self.has_layer(id));
        if is_unpacked { Ok(()) } else { self.unpack_layer_of(self.open_blob(digest)?.1, digest, diff, chain) }
    }

    /// Unpacks `blob`, whose digest is `digest`, as the last of `chain`; its uncompressed archive must have the
    /// digest `diff`. Nothing of it is visible before all of it is there and checked.
    pub(super) fn unpack_layer_of(
        &self,
        blob: impl Read + Send + 'static,
        digest: &str,
        diff: &str,
        chain: &[String],
    ) -> Result<(), ImageError> {
        let (id, below) = chain.split_last().ok_or_else(|| ImageError::Document {
            what: "an image".to_owned(),
            problem: "it has no layers".to_owned(),
        })?;
        if self.has_layer(id) {
            return Ok(());
        }
        let parents = below.iter().rev().map(|parent| self.layer_files(parent)).collect::<Result<Vec<_>, _>>()?;
        let ingest = self.ingest();
        let unfinished = tempfile::Builder::new().prefix("layer-").tempdir_in(&ingest);
        let unfinished = unfinished.map_err(ImageError::file("write into", &ingest))?;
        let files = unfinished.path().join("fs");
        std::fs::create_dir(&files).map_err(ImageError::file("make", &files))?;
        let found = unpack_checked(blob, &files, &parents)
            .map_err(|source| ImageError::Layer { layer: digest.to_owned(), source })?;
        if found != diff {
            return Err(ImageError::Digest {
                what: format!("layer {digest} unpacked"),
                found,
                expected: diff.to_owned(),
            });
        }
        let record = Record { chain: id.clone(), diff: diff.to_owned(), parent: below.last().cloned() };
        let document = unfinished.path().join("layer.json");
        durable::write_json(&document, &record, Durability::Process).map_err(ImageError::file("write", document))?;
        self.publish(unfinished, id)
    }

    /// Gives a finished layer its name, unless another process was first.
    fn publish(&self, unfinished: tempfile::TempDir, chain: &str) -> Result<(), ImageError> {
        let path = self.layer(chain)?;
        // A crash of the machine must not leave a named layer with empty files.
        let directory = File::open(unfinished.path()).and_then(|directory| Ok(rustix::fs::syncfs(directory)?));
        directory.map_err(ImageError::file("write", &path))?;
        match std::fs::rename(unfinished.path(), &path) {
            Ok(()) => {
                let _ = unfinished.keep(); // it is not there any more
                durable::sync_directory(&self.layers()).map_err(ImageError::file("write", self.layers()))
            }
            Err(_) if self.has_layer(chain) => Ok(()),
            Err(error) => Err(ImageError::file("make", path)(error)),
        }
    }
}

/// Unpacks while inflating and hashing; answers the digest of the uncompressed archive.
fn unpack_checked(blob: impl Read + Send + 'static, files: &Path, parents: &[PathBuf]) -> io::Result<String> {
    let mut reader = Hashing { inner: Ahead::new(decompress(blob)?)?, hash: Sha256::new() };
    unpack::unpack(&mut reader, files, parents, Limits::default())?;
    io::copy(&mut reader, &mut io::sink())?;
    Ok(format!("sha256:{}", hex(&reader.hash.finalize())))
}

/// The plain bytes of a reader, whatever it is compressed with: its first bytes tell.
pub(super) fn decompress(mut reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = [0; 4];
    let length = read_up_to(&mut reader, &mut magic)?;
    let whole = io::Cursor::new(magic).take(length as u64).chain(reader);
    let whole = BufReader::with_capacity(BUFFER, whole);
    Ok(match &magic[..length] {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(BUFFER, flate2::bufread::MultiGzDecoder::new(whole))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
        _ => Box::new(whole),
    })
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
