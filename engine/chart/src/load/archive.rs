//! A chart's `.tgz`: bounded in size, its names kept inside the chart.

use std::io::{BufRead, Read};
use std::ops::ControlFlow;

use flate2::bufread::MultiGzDecoder;

use super::{MAX_CHART, MAX_FILE, load_files, without_bom};
use crate::chart::File;
use crate::error::LoadError;
use crate::metadata::Metadata;

/// Unpacks an archive in memory. The first part of every name, the chart's folder, is dropped.
pub fn unpack(bytes: &[u8]) -> Result<Vec<File>, LoadError> {
    let mut files = Vec::new();
    read(bytes, |file| {
        files.push(file);
        ControlFlow::Continue(())
    })?;
    if files.is_empty() {
        return Err(LoadError::Refused("no files in chart archive".to_owned()));
    }
    Ok(files)
}

/// What an archive's `Chart.yaml` says. Nothing behind it is looked at, and in most archives it comes first.
pub fn archived_metadata(archive: impl BufRead) -> Result<Metadata, LoadError> {
    let mut found = Vec::new();
    read(archive, |file| {
        if file.name != "Chart.yaml" {
            return ControlFlow::Continue(());
        }
        found.push(file);
        ControlFlow::Break(())
    })?;
    Ok(load_files(found)?.metadata)
}

/// Hands over the files of an archive until there is no need for more.
fn read(archive: impl BufRead, mut take: impl FnMut(File) -> ControlFlow<()>) -> Result<(), LoadError> {
    // Headers and padding cost little beside the files; the bound stops archives of nothing else.
    let unzipped = MultiGzDecoder::new(archive).take(MAX_CHART * 2);
    let mut archive = tar::Archive::new(unzipped);
    let mut remaining = MAX_CHART;
    for entry in archive.entries().map_err(LoadError::Archive)? {
        let mut entry = entry.map_err(LoadError::Archive)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            continue;
        }
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if raw.ends_with('/') {
            continue;
        }
        let name = inner_name(&raw)?;
        let size = entry.size();
        if size > remaining {
            return Err(too_large());
        }
        if size > MAX_FILE {
            return Err(LoadError::Refused(format!(
                "decompressed chart file {raw:?} is larger than the maximum file size {MAX_FILE}"
            )));
        }
        let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let read = entry.by_ref().take(remaining).read_to_end(&mut data).map_err(LoadError::Archive)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        remaining = remaining.saturating_sub(read);
        if read < size || remaining == 0 {
            return Err(too_large());
        }
        if take(File::new(name, without_bom(data))).is_break() {
            break;
        }
    }
    Ok(())
}

fn too_large() -> LoadError {
    LoadError::Refused(format!("decompressed chart is larger than the maximum size {MAX_CHART}"))
}

/// The name inside the chart's folder; names that lead elsewhere are refused.
fn inner_name(raw: &str) -> Result<String, LoadError> {
    let refuse = |problem: &str| Err(LoadError::Refused(problem.to_owned()));
    let delimiter = if raw.contains('\\') { '\\' } else { '/' };
    let (first, rest) = raw.split_once(delimiter).unwrap_or((raw, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return refuse("chart illegally contains absolute paths");
    }
    let name = kpkg_gopath::clean(&rest);
    if name == "." {
        return Err(LoadError::Refused(format!(
            "chart illegally contains content outside the base directory: {raw:?}"
        )));
    }
    if name.starts_with("..") {
        return refuse("chart illegally references parent directory");
    }
    if let [letter, b':', b'/', ..] = name.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return refuse("chart contains illegally named files");
    }
    if first == "Chart.yaml" {
        return refuse("chart yaml not in base directory");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        for (name, data) in entries {
            let mut header = tar::Header::new_gnu();
            // Written past the library, which would refuse such names.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *data).expect("in memory");
        }
        builder.into_inner().expect("complete").finish().expect("in memory")
    }

    #[test]
    fn names_stay_inside() {
        let cases = [
            ("c/../../etc/passwd", "chart illegally references parent directory"),
            ("c//etc/passwd", "chart illegally contains absolute paths"),
            ("c/.", "chart illegally contains content outside the base directory: \"c/.\""),
            ("c/C:/x", "chart contains illegally named files"),
            ("Chart.yaml", "chart illegally contains content outside the base directory: \"Chart.yaml\""),
        ];
        for (name, want) in cases {
            let error = unpack(&archive(&[(name, b"x")])).expect_err(name);
            assert_eq!(error.to_string(), want);
        }
    }

    #[test]
    fn bombs_are_refused() {
        let big = vec![0; usize::try_from(MAX_FILE).expect("fits") + 1];
        let error = unpack(&archive(&[("c/x", &big)])).expect_err("too large");
        assert!(error.to_string().contains("larger than the maximum file size"), "{error}");
        assert!(unpack(b"\x1f\x8b\x08garbage").is_err());
    }

    #[test]
    fn metadata_is_read_without_the_rest() {
        let head = b"apiVersion: v2\nname: c\nversion: 1.2.3\n";
        let big = vec![0; usize::try_from(MAX_FILE).expect("fits") + 1];
        let ours = archive(&[("c/Chart.yaml", head), ("c/x", &big)]);
        assert_eq!(archived_metadata(&ours[..]).expect("it comes first").version, "1.2.3");
        assert!(unpack(&ours).is_err());
        for bad in [&archive(&[("c/x", &big), ("c/Chart.yaml", head)])[..], &archive(&[("c/x", b"")]), b"<html>"] {
            assert!(archived_metadata(bad).is_err());
        }
    }

    #[test]
    fn unpacks() {
        let files = unpack(&archive(&[("c/Chart.yaml", b"\xEF\xBB\xBFname: c\n"), ("c\\a\\b", b"x")])).expect("valid");
        assert_eq!(files, [File::new("Chart.yaml", b"name: c\n"), File::new("a/b", b"x")]);
    }
}
