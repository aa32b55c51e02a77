//! Files that sops 3.11 sealed, with what it prints when it opens them.

use super::*;

const KEYS: &str = include_str!("../../testdata/keys.txt");

/// A sealed file, and the same in clear as JSON.
const CASES: [(&str, &str, &str); 4] = [
    ("everything", include_str!("../../testdata/all.yaml"), include_str!("../../testdata/all.json")),
    ("keys that match", include_str!("../../testdata/regex.yaml"), include_str!("../../testdata/regex.json")),
    ("a suffix", include_str!("../../testdata/maconly.yaml"), include_str!("../../testdata/maconly.json")),
    ("by comments", include_str!("../../testdata/comments.yaml"), include_str!("../../testdata/comments.json")),
];

fn identities() -> Vec<Identity> {
    Identity::list(KEYS).unwrap()
}

#[test]
fn what_sops_sealed_opens() {
    for (name, sealed, clear) in CASES {
        assert!(is_sealed(sealed), "{name}");
        let opened = open(sealed, &identities()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let values = kpkg_yaml::read(&opened.text).unwrap().to_json();
        assert_eq!(values, kpkg_yaml::read(clear).unwrap().to_json(), "{name}");
        assert!(opened.recipients.contains(&identities()[0].recipient()), "{name}");
        assert!(!format!("{opened:?}").contains("s3cret"), "{name}");
    }
    assert!(!is_sealed("a: 1\nsops:\n  b: 2\n"));
}

#[test]
fn values_stay_on_their_lines() {
    let (_, sealed, _) = CASES[0];
    let opened = open(sealed, &identities()).unwrap();
    let line = |text: &str| text.lines().position(|line| line.trim_start().starts_with("password:"));
    assert_eq!(line(&opened.text), line(sealed));
    assert!(opened.secrets.iter().any(|it| it == "5432"), "{}", opened.secrets.len());
    // What follows sops' section keeps its line, too.
    let behind = format!("{sealed}after_unencrypted: null\n");
    let opened = open(&behind, &identities()).unwrap();
    assert_eq!(opened.text.lines().count(), behind.lines().count());
}

#[test]
fn whatever_was_changed_is_refused() {
    let (_, sealed, _) = CASES[0];
    let refused = |text: &str| open(text, &identities()).unwrap_err().to_string();
    let line = |key: &str| sealed.lines().find(|line| line.trim_start().starts_with(key)).unwrap().to_owned();
    let value = |key: &str| line(key).split_once(": ").unwrap().1.to_owned();
    let moved = sealed.replace(&value("user"), &value("password"));
    assert!(refused(&moved).contains("`database.user` was changed"), "{}", refused(&moved));
    let clear = sealed.replace(&value("user"), "mallory");
    assert!(refused(&clear).contains("`database.user` was changed since sops sealed it: it is in clear"));
    for changed in [
        sealed.replace("mode_unencrypted: fast", "mode_unencrypted: slow"),
        sealed.replace(&format!("{}\n", line("user")), ""),
        sealed.replace("    count: 3\n", ""),
        sealed.replace("lastmodified: \"20", "lastmodified: \"19"),
    ] {
        assert_ne!(changed, sealed);
        assert_eq!(open(&changed, &identities()).unwrap_err(), SecretError::Mac);
    }
    assert!(refused("a: ENC[AES256_GCM,data:x]\n").contains("it has no `sops`"));
    assert_eq!(open(sealed, &[]).unwrap_err(), SecretError::NoIdentity(0));
}

#[test]
fn files_for_other_keys_are_told_apart() {
    let text = "a: ENC[AES256_GCM,data:,iv:,tag:,type:str]\nsops:\n  kms:\n  - arn: x\n  mac: y\n";
    let error = open(text, &identities()).unwrap_err().to_string();
    assert_eq!(error, "the file is sealed by kms, and only age keys are known here");
}
