//! What a plugin is.
//!
//! A filter says where a pod can go, a scorer where it should rather go. Both begin with `prepare`,
//! which looks at the pod and the cluster once and returns what is needed to judge one node after
//! another, or that there is nothing to judge.

use std::{borrow::Cow, fmt};

use crate::model::{NodeInfo, PodInfo};
use crate::snapshot::Snapshot;

/// The best that a scorer can give.
pub const MAX_SCORE: i64 = 100;

/// Why a node or a pod does not do, in Kubernetes' words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// A reason that never varies.
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a filter says of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The pod can go there.
    Fits,
    /// It cannot as long as the pods there stay.
    Rejected(Vec<Reason>),
    /// It cannot whichever pods leave.
    NeverFits(Vec<Reason>),
}

impl Verdict {
    /// Rejected for one reason.
    pub fn rejected(reason: &Reason) -> Self {
        Self::Rejected(vec![reason.clone()])
    }

    /// Never fits, for one reason.
    pub fn never(reason: &Reason) -> Self {
        Self::NeverFits(vec![reason.clone()])
    }
}

/// A bug or broken input: the cycle ends, and the pod is tried again later.
#[derive(Debug, thiserror::Error)]
#[error("plugin `{plugin}` failed: {problem}")]
pub struct PluginError {
    /// Which plugin.
    pub plugin: &'static str,
    /// What happened.
    pub problem: String,
}

/// What a filter made of a pod.
pub enum Prepared<'a> {
    /// Every node will do.
    Skip,
    /// Each node must be looked at.
    Ready(Box<dyn NodeFilter + 'a>),
    /// No node will do.
    Reject(Reason),
}

/// Says where a pod can go.
pub trait FilterPlugin: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Which changes of the cluster may make a rejected pod fit.
    fn wakes_on(&self) -> Changes;

    /// Looks at pod and cluster once.
    fn prepare<'a>(&self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> Result<Prepared<'a>, PluginError>;
}

/// Judges nodes for one pod.
pub trait NodeFilter {
    /// Judges one node.
    fn check(&self, node: &NodeInfo) -> Verdict;
}

/// Says where a pod should rather go.
pub trait ScorePlugin: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Looks at pod, cluster and the nodes that fit once; `None` if the pod does not care.
    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        snapshot: &'a Snapshot,
        nodes: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError>;
}

/// Scores nodes for one pod.
pub trait NodeScore {
    /// Scores one node; 0 to [`MAX_SCORE`], unless `normalize` brings it there.
    fn score(&self, node: &NodeInfo) -> i64;

    /// Brings all scores between 0 and [`MAX_SCORE`]. They are in the order of the nodes that
    /// `prepare` was given.
    fn normalize(&self, _scores: &mut [i64]) {}
}

/// Stretches scores so that the largest is [`MAX_SCORE`]; `reverse` turns them around.
pub fn stretch(scores: &mut [i64], reverse: bool) {
    let largest = scores.iter().copied().max().unwrap_or(0);
    for score in scores {
        if largest > 0 {
            *score = *score * MAX_SCORE / largest;
        }
        if reverse {
            *score = MAX_SCORE - *score;
        }
    }
}

/// A set of kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes(u16);

impl Changes {
    /// No change.
    pub const NONE: Self = Self(0);
    /// A node came.
    pub const NODE_ADDED: Self = Self(1);
    /// A node can hold more or other pods: resources, images.
    pub const NODE_RESOURCES: Self = Self(1 << 1);
    /// Labels of a node changed.
    pub const NODE_LABELS: Self = Self(1 << 2);
    /// Taints of a node changed, or it was cordoned or uncordoned.
    pub const NODE_TAINTS: Self = Self(1 << 3);
    /// A pod left its node.
    pub const POD_LEFT: Self = Self(1 << 4);
    /// A pod came to a node.
    pub const POD_PLACED: Self = Self(1 << 5);
    /// Labels of a placed pod changed.
    pub const POD_LABELS: Self = Self(1 << 6);
    /// A claim changed.
    pub const CLAIM: Self = Self(1 << 7);
    /// A volume changed.
    pub const VOLUME: Self = Self(1 << 8);
    /// A storage class changed.
    pub const CLASS: Self = Self(1 << 9);
    /// Labels of a namespace changed.
    pub const NAMESPACE: Self = Self(1 << 10);
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether they have a change in common.
    pub const fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}
