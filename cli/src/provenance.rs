//! Where rendered output comes from: traces, explained failures, strict values.

use anyhow::Result;
use kpkg_chart::provenance::{self, FieldPath, Subject, Watched};
use kpkg_chart::values::Input;
use kpkg_chart::{Ambient, ClusterFacts, ReleaseInfo, RenderError, Values};

use crate::failure::Hint;

/// A rendering, to be done again under watch.
pub(crate) struct Run<'a> {
    pub(crate) values: &'a Values,
    pub(crate) inputs: &'a [Input],
    pub(crate) release: &'a ReleaseInfo,
    pub(crate) facts: &'a ClusterFacts,
    pub(crate) ambient: &'a Ambient,
}

impl Run<'_> {
    fn watch(&self) -> Watched {
        provenance::watch(self.values, self.release, self.facts, self.ambient)
    }

    fn subject(&self) -> Subject<'_> {
        Subject { values: self.values, inputs: self.inputs }
    }

    /// What made each of some fields, as text.
    pub(crate) fn trace(&self, fields: &[FieldPath]) -> Result<String> {
        let watched = self.watch();
        let mut text = String::new();
        for field in fields {
            text.push_str(&provenance::trace(&watched, self.subject(), field)?.to_string());
        }
        Ok(text)
    }

    /// Refuses values that no default declares, and values that no template reads.
    pub(crate) fn check_values(&self) -> Result<()> {
        let unknown = kpkg_chart::lint::unknown_values(self.values.chart(), self.inputs);
        let unread = provenance::unread(&self.watch(), self.subject());
        let is_new =
            |path: &str| !unknown.iter().any(|it| path == it.path || path.starts_with(&format!("{}.", it.path)));
        let mut problems: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        problems.extend(unread.iter().filter(|it| is_new(&it.path)).map(ToString::to_string));
        if problems.is_empty() {
            return Ok(());
        }
        let hint = Hint("without `--strict-values` such values are ignored, as Helm does".to_owned());
        Err(anyhow::anyhow!("values that do nothing:\n  {}", problems.join("\n  ")).context(hint))
    }

    /// A failure of this rendering in more words: Helm's own first, then source lines and values.
    pub(crate) fn explained(&self, error: RenderError, advice: Option<&str>) -> anyhow::Error {
        // What ran into a limit would run into it again.
        let is_limit =
            matches!(&error, RenderError::Template { problem, .. } if problem.contains("longer than allowed"));
        let found = if is_limit { None } else { provenance::explain(&error, &self.watch(), self.subject()) };
        let hint = found.as_ref().and_then(|found| found.hint.clone()).or(advice.map(str::to_owned));
        let error = match found {
            Some(found) => anyhow::anyhow!("{error}\n\n{}", found.to_string().trim_end()),
            None => error.into(),
        };
        match hint {
            Some(hint) => error.context(Hint(hint)),
            None => error,
        }
    }
}
