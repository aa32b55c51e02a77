//! `kpkg repo`: chart repositories over HTTP.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use kpkg_registry::repository::{self, Repository, Update};

use crate::printer::Printer;
use crate::publish::{AccessArgs, LoginArgs};
use crate::{runtime, show};

/// Add, list, update and remove chart repositories, or make an index for one
///
/// The list is Helm's own: both programs see the same repositories.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Add a repository; its index is fetched first
    Add(Box<AddArgs>),
    /// List the repositories
    #[command(visible_alias = "ls")]
    List(AccessArgs),
    /// Fetch the indexes that changed
    #[command(visible_alias = "up")]
    Update {
        /// Repositories to update; all if none is named
        names: Vec<String>,
        #[command(flatten)]
        access: Box<AccessArgs>,
    },
    /// Remove repositories
    #[command(visible_alias = "rm")]
    Remove {
        /// Repositories to remove
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        access: Box<AccessArgs>,
    },
    /// Write `index.yaml` for a folder of archives
    Index {
        /// The folder
        folder: PathBuf,
        /// URL of the folder
        #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
        url: String,
        /// Keep the entries of this index too
        #[arg(long, value_name = "FILE")]
        merge: Option<PathBuf>,
        /// Write `index.json` besides
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Name for the repository
    name: String,
    /// Where it is
    url: String,
    /// Replace a repository of the same name
    #[arg(long)]
    force_update: bool,
    /// Show the login to other hosts that the index names
    #[arg(long)]
    pass_credentials: bool,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    login: LoginArgs,
}

/// Does what was asked.
pub(crate) fn run(command: Command, printer: &Printer) -> Result<ExitCode> {
    match command {
        Command::Add(args) => add(&args, printer)?,
        Command::List(access) => {
            let client = access.client(None)?;
            let all = repository::list(&client.repositories)?;
            if all.is_empty() {
                bail!("no repositories to show");
            }
            let rows: Vec<Vec<String>> = all.into_iter().map(|it| vec![it.name.clone(), it.shown()]).collect();
            printer.data(&show::table(&["NAME", "URL"], &rows))?;
        }
        Command::Update { names, access } => update(&names, &access, printer)?,
        Command::Remove { names, access } => {
            let client = access.client(None)?;
            for name in names {
                repository::remove(&client.repositories, &name)?;
                printer.data(&format!("{name:?} has been removed from your repositories\n"))?;
            }
        }
        Command::Index { folder, url, merge, json } => {
            let mut index = repository::generate(&folder, &url)?;
            if let Some(old) = merge {
                repository::merge(&mut index, &old)?;
            }
            super::package::write(&folder.join("index.yaml"), kpkg_yaml::write_json(&index).as_bytes())?;
            if json {
                super::package::write(&folder.join("index.json"), index.to_string().as_bytes())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &AddArgs, printer: &Printer) -> Result<()> {
    let login = args.login.credentials();
    let client = args.access.client(login.clone())?;
    let unnamed = Repository::unnamed(&args.url, login.as_ref())?;
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let repository = Repository {
        name: args.name.clone(),
        ca_file: text(&client.access.ca_file),
        cert_file: text(&client.access.cert_file),
        key_file: text(&client.access.key_file),
        insecure: client.access.insecure,
        pass_credentials: args.pass_credentials,
        ..unnamed
    };
    let known = repository::list(&client.repositories)?.into_iter().any(|it| it.name == args.name);
    if !known || args.force_update {
        runtime::runtime()?.block_on(repository::update(&client, &repository))?;
    }
    let added = repository::add(&client.repositories, repository, args.force_update)?;
    let outcome = if added {
        "has been added to your repositories"
    } else {
        "already exists with the same configuration, skipping"
    };
    printer.data(&format!("{:?} {outcome}\n", args.name))?;
    Ok(())
}

fn update(names: &[String], access: &AccessArgs, printer: &Printer) -> Result<()> {
    let client = access.client(None)?;
    let all = repository::list(&client.repositories)?;
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|it| it.name != **name)) {
        bail!("no repositories found matching '{unknown}'.  Nothing will be updated");
    }
    let wanted: Vec<Repository> = all.into_iter().filter(|it| names.is_empty() || names.contains(&it.name)).collect();
    if wanted.is_empty() {
        bail!("no repositories found. You must add one before updating");
    }
    let outcomes = runtime::runtime()?
        .block_on(futures::future::join_all(wanted.iter().map(|one| repository::update(&client, one))));
    let mut failed = 0;
    for (one, outcome) in wanted.iter().zip(outcomes) {
        match outcome {
            Ok(Update::New(count)) => printer.say(&format!("{}: a new index with {count} versions", one.name)),
            Ok(Update::Unchanged) => printer.say(&format!("{}: unchanged", one.name)),
            Err(error) => {
                failed += 1;
                printer.warn(&format!("{}: {:#}", one.name, anyhow::Error::from(error)));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} repositories could not be updated", wanted.len());
    }
    Ok(())
}
