//! `kpkg search`: charts by words, in repositories and registries.

use std::process::ExitCode;

use anyhow::Result;
use kpkg_registry::repository::{self, Hit, Query};
use kpkg_registry::{Client, Reference, chart, version};

use crate::printer::Printer;
use crate::publish::AccessArgs;
use crate::{runtime, show};

/// How wide a description is shown.
const WIDTH: usize = 50;

/// Find charts in the repositories that were added, or versions of a chart in a registry
///
/// `kpkg search WORD...` looks at names, descriptions and keywords of all added repositories (as `helm search repo`
/// does); `kpkg search oci://...` lists the versions that a registry has.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Words that must all occur, after `repo` if you like, or `oci://...`
    words: Vec<String>,

    /// Show all versions, not the newest alone
    #[arg(short = 'l', long)]
    versions: bool,

    /// Let pre-releases count
    #[arg(long)]
    devel: bool,

    /// Show versions in this range only
    #[arg(long, value_name = "RANGE", default_value = "", hide_default_value = true)]
    version: String,

    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,

    /// Show descriptions whole
    #[arg(long)]
    no_trunc: bool,

    #[command(flatten)]
    access: AccessArgs,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

/// Finds and prints.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode> {
    let client = args.access.client(None)?;
    let hits = match args.words.first() {
        Some(reference) if Reference::is_one(reference) => {
            runtime::runtime()?.block_on(tags(&client, reference, &args))?
        }
        _ => runtime::runtime()?.block_on(repositories(&client, &args))?,
    };
    let text = match args.output {
        Output::Table if hits.is_empty() => "No results found\n".to_owned(),
        Output::Table => table(&hits, args.no_trunc),
        Output::Json => format!("{}\n", serde_json::Value::from(documents(&hits))),
        Output::Yaml => kpkg_yaml::write_json(&documents(&hits).into()),
    };
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn repositories(client: &Client, args: &Args) -> Result<Vec<Hit>> {
    let words = match args.words.split_first() {
        Some((first, rest)) if first == "repo" => rest.to_vec(),
        _ => args.words.clone(),
    };
    let query = Query { words, versions: args.versions, devel: args.devel, version: args.version.clone() };
    let known = repository::list(&client.repositories)?;
    if known.is_empty() {
        anyhow::bail!("no repositories configured");
    }
    let mut hits = Vec::new();
    for one in &known {
        let index = repository::index(client, one, false).await?;
        hits.extend(repository::search(&one.name, &index, &query)?);
    }
    hits.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(hits)
}

async fn tags(client: &Client, reference: &str, args: &Args) -> Result<Vec<Hit>> {
    let reference: Reference = reference.parse()?;
    let tags = client.registry(&reference.host).await?.tags(&reference.repository).await?;
    let versions: Vec<String> = tags.iter().map(|tag| chart::version_of(tag)).collect();
    let known: Vec<&str> = versions.iter().map(String::as_str).collect();
    let mut shown: Vec<&str> = version::sorted(&known).into_iter().map(|(_, text)| text).collect();
    if !args.versions || !args.version.is_empty() {
        let newest = version::choose(&format!("oci://{reference}"), &args.version, args.devel, shown.iter().copied())?;
        shown = vec![newest];
    }
    let hit = |version: &str| Hit {
        name: format!("oci://{}", reference.place()),
        entry: repository::Entry { version: version.to_owned(), ..repository::Entry::default() },
    };
    Ok(shown.into_iter().map(hit).collect())
}

fn table(hits: &[Hit], whole: bool) -> String {
    let cut = |text: &str| {
        if whole || text.chars().count() <= WIDTH {
            text.to_owned()
        } else {
            format!("{}...", text.chars().take(WIDTH - 3).collect::<String>())
        }
    };
    let row = |hit: &Hit| {
        let entry = &hit.entry;
        vec![hit.name.clone(), entry.version.clone(), entry.app_version.clone(), cut(&entry.description)]
    };
    let rows: Vec<Vec<String>> = hits.iter().map(row).collect();
    show::table(&["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"], &rows)
}

fn documents(hits: &[Hit]) -> Vec<serde_json::Value> {
    let document = |hit: &Hit| {
        serde_json::json!({
            "name": hit.name,
            "version": hit.entry.version,
            "app_version": hit.entry.app_version,
            "description": hit.entry.description,
        })
    };
    hits.iter().map(document).collect()
}
