//! `kpkg overlay edit add`.

use kpkg_overlay::edit::{Addition, Sources};

use super::{BuildOptions, DataKind, Pairs, Patch, Paths};

/// What to add.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add files or folders of resources
    Resource {
        #[command(flatten)]
        paths: Paths,
        /// Take them as they are, whether they exist or not
        #[arg(long)]
        no_verify: bool,
    },
    /// Add components
    Component(Paths),
    /// Add folders to the resources (`base1,base2`)
    Base(Paths),
    /// Add files that configure generators
    Generator(Paths),
    /// Add files that configure transformers
    Transformer(Paths),
    /// Add build options: originAnnotations, transformerAnnotations, managedByLabel
    Buildmetadata(BuildOptions),
    /// Add labels to all resources
    Label {
        #[command(flatten)]
        pairs: Pairs,
        /// Overwrite labels that are there
        #[arg(short, long)]
        force: bool,
        /// Leave selectors alone
        #[arg(long)]
        without_selector: bool,
        /// Label templates too (with `--without-selector`)
        #[arg(long)]
        include_templates: bool,
    },
    /// Add annotations to all resources
    Annotation {
        #[command(flatten)]
        pairs: Pairs,
        /// Overwrite annotations that are there
        #[arg(short, long)]
        force: bool,
    },
    /// Add a generated ConfigMap
    Configmap(Data),
    /// Add a generated Secret
    Secret {
        #[command(flatten)]
        data: Data,
        /// The type of the Secret
        #[arg(long = "type", default_value = "Opaque")]
        secret_type: String,
    },
    /// Add a patch
    Patch(Box<Patch>),
}

/// What a generated object is made of.
#[derive(Debug, clap::Args)]
pub(super) struct Data {
    /// Its name
    names: Vec<String>,

    /// Its namespace
    #[arg(long, default_value = "")]
    namespace: String,

    /// A file, its name as the key, or `key=file`; patterns are allowed
    #[arg(long, value_name = "[KEY=]FILE", value_delimiter = ',')]
    from_file: Vec<String>,

    /// A value (`key=value`)
    #[arg(long, value_name = "KEY=VALUE")]
    from_literal: Vec<String>,

    /// A file of `key=value` lines
    #[arg(long, default_value = "", value_name = "FILE")]
    from_env_file: String,

    /// Leave its name without a hash
    #[arg(long = "disableNameSuffixHash")]
    disable_name_suffix_hash: bool,

    /// What to do with one of the same name in a base: create, merge, replace
    #[arg(long, default_value = "")]
    behavior: String,
}

impl Data {
    fn sources(self, kind: DataKind, secret_type: String) -> Sources {
        Sources {
            kind,
            names: self.names,
            namespace: self.namespace,
            files: self.from_file,
            literals: self.from_literal,
            env_file: self.from_env_file,
            disable_name_suffix_hash: self.disable_name_suffix_hash,
            behavior: self.behavior,
            secret_type,
        }
    }
}

impl From<Command> for Addition {
    fn from(command: Command) -> Self {
        match command {
            Command::Resource { paths, no_verify } => Self::Resources { paths: paths.paths, verify: !no_verify },
            Command::Component(it) => Self::Components(it.paths),
            Command::Base(it) => Self::Bases(it.paths),
            Command::Generator(it) => Self::Generators(it.paths),
            Command::Transformer(it) => Self::Transformers(it.paths),
            Command::Buildmetadata(it) => Self::BuildMetadata(it.options),
            Command::Label { pairs, force, without_selector, include_templates } => {
                Self::Labels { pairs: pairs.pairs, force, without_selector, include_templates }
            }
            Command::Annotation { pairs, force } => Self::Annotations { pairs: pairs.pairs, force },
            Command::Configmap(data) => Self::Data(data.sources(DataKind::ConfigMap, String::new())),
            Command::Secret { data, secret_type } => Self::Data(data.sources(DataKind::Secret, secret_type)),
            Command::Patch(patch) => Self::Patch((*patch).into()),
        }
    }
}
