//! A chart as an archive: the same bytes on every machine.
//!
//! `Chart.yaml` comes first and the other files in the order of their names; times, owners and modes are fixed,
//! and the compressor has one setting. So an archive's digest says what is in it and nothing else.

use flate2::{Compression, GzBuilder};

use crate::chart::{Chart, File};
use crate::error::LoadError;

/// The time of every file unless another is given: the first that all tools can write.
pub const DEFAULT_TIME: u64 = 315_532_800;

/// What to change on the way into the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Another version for the chart.
    pub version: Option<String>,
    /// Another version of what the chart installs.
    pub app_version: Option<String>,
    /// The time of every file, in seconds since 1970.
    pub time: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { version: None, app_version: None, time: DEFAULT_TIME }
    }
}

/// A chart's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `NAME-VERSION.tgz`.
    pub file_name: String,
    /// The archive.
    pub bytes: Vec<u8>,
}

/// Packs a chart.
pub fn package(chart: &Chart, settings: &Settings) -> Result<Package, LoadError> {
    let mut metadata = chart.metadata.clone();
    let changed = settings.version.is_some() || settings.app_version.is_some();
    if let Some(version) = &settings.version {
        metadata.version.clone_from(version);
    }
    if let Some(version) = &settings.app_version {
        metadata.app_version.clone_from(version);
    }
    metadata.check().map_err(|problem| LoadError::Invalid(format!("validation: {problem}")))?;
    check_name(&metadata.name)?;
    if metadata.version.is_empty() || metadata.version.contains(['/', '\\']) {
        return Err(LoadError::Invalid(format!(
            "validation: chart.metadata.version {:?} is invalid",
            metadata.version
        )));
    }
    let missing: Vec<&str> = chart.missing_dependencies().into_iter().map(|it| it.name.as_str()).collect();
    if !missing.is_empty() {
        return Err(LoadError::Invalid(format!(
            "found in Chart.yaml, but missing in charts/ directory: {}",
            missing.join(", ")
        )));
    }
    let mut files: Vec<File> = chart.raw.clone();
    if changed {
        // Charts of version 1 declare their dependencies elsewhere.
        if metadata.api_version == "v1" {
            metadata.dependencies.clear();
        }
        let json = serde_json::to_value(&metadata).map_err(|error| LoadError::Invalid(error.to_string()))?;
        let text = kpkg_yaml::write_json(&json);
        for file in files.iter_mut().filter(|file| file.name == "Chart.yaml") {
            *file = File::new("Chart.yaml", text.as_bytes());
        }
    }
    let bytes = archive(&metadata.name, files, settings.time).map_err(LoadError::Archive)?;
    Ok(Package { file_name: format!("{}-{}.tgz", metadata.name, metadata.version), bytes })
}

/// A name that makes a folder's name: charts are unpacked under it.
pub fn check_name(name: &str) -> Result<(), LoadError> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(LoadError::Invalid(format!("validation: chart.metadata.name {name:?} is invalid")));
    }
    Ok(())
}

fn archive(name: &str, mut files: Vec<File>, time: u64) -> std::io::Result<Vec<u8>> {
    files.sort_by(|one, other| (one.name != "Chart.yaml", &one.name).cmp(&(other.name != "Chart.yaml", &other.name)));
    files.dedup_by(|one, other| one.name == other.name);
    // No name, no time, and an operating system that is none: nothing of this machine.
    let encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    let mut builder = tar::Builder::new(encoder);
    builder.mode(tar::HeaderMode::Deterministic);
    for file in &files {
        let mut header = tar::Header::new_gnu();
        let data = file.data();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        builder.append_data(&mut header, format!("{name}/{}", file.name), data)?;
    }
    builder.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{load_files, unpack};

    fn chart(order: &[usize]) -> Chart {
        let long = format!("templates/{}.yaml", "n".repeat(150));
        let files = [
            File::new("Chart.yaml", *b"# kept\napiVersion: v2\nname: demo\nversion: 1.0.0\n"),
            File::new("values.yaml", *b"a: 1\n"),
            File::new("templates/b.yaml", *b"b: {{ .Values.a }}\n"),
            File::new(long, *b"c: 1\n"),
        ];
        load_files(order.iter().map(|at| files[*at].clone()).collect()).expect("valid")
    }

    #[test]
    fn the_order_of_files_makes_no_difference() {
        let one = package(&chart(&[0, 1, 2, 3]), &Settings::default()).expect("packs");
        let other = package(&chart(&[3, 2, 0, 1]), &Settings::default()).expect("packs");
        assert_eq!(one, other);
        assert_eq!(one.file_name, "demo-1.0.0.tgz");
        let names: Vec<String> =
            unpack(&one.bytes).expect("whole").into_iter().map(|file| file.name.to_string()).collect();
        assert_eq!(names[0], "Chart.yaml");
        assert_eq!(names.len(), 4);
        assert!(names.iter().any(|name| name.len() > 150), "{names:?}");
        let text = unpack(&one.bytes).expect("whole")[0].text().into_owned();
        assert!(text.starts_with("# kept"), "{text}");
    }

    #[test]
    fn versions_are_changed_on_the_way() {
        let settings =
            Settings { version: Some("2.0.0+build".into()), app_version: Some("7".into()), ..Settings::default() };
        let packed = package(&chart(&[0, 1]), &settings).expect("packs");
        assert_eq!(packed.file_name, "demo-2.0.0+build.tgz");
        let text = unpack(&packed.bytes).expect("whole")[0].text().into_owned();
        assert_eq!(text, "apiVersion: v2\nappVersion: \"7\"\nname: demo\nversion: 2.0.0+build\n");
    }

    #[test]
    fn what_would_leave_its_folder_is_refused() {
        for name in ["", ".", "..", "a/b", "..\\a", "a\0b"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        let settings = Settings { version: Some("../../1.0.0".into()), ..Settings::default() };
        assert!(package(&chart(&[0]), &settings).is_err());
    }
}
