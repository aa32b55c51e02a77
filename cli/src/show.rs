//! Releases as text: Helm's status and list.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kpkg_release::Release;

/// A release's status as Helm prints it.
pub(crate) fn status(release: &Release) -> String {
    let mut text = format!("NAME: {}\n", release.name);
    if let Some(at) = release.info.last_deployed {
        text.push_str(&format!("LAST DEPLOYED: {}\n", ansi_c(at)));
    }
    text.push_str(&format!("NAMESPACE: {}\n", release.namespace));
    text.push_str(&format!("STATUS: {}\n", release.info.status));
    text.push_str(&format!("REVISION: {}\n", release.version));
    text.push_str(&format!("DESCRIPTION: {}\n", release.info.description));
    if !release.info.notes.trim().is_empty() {
        text.push_str(&format!("NOTES:\n{}\n", release.info.notes.trim()));
    }
    text
}

/// Go's `time.ANSIC` in the local time zone.
fn ansi_c(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%a %b %e %H:%M:%S %Y").to_string()
}

/// One release as Helm's list shows it.
pub(crate) fn list_row(release: &Release) -> [String; 7] {
    let updated = release.info.last_deployed.map_or_else(
        || "-".to_owned(),
        // Go's time.String.
        |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string(),
    );
    [
        release.name.clone(),
        release.namespace.clone(),
        release.version.to_string(),
        updated,
        release.info.status.to_string(),
        format!("{}-{}", release.chart_metadata("name"), release.chart_metadata("version")),
        release.chart_metadata("appVersion").to_owned(),
    ]
}

/// Columns as wide as their widest cell, a tab's worth apart.
pub(crate) fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headers.iter().map(|it| it.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    let mut text = line(headers.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "long".to_owned(), "x".to_owned()],
            vec!["bb".to_owned(), "c".to_owned(), String::new()],
        ];
        assert_eq!(table(&["N", "M", "O"], &rows), "N    M      O\na    long   x\nbb   c\n");
    }
}
