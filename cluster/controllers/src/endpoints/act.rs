//! Writes the Endpoints of one service.

use k8s_openapi::{
    api::core::v1::{Endpoints, Service},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use super::{Controller, decide::Content};
use crate::Error;

const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

impl Controller {
    pub(super) async fn act(
        &self,
        service: &Service,
        present: Option<&Endpoints>,
        content: Content,
    ) -> Result<(), Error> {
        let empty = Endpoints {
            metadata: ObjectMeta {
                name: Some(service.name_any()),
                namespace: service.namespace(),
                ..ObjectMeta::default()
            },
            subsets: None,
        };
        let mut wanted = present.cloned().unwrap_or(empty);
        wanted.subsets = (!content.subsets.is_empty()).then_some(content.subsets);
        wanted.metadata.labels = Some(content.labels);
        let annotations = wanted.annotations_mut();
        if content.truncated {
            annotations.insert(OVER_CAPACITY.to_owned(), "truncated".to_owned());
        } else {
            annotations.remove(OVER_CAPACITY);
        }
        if annotations.is_empty() {
            wanted.metadata.annotations = None;
        }
        let written = match present {
            Some(present) if *present == wanted => return Ok(()),
            Some(_) => self.context.replace(&wanted).await,
            None => self.context.create(&wanted).await,
        };
        match written {
            Err(error) if error.is_namespace_terminating() => Ok(()),
            other => other.map(drop),
        }
    }
}
