//! `kpkg overlay edit remove`.

use kpkg_overlay::edit::Removal;

use super::{BuildOptions, DataKind, Patch, Paths};

/// What to remove.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Remove resources
    Resource(Paths),
    /// Remove transformers
    Transformer(Paths),
    /// Remove build options
    Buildmetadata(BuildOptions),
    /// Remove labels
    Label(Keys),
    /// Remove annotations
    Annotation(Keys),
    /// Remove generated ConfigMaps
    Configmap(Names),
    /// Remove generated Secrets
    Secret(Names),
    /// Remove a patch: all of its parts must be given
    Patch(Box<Patch>),
}

/// Keys of labels or annotations.
#[derive(Debug, clap::Args)]
pub(super) struct Keys {
    /// The keys, with commas between them
    #[arg(value_name = "KEYS")]
    keys: Vec<String>,

    /// Do not mind if there is no such key
    #[arg(short, long)]
    ignore_non_existence: bool,
}

/// Names of generated objects.
#[derive(Debug, clap::Args)]
pub(super) struct Names {
    /// The names, with commas between them
    #[arg(value_name = "NAMES")]
    names: Vec<String>,

    /// Their namespace
    #[arg(long, default_value = "")]
    namespace: String,
}

impl From<Command> for Removal {
    fn from(command: Command) -> Self {
        let data = |kind: DataKind, names: Names| Self::Data { kind, names: names.names, namespace: names.namespace };
        match command {
            Command::Resource(it) => Self::Resources(it.paths),
            Command::Transformer(it) => Self::Transformers(it.paths),
            Command::Buildmetadata(it) => Self::BuildMetadata(it.options),
            Command::Label(Keys { keys, ignore_non_existence: ignore }) => Self::Labels { keys, ignore },
            Command::Annotation(Keys { keys, ignore_non_existence: ignore }) => Self::Annotations { keys, ignore },
            Command::Configmap(names) => data(DataKind::ConfigMap, names),
            Command::Secret(names) => data(DataKind::Secret, names),
            Command::Patch(patch) => Self::Patch((*patch).into()),
        }
    }
}
