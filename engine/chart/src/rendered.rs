//! What rendering takes besides a chart and its values, and what it gives.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use kpkg_template::{Error, Templates};
use kpkg_yaml::{Map, Value};

use crate::chart::Chart;
use crate::coalesce::{coalesce, from_plain, to_plain};

/// The release that a chart is rendered for: `.Release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseInfo {
    /// The release's name.
    pub name: String,
    /// The namespace it goes to.
    pub namespace: String,
    /// Which revision this is, from 1.
    pub revision: i64,
    /// Whether it replaces an earlier one; if not, it is an installation.
    pub is_upgrade: bool,
}

/// Helm's rule for names of releases; on failure, Helm's words.
pub fn check_release_name(name: &str) -> Result<(), &'static str> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &[u8]| {
        part.first().is_some_and(|first| edge(*first))
            && part.last().is_some_and(|last| edge(*last))
            && part.iter().all(|byte| edge(*byte) || *byte == b'-')
    };
    if name.is_empty() {
        return Err("no name provided");
    }
    if name.len() > 53 || !name.as_bytes().split(|byte| *byte == b'.').all(is_part) {
        return Err("invalid release name, must match regex \
                    ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be \
                    longer than 53");
    }
    Ok(())
}

/// A version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVersion {
    /// As the server spells it: `v1.33.4-gke.1`.
    pub version: String,
    /// `1`.
    pub major: String,
    /// `33`.
    pub minor: String,
}

/// What `lookup` asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupKey {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for all, or for kinds without.
    pub namespace: String,
    /// The name; empty asks for the list.
    pub name: String,
}

/// What templates may know of a cluster, gathered before they run.
///
/// Templates decide only as they run what to `lookup`: render once, fetch [`Rendered::lookups`] (or those
/// of the error), add the answers here and render again, until nothing new is asked.
#[derive(Debug, Clone)]
pub struct ClusterFacts {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// Groups and versions served, and kinds as `group/version/Kind`.
    pub api_versions: Vec<String>,
    /// The answers known; an object that does not exist is an empty map.
    pub objects: BTreeMap<LookupKey, Value>,
    /// How `getHostByName` finds an address; without, it finds none.
    pub resolver: Option<fn(&str) -> String>,
}

/// A manifest as a template wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The template's path, with the names of the charts it is in.
    pub source: String,
    /// The document's text, without the separator.
    pub text: String,
    /// Its group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A manifest that is applied, and waited for, at some moment of a release's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// The manifest.
    pub manifest: Manifest,
    /// When: `pre-install`, `test`, ...
    pub events: Vec<String>,
    /// Which goes first; ties by kind order, then name.
    pub weight: i64,
    /// When it is removed again: `before-hook-creation`, `hook-succeeded`, `hook-failed`.
    pub delete_policies: Vec<String>,
    /// Whether its log is shown: `hook-succeeded`, `hook-failed`.
    pub output_log_policies: Vec<String>,
}

/// A rendered chart.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The manifests, in the order in which to apply them.
    pub manifests: Vec<Manifest>,
    /// The hooks, in Helm's order.
    pub hooks: Vec<Hook>,
    /// `NOTES.txt`, if the chart has one.
    pub notes: String,
    /// The notes of its subcharts, by path.
    pub subchart_notes: Vec<String>,
    /// What `lookup` asked for that the facts did not hold.
    pub lookups: Vec<LookupKey>,
}

/// Values ready to render.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// What the user gave, merged: what a release records as its configuration.
    pub supplied: Map,
    /// The chart with the dependencies that these values switch on, under their aliases.
    pub(crate) chart: Arc<Chart>,
    /// See [`Values::all`].
    pub(crate) all: OnceLock<Map>,
    /// Its templates once something rendered them, or the file that is wrong: `lookup` and explanations make them run
    /// again.
    pub(crate) compiled: Arc<OnceLock<Result<Templates, (String, Error)>>>,
}

impl Values {
    /// The chart with the dependencies that these values switch on, under their aliases.
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// Everything, the defaults of the chart and its subcharts included: `.Values`.
    pub fn all(&self) -> &Map {
        // That they can be merged was found out when they were made.
        let merge = || coalesce(&self.chart, &from_plain(&self.supplied), false).map(|all| to_plain(&all));
        self.all.get_or_init(|| merge().unwrap_or_default())
    }
}
