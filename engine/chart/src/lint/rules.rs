//! The names of the rules.

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it asks for.
    pub about: &'static str,
    /// Whether Helm has it too.
    pub is_helms: bool,
}

const fn helms(name: &'static str, about: &'static str) -> Rule {
    Rule { name, about, is_helms: true }
}

const fn own(name: &'static str, about: &'static str) -> Rule {
    Rule { name, about, is_helms: false }
}

static RULES: [Rule; 29] = [
    helms("chart-format", "Chart.yaml is YAML"),
    helms("chart-fields", "Chart.yaml has no unknown fields"),
    helms("chart-name", "the chart has a name that is no path"),
    helms("chart-api-version", "apiVersion is v1 or v2"),
    helms("chart-version", "the version is a semantic version, written as text"),
    helms("chart-app-version", "appVersion is text"),
    helms("chart-maintainers", "maintainers have names; addresses and pages are such"),
    helms("chart-sources", "sources are URLs"),
    helms("chart-icon", "there is an icon, and it is a URL"),
    helms("chart-type", "only apiVersion v2 has types"),
    helms("chart-dependencies", "only apiVersion v2 has dependencies in Chart.yaml"),
    helms("values-file", "values.yaml is there and is YAML"),
    helms("values-schema", "values fit values.schema.json"),
    helms("templates-folder", "there are templates"),
    helms("render", "the templates render"),
    helms("template-extension", "templates are .yaml, .yml, .tpl or .txt (or .j2)"),
    helms("template-indent", "documents begin at the left margin"),
    helms("template-yaml", "templates write YAML"),
    helms("object-name", "objects have names that Kubernetes accepts"),
    helms("deprecated-api", "no API version is deprecated"),
    helms("selector", "workloads have selectors"),
    helms("list-annotations", "no resource policy inside a List"),
    helms("dependencies", "Chart.yaml and charts/ agree"),
    helms("crds", "crds/ holds CustomResourceDefinitions"),
    own("image-tag", "images have a tag that stays what it is, or a digest"),
    own("resources", "containers say what they need: requests or limits"),
    own("probes", "containers of services have a readiness or liveness probe"),
    own("unknown-values", "values that are given exist in the chart"),
    own("unread-values", "values that are given are read by templates (only with --strict-values)"),
];

/// All rules, Helm's first.
pub fn rules() -> &'static [Rule] {
    &RULES
}
