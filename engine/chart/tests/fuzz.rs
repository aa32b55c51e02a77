//! Fuzzing without a special toolchain: mutated inputs for the readers, which must answer and not crash.
//!
//! `KPKG_FUZZ_SECONDS=N` gives each target N seconds instead of a moment; `KPKG_FUZZ_SEED` changes the inputs.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use kpkg_chart::{File, load_files, unpack, values};

const YAML: &[&str] = &[
    "a: 1\nb: [x, {y: z}]\nc: |\n  text\n d: >-\n  more\n",
    "&a a: *a\n? k\n: v\n!!str 1: !x y\n--- \n...\n",
    "\"q\\n\\u00e9\": 'it''s'\n- - - 1\n<<: {a: 1}\n0x1F: 1e3\n",
    "a: {b: [1, 2.5, ~, yes, 2020-01-01]} # c\n\tb: 1\n",
];
const TEMPLATES: &[&str] = &[
    "{{- with $x := .Values.a | default \"b\" -}}{{ printf \"%5.2f %v\" 1.5 $x }}{{ else }}{{/* c */}}{{ end }}",
    "{{ define \"a\" }}{{ range $i, $v := until 3 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $v }}{{ end }}{{ end }}",
    "{{ template \"a\" (dict \"k\" (list 1 'x' `raw` nil)) }}{{ block \"b\" . }}{{ .a.b.c }}{{ end }}{{ (index . 0).x }}",
    "{{ $x := 0x1p-2 }}{{ $x = 1_000 }}{{ include \"a\" $ | nindent 2 | trim }}{{ not true | ternary 1 2 }}",
];
const SETS: &[&str] = &[
    "a.b[0].c={x,y},d=null,e\\.f=1\\,2",
    "a[3][2]=true,a[0]=,b={},c=007",
    "a={\"x\":[1,2]},b=\"c\"",
    "[0]=1,.=2,a.=3,=4",
];

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

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn yaml_reader() {
    fuzz(bytes(YAML), |input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(value) = kpkg_yaml::read(&text) {
            // What was read can be written and read again. It need not say the same: Go's writer indents
            // block texts that are keys otherwise than its reader expects.
            let _ = kpkg_yaml::read(&kpkg_yaml::write(&value));
        }
    });
}

#[test]
fn template_parser() {
    fuzz(bytes(TEMPLATES), |input| {
        let text = String::from_utf8_lossy(input);
        let _ = kpkg_template::Templates::parse([("x", text.as_ref())]);
    });
}

#[test]
fn set_parser() {
    fuzz(bytes(SETS), |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        for assignment in [
            values::Input::Set(text.clone()),
            values::Input::SetString(text.clone()),
            values::Input::SetJson(text.clone()),
            values::Input::SetLiteral(text.clone()),
        ] {
            let _ = values::supplied(&[assignment]);
        }
        let _ = values::files_named(&text);
    });
}

#[test]
fn archive_loader() {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in [
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\ndependencies: [{name: d, version: 1.0.0}]\n"),
        ("c/values.yaml", "a: 1\nd: {e: f}\n"),
        ("c/templates/x.yaml", "a: {{ .Values.a }}\n"),
        ("c/charts/d/Chart.yaml", "apiVersion: v1\nname: d\nversion: 1.0.0\n"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, data.as_bytes()).expect("in memory");
    }
    let plain = builder.into_inner().expect("complete");
    let packed = |bytes: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).expect("in memory");
        gzip.finish().expect("in memory")
    };
    let whole = packed(&plain);
    fuzz(vec![plain, whole], |input| {
        // Damage inside the compressed stream, and outside.
        for bytes in [packed(input), input.to_vec()] {
            let _ = unpack(&bytes).and_then(load_files);
        }
    });
    let _ = load_files(vec![File::new("Chart.yaml", Vec::new())]);
}
