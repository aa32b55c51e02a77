//! Acting as somebody else: `kubectl --as`.

use crate::{
    ApiServer, Identity,
    authz::{self, Attributes},
    failure::Result,
    identity::{SERVICE_ACCOUNT_PREFIX, is_anonymous},
};
use http::HeaderMap;
use kpkg_api::status::Status;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
/// What else could be asked for; it is not known here, and must not be passed over.
const OTHERS: [&str; 2] = ["impersonate-uid", "impersonate-extra-"];

impl ApiServer {
    /// Who a request is to be judged as: its sender, or whom the sender may act as.
    pub(crate) fn impersonate(&self, sender: Identity, headers: &HeaderMap) -> Result<Identity> {
        let texts = |name: &str| -> Vec<String> {
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
        };
        let (user, groups) = (texts(USER).into_iter().next().unwrap_or_default(), texts(GROUP));
        let other = headers.keys().find(|name| OTHERS.iter().any(|other| name.as_str().starts_with(other)));
        if user.is_empty() {
            return match (groups.is_empty(), other) {
                (true, None) => Ok(sender),
                _ => Err(Status::internal("requested groups or extra without impersonating a user")),
            };
        }
        if let Some(name) = other {
            return Err(Status::bad_request(format!("the header {name} is not supported")));
        }
        let account = user.strip_prefix(SERVICE_ACCOUNT_PREFIX).and_then(|rest| rest.split_once(':'));
        match account {
            Some((namespace, name)) => self.may_impersonate(&sender, "serviceaccounts", namespace, name)?,
            None => self.may_impersonate(&sender, "users", "", &user)?,
        }
        for group in &groups {
            self.may_impersonate(&sender, "groups", "", group)?;
        }
        Ok(match account {
            Some((namespace, name)) if groups.is_empty() => Identity::service_account(namespace, name).known(),
            _ if is_anonymous(&user) && groups.is_empty() => Identity::anonymous(),
            _ => Identity { user, groups }.known(),
        })
    }

    fn may_impersonate(&self, sender: &Identity, resource: &str, namespace: &str, name: &str) -> Result<()> {
        let attributes = Attributes { verb: "impersonate", resource, namespace, name, ..Attributes::default() };
        if self.authorizer.allows(sender, &attributes) {
            return Ok(());
        }
        Err(Status::forbidden("", resource, name, &authz::refusal(sender, &attributes)))
    }
}
