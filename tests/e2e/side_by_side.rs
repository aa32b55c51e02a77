//! Two clusters on one machine do not meet.

use kpkg_tests::{
    Machine, eventually,
    images::{self, BUSYBOX},
};

use crate::LIMIT;

#[test]
fn two_clusters_share_a_machine() {
    let machine = Machine::new();
    let archive = images::busybox().display().to_string();
    let names = [machine.cluster().to_owned(), format!("{}-b", machine.cluster())];
    let kpkg = |name: &str, args: &[&str]| {
        let data = machine.dir().join(format!("data-{name}"));
        let mut command = machine.kpkg_command(args);
        command.env("KPKG_DATA_DIR", data).env("KPKG_CLUSTER", name);
        let output = command.output().expect("nsenter runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let kubectl = |name: &str, args: &[&str]| {
        let config = machine.dir().join(format!("data-{name}/kubeconfig"));
        let output = machine.kubectl_command(args).env("KUBECONFIG", config).output().expect("nsenter runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // At the same moment: each must choose ranges that the other does not.
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| kpkg(name, &["cluster", "start"]));
        }
    });
    for name in &names {
        kpkg(name, &["image", "load", &archive]);
        kubectl(
            name,
            &[
                "run",
                "app",
                "--image",
                BUSYBOX,
                "--",
                "sh",
                "-c",
                "mkdir /www; echo $HOSTNAME > /www/index.html; httpd -f -p 80 -h /www",
            ],
        );
    }
    let addresses: Vec<String> = names
        .iter()
        .map(|name| {
            eventually("the pod has an address", LIMIT, || {
                let ip = kubectl(name, &["get", "pod", "app", "-o", "jsonpath={.status.podIP}"]);
                (!ip.is_empty() && machine.http(&[&format!("http://{ip}")]).is_some()).then_some(ip)
            })
        })
        .collect();
    assert_ne!(addresses[0], addresses[1]);

    // One goes, the other stays.
    kpkg(&names[0], &["cluster", "delete", "--yes"]);
    assert!(machine.http(&[&format!("http://{}", addresses[1])]).is_some());
    assert_eq!(kubectl(&names[1], &["get", "pods", "-o", "name"]).trim(), "pod/app");
    kpkg(&names[1], &["cluster", "delete", "--yes"]);
    assert_eq!(machine.run("nft", &["list", "ruleset"]).ok().trim(), "");
}
