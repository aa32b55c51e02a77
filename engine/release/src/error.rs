//! Why a release could not be made, changed or removed.

use crate::object::ObjectId;

/// A result of this crate.
pub type Result<T, E = ReleaseError> = std::result::Result<T, E>;

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
    },
    /// The namespace does not exist and was not asked for.
    #[error("namespace `{namespace}` does not exist (`--create-namespace` makes it)")]
    NoNamespace {
        /// The namespace.
        namespace: String,
    },
    /// Objects did not become ready.
    #[error("{}", not_ready(.objects, *.waited_seconds))]
    NotReady {
        /// The objects with what they still wait for, and what is known about why.
        objects: Vec<Unready>,
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
    /// Wraps an error of the API client.
    pub(crate) fn cluster(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Cluster { action, source: Box::new(source) }
    }
}

fn not_ready(objects: &[Unready], waited_seconds: u64) -> String {
    let mut text = format!(
        "{} of the release did not become ready within {waited_seconds}s",
        if objects.len() == 1 { "one object".to_owned() } else { format!("{} objects", objects.len()) }
    );
    for Unready { object, reason, details } in objects {
        text.push_str(&format!("\n  {object}: {reason}"));
        for line in details {
            text.push_str(&format!("\n    {line}"));
        }
    }
    text
}
