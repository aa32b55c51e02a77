//! Keys as GnuPG makes, changes, revokes and lets expire: which of them we trust, and when.

use std::path::PathBuf;

use kpkg_registry::oci::digest_of;
use kpkg_registry::{Error, provenance};

use crate::helm::helm;
use crate::kit::{GnuPg, Lab, archive};

const NAME: &str = "web-1.0.0.tgz";
const DAY: u64 = 24 * 3600;

/// A key of GnuPG's and an archive that it signs.
struct Signer {
    gpg: GnuPg,
    home: PathBuf,
    fingerprint: String,
}

impl Signer {
    /// `usage` is of the primary key.
    fn new(lab: &Lab, usage: &str, expires: &str) -> Option<Self> {
        let home = lab.path("gpg");
        let gpg = GnuPg::at(&home)?;
        gpg.run(&["--passphrase", "", "--quick-gen-key", "Tester <test@example.com>", "ed25519", usage, expires]);
        let listed = String::from_utf8(gpg.run(&["--with-colons", "--list-keys"])).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        let fingerprint = line.split(':').nth(9).unwrap().to_owned();
        std::fs::write(home.join(NAME), archive("web", "1.0.0")).unwrap();
        Some(Self { gpg, home, fingerprint })
    }

    fn add_subkey(&self, usage: &str, expires: &str) {
        self.gpg.run(&["--passphrase", "", "--quick-add-key", &self.fingerprint, "ed25519", usage, expires]);
    }

    fn edit(&self, script: &str) {
        self.gpg.talk(&["--command-fd", "0", "--edit-key", &self.fingerprint], script.as_bytes());
    }

    /// The provenance file, signed by GnuPG.
    fn sign(&self) -> Vec<u8> {
        let bytes = archive("web", "1.0.0");
        let text = format!("name: web\nversion: 1.0.0\n\n...\nfiles:\n  {NAME}: {}\n", digest_of(&bytes));
        let signed = self.gpg.talk(&["--batch", "--yes", "--passphrase", "", "--clearsign"], text.as_bytes());
        std::fs::write(self.home.join(format!("{NAME}.prov")), &signed).unwrap();
        signed
    }

    fn ring(&self) -> PathBuf {
        let path = self.home.join("public.gpg");
        std::fs::write(&path, self.gpg.run(&["--export"])).unwrap();
        path
    }

    /// Checks with the ring as it is now, `later` from now.
    fn check(&self, signed: &[u8], later: u64) -> Result<Vec<String>, Error> {
        let ring = self.ring();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let checked = provenance::verify(&archive("web", "1.0.0"), NAME, signed, &ring, now + later);
        checked.map(|it| it.signed_by)
    }

    #[track_caller]
    fn assert_refused(&self, signed: &[u8], later: u64, want: &str) {
        let error = self.check(signed, later).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }

    /// What the real Helm says; `None` where there is none.
    fn helm(&self) -> Option<bool> {
        let (archive, ring) = (self.home.join(NAME).display().to_string(), self.ring().display().to_string());
        helm("print(h.verify(a[0], a[1])['signed_by'])", &[&archive, &ring]).map(|outcome| outcome.is_ok())
    }
}

#[test]
fn a_subkey_signs_for_its_owner_until_it_expires_or_is_revoked() {
    let lab = Lab::new();
    let Some(signer) = Signer::new(&lab, "cert", "never") else { return };
    signer.add_subkey("sign", "1d");
    let signed = signer.sign();
    assert_eq!(signer.check(&signed, 0).unwrap(), ["Tester <test@example.com>"]);
    assert_ne!(signer.helm(), Some(false), "Helm takes it too");
    signer.assert_refused(&signed, 2 * DAY, "expired");
    // A later word of the owner counts.
    signer.gpg.run(&["--passphrase", "", "--quick-set-expire", &signer.fingerprint, "3d", "*"]);
    signer.check(&signed, 2 * DAY).unwrap();
    signer.edit("key 1\nrevkey\ny\n0\n\ny\nsave\n");
    signer.assert_refused(&signed, 0, "revoked");
}

#[test]
fn a_subkey_that_does_not_name_its_owner_signs_for_nobody() {
    let lab = Lab::new();
    let Some(signer) = Signer::new(&lab, "cert", "never") else { return };
    signer.add_subkey("sign", "never");
    let signed = signer.sign();
    // The back signature stands where the owner's own signature does not cover it: whoever takes the subkey
    // over leaves it away.
    let mut ring = signer.gpg.run(&["--export"]);
    let back = [32, 4, 0x19];
    let at = ring.windows(3).position(|window| window == back).expect("gpg writes one");
    ring[at] = 100; // a private kind that says nothing
    let path = lab.path("adopted.gpg");
    std::fs::write(&path, &ring).unwrap();
    let error = provenance::verify(&archive("web", "1.0.0"), NAME, &signed, &path, u64::from(u32::MAX)).unwrap_err();
    assert!(error.to_string().contains("back signature"), "{error}");
    // A changed one is as good as none.
    ring[at] = 32;
    ring[at + 100] ^= 1;
    std::fs::write(&path, &ring).unwrap();
    let error = provenance::verify(&archive("web", "1.0.0"), NAME, &signed, &path, u64::from(u32::MAX)).unwrap_err();
    assert!(error.to_string().contains("back signature"), "{error}");
}

#[test]
fn a_key_that_expired_or_was_revoked_is_not_trusted_any_more() {
    let lab = Lab::new();
    let Some(signer) = Signer::new(&lab, "sign", "1d") else { return };
    let signed = signer.sign();
    signer.check(&signed, 0).unwrap();
    assert_ne!(signer.helm(), Some(false));
    signer.assert_refused(&signed, 2 * DAY, "expired");
    signer.gpg.run(&["--passphrase", "", "--quick-set-expire", &signer.fingerprint, "3d"]);
    signer.check(&signed, 2 * DAY).unwrap();
    let kept = signer.home.join(format!("openpgp-revocs.d/{}.rev", signer.fingerprint));
    // GnuPG puts a colon before it, so that nobody imports it by mistake.
    let certificate = std::fs::read_to_string(kept).unwrap().replace("\n:--", "\n--");
    signer.gpg.talk(&["--batch", "--import"], certificate.as_bytes());
    signer.assert_refused(&signed, 0, "revoked");
}

#[test]
fn only_users_that_the_key_itself_names_are_shown() {
    let lab = Lab::new();
    let Some(signer) = Signer::new(&lab, "sign", "never") else { return };
    signer.gpg.run(&["--passphrase", "", "--quick-add-uid", &signer.fingerprint, "Other <other@example.com>"]);
    let signed = signer.sign();
    assert_eq!(signer.check(&signed, 0).unwrap().len(), 2);
    signer.gpg.run(&["--passphrase", "", "--quick-revoke-uid", &signer.fingerprint, "Other <other@example.com>"]);
    assert_eq!(signer.check(&signed, 0).unwrap(), ["Tester <test@example.com>"]);
    // A name that somebody put there.
    let mut ring = signer.gpg.run(&["--export"]);
    let name = b"Tester <";
    let at = ring.windows(name.len()).position(|window| window == name).unwrap();
    ring[at] = b'F';
    let path = lab.path("forged.gpg");
    std::fs::write(&path, &ring).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let checked = provenance::verify(&archive("web", "1.0.0"), NAME, &signed, &path, now).unwrap();
    assert!(checked.signed_by.is_empty(), "{:?}", checked.signed_by);
}
