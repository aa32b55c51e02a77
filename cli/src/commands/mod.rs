//! The commands, one file each; nested commands are folders.

mod apply;
mod build;
#[cfg(target_os = "linux")]
mod bundle;
mod cache;
#[cfg(target_os = "linux")]
pub(crate) mod cluster;
mod create;
mod deferred;
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

use self::deferred::Deferred;
use crate::printer::Printer;

/// What `kpkg` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(Deferred<create::Args>),
    #[command(subcommand, visible_alias = "dep")]
    Dependency(Deferred<dependency::Command>),
    Install(Deferred<install::Args>),
    Upgrade(Deferred<upgrade::Args>),
    Rollback(Deferred<rollback::Args>),
    Plan(Deferred<plan::Args>),
    Apply(Deferred<apply::Args>),
    Diff(Deferred<diff::Args>),
    Test(Deferred<test::Args>),
    Lint(Deferred<lint::Args>),
    List(Deferred<list::Args>),
    #[command(alias = "inspect")]
    Show(Deferred<show::Args>),
    Status(Deferred<status::Args>),
    #[command(alias = "hist")]
    History(Deferred<history::Args>),
    Get(Deferred<get::Args>),
    Template(Deferred<template::Args>),
    Uninstall(Deferred<uninstall::Args>),
    Build(Deferred<build::Args>),
    #[command(subcommand)]
    Overlay(Deferred<overlay::Command>),
    Verify(Deferred<verify::Args>),
    Images(Deferred<images::Args>),
    Lock(Deferred<lock::Args>),
    #[command(subcommand)]
    Cache(Deferred<cache::Command>),
    Login(Deferred<login::Args>),
    Logout(Deferred<logout::Args>),
    Package(Deferred<package::Args>),
    Pull(Deferred<pull::Args>),
    Push(Deferred<push::Args>),
    #[command(subcommand)]
    Repo(Deferred<repo::Command>),
    Search(Deferred<search::Args>),
    Tags(Deferred<tags::Args>),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Bundle(Deferred<bundle::Command>),
    #[cfg(target_os = "linux")]
    #[command(subcommand)]
    Cluster(Deferred<cluster::Command>),
    #[cfg(target_os = "linux")]
    Image(Deferred<image::Args>),
}

/// Runs one command.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Create(args) => create::run(*args.0, printer),
        Command::Dependency(args) => dependency::run(*args.0, printer),
        Command::Install(args) => install::run(*args.0, printer),
        Command::Upgrade(args) => upgrade::run(*args.0, printer),
        Command::Rollback(args) => rollback::run(*args.0, printer),
        Command::Plan(args) => plan::run(*args.0, printer),
        Command::Apply(args) => apply::run(*args.0, printer),
        Command::Diff(args) => diff::run(*args.0, printer),
        Command::Test(args) => test::run(*args.0, printer),
        Command::List(args) => list::run(*args.0, printer),
        Command::Status(args) => status::run(*args.0, printer),
        Command::History(args) => history::run(*args.0, printer),
        Command::Get(args) => get::run(*args.0, printer),
        Command::Lint(args) => lint::run(*args.0, printer),
        Command::Show(args) => show::run(*args.0, printer),
        Command::Template(args) => template::run(*args.0, printer),
        Command::Uninstall(args) => uninstall::run(*args.0, printer),
        Command::Build(args) => build::run(*args.0, printer),
        Command::Overlay(args) => overlay::run(*args.0, printer),
        Command::Verify(args) => verify::run(*args.0, printer),
        Command::Images(args) => images::run(*args.0, printer),
        Command::Lock(args) => lock::run(*args.0, printer),
        Command::Cache(args) => cache::run(*args.0, printer),
        Command::Login(args) => login::run(*args.0, printer),
        Command::Logout(args) => logout::run(*args.0, printer),
        Command::Package(args) => package::run(*args.0, printer),
        Command::Pull(args) => pull::run(*args.0, printer),
        Command::Push(args) => push::run(*args.0, printer),
        Command::Repo(args) => repo::run(*args.0, printer),
        Command::Search(args) => search::run(*args.0, printer),
        Command::Tags(args) => tags::run(*args.0, printer),
        #[cfg(target_os = "linux")]
        Command::Bundle(args) => bundle::run(*args.0, printer),
        #[cfg(target_os = "linux")]
        Command::Cluster(args) => cluster::run(*args.0, printer),
        #[cfg(target_os = "linux")]
        Command::Image(args) => image::run(*args.0, printer),
    }
}
