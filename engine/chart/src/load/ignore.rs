//! `.helmignore`: shell patterns, one a line.

use kpkg_gopath::Pattern;

use crate::error::LoadError;

/// Rules on which files are left out.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    glob: Pattern,
    negated: bool,
    folders_only: bool,
    /// Matched against the whole path, or the last part of it.
    whole: bool,
}

impl Rules {
    /// Parses a file's text and adds the rules that always hold.
    pub(crate) fn parse(text: &str) -> Result<Self, LoadError> {
        let mut rules = Self::default();
        for line in text.strip_prefix('\u{FEFF}').unwrap_or(text).lines().chain(["templates/.?*"]) {
            rules.add(line)?;
        }
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), LoadError> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err(LoadError::Refused("double-star (**) syntax is not supported".to_owned()));
        }
        let (negated, rule) = rule.strip_prefix('!').map_or((false, rule), |rest| (true, rest));
        let (folders_only, rule) = rule.strip_suffix('/').map_or((false, rule), |rest| (true, rest));
        let whole = rule.contains('/');
        let glob = Pattern::parse(rule.strip_prefix('/').unwrap_or(rule))
            .map_err(|problem| LoadError::Refused(problem.to_string()))?;
        self.rules.push(Rule { glob, negated, folders_only, whole });
        Ok(())
    }

    /// Whether a path is left out.
    pub(crate) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        let base = path.rsplit('/').next().unwrap_or(path);
        for rule in &self.rules {
            let hit = || rule.glob.matches(if rule.whole { path } else { base });
            if rule.negated {
                // A negated rule leaves out everything that it does not match.
                if rule.folders_only && !is_folder || !hit() {
                    return true;
                }
            } else if (is_folder || !rule.folders_only) && hit() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let rules = Rules::parse("# comment\n*.bak\nci/\n/top.txt\ndocs/*.md\n").expect("valid");
        for (path, folder, want) in [
            ("x.bak", false, true),
            ("a/x.bak", false, true),
            ("ci", true, true),
            ("ci", false, false),
            ("top.txt", false, true),
            ("a/top.txt", false, false),
            ("docs/a.md", false, true),
            ("templates/.keep", false, true),
            ("values.yaml", false, false),
        ] {
            assert_eq!(rules.ignores(path, folder), want, "{path}");
        }
        assert!(Rules::parse("a/**\n").is_err());
    }
}
