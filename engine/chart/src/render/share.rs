//! Templates of one job on several processors.
//!
//! Templates may change values in place, and those of later files then see it. So each thread has values of its own, and where
//! a template changed what others see, or failed, the work of all is thrown away: the order of the files counts then.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kpkg_template::{Limits, Templates, at_once, with_stack};
use tracing::subscriber::{NoSubscriber, with_default};

use super::scope::{Unit, units};
use super::{Job, Writer};
use crate::rendered::LookupKey;

/// More threads than this gain little: each merges the values anew.
const MAX_THREADS: usize = 8;

/// What a thread wrote, by path, and what it looked up in vain.
type Part = (Vec<(String, Vec<u8>)>, Vec<LookupKey>);

impl Writer {
    /// What the templates from some place on write, found on several processors; `None` if they must run one after another.
    pub(super) fn share(&self, job: &Job<'_>, templates: &Templates, from: usize) -> Option<Vec<(String, Vec<u8>)>> {
        if self.renderer.order_counts() {
            return None;
        }
        let (next, is_over) = (AtomicUsize::new(from), AtomicBool::new(false));
        let part = || {
            let part = with_stack(|| run(job, templates, &next, &is_over));
            is_over.fetch_or(part.is_none(), Ordering::Relaxed);
            part
        };
        let parts: Vec<Part> = at_once(MAX_THREADS, part).into_iter().collect::<Option<_>>()?;
        let mut files = Vec::new();
        for (written, missed) in parts {
            files.extend(written);
            self.host.missed.borrow_mut().extend(missed);
        }
        Some(files)
    }
}

/// Runs templates as long as there are some that no thread has taken, and none has given up.
fn run(job: &Job<'_>, templates: &Templates, next: &AtomicUsize, is_over: &AtomicBool) -> Option<Part> {
    // What is to be said of the values was said when they were merged first.
    let all = with_default(NoSubscriber::default(), || job.coalesced()).ok()?;
    let units = units(job, &all);
    // All together may use as much as one alone.
    let whole = Limits::default();
    let limits =
        Limits { output: whole.output / MAX_THREADS, steps: whole.steps / MAX_THREADS as u64, stack: whole.stack };
    let mut writer = Writer::new(job, templates, &units, limits);
    let units: Vec<&Unit<'_>> = units.iter().filter(|unit| !unit.is_partial()).collect();
    let (mut written, mut passed) = (Vec::new(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(unit) = units.get(at) else { break };
        // A chart sees the `.Template` of its subcharts' last file, whichever thread ran it.
        for earlier in &units[passed..at] {
            earlier.dot();
        }
        passed = at;
        let text = writer.write(unit).ok().filter(|_| !writer.renderer.order_counts())?;
        written.push((unit.path.clone(), text));
    }
    Some((written, writer.host.missed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::File;
    use crate::load_files;
    use crate::rendered::{ClusterFacts, ReleaseInfo, Values};
    use crate::values::merge;
    use kpkg_template::Ambient;

    /// Templates after which the order of files does not count.
    const HARMLESS: &[&str] = &[
        "{{ .Values.n }} {{ .Template.Name }}",
        "{{ $d := dict `a` 1 }}{{ $_ := set $d `b` .Values.m }}{{ $d | toJson }}",
        "{{ $m := deepCopy .Values.m }}{{ $_ := set $m `mine` .Template.Name }}{{ toJson $m }}",
        "{{ merge (dict `a` 1) .Values.m | toJson }}",
        "{{ include `h` . }} {{ tpl `{{ $d := dict }}{{ $_ := set $d \"x\" .Values.n }}{{ $d.x }}` . }}",
        "{{ randAlphaNum 8 }}",
        "{{ lookup `v1` `Pod` `ns` .Template.Name }}",
        "{{ range $k, $v := .Values.m }}{{ $k }}{{ $v }}{{ end }}",
        "{{ .Subcharts.s.Template.Name }}",
    ];
    /// Templates after which it does, or that fail.
    const HARMFUL: &[&str] = &[
        "{{ $_ := set .Values `n` .Template.Name }}{{ .Values.n }}",
        "{{ $_ := set .Values.m `k` .Template.Name }}",
        "{{ $_ := merge .Values.m (dict .Template.Name 1) }}",
        "{{ $_ := unset .Values.m `k` }}",
        "{{ $_ := set $ `own` .Template.Name }}{{ .own }}",
        "{{ fail .Template.Name }}",
    ];

    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap_or_default() % bound
        }
    }

    fn values(templates: &[&str]) -> Values {
        let about = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
        let mut files = vec![
            File::new("Chart.yaml", about),
            File::new("values.yaml", "n: 1\nm: {k: v, deep: {x: 1}}\n"),
            File::new("templates/_h.tpl", "{{ define `h` }}{{ .Template.Name }} {{ toJson .Values.m }}{{ end }}"),
        ];
        files.push(File::new("charts/s/Chart.yaml", "apiVersion: v2\nname: s\nversion: 1.0.0\n"));
        files.extend((0..3).map(|index| File::new(format!("charts/s/templates/{index}.txt"), "{{ .Chart.Name }}")));
        let named = templates.iter().enumerate();
        files.extend(named.map(|(index, text)| File::new(format!("templates/{index:03}.txt"), *text)));
        let chart = load_files(files).expect("a chart");
        merge(&chart, &[]).expect("values")
    }

    /// What a job comes to with other processors' help from the first steps on, and without; and whether they could help.
    fn both_ways(values: &Values) -> ([String; 2], bool) {
        let release = ReleaseInfo { name: "r".into(), namespace: "n".into(), revision: 1, is_upgrade: false };
        let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
        let facts = ClusterFacts::default();
        let job = Job::new(values, &release, &facts, &ambient);
        let run = |alone| with_stack(|| format!("{:?}", Job { alone, ..job }.run()));
        let outcomes = [run(0), run(u64::MAX)];
        let templates = values.compiled.get().and_then(|compiled| compiled.as_ref().ok()).expect("compiled");
        (
            outcomes,
            with_stack(|| Writer::new(&job, templates, &[], Limits::default()).share(&job, templates, 0)).is_some(),
        )
    }

    #[test]
    fn each_template_is_known_to_be_harmless_or_not() {
        for (templates, want) in [(HARMLESS, true), (HARMFUL, false)] {
            for template in templates {
                let (outcomes, could_help) = both_ways(&values(&[template, template, template]));
                assert_eq!(could_help, want, "{template}");
                assert_eq!(outcomes[0], outcomes[1], "{template}");
            }
        }
    }

    #[test]
    fn what_is_written_is_the_same_with_and_without_help() {
        let mut chance = Chance(1);
        let mut helped = 0;
        for _ in 0..60 {
            let is_harmless = chance.below(2) == 0;
            let templates: Vec<&str> = (0..2 + chance.below(30))
                .map(|_| {
                    let harmful = HARMFUL.iter().filter(|_| !is_harmless && chance.below(10) == 0);
                    let harmful: Vec<&&str> = harmful.collect();
                    harmful.first().copied().unwrap_or(&HARMLESS[chance.below(HARMLESS.len())])
                })
                .copied()
                .collect();
            let (outcomes, could_help) = both_ways(&values(&templates));
            assert_eq!(outcomes[0], outcomes[1], "{templates:?}");
            helped += usize::from(could_help);
        }
        assert!((10..50).contains(&helped), "{helped} of 60");
    }
}
