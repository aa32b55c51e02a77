//! Choosing a version: ranges as Masterminds/semver reads them.

use kpkg_template::semver::{Range, Version};

use crate::{Error, oci};

/// The newest of some versions that fits; an empty wish is the newest that is no pre-release, and `devel`
/// allows those too. An exact version is found as it is written.
pub fn choose<'a>(
    what: &str,
    wanted: &str,
    devel: bool,
    known: impl IntoIterator<Item = &'a str>,
) -> Result<&'a str, Error> {
    let range_text = match wanted {
        "" if devel => ">0.0.0-0",
        "" => "*",
        other => other,
    };
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(exact) = known.iter().find(|version| **version == wanted) {
        return Ok(exact);
    }
    let range = Range::parse(range_text).map_err(|problem| {
        oci::Error::Setting(format!("{what}: `{wanted}` is no version or range of versions: {problem}"))
    })?;
    let mut parsed = sorted(&known);
    parsed.retain(|(version, _)| range.contains(version));
    parsed.first().map(|(_, text)| *text).ok_or_else(|| Error::NoVersion {
        what: what.to_owned(),
        wanted: range_text.to_owned(),
        known: some_of(&known),
    })
}

/// Versions, newest first; what is none is left out.
pub fn sorted<'a>(known: &[&'a str]) -> Vec<(Version, &'a str)> {
    let mut parsed: Vec<(Version, &str)> =
        known.iter().filter_map(|text| Version::parse(text).ok().map(|version| (version, *text))).collect();
    parsed.sort_by(|(one, _), (other, _)| other.compare(one));
    parsed
}

/// Whether a wish is one version and not a range.
pub fn is_exact(wanted: &str) -> bool {
    let dots = wanted.split(['-', '+']).next().unwrap_or_default().matches('.').count();
    dots == 2 && Version::parse(wanted).is_ok()
}

fn some_of(known: &[&str]) -> Option<String> {
    const SHOWN: usize = 5;
    let newest: Vec<&str> = sorted(known).into_iter().map(|(_, text)| text).take(SHOWN).collect();
    let more = if known.len() > SHOWN { ", ..." } else { "" };
    (!newest.is_empty()).then(|| format!("{}{more}", newest.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_that_fits_is_chosen() {
        let known = ["1.0.0", "1.2.0", "2.0.0-rc.1", "1.10.0", "nonsense", "v1.9.0"];
        let chosen = |wanted: &str, devel| choose("x", wanted, devel, known).ok();
        assert_eq!(chosen("", false), Some("1.10.0"));
        assert_eq!(chosen("", true), Some("2.0.0-rc.1"));
        assert_eq!(chosen("~1.2", false), Some("1.2.0"));
        assert_eq!(chosen("1.9.0", false), Some("v1.9.0"));
        assert_eq!(chosen(">=3", false), None);
        let error = choose("chart `x`", ">=3", false, known).expect_err("none");
        assert_eq!(
            error.to_string(),
            "chart `x`: no version fits `>=3` (there are 2.0.0-rc.1, 1.10.0, v1.9.0, 1.2.0, 1.0.0, ...)"
        );
    }

    #[test]
    fn exact_versions() {
        for (text, want) in [("1.2.3", true), ("v1.2.3+b", true), ("1.2", false), ("^1.2.3", false), ("1.2.x", false)] {
            assert_eq!(is_exact(text), want, "{text}");
        }
    }
}
