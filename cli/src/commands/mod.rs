//! The commands, one file each; nested commands are folders.

mod build;
#[cfg(target_os = "linux")]
pub(crate) mod cluster;
#[cfg(target_os = "linux")]
pub(crate) mod image;
mod install;
mod list;
mod status;
mod template;
mod uninstall;

use std::process::ExitCode;

use clap::Subcommand;

use crate::printer::Printer;

/// What `kpkg` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Install(Box<install::Args>),
    List(list::Args),
    Status(status::Args),
    Template(Box<template::Args>),
    Uninstall(uninstall::Args),
    Build(build::Args),
    #[cfg(target_os = "linux")]
    Cluster(cluster::Args),
    #[cfg(target_os = "linux")]
    Image(image::Args),
}

/// Runs one command.
pub(crate) fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitCode> {
    match command {
        Command::Install(args) => install::run(*args, printer),
        Command::List(args) => list::run(args, printer),
        Command::Status(args) => status::run(args, printer),
        Command::Template(args) => template::run(*args, printer),
        Command::Uninstall(args) => uninstall::run(args, printer),
        Command::Build(args) => build::run(args, printer),
        #[cfg(target_os = "linux")]
        Command::Cluster(args) => cluster::run(args, printer),
        #[cfg(target_os = "linux")]
        Command::Image(args) => image::run(args, printer),
    }
}
