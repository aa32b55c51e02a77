//! A program between rendering and output.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Gives manifests to a program; what it writes takes their place.
pub(crate) fn run(program: &Path, args: &[String], manifests: &str) -> Result<String> {
    let shown = program.display();
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start post-renderer {shown}"))?;
    let mut stdin = child.stdin.take().context("the post-renderer has no standard input")?;
    let output = std::thread::scope(|scope| {
        // A program may stop reading early: what it wrote by then decides.
        scope.spawn(move || drop(stdin.write_all(manifests.as_bytes())));
        child.wait_with_output()
    });
    let output = output.with_context(|| format!("cannot run post-renderer {shown}"))?;
    if !output.status.success() {
        bail!("post-renderer {shown} failed ({})", output.status);
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("post-renderer {shown} wrote no text"))?;
    if text.trim().is_empty() {
        bail!("post-renderer {shown:?} produced empty output");
    }
    Ok(text)
}
