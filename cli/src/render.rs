//! From the command line to a rendered chart: charts by name or path, values by flags.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use kpkg_chart::values::{self, Checks};
use kpkg_chart::{Ambient, Chart, Clock, ClusterFacts, File, LoadError, ReleaseInfo, RenderError, Rendered, Values};
use kpkg_release::{Cluster, prepare};
use kpkg_secrets::sops::Opened;

use crate::bundled;
use crate::failure::Hint;
use crate::memory::Bound;
use crate::provenance::Run;
use crate::publish::{self, ChartArgs};
use crate::{secrets, slices};

/// Rounds of `lookup` and answer after which a chart is taken to ask for ever.
const MAX_ROUNDS: usize = 20;

/// The flags that give values.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ValuesArgs {
    /// Values files or their URLs, later ones winning (`-` reads standard input); what sops sealed for age keys is opened
    #[arg(short = 'f', long = "values", value_name = "FILE")]
    files: Vec<OsString>,

    /// Set a value (key1=val1,key2=val2)
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set: Vec<String>,

    /// Set a value that stays a string
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set_string: Vec<String>,

    /// Set a value to what a file holds
    #[arg(long, value_name = "KEY=FILE")]
    set_file: Vec<String>,

    /// Set a value as JSON
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,

    /// Set a value as it stands, commas and all
    #[arg(long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    set_literal: Vec<String>,

    /// Refuse values that no default declares or no template reads
    #[arg(long)]
    pub(crate) strict_values: bool,
}

impl ValuesArgs {
    /// Whether nothing is given.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { files, set, set_string, set_file, set_json, set_literal, strict_values: _ } = self;
        files.is_empty() && [set, set_string, set_file, set_json, set_literal].iter().all(|it| it.is_empty())
    }

    /// Reads the files and merges everything with the chart's own values.
    pub(crate) fn merge(&self, chart: &Chart) -> Result<Values> {
        Ok(values::merge_with(chart, &self.inputs()?, Checks { schema: true })?)
    }

    /// The files that sops sealed, opened.
    pub(crate) fn sealed(&self) -> Result<Vec<Opened>> {
        let mut found = Vec::new();
        for path in self.files()?.iter().filter(|path| path.as_os_str() != "-") {
            let (text, name) = read_text(path)?;
            found.extend(secrets::open(&name, &text)?);
        }
        Ok(found)
    }

    /// The files, of which a flag may name several.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for given in &self.files {
            match given.to_str() {
                None => files.push(given.into()),
                Some(text) => {
                    let named = slices::items("-f, --values", &[text.to_owned()])?;
                    files.extend(named.into_iter().map(PathBuf::from));
                }
            }
        }
        Ok(files)
    }

    /// Reads the files: everything that the user gives, in order.
    pub(crate) fn inputs(&self) -> Result<Vec<values::Input>> {
        let mut inputs = Vec::new();
        for path in &self.files()? {
            let (text, name) = read_text(path)?;
            let text = secrets::in_clear(&name, text)?;
            inputs.push(values::Input::File { name, text });
        }
        inputs.extend(self.set_json.iter().cloned().map(values::Input::SetJson));
        inputs.extend(self.set.iter().cloned().map(values::Input::Set));
        inputs.extend(self.set_string.iter().cloned().map(values::Input::SetString));
        for text in &self.set_file {
            let named = values::files_named(text).into_iter();
            let files = named.map(|path| Ok((path.clone(), read(Path::new(&path))?.0))).collect::<Result<_>>();
            let files = files.context("failed parsing --set-file data")?;
            inputs.push(values::Input::SetFile { text: text.clone(), files });
        }
        inputs.extend(self.set_literal.iter().cloned().map(values::Input::SetLiteral));
        Ok(inputs)
    }
}

/// A file of values: its text and its name.
fn read_text(path: &Path) -> Result<(String, String)> {
    let (bytes, name) = read(path)?;
    let text = kpkg_yaml::decode(&bytes).with_context(|| {
        format!("failed to parse {name}: cannot unmarshal yaml document: error converting YAML to JSON")
    })?;
    Ok((text.into_owned(), name))
}

/// A file's contents and its name: one here, standard input, or a URL.
fn read(path: &Path) -> Result<(Vec<u8>, String)> {
    let name = path.display().to_string();
    if ["http://", "https://"].iter().any(|scheme| name.starts_with(scheme)) {
        return publish::fetch_document(&name);
    }
    let bytes = if name == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).context("cannot read standard input").map(|_| bytes)
    } else {
        std::fs::read(path).map_err(|error| unreadable(&name, &error))
    };
    Ok((bytes?, name))
}

/// Why a file cannot be read, in the words of Go where it has some.
fn unreadable(name: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("open {name}: no such file or directory"),
        io::ErrorKind::PermissionDenied => anyhow::anyhow!("open {name}: permission denied"),
        io::ErrorKind::IsADirectory => anyhow::anyhow!("read {name}: is a directory"),
        _ => anyhow::anyhow!("cannot read {name}: {error}"),
    }
}

/// Loads a chart as [`load_from`] does, the newest version of what is elsewhere.
pub(crate) fn load(reference: &str) -> Result<Chart> {
    load_from(reference, &ChartArgs::default())
}

/// Loads a chart: a path if it looks like one or exists, then what is elsewhere (`oci://...`,
/// `REPOSITORY/NAME`), else a bundled chart's name.
pub(crate) fn load_from(reference: &str, elsewhere: &ChartArgs) -> Result<Chart> {
    load_by(kpkg_chart::load, reference, elsewhere)
}

/// As [`load_from`], for nothing but rendering: of a folder's files, those that a template may want are read when it does.
pub(crate) fn load_to_render(reference: &str, elsewhere: &ChartArgs) -> Result<Chart> {
    load_by(kpkg_chart::load_to_render, reference, elsewhere)
}

fn load_by(load: fn(&Path) -> Result<Chart, LoadError>, reference: &str, elsewhere: &ChartArgs) -> Result<Chart> {
    let path = Path::new(reference);
    let is_path = reference.starts_with(['.', '/']) || path.join("Chart.yaml").exists() || path.is_file();
    // A folder without a chart is a mistake, unless it only happens to be called as a chart is.
    let is_here = is_path || path.is_dir() && bundled::files(reference).is_none();
    if is_here && !elsewhere.names_repository() {
        elsewhere.check_local(reference, path)?;
        return load(path).with_context(|| format!("cannot load chart `{reference}`"));
    }
    if elsewhere.is_remote(reference) {
        return Ok(publish::fetch(reference, elsewhere, false)?.load()?);
    }
    let Some(files) = bundled::files(reference) else {
        let mut names = bundled::names();
        names.sort();
        let hint =
            Hint(format!("give the path of a folder or archive, or one of the bundled charts: {}", names.join(", ")));
        return Err(anyhow::anyhow!("there is no chart `{reference}`").context(hint));
    };
    let files = files.into_iter().map(|(name, data)| File::new(name, data)).collect();
    kpkg_chart::load_files(files).with_context(|| format!("cannot load the bundled chart `{reference}`"))
}

/// Refuses charts whose dependencies are not at hand.
pub(crate) fn check_dependencies(chart: &Chart) -> Result<()> {
    let missing: Vec<&str> = chart.missing_dependencies().into_iter().map(|it| it.name.as_str()).collect();
    if !missing.is_empty() {
        // The words of Helm's engine; its command line has others for it.
        let problem = "chart dependencies are missing; run dependency update/build first: found in Chart.yaml, but missing in \
                       charts/ directory";
        let hint = Hint("`kpkg dependency build CHART` fetches them".to_owned());
        return Err(anyhow::anyhow!("{problem}: {}", missing.join(", ")).context(hint));
    }
    Ok(())
}

/// Renders without a cluster: templates see the versions of [`ClusterFacts::default`], and `lookup` finds nothing.
pub(crate) fn alone(
    chart: &Chart,
    values: &Values,
    release: &ReleaseInfo,
    resolver: Option<fn(&str) -> String>,
) -> Result<Rendered> {
    let (facts, ambient) =
        (ClusterFacts { resolver, ..ClusterFacts::default() }, Ambient::new(rand::random(), Clock::system()));
    let _bound = Bound::for_chart(chart);
    kpkg_chart::render(chart, values, release, &facts, &ambient)
        .map_err(|error| explained(error, values, release, &facts, &ambient))
}

/// Renders against a cluster: what templates look up is fetched, and they run again, until they ask
/// for nothing new.
pub(crate) async fn against(
    cluster: &Cluster,
    chart: &Chart,
    values: &Values,
    release: &ReleaseInfo,
    resolver: Option<fn(&str) -> String>,
) -> Result<Rendered> {
    let ambient = Ambient::new(rand::random(), Clock::system());
    against_with(cluster, chart, values, release, resolver, &ambient).await
}

/// As [`against`], with chance and time of the caller's; one seed serves all rounds, so that what is
/// drawn does not depend on how often templates run.
pub(crate) async fn against_with(
    cluster: &Cluster,
    chart: &Chart,
    values: &Values,
    release: &ReleaseInfo,
    resolver: Option<fn(&str) -> String>,
    ambient: &Ambient,
) -> Result<Rendered> {
    let mut facts = prepare::facts(cluster);
    facts.resolver = resolver;
    let _bound = Bound::for_chart(chart);
    for _ in 0..MAX_ROUNDS {
        let job = (chart.clone(), values.clone(), release.clone());
        let (known, chance) = (facts.clone(), ambient.clone());
        let rendered =
            tokio::task::spawn_blocking(move || kpkg_chart::render(&job.0, &job.1, &job.2, &known, &chance)).await?;
        let asked = match &rendered {
            Ok(rendered) => rendered.lookups.clone(),
            Err(error) => error.lookups().to_vec(),
        };
        if !prepare::learn(cluster, &mut facts, &asked).await? {
            return rendered.map_err(|error| explained(error, values, release, &facts, ambient));
        }
    }
    bail!("the chart's templates look up ever more objects")
}

fn explained(
    error: RenderError,
    values: &Values,
    release: &ReleaseInfo,
    facts: &ClusterFacts,
    ambient: &Ambient,
) -> anyhow::Error {
    let inputs = [values::Input::Map(values.supplied.clone())];
    Run { values, inputs: &inputs, release, facts, ambient }.explained(error, None)
}
