//! The rules: where names, labels, images and the rest stand, and what refers to what.

use std::rc::Rc;

use crate::error::{Result, Within};
use crate::fieldspec::{FieldSpec, merge_specs};
use crate::id::Gvk;
use crate::order::kind_rank;

mod read;

pub(crate) use read::{from_crds, from_value};

/// The fields that refer to objects of one kind.
#[derive(Debug, Clone)]
pub(crate) struct BackReference {
    /// What is referred to.
    pub(crate) target: Gvk,
    /// Where it is named.
    pub(crate) referrers: Vec<FieldSpec>,
}

/// All rules that apply to a set of resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(crate) name_prefix: Vec<FieldSpec>,
    pub(crate) name_suffix: Vec<FieldSpec>,
    pub(crate) namespace: Vec<FieldSpec>,
    pub(crate) common_labels: Vec<FieldSpec>,
    pub(crate) labels: Vec<FieldSpec>,
    pub(crate) template_labels: Vec<FieldSpec>,
    pub(crate) common_annotations: Vec<FieldSpec>,
    pub(crate) name_references: Vec<BackReference>,
    pub(crate) var_references: Vec<FieldSpec>,
    pub(crate) images: Vec<FieldSpec>,
    pub(crate) replicas: Vec<FieldSpec>,
}

impl Config {
    /// The rules that always hold.
    pub(crate) fn built_in() -> Rc<Self> {
        thread_local! {
            static BUILT_IN: Rc<Config> = Rc::new(parse_defaults(include_str!("defaults.txt")));
        }
        BUILT_IN.with(Rc::clone)
    }

    /// A list of rules by the name it has in a configuration file.
    pub(crate) fn list(&mut self, name: &str) -> Option<&mut Vec<FieldSpec>> {
        Some(match name {
            "namePrefix" => &mut self.name_prefix,
            "nameSuffix" => &mut self.name_suffix,
            "namespace" => &mut self.namespace,
            "commonLabels" => &mut self.common_labels,
            "labels" => &mut self.labels,
            "templateLabels" => &mut self.template_labels,
            "commonAnnotations" => &mut self.common_annotations,
            "varReference" => &mut self.var_references,
            "images" => &mut self.images,
            "replicas" => &mut self.replicas,
            _ => return None,
        })
    }

    /// These rules and others. A general rule that comes after a special one for the same path is dropped, and rules
    /// are sorted anew each time: what a merge makes of rules that were merged before may be less than they were.
    pub(crate) fn merged(self: &Rc<Self>, other: &Rc<Self>) -> Result<Rc<Self>> {
        let built_in = Self::built_in();
        if Rc::ptr_eq(self, other) || Rc::ptr_eq(other, &built_in) && !self.is_empty() {
            return Ok(Rc::clone(self));
        }
        if self.is_empty() && Rc::ptr_eq(other, &built_in) {
            return Ok(built_in);
        }
        let mut merged = Self::clone(self);
        let mut other = Self::clone(other);
        for name in LISTS {
            let incoming = other.list(name).map(std::mem::take).unwrap_or_default();
            if let Some(list) = merged.list(name) {
                merge_specs(list, &incoming).within(|| format!("failed to merge {name} fieldSpec"))?;
                list.sort_by(|a, b| compare_gvk(&a.gvk, &b.gvk));
            }
        }
        for reference in other.name_references {
            merged.refer(reference)?;
        }
        merged.name_references.sort_by(|a, b| compare_gvk(&a.target, &b.target));
        Ok(Rc::new(merged))
    }

    fn is_empty(&self) -> bool {
        // Every set of rules that holds the built-in ones names what refers to what.
        self.name_references.is_empty() && self.name_prefix.is_empty()
    }

    /// Adds fields that refer to a kind.
    pub(crate) fn refer(&mut self, reference: BackReference) -> Result<()> {
        match self.name_references.iter_mut().find(|known| known.target == reference.target) {
            Some(known) => merge_specs(&mut known.referrers, &reference.referrers)
                .within(|| "failed to merge NameReference fieldSpec".to_owned()),
            None => {
                self.name_references.push(reference);
                Ok(())
            }
        }
    }
}

const LISTS: [&str; 10] = [
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "commonAnnotations",
    "varReference",
    "images",
    "replicas",
];

fn compare_gvk(left: &Gvk, right: &Gvk) -> std::cmp::Ordering {
    let text = |gvk: &Gvk| {
        let or = |value: &str, none: &str| if value.is_empty() { none.to_owned() } else { value.to_owned() };
        format!("{}_{}_{}", or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K"))
    };
    kind_rank(&left.kind).cmp(&kind_rank(&right.kind)).then_with(|| text(left).cmp(&text(right)))
}

fn parse_defaults(text: &str) -> Config {
    let mut config = Config::default();
    let mut section = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = header;
            if let Some(target) = header.strip_prefix("nameReference ") {
                config.name_references.push(BackReference { target: gvk(target), referrers: Vec::new() });
            }
            continue;
        }
        let Some((selector, path)) = line.rsplit_once(' ') else { continue };
        let create = selector.ends_with('+');
        let spec = FieldSpec::new(gvk(selector), path, create);
        match config.list(section) {
            Some(list) => list.push(spec),
            None => config.name_references.last_mut().expect("a section begins the table").referrers.push(spec),
        }
    }
    for name in LISTS {
        if let Some(list) = config.list(name) {
            list.sort_by(|a, b| compare_gvk(&a.gvk, &b.gvk));
        }
    }
    config.name_references.sort_by(|a, b| compare_gvk(&a.target, &b.target));
    config
}

/// `apps v1 Deployment`, with `-` for any.
fn gvk(text: &str) -> Gvk {
    let mut parts = text.split(' ').map(|part| if part == "-" { String::new() } else { part.to_owned() });
    let mut next = || parts.next().unwrap_or_default();
    Gvk { group: next(), version: next(), kind: next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_read() {
        let config = Config::built_in();
        assert_eq!(config.name_prefix, [FieldSpec::everywhere("metadata/name", false)]);
        assert!(config.images.iter().all(|spec| spec.create));
        assert!(config.name_references.iter().any(|reference| reference.target.kind == "ConfigMap"));
        assert!(config.name_references.iter().all(|reference| !reference.referrers.is_empty()));
        assert!(Rc::ptr_eq(&config, &config.merged(&Config::built_in()).expect("merges")));
    }
}
