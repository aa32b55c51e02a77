//! Who asks.

/// Who a request comes from. A request extension: put there by the TLS listener (from the client's certificate), by the
/// in-process client, or by this crate for service-account tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's name: `system:kube-scheduler`.
    pub user: String,
    /// The groups the user is in.
    pub groups: Vec<String>,
}

/// The group that may do everything.
pub const MASTERS: &str = "system:masters";
/// The group of everybody who is known.
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
/// The group of everybody who is not.
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The group of all service accounts.
pub(crate) const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
/// What the user names of service accounts begin with.
pub(crate) const SERVICE_ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// The user name of somebody unknown.
const ANONYMOUS: &str = "system:anonymous";

/// Whether this is the user name of somebody unknown.
pub(crate) fn is_anonymous(user: &str) -> bool {
    user == ANONYMOUS
}

impl Identity {
    /// A user in groups.
    pub fn new(user: impl Into<String>, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { user: user.into(), groups: groups.into_iter().map(Into::into).collect() }
    }

    /// A user that may do everything.
    pub fn master(user: impl Into<String>) -> Self {
        Self::new(user, [MASTERS])
    }

    /// Somebody unknown.
    pub(crate) fn anonymous() -> Self {
        Self::new(ANONYMOUS, [UNAUTHENTICATED])
    }

    /// A service account.
    pub(crate) fn service_account(namespace: &str, name: &str) -> Self {
        Self::new(
            format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"),
            [SERVICE_ACCOUNTS.to_owned(), format!("{SERVICE_ACCOUNTS}:{namespace}")],
        )
    }

    /// Whether the user is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }

    /// The same user, also in the group of everybody who is known.
    pub(crate) fn known(mut self) -> Self {
        if !self.is_in(AUTHENTICATED) && !self.is_in(UNAUTHENTICATED) {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }
}
