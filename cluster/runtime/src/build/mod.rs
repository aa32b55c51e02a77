//! Builds images from the distribution's packages, for machines that reach no registry.
//!
//! A [`Recipe`] names packages, files and commands. mmdebstrap makes a root file system of them
//! from the mirrors that this machine's apt uses, and the image store takes it in as one layer.
//! Start at [`build`].
//!
//! An image made from a recipe carries the recipe's digest as the label [`RECIPE_LABEL`], so that
//! a changed recipe is noticed.

mod bootstrap;
mod recipe;

use std::io;
use std::process::ExitStatus;

use sha2::{Digest, Sha256};

pub use recipe::{API_VERSION, Recipe, RecipeConfig, RecipeFile, Variant};

use crate::image::{Image, ImageConfig, ImageError, ImageStore};
use bootstrap::Workspace;

/// The image label that holds the digest of the recipe behind it.
pub const RECIPE_LABEL: &str = "dev.kpkg.recipe";

/// Why a recipe did not become an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The recipe itself is wrong.
    #[error("the image recipe is not valid: {problem}")]
    Recipe {
        /// What is wrong with it.
        problem: String,
    },
    /// A file that the recipe names is missing.
    #[error("cannot read `{path}`, which the image recipe names")]
    ReadSource {
        /// The path relative to the recipe.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The scratch folder could not be used.
    #[error("cannot use the folder for image builds")]
    Workspace {
        /// The cause.
        source: io::Error,
    },
    /// A tool of the distribution is missing.
    #[error("cannot run `{tool}`, which image recipes need (`apt-get install mmdebstrap` brings it)")]
    Tool {
        /// The program.
        tool: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// This machine has no Debian mirror to take packages from.
    #[error("image recipes need a Debian or Ubuntu machine: no apt sources were found here")]
    NotDebian,
    /// Packages could not be installed or the recipe's commands failed.
    #[error("building the root file system failed ({status}); the last lines were:\n{output}")]
    Bootstrap {
        /// mmdebstrap's exit status.
        status: ExitStatus,
        /// Its last lines.
        output: String,
    },
    /// The image store refused the result.
    #[error("cannot store the built image")]
    Store {
        /// The cause.
        #[from]
        source: ImageError,
    },
}

impl BuildError {
    fn workspace(source: io::Error) -> Self {
        Self::Workspace { source }
    }
}

/// Builds `recipe` and stores the image as `reference`.
///
/// `read` answers the files that the recipe names by `source`, relative to its folder; `progress`
/// hears each step in words.
pub async fn build(
    images: &ImageStore,
    recipe: &Recipe,
    reference: &str,
    read: &(dyn Fn(&str) -> io::Result<Vec<u8>> + Send + Sync),
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Image, BuildError> {
    let scratch = images.scratch_dir().map_err(BuildError::workspace)?;
    let workspace = Workspace { dir: scratch.path() };
    workspace.stage(recipe, read)?;
    workspace.bootstrap(recipe, progress).await?;
    progress("storing the image");
    let config = image_config(recipe, &digest(recipe, read)?);
    Ok(images.import_rootfs_layer(&workspace.tar(), config, reference).await?)
}

/// The digest of everything that the recipe says, its files included.
pub fn digest(recipe: &Recipe, read: &dyn Fn(&str) -> io::Result<Vec<u8>>) -> Result<String, BuildError> {
    let mut hash = Sha256::new();
    hash.update(format!("{recipe:?}"));
    for path in recipe.files.iter().filter_map(|file| file.source.as_ref()) {
        let bytes = read(path).map_err(|source| BuildError::ReadSource { path: path.clone(), source })?;
        hash.update(bytes);
    }
    Ok(format!("sha256:{}", hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// The search path of images made by recipes: Debian's.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn image_config(recipe: &Recipe, digest: &str) -> ImageConfig {
    let config = &recipe.config;
    let mut env = vec![format!("PATH={PATH}")];
    env.extend(config.env.iter().map(|(name, value)| format!("{name}={value}")));
    ImageConfig {
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        env,
        working_dir: config.working_dir.clone().unwrap_or_default(),
        user: config.user.clone().unwrap_or_default(),
        exposed_ports: config.exposed_ports.clone(),
        volumes: config.volumes.clone(),
        stop_signal: config.stop_signal.clone(),
        labels: [(RECIPE_LABEL.to_owned(), digest.to_owned())].into(),
    }
}
