//! Files to a chart: folders, archives, or files already at hand.

mod archive;
mod assemble;
mod directory;
pub(crate) mod ignore;
mod typed;

use std::path::Path;

use crate::chart::{Chart, File};
use crate::error::LoadError;
use crate::metadata::Metadata;

pub use archive::{archived_metadata, unpack};
pub use assemble::read_values;
pub(crate) use assemble::{latin_1, merge_maps, split_documents};

/// The largest file of a chart, in bytes.
pub(crate) const MAX_FILE: u64 = 5 << 20;
/// The largest chart, unpacked, in bytes.
pub(crate) const MAX_CHART: u64 = 100 << 20;

/// Loads a chart from a folder or a `.tgz`.
pub fn load(path: &Path) -> Result<Chart, LoadError> {
    load_files(read_files(path)?)
}

/// As [`load`], but of a folder's files only those are read at once that say what the chart is and what its values are. Templates
/// are read when they are rendered, which those of charts that are switched off are not, and all others (documents, CRDs)
/// when a template asks for them: that is most of what charts hold. See [`Chart::check_read`].
pub fn load_to_render(path: &Path) -> Result<Chart, LoadError> {
    load_files(files_of(path, Reading::Needed)?)
}

/// Which files are read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    All,
    /// Those that say what the chart is.
    Needed,
}

/// The files of a folder or a `.tgz`, whatever they hold.
pub(crate) fn read_files(path: &Path) -> Result<Vec<File>, LoadError> {
    files_of(path, Reading::All)
}

/// The contents of a file of some size, within the bounds.
pub(crate) fn read_file(path: &Path, size: u64) -> Result<Vec<u8>, LoadError> {
    let read = std::fs::File::open(path).and_then(|file| directory::contents(file, size));
    read.map(without_bom).map_err(|source| LoadError::ReadFile { path: path.to_owned(), source })
}

fn files_of(path: &Path, reading: Reading) -> Result<Vec<File>, LoadError> {
    let read = |source| LoadError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(read)?.is_dir() {
        return directory::read_all(path, reading);
    }
    let bytes = std::fs::read(path).map_err(read)?;
    if !bytes.starts_with(&[0x1F, 0x8B, 0x08]) {
        return Err(LoadError::NotAnArchive { path: path.to_owned() });
    }
    unpack(&bytes)
}

/// What `Chart.yaml` says, unchecked.
pub(crate) fn read_metadata(bytes: &[u8]) -> Result<Metadata, String> {
    let mut metadata = Metadata::default();
    typed::metadata(bytes, &mut metadata)?;
    Ok(metadata)
}

/// Makes a chart of files that are at hand, such as those embedded in a program.
pub fn load_files(files: Vec<File>) -> Result<Chart, LoadError> {
    assemble::assemble(files, 0)
}

/// Editors put a byte order mark before texts; charts are better off without.
fn without_bom(mut bytes: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"\xEF\xBB\xBF";
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    bytes
}
