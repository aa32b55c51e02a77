//! The programs that generators and transformers name.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use kpkg_overlay::{Error, Functions};

/// Programs on this machine, run in the kustomization's folder.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// What they find in their environment besides: `NAME=VALUE`, or `NAME` for what is there already.
    pub(crate) environment: Vec<String>,
}

impl Functions for Programs {
    fn run(&self, program: &str, folder: &Path, input: &str) -> kpkg_overlay::Result<String> {
        let failed = |problem: String| Error::Rule(format!("function {program}: {problem}"));
        let mut command = Command::new(folder.join(program));
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.envs(self.environment.iter().filter_map(|variable| variable.split_once('=')));
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        let output = std::thread::scope(|scope| {
            // Written beside the reading, so that neither side waits for the other. A generator may read nothing.
            scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
            child.wait_with_output()
        });
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        String::from_utf8(output.stdout).map_err(|_| failed("its output is not text".to_owned()))
    }
}
