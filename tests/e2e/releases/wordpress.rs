//! WordPress is upgraded, fails to be upgraded, and is rolled back, while people read it.

use std::path::Path;
use std::process::{Child, Stdio};

use kpkg_tests::{Machine, eventually, images};

use crate::LIMIT;
use crate::wordpress::{SITE, make_site, publish};

use super::{field, statuses};

/// A reader who never stops: one line for each page, good or bad.
struct Reader {
    child: Child,
    log: std::path::PathBuf,
}

impl Reader {
    fn new(machine: &Machine) -> Self {
        let log = machine.dir().join("reader.log");
        let script = format!(
            "while :; do if curl -sfL --max-time 20 -o /dev/null {SITE}; then echo good; else echo bad $? $(date +%T); fi; sleep 0.1; done"
        );
        let file = std::fs::File::create(&log).expect("the folder is writable");
        let mut command = machine.command("sh");
        let child = command.args(["-c", &script]).stdout(file).stderr(Stdio::null()).spawn().expect("nsenter runs");
        Self { child, log }
    }

    /// Stops; answers how many pages were good, and the bad ones.
    fn stop(mut self) -> (usize, Vec<String>) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let (good, bad): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| *line == "good");
        (good.len(), bad.into_iter().map(str::to_owned).collect())
    }
}

/// The bundled chart as its next version: with a definition, and a Job that migrates.
fn next_version(machine: &Machine) -> String {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/wordpress");
    let folder = machine.dir().join("wordpress-next");
    machine.run("cp", &["-rL", &bundled.display().to_string(), &folder.display().to_string()]).ok();
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("files are in folders")).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    };
    write("crds/theme.yaml", &super::life::DEFINITION.replace("VERSION", "v1").replace("FIELD", "size"));
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: '{{{{ .Release.Name }}}}-migrate'\n  annotations: {{helm.sh/hook: pre-upgrade, helm.sh/hook-output-log-policy: hook-succeeded}}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: main, image: '{}', command: [echo, tables migrated]}}]\n",
        images::BUSYBOX
    );
    write("templates/migrate.yaml", &job);
    folder.display().to_string()
}

#[test]
fn wordpress_is_upgraded_and_rolled_back_while_it_serves() {
    let machine = crate::busybox_machine();
    for (chart, reference) in images::BUNDLED {
        machine.kpkg(&["image", "load", &images::bundled(chart, reference).display().to_string()]).ok();
    }
    machine.kpkg(&["install", "wordpress"]).ok();
    make_site(&machine);
    publish(&machine, "A tale of two versions");
    let readable = || machine.http(&["--location", SITE]).is_some_and(|page| page.contains("A tale of two versions"));
    eventually("the post is on the front page", LIMIT, || readable().then_some(()));
    let reader = Reader::new(&machine);

    let next = next_version(&machine);
    let values = "replicaCount=2,podAnnotations.edition=second";
    let said = machine.kpkg(&["upgrade", "wordpress", &next, "--set", values]);
    assert!(said.code == 0 && said.err.contains("tables migrated"), "{}", said.err);
    assert_eq!(field(&machine, "deployment", "wordpress", "/spec/replicas"), "2");
    machine.kubectl(&["get", "crd", "widgets.example.com"]).ok();

    let broken = [
        "upgrade",
        "wordpress",
        &next,
        "--set",
        "image.repository=kpkg.test/none-such",
        "--timeout",
        "20s",
        "--rollback-on-failure",
    ];
    let told = machine.kpkg(&broken).failure();
    assert!(told.contains("has been rolled back to revision 2") && told.contains("Deployment/wordpress"), "{told}");
    assert_eq!(statuses(&machine, "wordpress"), ["superseded", "superseded", "failed", "deployed"]);

    let changed = machine.kpkg(&["diff", "wordpress", "--revision", "1"]);
    assert!(changed.code == 2 && changed.out.contains("spec.replicas"), "{}", changed.out);
    machine.kpkg(&["rollback", "wordpress", "1"]).ok();
    assert_eq!(field(&machine, "deployment", "wordpress", "/spec/replicas"), "1");
    let (good, bad) = reader.stop();
    assert!(good > 20 && bad.is_empty(), "{good} pages were served, these were not: {bad:?}");
    assert!(readable(), "the post is gone");
    machine.kpkg(&["uninstall", "wordpress"]).ok();
    machine.delete_cluster();
}
