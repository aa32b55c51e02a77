//! `cargo xtask schema`: writes the type table of `cluster/api` from published packages.
//!
//! Types, required fields, list types and patch strategies come from the OpenAPI definitions that the
//! Python package `kubernetes-validate` ships; protobuf field numbers from the sources of the crate `k8s-pb`.
//! The result is one small text file ([`TABLE`]) without prose; `cluster/api/src/schema/load.rs` reads it.

mod prost;
mod sources;
mod table;

use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf};

/// The generated file, relative to the workspace.
const TABLE: &str = "cluster/api/src/schema/table.txt";

/// Regenerates the table; with `check` only says whether the committed one is fresh.
pub(crate) fn run(check: bool) -> Result<()> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let definitions = sources::definitions(scratch.path())?;
    let messages = prost::read(&sources::protobuf(scratch.path())?)?;
    let text = table::render(&definitions, &messages)?;
    let path = workspace().join(TABLE);
    if check {
        let committed = fs::read_to_string(&path).unwrap_or_default();
        if committed != text {
            bail!("{TABLE} is stale: run `cargo xtask schema` and commit the result");
        }
        return Ok(());
    }
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
