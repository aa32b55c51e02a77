//! The revision that an operation will make, before anything is planned.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::history::History;
use crate::operation::Settings;
use crate::plan::{Desired, Events};
use crate::prepare::Prepared;
use crate::record::{Hook, HookRun, Info, Release, SYSTEM_LABELS, Status};

/// What is done to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Its first revision.
    Install,
    /// A new revision from a chart.
    Upgrade,
    /// A new revision that is an old one.
    Rollback,
}

impl Operation {
    /// Helm's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
        }
    }

    /// The hooks around it.
    pub fn events(self) -> Events {
        match self {
            Self::Install => ("pre-install", "post-install"),
            Self::Upgrade => ("pre-upgrade", "post-upgrade"),
            Self::Rollback => ("pre-rollback", "post-rollback"),
        }
    }

    fn pending(self) -> Status {
        match self {
            Self::Install => Status::PendingInstall,
            Self::Upgrade => Status::PendingUpgrade,
            Self::Rollback => Status::PendingRollback,
        }
    }
}

/// A revision to be.
#[derive(Debug)]
pub struct Draft {
    /// What makes it.
    pub operation: Operation,
    /// Its record, pending.
    pub release: Release,
    /// Its objects.
    pub desired: Desired,
}

/// The first revision of a release. Attempts that were left half-way or failed are carried on with.
pub fn install(prepared: Prepared, history: &History, settings: &Settings) -> Result<Draft> {
    check_name(&prepared.name)?;
    let draft = draft(Operation::Install, prepared, history, None, settings)?;
    let Some(newest) = history.newest() else { return Ok(draft) };
    let free = match newest.info.status {
        Status::Uninstalled | Status::Uninstalling => true,
        Status::Failed if settings.replace => true,
        Status::Failed | Status::PendingInstall => history.is_attempt(),
        // Installing is declarative: the very same again sets right what drifted, or does nothing.
        Status::Deployed => is_same(newest, &draft.release),
        _ => false,
    };
    if free {
        return Ok(draft);
    }
    Err(ReleaseError::Exists {
        name: newest.name.clone(),
        namespace: newest.namespace.clone(),
        revision: newest.version,
        status: newest.info.status.to_string(),
    })
}

/// A new revision from a chart.
pub fn upgrade(prepared: Prepared, history: &History, settings: &Settings) -> Result<Draft> {
    check_name(&prepared.name)?;
    let base = history.upgrade_base()?;
    draft(Operation::Upgrade, prepared, history, Some(base), settings)
}

fn draft(
    operation: Operation,
    prepared: Prepared,
    history: &History,
    base: Option<&Release>,
    settings: &Settings,
) -> Result<Draft> {
    for label in settings.labels.keys() {
        if SYSTEM_LABELS.contains(&label.as_str()) {
            return Err(ReleaseError::SystemLabel { label: label.clone() });
        }
    }
    let now = Timestamp::now();
    let mut labels = history.newest().filter(|_| base.is_some()).map(|it| it.labels.clone()).unwrap_or_default();
    labels.extend(settings.labels.clone());
    labels.retain(|_, value| value != "null");
    let release = Release {
        name: prepared.name,
        info: Info {
            first_deployed: base.and_then(|it| it.info.first_deployed).or(Some(now)),
            last_deployed: Some(now),
            deleted: None,
            description: if base.is_some() { "Preparing upgrade" } else { "Initial install underway" }.to_owned(),
            status: operation.pending(),
            rollback_revision: 0,
            notes: prepared.notes,
        },
        chart: prepared.chart,
        config: prepared.config,
        manifest: prepared.manifest,
        hooks: prepared.desired.hooks.iter().map(|(hook, _)| hook.clone()).collect(),
        version: history.next_revision(),
        namespace: prepared.namespace,
        apply_method: history.method(settings.method).as_str().to_owned(),
        sealed: None,
        labels,
        trace: None,
    };
    Ok(Draft { operation, release, desired: prepared.desired })
}

/// A new revision that is revision `to` again; 0 is the one before the newest.
pub fn rollback(to: i64, history: &History, settings: &Settings, cluster: &Cluster) -> Result<Draft> {
    let newest = history.existing()?;
    let to = if to == 0 { newest.version - 1 } else { to };
    let old = history.releases.iter().find(|it| it.version == to && to > 0);
    let old = old.ok_or_else(|| ReleaseError::NoRevision { name: history.name.clone(), revision: to })?;
    let whole = old.in_clear()?;
    let mut release = old.clone();
    release.version = newest.version + 1;
    release.trace = None;
    release.info = Info {
        first_deployed: newest.info.first_deployed,
        last_deployed: Some(Timestamp::now()),
        deleted: None,
        description: format!("Rollback to {to}"),
        status: Status::PendingRollback,
        rollback_revision: to,
        notes: old.info.notes.clone(),
    };
    // Helm asks the revision gone back to, not the newest, who merges.
    let old_method = History { releases: vec![old.clone()], ..history.clone() }.method(settings.method);
    release.apply_method = old_method.as_str().to_owned();
    for hook in &mut release.hooks {
        hook.last_run = HookRun::default();
    }
    let desired = Desired::from_record(&whole, cluster)?;
    Ok(Draft { operation: Operation::Rollback, release, desired })
}

/// Helm's rule for names (`pkg/chart/common/util/validate_release_name.go`).
pub(crate) fn check_name(name: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let parts_end_well = name.split('.').all(|part| part.starts_with(edge) && part.ends_with(edge));
    if name.is_empty() || name.len() > 53 || !name.chars().all(inner) || !parts_end_well {
        return Err(ReleaseError::Name { name: name.to_owned() });
    }
    Ok(())
}

/// Whether a revision would be the same as one that stands.
pub(crate) fn is_same(a: &Release, b: &Release) -> bool {
    let hooks =
        |release: &Release| -> Vec<String> { release.hooks.iter().map(|it: &Hook| it.manifest.clone()).collect() };
    a.manifest == b.manifest
        && a.config == b.config
        && a.chart["metadata"] == b.chart["metadata"]
        && hooks(a) == hooks(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_helms_rule() {
        for good in ["web", "a", "web-1.x"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "Web", "-web", "web-", "a_b", "a..b", &"x".repeat(54)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
