//! The charts that come with kpkg: inside the binary, so that they are at hand without any network.

/// The files below `charts/`, by path.
#[derive(rust_embed::Embed)]
#[folder = "$CARGO_MANIFEST_DIR/../charts"]
struct Charts;

/// The names of the bundled charts.
pub(crate) fn names() -> Vec<String> {
    let tops = Charts::iter().filter_map(|path| path.strip_suffix("/Chart.yaml").map(str::to_owned));
    tops.filter(|name| !name.contains('/')).collect()
}

/// The files of a bundled chart, by path inside it; `None` if there is no such chart.
pub(crate) fn files(name: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let prefix = format!("{name}/");
    let files: Vec<_> = Charts::iter()
        .filter_map(|path| Some((path.strip_prefix(&prefix)?.to_owned(), Charts::get(&path)?.data.into_owned())))
        .collect();
    (!files.is_empty()).then_some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_charts_carry_their_dependencies_and_recipes() {
        let mut names = names();
        names.sort();
        assert_eq!(names, ["mariadb", "nginx", "wordpress"]);
        let files = files("wordpress").expect("it is bundled");
        let has = |wanted: &str| files.iter().any(|(path, _)| path == wanted);
        assert!(has("Chart.yaml") && has("charts/mariadb/Chart.yaml") && has("images/wordpress.yaml"));
    }
}
