//! The recipe: which distribution packages, files and commands make an image, and how it runs.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::BuildError;

/// The `apiVersion` of the recipes that this version reads.
pub const API_VERSION: &str = "kpkg.dev/v1alpha1";

/// A recipe as written in a chart's `images/*.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recipe {
    /// Always [`API_VERSION`].
    pub api_version: String,
    /// Always `ImageRecipe`.
    pub kind: String,
    /// The repository that the image stands for, such as `docker.io/library/mariadb`, without tag.
    pub image: String,
    /// The distribution's release, such as `bookworm`; the machine's own if absent.
    #[serde(default)]
    pub suite: Option<String>,
    /// How much of the distribution there is below the named packages.
    #[serde(default)]
    pub variant: Variant,
    /// The distribution packages, without what they only recommend.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Files that are put into the image before `run`.
    #[serde(default)]
    pub files: Vec<RecipeFile>,
    /// Shell commands run as root inside the image, as the last step; the first failure ends the build.
    #[serde(default)]
    pub run: String,
    /// How containers of the image run.
    #[serde(default)]
    pub config: RecipeConfig,
}

/// mmdebstrap's variants: what is installed besides the named packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Essential packages and apt.
    #[default]
    Minbase,
    /// Essential packages only.
    Essential,
    /// Nothing else; packages are unpacked without running their scripts.
    Extract,
}

impl Variant {
    /// The name that mmdebstrap knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Minbase => "minbase",
            Self::Essential => "essential",
            Self::Extract => "extract",
        }
    }
}

/// One file of the image: its text here, its text in a file beside the recipe, or a link.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecipeFile {
    /// The absolute path in the image.
    pub path: String,
    /// The text itself.
    #[serde(default)]
    pub content: Option<String>,
    /// A path relative to the recipe's folder.
    #[serde(default)]
    pub source: Option<String>,
    /// Where the path leads, to make a symbolic link of it.
    #[serde(default)]
    pub link: Option<String>,
    /// The permission bits in octal.
    #[serde(default = "default_mode")]
    pub mode: String,
}

fn default_mode() -> String {
    "0644".to_owned()
}

/// The part of the OCI image configuration that recipes set, under its usual names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecipeConfig {
    /// What runs, before `cmd`.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// The default arguments.
    #[serde(default)]
    pub cmd: Vec<String>,
    /// The environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The working directory.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// The user, by name or number.
    #[serde(default)]
    pub user: Option<String>,
    /// Ports such as `80/tcp`.
    #[serde(default)]
    pub exposed_ports: Vec<String>,
    /// Directories that hold data.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// The signal that asks the process to stop.
    #[serde(default)]
    pub stop_signal: Option<String>,
}

impl Recipe {
    /// Reads a recipe and checks what can be checked without building it.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let recipe: Self =
            serde_saphyr::from_str(text).map_err(|error| BuildError::Recipe { problem: error.to_string() })?;
        recipe.check().map_err(|problem| BuildError::Recipe { problem })?;
        Ok(recipe)
    }

    fn check(&self) -> Result<(), String> {
        if self.api_version != API_VERSION || self.kind != "ImageRecipe" {
            return Err(format!(
                "expected `apiVersion: {API_VERSION}` and `kind: ImageRecipe`, found `{}` and `{}`",
                self.api_version, self.kind
            ));
        }
        if let Some(name) = self.packages.iter().find(|name| !is_package_name(name)) {
            return Err(format!("packages: `{name}` is not the name of a package"));
        }
        if let Some(suite) = self.suite.iter().find(|suite| !is_package_name(suite)) {
            return Err(format!("suite: `{suite}` is not the name of a release"));
        }
        if self.variant == Variant::Extract && !self.run.is_empty() {
            return Err("run: the variant `extract` has no shell to run commands in".to_owned());
        }
        self.files.iter().try_for_each(RecipeFile::check)
    }
}

impl RecipeFile {
    fn check(&self) -> Result<(), String> {
        let inside = self.path.starts_with('/')
            && !self.path.ends_with('/')
            && self.path.split('/').all(|part| part != ".." && part != ".");
        if !inside {
            return Err(format!("files: path `{}` must be absolute, without `.` and `..`", self.path));
        }
        let given = [&self.content, &self.source, &self.link].into_iter().flatten().count();
        if given != 1 {
            return Err(format!("files: {}: give one of `content`, `source` and `link`", self.path));
        }
        self.permissions().map(|_| ())
    }

    /// The permission bits.
    pub(super) fn permissions(&self) -> Result<u32, String> {
        u32::from_str_radix(&self.mode, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| format!("files: {}: mode `{}` is not octal permissions", self.path, self.mode))
    }
}

/// Debian policy 5.6.1, a little wider: also `name=version`, `name:arch` and release names.
fn is_package_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:=~".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(rest: &str) -> Result<Recipe, BuildError> {
        Recipe::parse(&format!("apiVersion: kpkg.dev/v1alpha1\nkind: ImageRecipe\nimage: example/app\n{rest}"))
    }

    #[test]
    fn reads_what_charts_write() {
        let recipe = recipe(
            "packages: [nginx-light]\nfiles:\n- {path: /run.sh, content: hi, mode: \"0755\"}\nrun: |\n  true\nconfig:\n  cmd: [nginx]\n  exposedPorts: [80/tcp]\n",
        )
        .unwrap();
        assert_eq!(recipe.variant, Variant::Minbase);
        assert_eq!(recipe.files[0].permissions(), Ok(0o755));
        assert_eq!(recipe.config.exposed_ports, ["80/tcp"]);
    }

    #[test]
    fn refuses_what_cannot_be_built() {
        struct Case {
            name: &'static str,
            text: &'static str,
            want: &'static str,
        }
        let cases = [
            Case { name: "an option as package", text: "packages: [--hook]", want: "not the name of a package" },
            Case {
                name: "a path out of the image",
                text: "files: [{path: /a/../../b, content: x}]",
                want: "must be absolute",
            },
            Case { name: "a relative path", text: "files: [{path: a, content: x}]", want: "must be absolute" },
            Case { name: "two texts", text: "files: [{path: /a, content: x, source: y}]", want: "give one of" },
            Case { name: "a mode in words", text: "files: [{path: /a, content: x, mode: rwx}]", want: "not octal" },
            Case { name: "commands without a shell", text: "variant: extract\nrun: 'true'", want: "no shell" },
            Case { name: "a misspelt key", text: "package: [a]", want: "package" },
        ];
        for case in cases {
            let error = recipe(case.text).expect_err(case.name).to_string();
            assert!(error.contains(case.want), "{}: {error}", case.name);
        }
    }
}
