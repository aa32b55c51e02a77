//! What a namespace lacks. Pure.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};

use crate::objects::owner;

/// The account that pods get which name none.
pub(super) const DEFAULT_ACCOUNT: &str = "default";
/// The ConfigMap that projected tokens sit beside.
pub(super) const ROOT_CA: &str = "kube-root-ca.crt";
const CA_KEY: &str = "ca.crt";

/// All that the decision rests on.
pub(super) struct Observed<'a> {
    pub(super) namespace: Option<Arc<Namespace>>,
    pub(super) account: Option<Arc<ServiceAccount>>,
    pub(super) bundle: Option<Arc<ConfigMap>>,
    pub(super) ca_pem: &'a str,
}

/// One write.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// Make the account.
    CreateAccount,
    /// Make the bundle with this content.
    CreateBundle(BTreeMap<String, String>),
    /// Give the bundle this content and no other.
    ReplaceBundle(Arc<ConfigMap>, BTreeMap<String, String>),
}

/// Decides.
pub(super) fn decide(observed: &Observed<'_>) -> Vec<Action> {
    let Some(namespace) = &observed.namespace else { return Vec::new() };
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
    if owner::is_deleting(&namespace.metadata) || phase == Some("Terminating") {
        return Vec::new();
    }
    let mut actions = Vec::new();
    if observed.account.is_none() {
        actions.push(Action::CreateAccount);
    }
    let wanted: BTreeMap<_, _> = [(CA_KEY.to_owned(), observed.ca_pem.to_owned())].into();
    match &observed.bundle {
        None => actions.push(Action::CreateBundle(wanted)),
        Some(bundle) if bundle.data.as_ref() != Some(&wanted) => {
            actions.push(Action::ReplaceBundle(bundle.clone(), wanted));
        }
        Some(_) => {}
    }
    actions
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bundle(pem: &str) -> Arc<ConfigMap> {
        Arc::new(serde_json::from_value(json!({"metadata": {}, "data": {CA_KEY: pem}})).unwrap())
    }

    fn decided(phase: &str, account: bool, bundle: Option<Arc<ConfigMap>>) -> Vec<Action> {
        let namespace = serde_json::from_value(json!({"metadata": {}, "status": {"phase": phase}})).unwrap();
        let account = account.then(|| Arc::new(ServiceAccount::default()));
        decide(&Observed { namespace: Some(Arc::new(namespace)), account, bundle, ca_pem: "pem" })
    }

    #[test]
    fn what_is_missing_is_made_and_what_differs_is_mended() {
        let content: BTreeMap<_, _> = [(CA_KEY.to_owned(), "pem".to_owned())].into();
        assert_eq!(decided("Active", false, None), [Action::CreateAccount, Action::CreateBundle(content.clone())]);
        assert_eq!(decided("Active", true, Some(bundle("pem"))), []);
        let old = bundle("old");
        assert_eq!(decided("Active", true, Some(old.clone())), [Action::ReplaceBundle(old, content)]);
        assert_eq!(decided("Terminating", false, None), []);
    }
}
