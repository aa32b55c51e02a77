//! Groups of flags that several commands share, and the settings they make.

use std::collections::BTreeMap;
use std::time::Duration;

use kpkg_release::Settings;
use kpkg_release::apply::{ApplySettings, Wait};
use kpkg_release::cluster::Cascade;
use kpkg_release::plan::Method;
use kpkg_release::store::Driver;

use crate::durations;
use crate::rendering::RenderArgs;

/// How an operation is carried out: install, upgrade and rollback.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OperationArgs {
    /// What to wait for: every object (`watcher`), only hooks (`hookOnly`), or by Helm 3's rules (`legacy`)
    #[arg(long, value_name = "STRATEGY", default_value = "watcher", num_args = 0..=1, default_missing_value = "watcher", require_equals = true)]
    wait: WaitStrategy,

    /// Wait until Jobs have completed, too
    #[arg(long)]
    wait_for_jobs: bool,

    /// How long to wait for each hook, and for all objects together
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = durations::parse)]
    timeout: Duration,

    /// Do not run hooks
    #[arg(long)]
    no_hooks: bool,

    /// Who merges changes: the server (`true`), the client (`false`), or as in the last revision (`auto`; new
    /// releases: the server)
    #[arg(long, value_name = "WHO", default_value = "auto", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    server_side: ServerSide,

    /// Take fields from other managers when the server merges
    #[arg(long, conflicts_with = "force_replace")]
    force_conflicts: bool,

    /// Replace objects instead of merging
    #[arg(long, alias = "force")]
    force_replace: bool,

    /// Delete what a failed operation created
    #[arg(long)]
    cleanup_on_fail: bool,

    /// How many revisions to keep (0: all)
    #[arg(long, value_name = "NUMBER", default_value_t = 10, env = "HELM_MAX_HISTORY", hide_env_values = true)]
    history_max: usize,

    /// What the record says about this revision
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Only show what would be done, with (`server`) or without (`client`) asking the server about each object; a
    /// client's dry run of an installation asks no cluster at all
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_value = "none", default_missing_value = "client", require_equals = true)]
    dry_run: DryRun,
}

/// How a new revision of a chart is made: install and upgrade.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChangeArgs {
    /// Undo what was done if anything fails
    #[arg(long, alias = "atomic")]
    rollback_on_failure: bool,

    /// Take objects that belong to nobody or to another release
    #[arg(long)]
    take_ownership: bool,

    /// Labels for the release record; `null` takes one away
    #[arg(short = 'l', long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = pair)]
    labels: Vec<(String, String)>,

    /// Make the namespace if it is missing
    #[arg(long)]
    create_namespace: bool,

    /// Keep the values of sealed files out of the release record: there they are sealed for the same keys
    #[arg(long)]
    pub(crate) hide_values: bool,

    /// Do not print the notes
    #[arg(long)]
    pub(crate) hide_notes: bool,

    #[command(flatten)]
    pub(crate) rendering: RenderArgs,

    /// Leave what is in the charts' `crds/` alone
    #[arg(long)]
    pub(crate) skip_crds: bool,

    /// Do not check values against the charts' schemas
    #[arg(long)]
    pub(crate) skip_schema_validation: bool,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "camelCase")]
enum WaitStrategy {
    #[value(alias = "true")]
    Watcher,
    #[value(alias = "false")]
    HookOnly,
    Legacy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ServerSide {
    Auto,
    True,
    False,
}

/// Whether, and how, an operation is only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DryRun {
    /// It is carried out.
    #[value(alias = "false")]
    None,
    /// Shown as computed here.
    #[value(alias = "true")]
    Client,
    /// Shown as the server would do it.
    Server,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

impl OperationArgs {
    /// Whether it is only shown.
    pub(crate) fn dry_run(&self) -> DryRun {
        self.dry_run
    }

    /// The settings of an operation.
    pub(crate) fn settings(&self, driver: Driver, change: Option<&ChangeArgs>) -> Settings {
        let wait = match self.wait {
            // What is undone on failure must be seen to fail (Helm's rule).
            WaitStrategy::HookOnly if change.is_some_and(|it| it.rollback_on_failure) => Wait::Watcher,
            WaitStrategy::Watcher => Wait::Watcher,
            WaitStrategy::HookOnly => Wait::HookOnly,
            WaitStrategy::Legacy => Wait::Legacy,
        };
        let method = match self.server_side {
            _ if self.force_replace => Some(Method::Client),
            ServerSide::Auto => None,
            ServerSide::True => Some(Method::Server),
            ServerSide::False => Some(Method::Client),
        };
        Settings {
            apply: ApplySettings {
                wait,
                wait_for_jobs: self.wait_for_jobs,
                force_conflicts: self.force_conflicts,
                ..patient(self.timeout)
            },
            method,
            create_namespace: change.is_some_and(|it| it.create_namespace),
            force_replace: self.force_replace,
            take_ownership: change.is_some_and(|it| it.take_ownership),
            hooks: !self.no_hooks,
            rollback_on_failure: change.is_some_and(|it| it.rollback_on_failure),
            cleanup_on_fail: self.cleanup_on_fail,
            history_max: self.history_max,
            description: self.description.clone(),
            labels: change.map(|it| it.labels.iter().cloned().collect()).unwrap_or_default(),
            rehearse: self.dry_run != DryRun::Client,
            ..plain(driver)
        }
    }
}

/// Waiting for all objects for so long.
pub(crate) fn patient(timeout: Duration) -> ApplySettings {
    ApplySettings {
        timeout,
        wait: Wait::Watcher,
        wait_for_jobs: false,
        method: Method::Client,
        force_conflicts: false,
        cascade: Cascade::Background,
    }
}

/// The settings of an operation without flags.
pub(crate) fn plain(driver: Driver) -> Settings {
    Settings {
        apply: patient(Duration::from_secs(300)),
        method: None,
        driver,
        create_namespace: false,
        force_replace: false,
        take_ownership: false,
        hooks: true,
        rollback_on_failure: false,
        cleanup_on_fail: false,
        history_max: 10,
        description: None,
        labels: BTreeMap::new(),
        keys: crate::secrets::at_hand().unwrap_or_default().into(),
        replace: false,
        if_changed: false,
        rehearse: true,
        verify: false,
    }
}
