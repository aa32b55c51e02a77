//! The commands, one file each; nested commands are folders.

#[cfg(target_os = "linux")]
mod bundle;
mod cache;
#[cfg(target_os = "linux")]
pub(crate) mod cluster;
mod dependency;
#[cfg(target_os = "linux")]
pub(crate) mod image;
mod images;
mod install;
mod list;
mod lock;
mod login;
mod logout;
mod package;
mod pull;
mod push;
mod repo;
mod search;
mod status;
mod tags;
mod template;
mod uninstall;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::printer::Printer;

/// What `kpkg` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "dep")]
    Dependency(dependency::Args),
    Install(Box<install::Args>),
    List(list::Args),
    Status(status::Args),
    Template(Box<template::Args>),
    Uninstall(uninstall::Args),
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
        Command::Dependency(args) => dependency::run(args, printer),
        Command::Install(args) => install::run(*args, printer),
        Command::List(args) => list::run(args, printer),
        Command::Status(args) => status::run(args, printer),
        Command::Template(args) => template::run(*args, printer),
        Command::Uninstall(args) => uninstall::run(args, printer),
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
