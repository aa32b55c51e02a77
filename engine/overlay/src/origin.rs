//! Where a resource comes from and what changed it, as `buildMetadata` asks for.

/// A file, or the generator or transformer in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file, seen from the folder that is built.
    pub(crate) path: String,
    pub(crate) repo: String,
    pub(crate) reference: String,
    /// The file that configures the generator or transformer.
    pub(crate) configured_in: String,
    /// Its `apiVersion`, `kind`, `name` and `namespace`.
    pub(crate) configured_by: [String; 4],
}

impl Origin {
    /// The annotation that tells it.
    pub(crate) const ANNOTATION: &str = "config.kubernetes.io/origin";
    /// The annotation that tells what changed a resource.
    pub(crate) const CHANGES_ANNOTATION: &str = "alpha.config.kubernetes.io/transformations";

    /// This place and a path below it.
    pub(crate) fn join(&self, path: &str) -> Self {
        Self { path: join(&self.path, path), ..self.clone() }
    }

    /// A built-in generator or transformer of a kustomization file here.
    pub(crate) fn built_in(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: join(&self.path, file),
            configured_by: ["builtin".to_owned(), kind.to_owned(), String::new(), String::new()],
            ..self.clone()
        }
    }

    fn lines(&self) -> Vec<String> {
        let quoted = |text: &str| kpkg_yaml::write(&kpkg_yaml::Value::from(text)).trim_end().to_owned();
        let mut lines = Vec::new();
        let mut say = |indent: &str, key: &str, value: &str| {
            if !value.is_empty() {
                lines.push(format!("{indent}{key}: {}", quoted(value)));
            }
        };
        say("", "path", &self.path);
        say("", "repo", &self.repo);
        say("", "ref", &self.reference);
        say("", "configuredIn", &self.configured_in);
        if self.configured_by.iter().any(|part| !part.is_empty()) {
            lines.push("configuredBy:".to_owned());
            for (key, value) in ["apiVersion", "kind", "name", "namespace"].iter().zip(&self.configured_by) {
                if !value.is_empty() {
                    lines.push(format!("  {key}: {}", quoted(value)));
                }
            }
        }
        lines
    }

    /// The text of the annotation.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n") + "\n"
    }

    /// The text of the annotation that lists changes.
    pub(crate) fn list_text(list: &[Self]) -> String {
        let mut text = String::new();
        for origin in list {
            for (at, line) in origin.lines().iter().enumerate() {
                text.push_str(if at == 0 { "- " } else { "  " });
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

/// Joins paths and takes `.` and `..` out.
pub(crate) fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if base.starts_with('/') { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let origin = Origin { path: "base".into(), ..Origin::default() };
        assert_eq!(origin.join("../x/a.yaml").text(), "path: x/a.yaml\n");
        assert_eq!(
            Origin::list_text(&[origin.built_in("kustomization.yaml", "PrefixTransformer")]),
            "- configuredIn: base/kustomization.yaml\n  configuredBy:\n    apiVersion: builtin\n    kind: PrefixTransformer\n"
        );
    }
}
