//! `kpkg`: charts, overlays, releases and the cluster they run on, in one binary.
//!
//! This crate parses, calls the engine or the cluster, and prints; it decides nothing.
//! Start at [`commands`]: one file per command, nested commands are folders.

mod bundled;
mod commands;
mod connection;
mod drafting;
mod durations;
mod embedded;
mod failure;
mod format;
mod helm_flags;
mod holder;
#[cfg(target_os = "linux")]
mod images;
mod lock;
mod memory;
mod naming;
mod options;
mod overlay;
mod post_render;
mod printer;
mod progress;
mod provenance;
mod publish;
mod render;
mod rendering;
mod runtime;
mod secrets;
mod session;
mod show;
mod slices;
mod target;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

/// A declarative package manager and templating engine, bundled with the cluster it deploys onto.
#[derive(Debug, Parser)]
#[command(name = "kpkg", version, disable_help_subcommand = true, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,

    /// Print what happens inside (-v: steps, -vv: requests, -vvv: everything).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Commands that take some megabytes at once, and end.
const RENDERING: [&str; 3] = ["template", "build", "lint"];

fn main() -> ExitCode {
    // Containers' shims are this same binary, re-executed: they must branch off while the process
    // still has a single thread.
    #[cfg(target_os = "linux")]
    if let Some(code) = kpkg_runtime::shim::run_if_requested() {
        return code;
    }
    // Looked for before the flags are read, which takes memory, too: behind a flag, a command is only slower.
    if std::env::args_os().nth(1).is_some_and(|command| RENDERING.iter().any(|it| command == **it)) {
        memory::take_in_large_pages();
    }
    let cli = parse();
    start_logging(cli.verbose);
    let printer = printer::Printer::new();
    match commands::run(cli.command, &printer) {
        Ok(code) => code,
        Err(error) => failure::report(&error, &printer),
    }
}

/// The command line; ends the process with help, or a complaint, if there is nothing to run.
fn parse() -> Cli {
    let mut known = Cli::command();
    let parsed = known.try_get_matches_from_mut(std::env::args_os());
    // What describes the flags is as large as what they say is small: it is left to the end of the process.
    std::mem::forget(known);
    let cli = parsed.and_then(|mut matches| {
        let cli = Cli::from_arg_matches_mut(&mut matches);
        std::mem::forget(matches);
        cli
    });
    cli.unwrap_or_else(|_| {
        // Help and complaints need to know all commands, which are described one by one as they are used.
        let mut all = Cli::command();
        all.build();
        let line = helm_flags::translate(std::env::args_os(), &all)
            .unwrap_or_else(|problem| all.error(clap::error::ErrorKind::InvalidValue, problem).exit());
        Cli::from_arg_matches(&all.get_matches_from(line)).unwrap_or_else(|error| error.exit())
    })
}

/// Sends `tracing` to standard error; `RUST_LOG` refines what `-v` chose.
fn start_logging(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let plain = tracing_subscriber::fmt().with_writer(std::io::stderr);
    let default = match verbose {
        // Rules for nothing but errors would take as long to set up as all flags to read.
        0 if std::env::var_os(EnvFilter::DEFAULT_ENV).is_none() => {
            return plain.with_max_level(tracing::Level::ERROR).init();
        }
        0 => "error",
        1 => "kpkg=info,warn",
        2 => "kpkg=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    plain.with_env_filter(filter).init();
}
