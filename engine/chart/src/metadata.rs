//! `Chart.yaml`: its fields, its checks, and the map that templates see as `.Chart`.

use kpkg_yaml::{Map, Value};
use serde::{Deserialize, Serialize};

/// Who looks after a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Maintainer {
    /// Their name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Their address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Their page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// What a chart says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The chart's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The project's page.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Where the sources are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The chart's version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// One sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maintainers: Vec<Maintainer>,
    /// A picture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub icon: String,
    /// `v1` or `v2`.
    #[serde(rename = "apiVersion", skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// The condition to be enabled by; unused since dependencies have their own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// The tags to be enabled by; unused since dependencies have their own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tags: String,
    /// The version of what it installs.
    #[serde(rename = "appVersion", skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// Whether it should no longer be used.
    #[serde(skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// Anything else.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub annotations: std::collections::BTreeMap<String, String>,
    /// The Kubernetes versions it works on.
    #[serde(rename = "kubeVersion", skip_serializing_if = "String::is_empty")]
    pub kube_version: String,
    /// The charts it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// `application` or `library`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Where nulls were left out.
    #[serde(skip)]
    pub(crate) nulls: Nulls,
}

/// Whether a list held a null beside its mappings: read, then refused with the other checks, as Helm does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Nulls {
    pub(crate) maintainers: bool,
    pub(crate) dependencies: bool,
}

/// A chart that another needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// A version or a range of versions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where to get it.
    pub repository: String,
    /// Paths of values, with commas between: the first that is a boolean switches it on or off.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Names in the values' `tags` that switch it on or off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether it is on; known after values were merged.
    #[serde(skip_serializing_if = "is_false")]
    pub enabled: bool,
    /// What of its values the parent takes over.
    #[serde(rename = "import-values", skip_serializing_if = "Vec::is_empty")]
    pub import_values: Vec<serde_json::Value>,
    /// Another name for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias: String,
}

/// The exact versions of a chart's dependencies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lock {
    /// When it was written.
    pub generated: String,
    /// The digest of the declared dependencies.
    pub digest: String,
    /// The dependencies.
    pub dependencies: Vec<Dependency>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn strings(items: &[String]) -> Value {
    Value::List(items.iter().map(|item| item.as_str().into()).collect())
}

impl Metadata {
    /// What templates see as `.Chart`: the fields under Go's names.
    pub fn to_template_map(&self) -> Map {
        let maintainers = self.maintainers.iter().map(|maintainer| {
            Value::Map(Map::from([
                ("Name".to_owned(), maintainer.name.as_str().into()),
                ("Email".to_owned(), maintainer.email.as_str().into()),
                ("URL".to_owned(), maintainer.url.as_str().into()),
            ]))
        });
        let annotations = self.annotations.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
        let entries: [(&str, Value); 17] = [
            ("Name", self.name.as_str().into()),
            ("Home", self.home.as_str().into()),
            ("Sources", strings(&self.sources)),
            ("Version", self.version.as_str().into()),
            ("Description", self.description.as_str().into()),
            ("Keywords", strings(&self.keywords)),
            ("Maintainers", Value::List(maintainers.collect())),
            ("Icon", self.icon.as_str().into()),
            ("APIVersion", self.api_version.as_str().into()),
            ("Condition", self.condition.as_str().into()),
            ("Tags", self.tags.as_str().into()),
            ("AppVersion", self.app_version.as_str().into()),
            ("Deprecated", self.deprecated.into()),
            ("Annotations", Value::Map(annotations.collect())),
            ("KubeVersion", self.kube_version.as_str().into()),
            ("Dependencies", Value::List(self.dependencies.iter().map(Dependency::to_template_value).collect())),
            ("Type", self.kind.as_str().into()),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

impl Dependency {
    fn to_template_value(&self) -> Value {
        let entries: [(&str, Value); 8] = [
            ("Name", self.name.as_str().into()),
            ("Version", self.version.as_str().into()),
            ("Repository", self.repository.as_str().into()),
            ("Condition", self.condition.as_str().into()),
            ("Tags", strings(&self.tags)),
            ("Enabled", self.enabled.into()),
            ("ImportValues", Value::List(self.import_values.iter().map(Value::from_json).collect())),
            ("Alias", self.alias.as_str().into()),
        ];
        Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

impl Metadata {
    /// Checks what a chart must say, and takes out what may not be printed.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ] {
            sanitize(text);
        }
        self.sources.iter_mut().chain(&mut self.keywords).for_each(sanitize);
        let name = &self.name;
        if self.api_version.is_empty() {
            return Err("chart.metadata.apiVersion is required".to_owned());
        }
        if name.is_empty() {
            return Err("chart.metadata.name is required".to_owned());
        }
        if name == "." || name == ".." {
            return Err(format!("chart.metadata.name {name:?} is not allowed"));
        }
        if name.contains('/') {
            return Err(format!("chart.metadata.name {name:?} is invalid"));
        }
        if self.version.is_empty() {
            return Err("chart.metadata.version is required".to_owned());
        }
        if kpkg_template::semver::Version::parse(&self.version).is_err() {
            return Err(format!("chart.metadata.version {:?} is invalid", self.version));
        }
        if !["", "application", "library"].contains(&self.kind.as_str()) {
            return Err("chart.metadata.type must be application or library".to_owned());
        }
        let refuse_null = |list: &str| Err(format!("{list} must not contain empty or null nodes"));
        if self.nulls.maintainers {
            return refuse_null("maintainers");
        }
        for maintainer in &mut self.maintainers {
            [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url].into_iter().for_each(sanitize);
        }
        if self.nulls.dependencies {
            return refuse_null("dependencies");
        }
        self.check_dependencies()
    }

    fn check_dependencies(&mut self) -> Result<(), String> {
        let mut names = std::collections::BTreeSet::new();
        for dependency in &mut self.dependencies {
            for text in
                [&mut dependency.name, &mut dependency.version, &mut dependency.repository, &mut dependency.condition]
            {
                sanitize(text);
            }
            dependency.tags.iter_mut().for_each(sanitize);
            let alias = &dependency.alias;
            if !alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
                return Err(format!("dependency {:?} has disallowed characters in the alias", dependency.name));
            }
            let key = if alias.is_empty() { &dependency.name } else { alias };
            if !names.insert(key.clone()) {
                return Err(format!("more than one dependency with name or alias {key:?}"));
            }
        }
        Ok(())
    }
}

/// Makes a text fit to be printed: spaces of all kinds become plain ones; what cannot be printed goes.
pub fn sanitize(text: &mut String) {
    if text.chars().any(|character| character.is_control() || character.is_whitespace() && character != ' ') {
        let clean = text.chars().map(|character| if character.is_whitespace() { ' ' } else { character });
        *text = clean.filter(|character| !character.is_control()).collect();
    }
}
