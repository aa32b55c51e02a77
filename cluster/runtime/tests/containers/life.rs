//! The life of containers: start, output, end.

use kpkg_runtime::ContainerState;
use libtest_mimic::Trial;

use crate::kit::test;

pub(crate) fn tests() -> Vec<Trial> {
    vec![test("a_container_runs_writes_and_ends", |lab| async move {
        let sandbox = lab.sandbox().await;
        let script = "echo out; echo err >&2; echo $FROM_IMAGE $HOSTNAME $HOME; printf unfinished; exit 7";
        let (status, lines) = lab.run(&sandbox, lab.script("main", script)).await;
        assert_eq!(status.state, ContainerState::Exited);
        assert_eq!((status.exit_code, status.reason.as_str()), (Some(7), "Error"));
        let mut sorted = lines.clone();
        sorted.sort();
        assert_eq!(sorted, ["out", "stderr: err", "unfinished", "yes one /root"]);
    })]
}
