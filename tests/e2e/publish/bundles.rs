//! Bundles: made where there are images, carried by a registry, installed where there is nothing at all.

use std::time::Duration;

use kpkg_tests::{Machine, eventually, images};

use super::{REGISTRY, chart, registry, stop_registry};
use crate::wordpress::SITE;

#[test]
fn wordpress_travels_in_one_file_and_is_installed_without_a_network() {
    let source = Machine::new();
    registry(&source, "");
    for (chart, reference) in images::BUNDLED {
        source.kpkg(&["image", "load", &images::bundled(chart, reference).display().to_string()]).ok();
    }
    let remote = format!("oci://{REGISTRY}/bundles/wordpress:1");
    let script = format!(
        "kpkg bundle create wordpress -o wp.kpkg --set replicaCount=1\n\
         kpkg bundle push wp.kpkg {remote} --plain-http\n\
         kpkg bundle pull got.kpkg {remote} --plain-http\n\
         cmp wp.kpkg got.kpkg && rm got.kpkg"
    );
    source.shell(&script, source.dir()).ok();

    // This one has a loopback and no route: the file is all that it gets.
    let target = Machine::new();
    let bundle = target.dir().join("wp.kpkg");
    std::fs::rename(source.dir().join("wp.kpkg"), &bundle).expect("both are on one disk");
    assert_eq!(target.run("ip", &["route"]).ok().trim(), "");
    target.kpkg(&["cluster", "start"]).ok();
    let installed = target.kpkg(&["bundle", "install", &bundle.display().to_string(), "blog"]).ok();
    assert!(installed.contains("STATUS: deployed"), "{installed}");
    eventually("the site answers", crate::LIMIT, || {
        target.http(&["--location", SITE]).filter(|page| page.contains("WordPress")).map(drop)
    });
    target.kpkg(&["uninstall", "blog"]).ok();
    target.delete_cluster();
}

/// A lock made of what a registry says holds what runs to it, wherever the tag goes meanwhile.
#[test]
fn what_is_locked_runs_by_its_digest() {
    let machine = Machine::new();
    registry(&machine, "");
    let dir = machine.dir();
    let archive = images::busybox();
    let copy = |tag: &str| {
        let (from, to) = (format!("oci-archive:{}", archive.display()), format!("docker://{REGISTRY}/team/{tag}"));
        machine.run("skopeo", &["copy", "--dest-tls-verify=false", &from, &to]).ok();
    };
    copy("app:1");
    let root = chart(dir, "web", "1.0.0", 0);
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - name: app\n    image: \
         {REGISTRY}/team/app:1 # moves\n    command: [sleep, infinity]\n"
    );
    std::fs::write(root.join("templates/pod.yaml"), pod).expect("a file");
    assert_eq!(machine.shell("kpkg images web", dir).ok().trim(), format!("{REGISTRY}/team/app:1"));
    machine.shell("kpkg lock web --plain-http", dir).ok();
    let inspect =
        ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("docker://{REGISTRY}/team/app:1")];
    let pinned = format!("{REGISTRY}/team/app@{}", machine.run("skopeo", &inspect).ok().trim());
    let rendered = machine.shell("kpkg template web --lock images.lock", dir).ok();
    assert!(rendered.contains(&format!("image: {pinned} # moves")), "{rendered}");

    // The tag goes elsewhere, and then away.
    let elsewhere = "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}";
    let url = format!("http://{REGISTRY}/v2/team/app/manifests/1");
    machine
        .run(
            "curl",
            &[
                "--silent",
                "-X",
                "PUT",
                "-H",
                "content-type: application/vnd.oci.image.manifest.v1+json",
                "-d",
                elsewhere,
                &url,
            ],
        )
        .ok();
    machine.shell("rm -r registry/data/docker/registry/v2/repositories/team/app/_manifests/tags/1", dir).ok();
    machine.kpkg(&["cluster", "start"]).ok();
    machine.shell("kpkg install web ./web --lock images.lock", dir).ok();
    let pod = eventually("the pod runs", Duration::from_secs(60), || {
        let pod = machine.get("pod", "web");
        crate::is_ready(&pod).then_some(pod)
    });
    assert_eq!(pod["spec"]["containers"][0]["image"], pinned);
    let told = machine
        .shell("sed -i 's#team/app:1#team/other:1#' images.lock; kpkg template web --lock images.lock", dir)
        .failure();
    assert!(told.contains("does not name the image"), "{told}");
    stop_registry(&machine);
    machine.delete_cluster();
}
