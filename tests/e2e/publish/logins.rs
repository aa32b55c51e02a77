//! Logins that a credential helper keeps: Docker's way, as `docker` and `helm` use it.

use kpkg_tests::Machine;

use super::{REGISTRY, chart, registry};

/// Keeps logins in files below `$HOME/kept`, named by what Docker calls the server.
const HELPER: &str = r#"#!/bin/sh
kept="$HOME/kept"; mkdir -p "$kept"
input=$(cat)
case "$1" in
get)
    file="$kept/$(echo "$input" | tr '/:' '__')"
    if [ -f "$file" ]; then cat "$file"; else echo 'credentials not found in native keychain'; exit 1; fi ;;
store)
    server=$(echo "$input" | sed 's/.*"ServerURL":"\([^"]*\)".*/\1/')
    echo "$input" > "$kept/$(echo "$server" | tr '/:' '__')" ;;
erase) rm "$kept/$(echo "$input" | tr '/:' '__')" ;;
esac
"#;

#[test]
fn a_credential_helper_keeps_the_login() {
    let machine = Machine::new();
    let dir = machine.dir();
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().expect("below")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    // The password is `secret`.
    write("htpasswd", "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
    let auth = format!("auth: {{htpasswd: {{realm: test, path: {}/htpasswd}}}}\n", dir.display());
    registry(&machine, &auth);
    write("bin/docker-credential-files", HELPER);
    write(".docker/config.json", r#"{"credsStore": "files", "HttpHeaders": {"a": "b"}}"#);
    write("wrong", "s3cret-wrong\n");
    chart(dir, "web", "1.0.0", 10);
    let run = |script: &str| machine.shell(&format!("export PATH=$PWD/bin:$PATH; {script}"), dir);
    run("chmod +x bin/docker-credential-files; kpkg package web").ok();

    let told = run(&format!("kpkg push web-1.0.0.tgz oci://{REGISTRY}/charts --plain-http")).failure();
    assert!(told.contains(&format!("kpkg login {REGISTRY}")), "{told}");
    let told = run(&format!("kpkg login {REGISTRY} -u user --password-stdin --plain-http < wrong")).failure();
    assert!(!told.contains("s3cret"), "{told}");
    assert!(!dir.join("kept").join("127.0.0.1_5000").exists(), "a login that is not good is not kept");

    run(&format!("echo secret | kpkg login {REGISTRY} -u user --password-stdin --plain-http")).ok();
    let config = std::fs::read_to_string(dir.join(".docker/config.json")).expect("there");
    assert!(
        !config.contains("auths") && config.contains("HttpHeaders"),
        "the helper keeps it, the file does not: {config}"
    );
    run(&format!("kpkg push web-1.0.0.tgz oci://{REGISTRY}/charts --plain-http")).ok();
    run(&format!("kpkg pull oci://{REGISTRY}/charts/web --plain-http -d got && cmp web-1.0.0.tgz got/web-1.0.0.tgz"))
        .ok();
    // Images are pulled with the same login.
    let told = run(&format!("kpkg image pull {REGISTRY}/none:1")).failure();
    assert!(told.contains("was not found"), "let in, and told that there is none: {told}");

    run(&format!("kpkg logout {REGISTRY}")).ok();
    run(&format!("kpkg pull oci://{REGISTRY}/charts/web --plain-http -d more")).failure();
    // A helper that fails, is missing or answers nonsense is an error and not an anonymous visit.
    for script in ["#!/bin/sh\nexit 3\n", "#!/bin/sh\necho '<html>'\n"] {
        write("bin/docker-credential-files", script);
        let told = run(&format!("kpkg pull oci://{REGISTRY}/charts/web --plain-http")).failure();
        assert!(told.contains("docker-credential-files"), "{told}");
    }
    run("rm bin/docker-credential-files").ok();
    let told = run(&format!("kpkg pull oci://{REGISTRY}/charts/web --plain-http")).failure();
    assert!(told.contains("docker-credential-files"), "{told}");
}
