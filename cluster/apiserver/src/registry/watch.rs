//! Watch: which events, from when. How they are written is the HTTP side's.

use super::{ListOptions, Selection, list};
use crate::{
    ApiServer,
    failure::Result,
    query::Query,
    shelf::{Changes, Object},
};
use kpkg_api::schema::Kind;
use std::{sync::Arc, time::Duration};

/// How long watches last that do not say: between this and twice this, so that not all end at once.
const MIN_TIMEOUT: u64 = 1800;

/// What a client wants of a watch.
#[derive(Debug, Clone)]
pub(crate) struct WatchOptions {
    /// Begin after this revision; none to begin with what is there.
    from: Option<i64>,
    /// Say when all that was there has been sent.
    pub(crate) mark_initial_end: bool,
    pub(crate) bookmarks: bool,
    pub(crate) timeout: Duration,
}

/// The beginning of a watch.
pub(crate) struct Initial {
    /// What is there, if the client wants to know.
    pub(crate) objects: Vec<Arc<Object>>,
    /// The revision of that.
    pub(crate) revision: i64,
    /// What follows.
    pub(crate) changes: Changes,
}

impl WatchOptions {
    pub(crate) fn parse(query: &Query) -> Result<Self> {
        let timeout = match query.integer("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok()) {
            Some(seconds) if seconds > 0 => seconds,
            _ => rand::random_range(MIN_TIMEOUT..=2 * MIN_TIMEOUT),
        };
        let initial = query.has("sendInitialEvents").then(|| query.flag("sendInitialEvents"));
        check(query, initial)?;
        let from = match (initial, list::revision(query)?) {
            (Some(true), _) | (None, None | Some(0)) => None,
            (_, revision) => revision.or(Some(0)),
        };
        let bookmarks = query.flag("allowWatchBookmarks");
        Ok(Self {
            from,
            mark_initial_end: initial == Some(true) && bookmarks,
            bookmarks,
            timeout: Duration::from_secs(timeout),
        })
    }
}

fn check(query: &Query, initial: Option<bool>) -> Result<()> {
    match (initial, query.text("resourceVersionMatch")) {
        (None, "") | (Some(_), "NotOlderThan") => Ok(()),
        (None, _) => Err(list::invalid(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        )),
        (Some(_), _) => Err(list::invalid(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )),
    }
}

impl ApiServer {
    /// Begins a watch. An expired revision is found out here or later, and is always told inside the stream.
    pub(crate) async fn watch(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selection: &Selection,
        options: &WatchOptions,
    ) -> Result<Initial> {
        let shelf = self.shelf(kind);
        if let Some(from) = options.from {
            // `0` without initial events: from now on.
            let revision = if from == 0 { shelf.current_revision().await? } else { from };
            let changes = shelf.watch(revision).await?;
            return Ok(Initial { objects: Vec::new(), revision, changes });
        }
        let listed = self.list(kind, namespace, selection, &ListOptions::default()).await?;
        let changes = shelf.watch(listed.revision).await?;
        Ok(Initial { objects: listed.objects, revision: listed.revision, changes })
    }
}
