//! Overlays: what a `kustomization.yaml` says, done as Kustomize does it, byte for byte.
//!
//! A folder's kustomization names resources, other folders among them; what it says is done to all of them together,
//! and the result is what the folder stands for where another one names it. Words: a *resource* is a document with
//! what is remembered of it while it is built, a *set* holds resources of different names, a *rule* says where in
//! which objects something applies, a *transformer* changes a set.
//!
//! The stages of one folder, in the order of [`target`](self): resources, configurations, generators, components,
//! transformers, validators, variables. Once, at the end: hashes of names, references to names, variables, order.
//!
//! - [`build`]: a folder to documents; [`apply`], [`apply_to_files`]: documents from elsewhere under an overlay
//! - [`edit`](mod@edit): the kustomization file itself changed; [`localize`]: a folder made independent of other places
//! - [`Options`]: what a build may use; without [`Remote`], [`Charts`] and [`Functions`] it reads files and nothing else
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("pod.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n")?;
//! std::fs::write(folder.path().join("kustomization.yaml"), "namePrefix: my-\nresources: [pod.yaml]\n")?;
//! let built = kpkg_overlay::build(folder.path().to_str().unwrap(), &kpkg_overlay::Options::default())?;
//! assert_eq!(built.text()?, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: my-web\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It does not look at a cluster, the clock or the environment.

mod affix;
mod build;
mod charts;
mod config;
mod documents;
pub mod edit;
mod error;
mod fieldspec;
mod files;
mod function;
mod generate;
mod id;
mod kustomization;
mod localize;
mod merge;
mod order;
mod origin;
mod plugin;
mod reference;
mod remote;
mod replacement;
mod resource;
mod schema;
mod scope;
mod selector;
mod set;
mod target;
mod trace;
mod transform;
mod tree;
mod variable;

pub use build::{Built, Options, apply, apply_to_files, apply_to_text, build};
pub use charts::{Charts, HelmChart, HelmGlobals};
pub use error::{Error, Result};
pub use files::Reads;
pub use function::Functions;
pub use localize::{Localized, localize};
pub use remote::{Address, Clone, Remote, without_logins};
pub use trace::{Field, Step, Story};
