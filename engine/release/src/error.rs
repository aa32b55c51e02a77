//! Why a release could not be made, changed or removed.

use crate::object::ObjectId;

/// A result of this crate.
pub type Result<T, E = ReleaseError> = std::result::Result<T, E>;

/// What helps those who lack rights.
const RIGHTS: &str = "the user of this kubeconfig lacks the right: `kubectl auth can-i --list` shows those it has";

/// Why a release could not be made, changed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The name does not follow Helm's rules for release names.
    #[error(
        "`{name}` is not a release name: use at most 53 lower-case letters, digits and `-`, beginning and ending with a letter or digit"
    )]
    Name {
        /// The refused name.
        name: String,
    },
    /// There is a release of this name already, made from something else.
    #[error("a release named `{name}` exists in namespace `{namespace}` (revision {revision}, {status})")]
    Exists {
        /// The release.
        name: String,
        /// Its namespace.
        namespace: String,
        /// Its newest revision.
        revision: i64,
        /// Its status, such as `deployed`.
        status: String,
    },
    /// There is no such release.
    #[error("no release named `{name}` in namespace `{namespace}`")]
    NotFound {
        /// The name asked for.
        name: String,
        /// The namespace looked in.
        namespace: String,
    },
    /// A rendered document is not a Kubernetes object.
    #[error("{source_file}: {problem}")]
    Manifest {
        /// The template that wrote it.
        source_file: String,
        /// What is wrong.
        problem: String,
    },
    /// A record hides its values, and no key at hand opens it.
    #[error("revision {revision} of `{name}` hides its values, and none of the age keys at hand is one of {}", .recipients.join(", "))]
    Hidden {
        /// The release.
        name: String,
        /// The revision.
        revision: i64,
        /// Whose keys open it.
        recipients: Vec<String>,
    },
    /// The cluster does not serve a kind that the chart uses.
    #[error("{source_file}: the cluster knows no kind `{kind}` in `{api_version}`")]
    UnknownKind {
        /// The template that wrote the object.
        source_file: String,
        /// The object's `apiVersion`.
        api_version: String,
        /// The object's `kind`.
        kind: String,
    },
    /// Two documents describe the same object.
    #[error("{object} is rendered twice: by {first} and by {second}")]
    Duplicate {
        /// The object.
        object: ObjectId,
        /// The first template.
        first: String,
        /// The second template.
        second: String,
    },
    /// An object exists and belongs to somebody else.
    #[error("{object} exists and does not belong to release `{release}`: {owner}")]
    Foreign {
        /// The object.
        object: ObjectId,
        /// The release that wants it.
        release: String,
        /// Whose it is.
        owner: String,
    },
    /// The API server refused an object.
    #[error("{source_file}: the cluster refused {object}: {message}")]
    Refused {
        /// The template that wrote the object.
        source_file: String,
        /// The object.
        object: ObjectId,
        /// The server's words.
        message: String,
        /// Kubernetes' word for it, such as `Invalid`.
        reason: String,
    },
    /// The namespace does not exist and was not asked for.
    #[error("namespace `{namespace}` does not exist (`--create-namespace` makes it)")]
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// Objects did not become ready.
    #[error("{}", not_ready(.objects, *.total, *.waited_seconds))]
    NotReady {
        /// The objects with what they still wait for, and what is known about why; the first of many.
        objects: Vec<Unready>,
        /// How many they are.
        total: usize,
        /// How long it was waited, in seconds.
        waited_seconds: u64,
    },
    /// A hook failed.
    #[error("the {event} hook {object} failed: {reason}")]
    Hook {
        /// Such as `pre-install`.
        event: String,
        /// The hook's object.
        object: ObjectId,
        /// What happened.
        reason: String,
    },
    /// A stored release cannot be read.
    #[error("the record `{record}` of a release cannot be read: {problem}")]
    Record {
        /// The Secret.
        record: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Objects wait for each other.
    #[error("objects wait for each other: {}", .objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> "))]
    Cycle {
        /// One round of the cycle, the first object again at the end.
        objects: Vec<ObjectId>,
    },
    /// An object depends on one that the release does not have.
    #[error("{object} depends on `{name}`, which the release does not have")]
    UnknownDependency {
        /// The object.
        object: ObjectId,
        /// What it names.
        name: String,
    },
    /// Somebody else is changing the release.
    #[error("{}", held(.name, .holder, .since, .until))]
    Held {
        /// The release.
        name: String,
        /// Who.
        holder: String,
        /// Since when.
        since: String,
        /// When the lease ends if it is not renewed.
        until: String,
    },
    /// We lost the lease while working.
    #[error("the lease of release `{name}` was lost to {holder}: nothing more is done")]
    LeaseLost {
        /// The release.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// Another program left the release in the middle of an operation, or is at it.
    #[error("another operation on release `{name}` is in progress: revision {revision} is {status}")]
    Pending {
        /// The release.
        name: String,
        /// Its newest revision.
        revision: i64,
        /// Its status.
        status: String,
    },
    /// A release changed since it was planned.
    #[error("release `{name}` changed since this was planned: {what}")]
    Moved {
        /// The release.
        name: String,
        /// What changed.
        what: String,
    },
    /// There is nothing that an upgrade could start from.
    #[error("`{name}` has no deployed releases")]
    NotDeployed {
        /// The release.
        name: String,
    },
    /// A revision does not exist.
    #[error("release `{name}` has no revision {revision}")]
    NoRevision {
        /// The release.
        name: String,
        /// The revision asked for.
        revision: i64,
    },
    /// A definition cannot change as asked.
    #[error("{definition} cannot be upgraded: {problem}")]
    Definition {
        /// The definition.
        definition: ObjectId,
        /// Why.
        problem: String,
    },
    /// Labels that belong to the records themselves.
    #[error("`{label}` is a label of the release record itself and cannot be set")]
    SystemLabel {
        /// The label.
        label: String,
    },
    /// A failed operation was undone.
    #[error("release {name} failed, and has been rolled back to revision {revision}")]
    RolledBack {
        /// The release.
        name: String,
        /// The revision rolled back to; 0 if it was uninstalled.
        revision: i64,
        /// Why it failed.
        #[source]
        cause: Box<ReleaseError>,
    },
    /// A failed operation could not be undone either.
    #[error("release {name} failed ({cause}), and so did rolling it back")]
    RollbackFailed {
        /// The release.
        name: String,
        /// Why it failed at first.
        cause: Box<ReleaseError>,
        /// Why the rollback failed.
        #[source]
        rollback: Box<ReleaseError>,
    },
    /// A plan cannot be read.
    #[error("this is not a plan of this version of kpkg: {problem}")]
    PlanFile {
        /// What is wrong.
        problem: String,
    },
    /// The cluster could not be reached or answered with an error.
    #[error("cannot {action}")]
    Cluster {
        /// What was attempted.
        action: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
}

/// An object that did not become ready, with what is known about it.
#[derive(Debug, Clone)]
pub struct Unready {
    /// The object.
    pub object: ObjectId,
    /// What it waits for.
    pub reason: String,
    /// Events and last log lines, oldest first.
    pub details: Vec<String>,
}

impl ReleaseError {
    /// What the user may do about it, if there is anything in particular.
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Exists { name, .. } => {
                format!("`kpkg upgrade {name}` changes it, `kpkg uninstall {name}` removes it")
            }
            Self::Foreign { .. } => "`--take-ownership` takes it over; otherwise rename or delete it".to_owned(),
            Self::Refused { message, .. } if message.contains("being terminated") => {
                "wait until the namespace is gone, or choose another one".to_owned()
            }
            Self::Refused { message, .. } if message.contains("denied the request") => {
                "a policy of the cluster refuses it: change what it complains of, or ask whoever keeps the policy".to_owned()
            }
            Self::Refused { reason, .. } if reason == "Forbidden" => RIGHTS.to_owned(),
            Self::Refused { message, .. } if message.contains("failed calling webhook") => {
                "the webhook must answer: see whether its pods run, and repeat this; or delete its configuration"
                    .to_owned()
            }
            Self::Refused { reason, .. } if reason == "Conflict" => {
                "`--force-conflicts` takes these fields from their managers".to_owned()
            }
            Self::Refused { reason, message, .. } if reason == "Invalid" && message.contains("immutable") => {
                "the field cannot change in place: delete the object, and the upgrade makes it anew".to_owned()
            }
            Self::UnknownKind { .. } => {
                "install the chart that brings the kind's definition first, or put the definition into `crds/`"
                    .to_owned()
            }
            Self::Pending { name, revision, .. } => format!(
                "if no other program is at work, wait a few minutes and repeat this, or delete the record: `kubectl delete secret {}`",
                crate::record::secret_name(name, *revision)
            ),
            Self::Held { .. } | Self::LeaseLost { .. } => "repeat this when the other is done".to_owned(),
            Self::Hidden { .. } => "give the key by SOPS_AGE_KEY or SOPS_AGE_KEY_FILE".to_owned(),
            Self::Hook { .. } => {
                "repeat this when the cause is gone; `--timeout` gives hooks more time, `--no-hooks` leaves them out"
                    .to_owned()
            }
            Self::NotReady { .. } => {
                "repeat this when the cause is gone: it carries on from here; `--timeout` waits longer, `--rollback-on-failure` undoes what failed"
                    .to_owned()
            }
            Self::Cluster { source, .. } => match &**source {
                kube::Error::Api(status) if status.code == 403 => RIGHTS.to_owned(),
                kube::Error::Api(_) => return None,
                _ => "nothing is lost: repeat this when the cluster answers, and it carries on from what is recorded".to_owned(),
            },
            Self::Moved { .. } => "plan it again".to_owned(),
            Self::NotDeployed { name } => format!("`kpkg upgrade --install {name}` installs it"),
            Self::NoRevision { name, .. } => format!("`kpkg history {name}` lists the revisions"),
            Self::Record { record, .. } => {
                format!("it may be damaged or of a newer version; `kubectl get secret {record} -o yaml` shows it")
            }
            _ => return None,
        })
    }

    /// Wraps an error of the API client.
    pub(crate) fn cluster(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Cluster { action, source: Box::new(source) }
    }
}

fn held(name: &str, holder: &str, since: &str, until: &str) -> String {
    format!("release `{name}` is being changed by {holder} since {since}; unless renewed, the lease ends at {until}")
}

fn not_ready(objects: &[Unready], total: usize, waited_seconds: u64) -> String {
    let mut text = format!(
        "{} of the release did not become ready within {waited_seconds}s",
        if total == 1 { "one object".to_owned() } else { format!("{total} objects") }
    );
    for Unready { object, reason, details } in objects {
        text.push_str(&format!("\n  {object}: {reason}"));
        for line in details {
            text.push_str(&format!("\n    {line}"));
        }
    }
    if total > objects.len() {
        text.push_str(&format!("\n  and {} more", total - objects.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refusals in the words of Kubernetes 1.37's API server.
    #[test]
    fn refusals_come_with_a_next_step() {
        let cases = [
            (
                "InternalError",
                "Internal error occurred: failed calling webhook \"validate.nginx.ingress.kubernetes.io\": failed to call \
                 webhook: Post \"https://ingress-nginx-controller-admission.ingress-nginx.svc:443/networking/v1/ingresses\
                 ?timeout=10s\": no endpoints available for service \"ingress-nginx-controller-admission\"",
                Some("the webhook must answer"),
            ),
            (
                "Forbidden",
                "admission webhook \"validate.kyverno.svc-fail\" denied the request: images must be signed",
                Some("a policy of the cluster refuses it"),
            ),
            ("Forbidden", "configmaps \"a\" is forbidden: User \"x\" cannot patch resource", Some(RIGHTS)),
            (
                "Forbidden",
                "configmaps \"a\" is forbidden: unable to create new content in namespace b because it is being terminated",
                Some("wait until the namespace is gone"),
            ),
            (
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"kubectl\": .data.a",
                Some("`--force-conflicts`"),
            ),
            (
                "Invalid",
                "Service \"a\" is invalid: spec.clusterIPs[0]: Invalid value: field is immutable",
                Some("the field"),
            ),
            ("Invalid", "Service \"a\" is invalid: spec.ports: Required value", None),
        ];
        for (reason, message, want) in cases {
            let object = ObjectId {
                api_version: "v1".to_owned(),
                kind: "ConfigMap".to_owned(),
                namespace: "b".to_owned(),
                name: "a".to_owned(),
            };
            let error = ReleaseError::Refused {
                source_file: "c/templates/a.yaml".to_owned(),
                object,
                message: message.to_owned(),
                reason: reason.to_owned(),
            };
            let advice = error.advice();
            let fits = match (&advice, want) {
                (Some(advice), Some(want)) => advice.starts_with(want),
                (advice, want) => advice.is_none() && want.is_none(),
            };
            assert!(fits, "{message}: {advice:?}");
            assert!(error.to_string().contains("c/templates/a.yaml") && error.to_string().contains(message));
        }
    }
}
