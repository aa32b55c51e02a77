//! The events of a watch, as lines of JSON.

use crate::{
    accept::{Form, Include},
    failure::Result,
    registry::{Initial, Selection, WatchOptions},
    reply,
    shelf::{Change, Changes, News, Object, Verb},
    show::{self, View},
};
use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, stream};
use http::{Response, StatusCode};
use kpkg_api::{meta, status::Status};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, Sleep, sleep_until};

/// How often a watch is told how far it is.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// How much is sent at once.
const CHUNK: usize = 64 * 1024;

/// What is watched, and how it is shown.
pub(super) struct Watch {
    pub(super) view: View,
    pub(super) namespace: Option<String>,
    pub(super) form: Form,
    pub(super) selection: Selection,
    pub(super) options: WatchOptions,
}

/// The answer to a watch. That its revision has expired is an event of the stream.
pub(super) fn response(watch: Watch, begun: Result<Initial>) -> Response<Body> {
    let body = match begun {
        Ok(initial) => Body::from_stream(Box::pin(events(watch, initial))),
        Err(status) if status.code() == 410 => Body::from(error_line(&status)),
        Err(status) => return reply::failure(&status),
    };
    reply::with(StatusCode::OK, "application/json", body)
}

/// A watch on its way.
struct Running {
    watch: Watch,
    changes: Changes,
    /// What was there at the beginning; taken when it is sent.
    initial: Option<(Vec<Arc<Object>>, i64)>,
    /// Whether a table's columns were sent.
    columns_sent: bool,
    deadline: std::pin::Pin<Box<Sleep>>,
    next_bookmark: Instant,
    bookmarked: i64,
    ended: bool,
}

fn events(watch: Watch, initial: Initial) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let now = Instant::now();
    let running = Running {
        deadline: Box::pin(sleep_until(now + watch.options.timeout)),
        next_bookmark: now + BOOKMARKS,
        bookmarked: initial.revision,
        watch,
        changes: initial.changes,
        initial: Some((initial.objects, initial.revision)),
        columns_sent: false,
        ended: false,
    };
    stream::unfold(running, |mut running| async {
        let chunk = running.chunk().await?;
        Some((Ok(chunk), running))
    })
}

impl Running {
    /// The next bytes to send; none at the end.
    async fn chunk(&mut self) -> Option<Bytes> {
        if let Some((objects, revision)) = self.initial.take() {
            let chunk = self.beginning(&objects, revision);
            if !chunk.is_empty() {
                return Some(chunk);
            }
        }
        while !self.ended {
            tokio::select! {
                biased;
                () = &mut self.deadline => {
                    self.ended = true;
                    return self.bookmark();
                }
                news = self.changes.next() => match news {
                    Ok(News::Changes(changes)) => {
                        let chunk = self.lines(&changes);
                        if !chunk.is_empty() {
                            return Some(chunk);
                        }
                    }
                    Ok(News::Ended) => return None,
                    Err(status) => {
                        self.ended = true;
                        return Some(error_line(&status));
                    }
                },
                () = sleep_until(self.next_bookmark), if self.watch.options.bookmarks => {
                    self.next_bookmark = Instant::now() + BOOKMARKS;
                    if let Some(bookmark) = self.bookmark() {
                        return Some(bookmark);
                    }
                }
            }
        }
        None
    }

    fn beginning(&mut self, objects: &[Arc<Object>], revision: i64) -> Bytes {
        let mut chunk = BytesMut::new();
        for object in objects {
            let line = self.line(Verb::Added, object);
            chunk.put(line);
        }
        if self.watch.options.mark_initial_end {
            let annotations = json!({"k8s.io/initial-events-end": "true"});
            chunk.put(self.bookmark_line(revision, Some(annotations)));
        }
        chunk.freeze()
    }

    fn lines(&mut self, changes: &[Arc<Change>]) -> Bytes {
        let mut chunk: Vec<Bytes> = Vec::new();
        for change in changes {
            let namespace = self.watch.namespace.as_deref();
            let matches = |object: &Value| {
                namespace.is_none_or(|namespace| namespace == meta::namespace(object))
                    && self.watch.selection.matches(object)
            };
            let Some((verb, object)) = change.seen_by(matches) else { continue };
            let line = match self.watch.form {
                // A table's first event carries the columns, so its lines differ from watch to watch.
                Form::Table(_) => self.line(verb, object),
                form => change.line(self.watch.view.kind, verb, form, || {
                    frame(verb.as_str(), &show::object(&self.watch.view, form, object))
                }),
            };
            chunk.push(line);
            self.bookmarked = change.revision;
        }
        match chunk.len() {
            1 => chunk.remove(0),
            _ => concat(&chunk),
        }
    }

    fn line(&mut self, verb: Verb, object: &Arc<Object>) -> Bytes {
        let shown = match self.watch.form {
            Form::Table(include) => self.table(include, object),
            form => show::object(&self.watch.view, form, object),
        };
        frame(verb.as_str(), &shown)
    }

    fn table(&mut self, include: Include, object: &Arc<Object>) -> Bytes {
        let columns = !std::mem::replace(&mut self.columns_sent, true);
        let metadata = json!({"resourceVersion": meta::resource_version(&object.value)});
        show::table(&self.watch.view, std::slice::from_ref(object), include, metadata, columns)
    }

    /// How far the watch is, if that is news.
    fn bookmark(&mut self) -> Option<Bytes> {
        let revision = self.changes.revision();
        if !self.watch.options.bookmarks || revision <= self.bookmarked {
            return None;
        }
        self.bookmarked = revision;
        Some(self.bookmark_line(revision, None))
    }

    fn bookmark_line(&self, revision: i64, annotations: Option<Value>) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let kind = self.watch.view.kind;
        let object: Value = match self.watch.form {
            Form::Object => json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata}),
            Form::Partial => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table(include) => {
                return frame("BOOKMARK", &show::table(&self.watch.view, &[], include, metadata, false));
            }
        };
        frame("BOOKMARK", object.to_string().as_bytes())
    }
}

fn concat(chunks: &[Bytes]) -> Bytes {
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum::<usize>().min(CHUNK));
    for chunk in chunks {
        whole.extend_from_slice(chunk);
    }
    whole.freeze()
}

fn error_line(status: &Status) -> Bytes {
    frame("ERROR", status.to_value().to_string().as_bytes())
}

fn frame(verb: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + verb.len() + 24);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(verb.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object.trim_ascii_end());
    line.put_slice(b"}\n");
    line.freeze()
}
