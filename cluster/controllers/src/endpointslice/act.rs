//! Writes the slices of one service.

use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::ResourceExt;

use super::{
    Controller,
    decide::{Content, Plan},
};
use crate::{
    Error,
    objects::{owner, template},
    runtime::Key,
};

impl Controller {
    pub(super) async fn act(&self, service: &Service, plan: Plan) -> Result<(), Error> {
        for (slice, content) in plan.update {
            let updated = fill((*slice).clone(), content);
            self.report(service, self.context.replace(&updated).await)?;
        }
        for content in plan.create {
            self.create(service, content).await?;
        }
        for slice in plan.delete {
            self.context.delete(&*slice).await?;
        }
        Ok(())
    }

    async fn create(&self, service: &Service, content: Content) -> Result<(), Error> {
        let key = Key::of(service);
        let prefix = format!("{}-", service.name_any());
        let name = template::random_name(&prefix, &mut rand::rng());
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            generate_name: Some(prefix),
            namespace: service.namespace(),
            owner_references: Some(vec![owner::controller_ref(service)]),
            ..ObjectMeta::default()
        };
        self.expectations.expect_birth(&key, &name);
        let slice = fill(EndpointSlice { metadata, ..EndpointSlice::default() }, content);
        let made = self.context.create(&slice).await;
        if made.is_err() {
            self.expectations.born(&key, &name);
        }
        self.report(service, made)
    }

    fn report(&self, service: &Service, written: Result<EndpointSlice, Error>) -> Result<(), Error> {
        match written {
            Ok(_) => Ok(()),
            Err(error) if error.is_namespace_terminating() => Ok(()),
            Err(error) => {
                if !error.is_race() {
                    let why = error.outward();
                    let key = Key::of(service);
                    let message = format!("Error updating Endpoint Slices for Service {key}: {why}");
                    self.context.events().warning(service, "FailedToUpdateEndpointSlices", message);
                }
                Err(error)
            }
        }
    }
}

fn fill(mut slice: EndpointSlice, content: Content) -> EndpointSlice {
    content.family.clone_into(&mut slice.address_type);
    slice.endpoints = Some(content.endpoints);
    slice.ports = Some(content.ports);
    slice.metadata.labels = Some(content.labels);
    slice
}
