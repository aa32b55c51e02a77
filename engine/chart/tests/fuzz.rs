//! Fuzzing without a special toolchain: mutated inputs for the readers, which must answer and not crash.
//!
//! `KPKG_FUZZ_SECONDS=N` gives each target N seconds instead of a moment; `KPKG_FUZZ_SEED` changes the inputs.

use std::time::{Duration, Instant};

// What cargo-fuzz runs, so that every test run compiles it, too.
#[path = "../../../fuzz/doors/archive.rs"]
mod archive;
#[path = "../../../fuzz/doors/set.rs"]
mod set;
#[path = "../../../fuzz/doors/template.rs"]
mod template;
#[path = "../../../fuzz/doors/yaml.rs"]
mod yaml;

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }

    /// One of the seeds, or two spliced, with a few bytes changed, doubled or taken out.
    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        if self.below(3) == 0 {
            let other = &seeds[self.below(seeds.len())];
            let (cut, from) = (self.below(bytes.len() + 1), self.below(other.len() + 1));
            bytes.truncate(cut);
            bytes.extend_from_slice(&other[from..]);
        }
        for _ in 0..self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 if at < bytes.len() => drop(bytes.remove(at)),
                1 => bytes.insert(at, u8::try_from(self.below(256)).expect("a byte")),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 => {
                    const MARKS: &[u8] = b"{}[]:,-&*!|>'\"%@`#?\n\t .$()=\\";
                    bytes.insert(at, MARKS[self.below(MARKS.len())]);
                }
                _ => {
                    let end = at + self.below(bytes.len() + 1 - at);
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
            bytes.truncate(16384);
        }
        bytes
    }
}

fn fuzz(seeds: Vec<Vec<u8>>, target: impl Fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let time = Duration::from_secs(number("KPKG_FUZZ_SECONDS").unwrap_or(2));
    let mut chance = Chance(number("KPKG_FUZZ_SEED").unwrap_or(1));
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < time {
        let input = chance.mutated(&seeds);
        let began = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&input)));
        let shown = String::from_utf8_lossy(&input);
        assert!(outcome.is_ok(), "crashes on {shown:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "takes {:?} on {shown:?}", began.elapsed());
        count += 1;
    }
    assert!(count > 0, "no input was tried");
}

/// The inputs that a target begins with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).expect("there").map(|entry| entry.expect("there").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

#[test]
fn yaml_reader() {
    fuzz(seeds("yaml"), |input| yaml::run(&String::from_utf8_lossy(input)));
}

#[test]
fn template_parser() {
    fuzz(seeds("template"), |input| template::run(&String::from_utf8_lossy(input)));
}

#[test]
fn set_parser() {
    fuzz(seeds("set"), |input| set::run(&String::from_utf8_lossy(input)));
}

#[test]
fn archive_loader() {
    fuzz(seeds("archive"), archive::run);
}
