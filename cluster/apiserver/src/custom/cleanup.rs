//! When a definition is deleted, its objects go first.

use super::{FINALIZER, definition::set_condition};
use crate::{
    ApiServer,
    failure::Result,
    query::Query,
    registry::{Context, DeleteOptions, ListOptions, Make, Part, Selection, well_known},
};
use kpkg_api::{meta, schema::Kind};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long to wait for objects that others hold back.
const PAUSE: Duration = Duration::from_millis(250);

/// Cleans up after deleted definitions, from now on.
pub(crate) fn start(server: &Arc<ApiServer>, shutdown: CancellationToken) {
    let server = Arc::downgrade(server);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = run(server) => {}
        }
    });
}

async fn run(server: Weak<ApiServer>) {
    loop {
        let Some(strong) = server.upgrade() else { return };
        let waiting = strong.clean_up().await.unwrap_or_else(|status| {
            tracing::warn!(message = status.message(), "the objects of a deleted definition cannot be removed yet");
            true
        });
        if waiting {
            drop(strong);
            tokio::time::sleep(PAUSE).await;
        } else {
            let news = strong.catalogs.news();
            drop(strong);
            news.notified().await;
        }
    }
}

fn definitions() -> &'static Kind {
    well_known("apiextensions.k8s.io", "CustomResourceDefinition")
}

impl ApiServer {
    /// Takes one step for every definition that is being deleted; answers whether any is left.
    async fn clean_up(&self) -> Result<bool> {
        let all = self.shelf(definitions()).all(None).await?;
        let mut left = false;
        for definition in all.iter().map(|object| &object.value) {
            let held = meta::finalizers(definition).any(|own| own == FINALIZER);
            if meta::deletion_timestamp(definition).is_some() && held {
                left |= !self.clean_up_after(definition).await?;
            }
        }
        Ok(left)
    }

    /// Deletes the objects of a definition; once there are none, lets go of it and answers true.
    async fn clean_up_after(&self, definition: &Value) -> Result<bool> {
        let name = meta::name(definition).to_owned();
        let context = Context::own();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, plural) = (text(&definition["spec"]["group"]), text(&definition["spec"]["names"]["plural"]));
        let catalog = self.catalogs.current();
        let kind = catalog
            .customs()
            .iter()
            .map(|custom| custom.kind)
            .find(|kind| kind.group == group && kind.plural == plural);
        if let Some(kind) = kind {
            let everything = Selection::parse(kind, &Query::default())?;
            self.delete_collection(&context, kind, None, &everything, &DeleteOptions::default()).await?;
            let left = self.list(kind, None, &everything, &ListOptions::default()).await?.objects.len();
            if left > 0 {
                let why =
                    format!("CustomResource deletion is in progress; {left} objects are held back by their finalizers");
                let mark = |old: &Value| {
                    let mut new = old.clone();
                    set_condition(
                        &mut new,
                        "Terminating",
                        true,
                        "InstanceDeletionInProgress",
                        &why,
                        &context.now_text(),
                    );
                    Ok(new)
                };
                self.change(&context, definitions(), None, &name, Part::Status, Make::Update(&mark)).await?;
                return Ok(false);
            }
        }
        let release = |old: &Value| {
            let mut new = old.clone();
            let rest: Vec<&str> = meta::finalizers(old).filter(|own| *own != FINALIZER).collect();
            new["metadata"]["finalizers"] = json!(rest);
            Ok(new)
        };
        match self.change(&context, definitions(), None, &name, Part::Main, Make::Update(&release)).await {
            Err(status) if status.code() != 404 => Err(status),
            _ => Ok(true),
        }
    }
}
