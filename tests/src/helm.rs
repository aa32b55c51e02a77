//! The real Helm, as the library that its Python package carries.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Machine;

/// Calls Helm's Go library, as its command line does, and prints what it answers and how long that took.
const SCRIPT: &str = r#"
import json, sys, time
from helm_python import Config
request = json.loads(sys.argv[1])
config = Config(kubeconfig_path=request["kubeconfig"], namespace=request["namespace"])
begun = time.perf_counter()
answer = getattr(config, request["call"])(*request["args"], **request["options"])
print(json.dumps({"answer": answer, "seconds": time.perf_counter() - begun}, default=str))
"#;

/// The real Helm. Its library names itself after the program that loads it: `helm` here.
pub struct Helm<'a> {
    machine: &'a Machine,
    program: PathBuf,
    modules: String,
}

impl<'a> Helm<'a> {
    /// Helm against a machine's cluster, by the Python that `KPKG_HELM_PYTHON` names.
    ///
    /// # Panics
    ///
    /// If that Python has no `helm_python`.
    pub fn new(machine: &'a Machine) -> Self {
        let python = std::env::var("KPKG_HELM_PYTHON").unwrap_or_else(|_| "python".to_owned());
        let ask = |what: &str| machine.run(&python, &["-c", what]).ok().trim().to_owned();
        let real = ask("import sys, os; print(os.path.realpath(sys.executable))");
        let modules = ask("import helm_python, os; print(os.path.dirname(os.path.dirname(helm_python.__file__)))");
        let program = machine.dir().join("helm");
        std::os::unix::fs::symlink(real, &program).expect("the folder is writable");
        Self { machine, program, modules }
    }

    /// Calls `call`; what Helm answers and how long it took, or what it says of its failure.
    ///
    /// # Errors
    ///
    /// Helm's own words.
    ///
    /// # Panics
    ///
    /// If Python cannot be started.
    pub fn timed(
        &self,
        namespace: &str,
        call: &str,
        args: &Value,
        options: &Value,
    ) -> Result<(Value, Duration), String> {
        let kubeconfig = self.machine.data_dir().join("kubeconfig");
        let request = json!({
            "call": call, "args": args, "options": options, "kubeconfig": kubeconfig, "namespace": namespace,
        });
        let mut command = self.machine.command(&self.program);
        command.args(["-c", SCRIPT, &request.to_string()]).env("PYTHONPATH", &self.modules);
        let output = command.output().expect("nsenter runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let mut said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let seconds = said["seconds"].as_f64().unwrap_or_default();
        Ok((said["answer"].take(), Duration::from_secs_f64(seconds)))
    }

    /// Calls `call` in namespace `default`.
    ///
    /// # Errors
    ///
    /// Helm's own words.
    pub fn run(&self, call: &str, args: &Value, options: &Value) -> Result<Value, String> {
        self.timed("default", call, args, options).map(|(answer, _)| answer)
    }

    /// The answer to a call that must succeed.
    ///
    /// # Panics
    ///
    /// If it fails.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "calls read better with values")]
    pub fn ok(&self, call: &str, args: Value, options: Value) -> Value {
        self.run(call, &args, &options).unwrap_or_else(|error| panic!("{call} {args}: {error}"))
    }

    /// The statuses of a release's revisions, oldest first.
    pub fn statuses(&self, release: &str) -> Vec<String> {
        let list = self.ok("history", json!([release]), json!({}));
        let status =
            |it: &Value| it["info"]["status"].as_str().or(it["status"].as_str()).unwrap_or_default().to_owned();
        list.as_array().into_iter().flatten().map(status).collect()
    }
}
