//! Charts made to do harm: each is refused with a reason, in bounded time and memory.
//!
//! The advisories that Helm and its kin had are named where a case stands for one.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use kpkg_chart::{Ambient, Chart, ClusterFacts, File, ReleaseInfo, load_files, render, unpack, values};

const MANIFEST: &[u8] = b"apiVersion: v2\nname: c\nversion: 0.1.0\n";

/// Generous: these tests run unoptimised, beside others.
const PATIENCE: Duration = Duration::from_secs(300);

fn chart(files: &[(&str, &str)]) -> Result<Chart, String> {
    let mut all = vec![File::new("Chart.yaml", MANIFEST)];
    for (name, text) in files {
        all.retain(|file| file.name != *name);
        all.push(File::new(*name, text.as_bytes()));
    }
    load_files(all).map_err(|error| error.to_string())
}

/// Renders, and gives what was written or why it was refused.
fn attempt(files: &[(&str, &str)], inputs: &[values::Input]) -> Result<String, String> {
    let start = Instant::now();
    let outcome = chart(files).and_then(|chart| {
        let values = values::merge(&chart, inputs).map_err(|error| error.to_string())?;
        let release =
            ReleaseInfo { name: "demo".to_owned(), namespace: "default".to_owned(), revision: 1, is_upgrade: false };
        let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
        let rendered = render(&chart, &values, &release, &ClusterFacts::default(), &ambient);
        let rendered = rendered.map_err(|error| error.to_string())?;
        Ok(rendered.manifests.into_iter().map(|manifest| manifest.text).collect())
    });
    assert!(start.elapsed() < PATIENCE, "took {:?}", start.elapsed());
    outcome
}

fn refused(template: &str, reason: &str) {
    let error = attempt(&[("templates/x.yaml", template)], &[]).expect_err(template);
    let shown: String = error.chars().take(400).collect();
    assert!(error.contains(reason), "{template}: {shown}");
}

#[test]
fn texts_and_lists_beyond_bounds_are_refused() {
    for template in [
        r#"{{ repeat 1000000000 "x" }}"#,
        r#"{{ printf (repeat 1000000 "%1000000[1]d") 1 }}"#,
        r#"{{ repeat 100000 (repeat 100000 "x") }}"#,
        "{{ until 1000000000 }}",
        "{{ untilStep 0 1000000000 1 }}",
        "{{ seq 1 1000000000 }}",
        r#"{{ indent 1000000000 "x" }}"#,
        r#"{{ nindent 2000000000 "x\nx" }}"#,
        "{{ randAlphaNum 1000000000 }}",
        "{{ randBytes 1000000000 }}",
        r#"{{ join (repeat 1000000 "x") (until 100000) }}"#,
        r#"{{ wrapWith 1 (repeat 100000 "x") (repeat 100000 "y") }}"#,
        r#"{{ $x := "xxxxxxxxxx" }}{{ range until 60 }}{{ $x = print $x $x }}{{ end }}"#,
        "{{ $x := list 1 }}{{ range until 60 }}{{ $x = concat $x $x }}{{ end }}",
    ] {
        refused(template, "limit of");
    }
}

#[test]
fn values_that_share_their_parts_are_weighed_before_they_are_written() {
    let grown = "{{ $x := dict \"a\" 1 }}{{ range until 60 }}{{ $x = dict \"a\" $x \"b\" $x }}{{ end }}";
    for written in
        ["$x", "toYaml $x", "toJson $x", "toPrettyJson $x", "toToml $x", "deepCopy $x", "print $x", "uniq (list $x)"]
    {
        refused(&format!("{grown}{{{{ {written} }}}}"), "larger than the limit");
    }
}

#[test]
fn values_that_hold_themselves_end() {
    let cycle = "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}";
    for written in ["{{ $d }}", "{{ toYaml $d }}", "{{ toJson $d }}", "{{ deepCopy $d }}"] {
        // Helm swallows what `toYaml` complains of; the point is that it ends.
        let _ = attempt(&[("templates/x.yaml", &format!("{cycle}{written}"))], &[]);
    }
}

#[test]
fn templates_that_call_themselves_end() {
    refused(r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#, "nested reference name");
    refused(r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#, "maximum template depth");
    refused(
        r#"{{ $_ := set .Values "t" "{{ tpl .Values.t . }}" }}{{ tpl .Values.t . }}"#,
        "`tpl` calls itself more than 256 times deep",
    );
}

#[test]
fn endless_work_ends() {
    for template in [
        "{{ range 1000000000000 }}{{ end }}",
        "{{ $x := repeat 100000000 \"x\" }}{{ range until 1000000 }}{{ $y := sha256sum $x }}{{ end }}",
    ] {
        refused(template, "template runs longer than allowed");
    }
}

#[test]
fn deep_texts_are_refused() {
    let deep = |open: &str, close: &str, count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
    refused(&format!("{{{{ {} }}}}", deep("(", ")", 200_000)), "nested too deeply");
    refused(&deep("{{ if true }}", "{{ end }}", 100_000), "nested too deeply");
    let values = format!("a: {}", deep("[", "]", 200_000));
    assert!(attempt(&[("values.yaml", &values)], &[]).is_err());
}

#[test]
fn yaml_bombs_are_refused() {
    // As CVE-2019-11253 of Kubernetes.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 9].join(", ")));
    }
    assert!(attempt(&[("values.yaml", &bomb)], &[]).is_err());
    let file = values::Input::File { name: "bomb.yaml".to_owned(), text: bomb.clone() };
    assert!(attempt(&[], &[file]).is_err());
    assert!(attempt(&[("templates/x.yaml", &bomb)], &[]).is_err());
}

#[test]
fn assignments_are_bounded() {
    // CVE-2022-36055 and CVE-2022-23524: an index makes a list that long; keys nest.
    for text in ["a[999999999]=1", "a[0][999999999]=1", &format!("{}=1", vec!["a"; 50_000].join("."))] {
        assert!(attempt(&[], &[values::Input::Set(text.to_owned())]).is_err(), "{}", &text[..14.min(text.len())]);
    }
    let wide = (0..2000).map(|number| format!("a[{number}][65000]=1")).collect::<Vec<_>>().join(",");
    assert!(attempt(&[], &[values::Input::Set(wide)]).is_err());
}

#[test]
fn schemas_reach_nothing_and_end() {
    let schemas = [
        // CVE-2022-23526: no schema at all where one is named.
        "null",
        "[]",
        "{\"$ref\": 1}",
        // CVE-2025-55199: a reference to a device or file.
        r#"{"$ref": "file:///dev/zero"}"#,
        r#"{"$ref": "file:///etc/passwd"}"#,
        r#"{"$ref": "http://127.0.0.1:1/schema.json"}"#,
        // CVE-2025-32387: references that lead back to themselves.
        r##"{"$ref": "#"}"##,
        r##"{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}"##,
    ];
    for schema in schemas {
        let outcome = attempt(&[("values.schema.json", schema), ("values.yaml", "a: {b: {c: 1}}\n")], &[]);
        if let Ok(text) = &outcome {
            assert!(text.is_empty(), "{schema}: {text}");
        }
    }
    for outside in [r#"{"$ref": "file:///etc/passwd"}"#, r#"{"$ref": "http://127.0.0.1:1/schema.json"}"#] {
        assert!(attempt(&[("values.schema.json", outside), ("values.yaml", "a: 1\n")], &[]).is_err(), "{outside}");
    }
    let deep = format!("{}{{}}{}", r#"{"properties": {"a": "#.repeat(100_000), "}}".repeat(100_000));
    assert!(attempt(&[("values.schema.json", &deep), ("values.yaml", "a: 1\n")], &[]).is_err());
}

#[test]
fn odd_metadata_is_refused_without_a_crash() {
    // CVE-2024-26147 and CVE-2025-55198: contents that are missing or of another kind.
    for text in ["", "null", "[]", "a: b", "name:\n", "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [null]\n"]
    {
        let _ = attempt(&[("Chart.yaml", text)], &[]);
    }
    // CVE-2020-15184 (aliases), CVE-2026-35206 and CVE-2019-1000008 (names that are paths).
    for text in [
        "apiVersion: v2\nname: ../c\nversion: 1.0.0\n",
        "apiVersion: v2\nname: ..\nversion: 1.0.0\n",
        "apiVersion: v2\nname: a/b\nversion: 1.0.0\n",
        "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: d, version: 1.0.0, alias: \"../x\"}]\n",
        "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: d, version: 1.0.0, alias: \"a\\nb\"}]\n",
    ] {
        assert!(attempt(&[("Chart.yaml", text)], &[]).is_err(), "{text}");
    }
}

/// Nulls are refused where Helm's checks come to them: after what cannot be read, and after what they check first.
#[test]
fn nulls_among_maintainers_and_dependencies() {
    let loaded = |chart: &str, others: &[(&str, &str)]| {
        let chart = format!("apiVersion: v2\nname: c\nversion: 1.0.0\n{chart}");
        attempt(&[&[("Chart.yaml", &*chart)], others].concat(), &[])
    };
    let refused = |list: &str| format!("validation: {list} must not contain empty or null nodes");
    for (chart, others, want) in [
        ("maintainers: [null]\ndependencies: [null]", &[][..], refused("maintainers")),
        ("dependencies: [null]", &[], refused("dependencies")),
        ("", &[("requirements.yaml", "dependencies: [null]")], refused("dependencies")),
        (
            "type: x\nmaintainers: [null]",
            &[],
            "validation: chart.metadata.type must be application or library".to_owned(),
        ),
        (
            "maintainers: [null]\ndependencies: 5",
            &[],
            "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal number into \
             Go struct field Metadata.dependencies of type []*v2.Dependency"
                .to_owned(),
        ),
    ] {
        assert_eq!(loaded(chart, others), Err(want), "{chart} {others:?}");
    }
    assert!(loaded("dependencies: [null]", &[("requirements.yaml", "dependencies: []")]).is_ok());
    assert!(loaded("", &[("Chart.lock", "dependencies: [null]")]).is_ok());
}

/// What is not UTF-8 is refused where it would be read, in go-yaml's words, and does no harm elsewhere.
#[test]
fn files_in_other_encodings() {
    let loaded = |name: &str, bytes: &[u8]| {
        let mut files = vec![
            File::new("Chart.yaml", *b"apiVersion: v2\nname: c\nversion: 1.0.0\n"),
            File::new("values.yaml", *b"a: 1\n"),
            File::new("templates/x.yaml", *b"a: {{ .Values.a }}"),
        ];
        files.retain(|file| *file.name != *name);
        files.push(File::new(name, bytes));
        let chart = load_files(files).map_err(|error| error.to_string())?;
        let values = values::merge(&chart, &[]).map_err(|error| error.to_string())?;
        let release = ReleaseInfo { name: "r".to_owned(), namespace: "n".to_owned(), revision: 1, is_upgrade: false };
        let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
        let rendered = render(&chart, &values, &release, &ClusterFacts::default(), &ambient);
        let rendered = rendered.map_err(|error| error.to_string())?;
        Ok::<String, String>(rendered.manifests.into_iter().map(|manifest| manifest.text).collect())
    };
    for (name, bytes, want) in [
        (
            "values.yaml",
            &b"a: caf\xE9\n"[..],
            "cannot load values.yaml: cannot unmarshal yaml document: error converting YAML to JSON: yaml: incomplete \
             UTF-8 octet sequence",
        ),
        (
            "Chart.yaml",
            b"name: \"caf\xE9\" # in Latin-1",
            "cannot load Chart.yaml: error converting YAML to JSON: yaml: invalid trailing UTF-8 octet",
        ),
        (
            "templates/x.yaml",
            b"a: 1\n---\nb: caf\xE9\n",
            "YAML parse error on c/templates/x.yaml: error converting YAML to JSON: yaml: incomplete UTF-8 octet \
             sequence",
        ),
        (
            "templates/x.yaml",
            "a: {{ trunc 1 `é` }} b".as_bytes(),
            "YAML parse error on c/templates/x.yaml: error converting YAML to JSON: yaml: invalid trailing UTF-8 octet",
        ),
    ] {
        assert_eq!(loaded(name, bytes), Err(want.to_owned()), "{name}");
    }
    let unread = b"{{/* caf\xE9 */}}a: {{ b64enc `caf\xE9` }}";
    assert!(loaded("templates/x.yaml", unread).is_ok_and(|text| text.starts_with("a: ")));
    assert_eq!(loaded("values.yaml", b"\xFE\xFF\0a\0:\0 \x002").as_deref(), Ok("a: 2"));
}

#[test]
fn templates_reach_nothing() {
    // CVE-2023-25165 (names resolved) and CVE-2020-11013 (clusters asked) while rendering.
    let template = "a: {{ getHostByName \"localhost\" | quote }}\nb: {{ lookup \"v1\" \"Secret\" \"\" \"\" | toJson }}";
    let text = attempt(&[("templates/x.txt", ""), ("templates/x.yaml", template)], &[]);
    assert_eq!(text.as_deref(), Ok("a: \"\"\nb: {}"));
    let template = r#"a: {{ .Files.Get "../../etc/passwd" | quote }}"#;
    assert_eq!(attempt(&[("templates/x.yaml", template)], &[]).as_deref(), Ok("a: \"\""));
    let template = r#"a: {{ .Files.Get "/etc/passwd" | quote }}"#;
    assert_eq!(attempt(&[("templates/x.yaml", template)], &[]).as_deref(), Ok("a: \"\""));
}

// === archives ===

enum Entry<'a> {
    File(&'a str, &'a [u8]),
    Link(tar::EntryType, &'a str, &'a str),
}

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        match entry {
            Entry::File(name, data) => {
                // Written past the library, which would refuse such names.
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_size(data.len() as u64);
                header.set_cksum();
                builder.append(&header, *data).expect("in memory");
            }
            Entry::Link(kind, name, target) => {
                header.set_entry_type(*kind);
                header.set_size(0);
                builder.append_link(&mut header, name, target).expect("in memory");
            }
        }
    }
    builder.into_inner().expect("complete").finish().expect("in memory")
}

#[test]
fn archives_climb_nowhere() {
    // CVE-2019-18658, CVE-2020-4053, CVE-2024-25620, CVE-2026-50163: names and links that lead out.
    for name in ["c/../../etc/passwd", "c//etc/passwd", "c/C:/x"] {
        assert!(unpack(&archive(&[Entry::File(name, b"x")])).is_err(), "{name}");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        let bytes =
            archive(&[Entry::File("c/Chart.yaml", MANIFEST), Entry::Link(kind, "c/values.yaml", "/etc/passwd")]);
        // Whether refused or left out: nothing of the target is read.
        if let Ok(files) = unpack(&bytes) {
            assert!(files.iter().all(|file| !file.text().contains("root:")), "{kind:?}");
        }
    }
}

#[test]
fn archives_with_doubles_make_one_file_of_each_name() {
    let bytes = archive(&[
        Entry::File("c/Chart.yaml", MANIFEST),
        Entry::File("c/templates/x.yaml", b"a: 1"),
        Entry::File("c/templates/x.yaml", b"a: 2"),
    ]);
    let chart = unpack(&bytes).and_then(load_files);
    if let Ok(chart) = chart {
        let values = values::merge(&chart, &[]).expect("no values");
        let release =
            ReleaseInfo { name: "demo".to_owned(), namespace: "default".to_owned(), revision: 1, is_upgrade: false };
        let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
        let rendered = render(&chart, &values, &release, &ClusterFacts::default(), &ambient).expect("valid");
        assert_eq!(rendered.manifests.len(), 1);
    }
}

#[test]
fn archives_that_swell_are_refused() {
    // CVE-2025-32386: few bytes that unpack to very many.
    let big = vec![0; 4 << 20];
    let names: Vec<String> = (0..64).map(|number| format!("c/{number}")).collect();
    let entries: Vec<Entry<'_>> = names.iter().map(|name| Entry::File(name, &big)).collect();
    let bytes = archive(&entries);
    assert!(bytes.len() < 4 << 20);
    let start = Instant::now();
    assert!(unpack(&bytes).is_err());
    assert!(start.elapsed() < PATIENCE);
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..512 {
        gzip.write_all(&zeros).expect("in memory");
    }
    let start = Instant::now();
    let _ = unpack(&gzip.finish().expect("in memory"));
    assert!(start.elapsed() < PATIENCE);
}
