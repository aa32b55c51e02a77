//! The archive loader: odd names and contents, damage to the archive inside its compression, and outside.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use kpkg_chart::{load_files, unpack};

/// An archive of files that a text lists: `=== NAME`, then what the file holds.
fn archive(text: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for part in text.split("=== ").skip(1) {
        let (name, data) = part.split_once('\n').unwrap_or((part, ""));
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        // Not through `append_data`, which would refuse the names that are of interest.
        if let Some(field) = header.as_old_mut().name.get_mut(..name.len()) {
            field.copy_from_slice(name.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, data.as_bytes()).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("in memory");
    gzip.finish().expect("in memory")
}

/// Tries one input.
pub(crate) fn run(input: &[u8]) {
    let _ = unpack(input).and_then(load_files);
    // The first bytes say where to damage the archive that the rest describes.
    let Some((damage, text)) = input.split_at_checked(4) else { return };
    let mut tar = archive(&String::from_utf8_lossy(text));
    let at = usize::from(u16::from_le_bytes([damage[0], damage[1]])) % tar.len();
    tar[at] ^= damage[2];
    let mut gzip = packed(&tar);
    let _ = unpack(&gzip).and_then(load_files);
    let at = usize::from(damage[3]) * gzip.len() / 256;
    gzip[at] ^= damage[2];
    let _ = unpack(&gzip).and_then(load_files);
}
