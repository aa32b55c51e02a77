//! What kpkg pushes, as other programs see it.

use std::path::Path;

use kpkg_tests::Machine;
use serde_json::Value;

use super::{REGISTRY, chart, digest, registry};

#[test]
fn every_bundled_chart_goes_up_and_comes_back_and_skopeo_sees_it() {
    let machine = Machine::new();
    registry(&machine, "");
    let (here, there) = (machine.dir().join("here"), machine.dir().join("there"));
    let place = format!("oci://{REGISTRY}/charts");
    for name in ["mariadb", "nginx", "wordpress"] {
        let said = machine.kpkg(&["package", name, "-d", &here.display().to_string()]).ok();
        let archive = said.trim().rsplit(": ").next().expect("it says where").to_owned();
        let pushed = machine.kpkg(&["push", &archive, &place, "--plain-http"]).ok();
        let file = Path::new(&archive).file_name().expect("a file").to_string_lossy().into_owned();
        let version = file.trim_start_matches(&format!("{name}-")).trim_end_matches(".tgz");

        // Skopeo reads the manifest, and copies everything that it names with its digests checked.
        let remote = format!("docker://{REGISTRY}/charts/{name}:{version}");
        let raw = machine.run("skopeo", &["inspect", "--raw", "--tls-verify=false", &remote]).ok();
        let manifest: Value = serde_json::from_str(&raw).expect("JSON");
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json");
        assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.cncf.helm.chart.content.v1.tar+gzip");
        assert_eq!(manifest["layers"][0]["digest"], digest(&machine, Path::new(&archive)));
        assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], version);
        let seen = machine.run("skopeo", &["inspect", "--format", "{{.Digest}}", "--tls-verify=false", &remote]);
        // Older skopeos refuse to look into a configuration that is no image's; those that do must agree.
        assert!(seen.code != 0 || pushed.contains(seen.out.trim()), "{} {pushed}", seen.out);
        let copy = format!("oci:{}:{name}", machine.dir().join("copy").display());
        machine.run("skopeo", &["copy", "--src-tls-verify=false", &remote, &copy]).ok();

        let pulled = machine
            .kpkg(&["pull", &format!("{place}/{name}"), "--plain-http", "-d", &there.display().to_string()])
            .ok();
        let of = |text: &str| text.lines().find_map(|line| line.strip_prefix("Digest: ")).map(str::to_owned);
        assert_eq!(of(&pushed), of(&pulled));
        assert_eq!(digest(&machine, &there.join(&file)), digest(&machine, Path::new(&archive)));
    }
    let tags =
        machine.run("skopeo", &["list-tags", "--tls-verify=false", &format!("docker://{REGISTRY}/charts/nginx")]);
    let ours = machine.kpkg(&["tags", &format!("{place}/nginx"), "--plain-http"]).ok();
    assert!(tags.ok().contains(ours.trim()), "{ours}");
}

/// GitOps: the same inputs give the same bytes, however often, whoever makes them, wherever, under whatever settings.
#[test]
fn two_users_in_two_folders_make_the_same_bytes() {
    let machine = Machine::new();
    // The program may lie where only root may go.
    let bin = machine.dir().join("bin");
    let script = format!(
        "chmod 755 {dir}; mkdir -p {bin} {dir}/b; touch {bin}/kpkg; mount --bind {kpkg} {bin}/kpkg",
        dir = machine.dir().display(),
        bin = bin.display(),
        kpkg = kpkg_tests::kpkg().display()
    );
    machine.shell(&script, machine.dir()).ok();
    chart(machine.dir(), "web", "1.0.0", 40);
    let make = "P package web -d out && P repo index out && P template r web --seed 1 >out/rendered.yaml && \
                P images web >out/images && P bundle create web --no-images -o out/web.kpkg && P build over >out/built.yaml";
    let make = make.replace("P ", &format!("{} ", bin.join("kpkg").display()));
    let over = "namePrefix: p-\nresources: [map.yaml]\nconfigMapGenerator: [{name: c, literals: [a=b]}]\n";
    std::fs::create_dir(machine.dir().join("over")).expect("a folder");
    std::fs::write(machine.dir().join("over/kustomization.yaml"), over).expect("a file");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    std::fs::write(machine.dir().join("over/map.yaml"), map).expect("a file");
    let run = |script: &str| machine.shell(script, machine.dir()).ok();
    run(
        "cp -r web over b; mkdir b/out out; chmod -R u+rwX,go+rX-w b; chmod +x b/web/values.yaml; touch -d 2001-01-01 b/web/*; chown -R 65534:65534 b",
    );
    let as_nobody =
        "setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH HOME=/nonexistent TZ=Asia/Tokyo LANG=C";
    run(&format!("umask 077; {make}"));
    run(&format!("cd b; umask 000; {as_nobody} sh -ec '{make}'"));
    run(&format!("rm -r web; cp -r b/web .; mv out first; mkdir out; {make}; diff -r first out"));
    run(
        "diff -r out b/out && test -s out/web-1.0.0.tgz && test -s out/index.yaml && test -s out/built.yaml && grep -q hello out/rendered.yaml",
    );
}
