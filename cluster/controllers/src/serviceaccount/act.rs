//! Makes what a namespace lacks.

use k8s_openapi::{
    api::core::v1::{ConfigMap, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Controller,
    decide::{Action, DEFAULT_ACCOUNT, ROOT_CA},
};
use crate::Error;

const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
    endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across \
    distributions of Kubernetes clusters.";

impl Controller {
    pub(super) async fn act(&self, namespace: &str, action: Action) -> Result<(), Error> {
        let done = match action {
            Action::CreateAccount => {
                let account =
                    ServiceAccount { metadata: meta(namespace, DEFAULT_ACCOUNT), ..ServiceAccount::default() };
                self.context.create(&account).await.map(drop)
            }
            Action::CreateBundle(data) => {
                let mut metadata = meta(namespace, ROOT_CA);
                let description = ("kubernetes.io/description".to_owned(), DESCRIPTION.to_owned());
                metadata.annotations = Some([description].into());
                let bundle = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
                self.context.create(&bundle).await.map(drop)
            }
            Action::ReplaceBundle(bundle, data) => {
                let bundle = ConfigMap { data: Some(data), ..(*bundle).clone() };
                self.context.replace(&bundle).await.map(drop)
            }
        };
        match done {
            // Made by another meanwhile, or of no more use.
            Err(error) if error.is_already_exists() || error.is_namespace_terminating() => Ok(()),
            other => other,
        }
    }
}

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), namespace: Some(namespace.to_owned()), ..ObjectMeta::default() }
}
