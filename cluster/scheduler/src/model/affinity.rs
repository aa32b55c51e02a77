//! Affinity terms, compiled.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm};

use super::{Labels, Requirement, Selector};

/// Something with a weight.
#[derive(Clone, Debug)]
pub struct Weighted<T> {
    /// How much it counts; negative for what should be avoided.
    pub weight: i64,
    /// The thing.
    pub term: T,
}

/// Which nodes a term or selector means: any of its alternatives.
#[derive(Clone, Debug, Default)]
pub struct NodeMatcher {
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug, Default)]
struct Alternative {
    labels: Vec<Requirement>,
    /// The only field is the name.
    names: Vec<Requirement>,
}

impl NodeMatcher {
    /// A selector as pods and volumes carry it.
    pub fn of(selector: &NodeSelector) -> Self {
        Self { alternatives: selector.node_selector_terms.iter().map(Alternative::of).collect() }
    }

    /// One term.
    pub fn of_term(term: &NodeSelectorTerm) -> Self {
        Self { alternatives: vec![Alternative::of(term)] }
    }

    /// Whether a node is meant.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.alternatives.iter().any(|alternative| alternative.matches(name, labels))
    }
}

impl Alternative {
    fn of(term: &NodeSelectorTerm) -> Self {
        let requirement = |it: &NodeSelectorRequirement| {
            Requirement::new(&it.key, &it.operator, it.values.as_deref().unwrap_or_default())
        };
        let labels = term.match_expressions.iter().flatten().map(requirement).collect();
        let names = term.match_fields.iter().flatten().map(requirement).collect();
        Self { labels, names }
    }

    fn matches(&self, name: &str, labels: &Labels) -> bool {
        // A term that says nothing means no node.
        (!self.labels.is_empty() || !self.names.is_empty())
            && self.labels.iter().all(|it| it.holds(|key| labels.get(key).map(String::as_str)))
            && self.names.iter().all(|it| it.holds(|key| (key == "metadata.name").then_some(name)))
    }
}

/// Which pods a term means, and how near they count.
#[derive(Clone, Debug)]
pub struct PodTerm {
    /// Pods with these labels.
    pub selector: Selector,
    /// In these namespaces,
    pub namespaces: BTreeSet<String>,
    /// or in namespaces with these labels.
    pub namespace_selector: Selector,
    /// Nodes with the same value of this label count as one place.
    pub topology_key: String,
}

impl PodTerm {
    /// A term of a pod in `namespace` with `labels`.
    pub fn of(term: &PodAffinityTerm, namespace: &str, labels: &Labels) -> Self {
        let mut selector = Selector::of(term.label_selector.as_ref());
        if term.label_selector.is_some() {
            let own = |keys: &Option<Vec<String>>| -> Vec<(String, String)> {
                let keys = keys.iter().flatten();
                keys.filter_map(|key| Some((key.clone(), labels.get(key)?.clone()))).collect()
            };
            for (key, value) in own(&term.match_label_keys) {
                selector.require(Requirement::In(key, vec![value]));
            }
            for (key, value) in own(&term.mismatch_label_keys) {
                selector.require(Requirement::NotIn(key, vec![value]));
            }
        }
        let mut namespaces: BTreeSet<String> = term.namespaces.iter().flatten().cloned().collect();
        if namespaces.is_empty() && term.namespace_selector.is_none() {
            namespaces.insert(namespace.to_owned());
        }
        Self {
            selector,
            namespaces,
            namespace_selector: Selector::of(term.namespace_selector.as_ref()),
            topology_key: term.topology_key.clone(),
        }
    }

    /// Whether a pod is meant; `namespace_labels` are those of its namespace.
    pub fn matches(&self, namespace: &str, namespace_labels: Option<&Labels>, labels: &Labels) -> bool {
        let here = self.namespaces.contains(namespace)
            || namespace_labels.is_some_and(|labels| self.namespace_selector.matches(labels));
        here && self.selector.matches(labels)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nodes_are_matched_by_label_and_name() {
        let selector = json!({"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]},
                {"key": "old", "operator": "DoesNotExist"}]},
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n7"]}]},
            {}]});
        let matcher = NodeMatcher::of(&serde_json::from_value(selector).unwrap());
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert!(matcher.matches("n1", &labels(&[("disk", "ssd")])));
        assert!(!matcher.matches("n1", &labels(&[("disk", "ssd"), ("old", "")])));
        assert!(matcher.matches("n7", &labels(&[])));
        assert!(!matcher.matches("n8", &labels(&[])));
    }

    #[test]
    fn pods_are_matched_by_namespace_and_label() {
        let own: Labels = [("app".to_owned(), "web".to_owned()), ("hash".to_owned(), "1".to_owned())].into();
        let term = |value| PodTerm::of(&serde_json::from_value(value).unwrap(), "ns", &own);
        let app = json!({"matchLabels": {"app": "web"}});
        let plain = term(json!({"labelSelector": app, "topologyKey": "k"}));
        assert!(plain.matches("ns", None, &own));
        assert!(!plain.matches("other", None, &own));
        let everywhere = term(json!({"labelSelector": app, "topologyKey": "k", "namespaceSelector": {}}));
        assert!(everywhere.matches("other", Some(&Labels::new()), &own));
        let others = term(json!({"labelSelector": app, "topologyKey": "k", "mismatchLabelKeys": ["hash"]}));
        assert!(!others.matches("ns", None, &own));
        let nobody = term(json!({"topologyKey": "k"}));
        assert!(!nobody.matches("ns", None, &own));
    }
}
