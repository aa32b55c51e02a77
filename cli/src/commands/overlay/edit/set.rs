//! `kpkg overlay edit set`.

use kpkg_overlay::edit::{NewValues, Setting};

use super::{BuildOptions, DataKind, Pairs};

/// What to set.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// What the names of all resources begin with
    Nameprefix {
        /// The prefix
        value: Vec<String>,
    },
    /// What the names of all resources end with (`-- -suffix`)
    Namesuffix {
        /// The suffix
        value: Vec<String>,
    },
    /// The namespace of all resources
    Namespace {
        /// The namespace
        value: Vec<String>,
    },
    /// Names, tags and digests of images
    ///
    /// `NAME=NEWNAME:TAG@DIGEST`, parts of which may be left out; `*` as a part keeps what is there.
    Image {
        /// The images
        #[arg(value_name = "IMAGE")]
        images: Vec<String>,
    },
    /// Numbers of replicas
    Replicas {
        /// The numbers (`name=count`)
        #[arg(value_name = "NAME=COUNT")]
        replicas: Vec<String>,
    },
    /// The build options
    Buildmetadata(BuildOptions),
    /// Labels of all resources
    Label(Pairs),
    /// Annotations of all resources
    Annotation(Pairs),
    /// Values of a generated ConfigMap
    Configmap(Data),
    /// Values of a generated Secret
    Secret(Data),
}

/// New values of a generated object.
#[derive(Debug, clap::Args)]
pub(super) struct Data {
    /// Its name
    names: Vec<String>,

    /// A value (`key=value`); the key must be there
    #[arg(long, value_name = "KEY=VALUE")]
    from_literal: Vec<String>,

    /// Its namespace
    #[arg(long, default_value = "")]
    namespace: String,

    /// The namespace it gets
    #[arg(long, default_value = "")]
    new_namespace: String,
}

impl Data {
    fn values(self, kind: DataKind) -> NewValues {
        NewValues {
            kind,
            names: self.names,
            namespace: self.namespace,
            literals: self.from_literal,
            new_namespace: self.new_namespace,
        }
    }
}

impl From<Command> for Setting {
    fn from(command: Command) -> Self {
        match command {
            Command::Nameprefix { value } => Self::NamePrefix(value),
            Command::Namesuffix { value } => Self::NameSuffix(value),
            Command::Namespace { value } => Self::Namespace(value),
            Command::Image { images } => Self::Images(images),
            Command::Replicas { replicas } => Self::Replicas(replicas),
            Command::Buildmetadata(it) => Self::BuildMetadata(it.options),
            Command::Label(it) => Self::Labels(it.pairs),
            Command::Annotation(it) => Self::Annotations(it.pairs),
            Command::Configmap(data) => Self::Data(data.values(DataKind::ConfigMap)),
            Command::Secret(data) => Self::Data(data.values(DataKind::Secret)),
        }
    }
}
