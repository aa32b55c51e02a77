//! Archives into `charts/`: all of them or none.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kpkg_chart::Chart;

use super::{Archive, Outcome};
use crate::chart::metadata_of;
use crate::{Error, oci};

/// Writes the archives, and takes away those of other versions of the same charts.
pub(super) fn into_charts(folder: &Path, chart: &Chart, archives: &[Archive]) -> Result<Outcome, Error> {
    let charts = folder.join("charts");
    // A link here would make us write elsewhere.
    if fs::symlink_metadata(&charts).is_ok_and(|found| !found.is_dir()) {
        return Err(oci::Error::Setting(format!("{:?} is not a directory", charts.display().to_string())).into());
    }
    fs::create_dir_all(&charts).map_err(oci::Error::file("make", &charts))?;
    let mut ready = Vec::new();
    for archive in archives {
        let Some(bytes) = &archive.bytes else { continue };
        let mut file = tempfile::Builder::new()
            .prefix(".kpkg-")
            .tempfile_in(&charts)
            .map_err(oci::Error::file("write into", &charts))?;
        file.write_all(bytes).map_err(oci::Error::file("write", file.path()))?;
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(permissions).map_err(oci::Error::file("write", file.path()))?;
        ready.push((file, charts.join(format!("{}-{}.tgz", archive.name, archive.version))));
    }
    // Everything is on the disk: what follows are renames.
    let old = outdated(&charts, chart, archives, &ready.iter().map(|(_, path)| path.clone()).collect::<Vec<_>>())?;
    for (file, path) in ready {
        file.persist(&path).map_err(|error| oci::Error::file("write", &path)(error.error))?;
    }
    for path in old {
        fs::remove_file(&path).map_err(oci::Error::file("remove", &path))?;
    }
    let charts = archives.iter().map(|archive| format!("{} {}", archive.name, archive.version)).collect();
    Ok(Outcome { charts })
}

/// Archives in `charts/` that are of a dependency and not what was chosen for it.
fn outdated(charts: &Path, chart: &Chart, archives: &[Archive], fresh: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(charts).map_err(oci::Error::file("list", charts))? {
        let path = entry.map_err(oci::Error::file("list", charts))?.path();
        let is_archive = path.extension().is_some_and(|extension| extension == "tgz") && path.is_file();
        if !is_archive || fresh.contains(&path) {
            continue;
        }
        let bytes = fs::read(&path).map_err(oci::Error::file("read", &path))?;
        let Ok(metadata) = metadata_of(&bytes, "") else { continue };
        let ours = chart.metadata.dependencies.iter().any(|it| it.name == metadata.name && !it.repository.is_empty());
        if ours && archives.iter().any(|it| it.name == metadata.name) {
            found.push(path);
        }
    }
    Ok(found)
}
