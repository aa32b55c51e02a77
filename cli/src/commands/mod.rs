//! The commands, one file each; nested commands are folders.

mod apply;
mod build;
#[cfg(target_os = "linux")]
mod bundle;
mod cache;
#[cfg(target_os = "linux")]
pub(crate) mod cluster;
mod create;
mod dependency;
mod diff;
mod get;
mod history;
#[cfg(target_os = "linux")]
pub(crate) mod image;
mod images;
mod install;
mod lint;
mod list;
mod lock;
mod login;
mod logout;
mod overlay;
mod package;
mod plan;
mod pull;
mod push;
mod repo;
mod rollback;
mod search;
mod show;
mod status;
mod tags;
mod template;
mod test;
mod uninstall;
mod upgrade;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::printer::Printer;

/// What `kpkg` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    #[command(visible_alias = "dep")]
    Dependency(dependency::Args),
    Install(Box<install::Args>),
    Upgrade(Box<upgrade::Args>),
    Rollback(Box<rollback::Args>),
    Plan(Box<plan::Args>),
    Apply(Box<apply::Args>),
    Diff(Box<diff::Args>),
    Test(Box<test::Args>),
    Lint(Box<lint::Args>),
    List(list::Args),
    Show(show::Args),
    Status(status::Args),
    #[command(alias = "hist")]
    History(history::Args),
    Get(get::Args),
    Template(Box<template::Args>),
    Uninstall(uninstall::Args),
    Build(build::Args),
    Overlay(overlay::Args),
    Verify(verify::Args),
    Images(Box<images::Args>),
    Lock(Box<lock::Args>),
    Cache(cache::Args),
    Login(Box<login::Args>),
    Logout(Box<logout::Args>),
    Package(package::Args),
    Pull(Box<pull::Args>),
    Push(Box<push::Args>),
    Repo(Box<repo::Args>),
    Search(Box<search::Args>),
    Tags(Box<tags::Args>),
    #[cfg(target_os = "linux")]
    Bundle(bundle::Args),
    #[cfg(target_os = "linux")]
    Cluster(cluster::Args),
    #[cfg(target_os = "linux")]
    Image(image::Args),
}

/// Runs one command.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(args, printer),
        Command::Dependency(args) => dependency::run(args, printer),
        Command::Install(args) => install::run(*args, printer),
        Command::Upgrade(args) => upgrade::run(*args, printer),
        Command::Rollback(args) => rollback::run(*args, printer),
        Command::Plan(args) => plan::run(*args, printer),
        Command::Apply(args) => apply::run(*args, printer),
        Command::Diff(args) => diff::run(*args, printer),
        Command::Test(args) => test::run(*args, printer),
        Command::List(args) => list::run(args, printer),
        Command::Status(args) => status::run(args, printer),
        Command::History(args) => history::run(args, printer),
        Command::Get(args) => get::run(args, printer),
        Command::Lint(args) => lint::run(*args, printer),
        Command::Show(args) => show::run(args, printer),
        Command::Template(args) => template::run(*args, printer),
        Command::Uninstall(args) => uninstall::run(args, printer),
        Command::Build(args) => build::run(args, printer),
        Command::Overlay(args) => overlay::run(args, printer),
        Command::Verify(args) => verify::run(args, printer),
        Command::Images(args) => images::run(*args, printer),
        Command::Lock(args) => lock::run(*args, printer),
        Command::Cache(args) => cache::run(args, printer),
        Command::Login(args) => login::run(*args, printer),
        Command::Logout(args) => logout::run(*args, printer),
        Command::Package(args) => package::run(args, printer),
        Command::Pull(args) => pull::run(*args, printer),
        Command::Push(args) => push::run(*args, printer),
        Command::Repo(args) => repo::run(*args, printer),
        Command::Search(args) => search::run(*args, printer),
        Command::Tags(args) => tags::run(*args, printer),
        #[cfg(target_os = "linux")]
        Command::Bundle(args) => bundle::run(args, printer),
        #[cfg(target_os = "linux")]
        Command::Cluster(args) => cluster::run(args, printer),
        #[cfg(target_os = "linux")]
        Command::Image(args) => image::run(args, printer),
    }
}
