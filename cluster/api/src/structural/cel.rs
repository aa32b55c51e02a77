//! Rules in CEL: `x-kubernetes-validations`.

use super::{Structural, validate::join};
use crate::{
    cel::{Budget, Cel, CelError, Program},
    schema::ListType,
    validate::FieldError,
};
use serde_json::{Map, Value};

/// What the rules of one object may cost together, in steps; Kubernetes' limit.
const OBJECT: u64 = 10_000_000;
/// The longest message that a rule may make.
const MAX_MESSAGE: usize = 5 << 10;

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// None if it uses what is not known here: then it is not evaluated.
    program: Option<Program>,
    text: String,
    message: String,
    speaks: Option<Program>,
    reason: String,
    field: String,
}

impl Rule {
    pub(super) fn parse(rule: &Value) -> Self {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        // Rules that take the old value as an optional one use methods of optionals.
        let program = Program::compile(&text("rule")).ok().filter(|_| rule["optionalOldSelf"] != true);
        Self {
            program,
            text: text("rule"),
            message: text("message"),
            speaks: rule["messageExpression"].as_str().and_then(|text| Program::compile(text).ok()),
            reason: text("reason"),
            field: text("fieldPath"),
        }
    }

    pub(super) fn is_evaluated(&self) -> bool {
        self.program.is_some()
    }

    /// What is wrong with a value, if anything.
    fn fault(&self, new: &Value, old: Option<&Value>, path: &str, left: &mut u64) -> Option<FieldError> {
        let program = self.program.as_ref().filter(|program| old.is_some() || !program.compares())?;
        let mut budget = Budget::up_to(*left);
        let outcome = program.run(new, old, &mut budget);
        *left -= budget.spent();
        let why = match outcome {
            Ok(Cel::Bool(true)) => return None,
            Ok(_) => self.words(new, old, left),
            Err(CelError::Budget) => {
                let text = format!("rule evaluation error: {}: {}", CelError::Budget, self.text.trim());
                return Some(FieldError::forbidden(path, text));
            }
            Err(error) => format!("rule evaluation error: {error} evaluating rule: {}", self.text.trim()),
        };
        let place = self.field.strip_prefix('.').unwrap_or(&self.field);
        let path = if place.is_empty() { path.to_owned() } else { join(path, place) };
        Some(match self.reason.as_str() {
            "FieldValueForbidden" => FieldError::forbidden(path, why),
            "FieldValueRequired" => FieldError::required(path, why),
            "FieldValueDuplicate" => FieldError::duplicate(path, shown(new)),
            _ => FieldError::invalid(path, shown(new), why),
        })
    }

    fn words(&self, new: &Value, old: Option<&Value>, left: &mut u64) -> String {
        if let Some(speaks) = &self.speaks {
            let mut budget = Budget::up_to(*left);
            let said = speaks.run(new, old, &mut budget);
            *left -= budget.spent();
            if let Ok(Cel::Text(text)) = said
                && !text.trim().is_empty()
                && text.len() <= MAX_MESSAGE
                && !text.contains('\n')
            {
                return text.into_owned();
            }
        }
        if self.message.is_empty() { format!("failed rule: {}", self.text.trim()) } else { self.message.clone() }
    }
}

/// A value as errors show it: of maps and lists only what they are.
fn shown(value: &Value) -> Value {
    match value {
        Value::Object(_) => "object".into(),
        Value::Array(_) => "array".into(),
        scalar => scalar.clone(),
    }
}

impl Structural {
    /// What the schema's rules have against an object, which has the form that the schema wants. `old` is what it
    /// was before, if it was.
    pub fn rule_faults(&self, old: Option<&Value>, new: &Value) -> Vec<FieldError> {
        let mut found = Vec::new();
        self.rules(new, old, "", true, &mut OBJECT.clone(), &mut found);
        found
    }

    fn rules(
        &self,
        new: &Value,
        old: Option<&Value>,
        path: &str,
        root: bool,
        left: &mut u64,
        found: &mut Vec<FieldError>,
    ) {
        // What stays as it is is not judged again: the rules may be newer than it.
        if new.is_null() || old == Some(new) {
            return;
        }
        let place = if path.is_empty() { "<nil>" } else { path };
        found.extend(self.checks.rules.iter().filter_map(|rule| rule.fault(new, old, place, left)));
        match new {
            Value::Object(map) => {
                for (name, value) in map {
                    if root && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                        continue;
                    }
                    if let Some(schema) = self.properties.get(name).or(self.additional.as_deref()) {
                        let old = old.and_then(|old| old.get(name)).filter(|old| !old.is_null());
                        schema.rules(value, old, &join(path, name), schema.embedded, left, found);
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = &self.items else { return };
                for (at, item) in items.iter().enumerate() {
                    let old = old.and_then(|old| self.twin(old, item));
                    schema.rules(item, old, &format!("{path}[{at}]"), schema.embedded, left, found);
                }
            }
            _ => {}
        }
    }

    /// The element of an old list that has the same keys.
    fn twin<'a>(&self, old: &'a Value, item: &Value) -> Option<&'a Value> {
        if self.list_type != ListType::Map {
            return None;
        }
        let keys = |item: &Value| -> Map<String, Value> {
            self.map_keys.iter().map(|key| (key.clone(), item[key].clone())).collect()
        };
        old.as_array()?.iter().find(|other| keys(other) == keys(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(rules: Value, old: Option<Value>, new: Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "x-kubernetes-validations": rules, "properties": {
                "min": {"type": "integer"}, "max": {"type": "integer"},
                "class": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "class is immutable"}]},
                "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
                        "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size"}]}}}}}});
        let schema = Structural::parse(&schema);
        let whole = |spec: Value| json!({"kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
        let old = old.map(whole);
        schema.rule_faults(old.as_ref(), &whole(new)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_hold_for_what_they_stand_at() {
        let rules = json!([
            {"rule": "self.min <= self.max", "messageExpression": "'min ' + string(self.min) + ' is over max'"},
            {"rule": "!has(self.class) || self.class != 'bad'", "reason": "FieldValueForbidden", "fieldPath": ".class"},
        ]);
        assert_eq!(check(rules.clone(), None, json!({"min": 1, "max": 2})), Vec::<String>::new());
        assert_eq!(
            check(rules, None, json!({"min": 3, "max": 2, "class": "bad"})),
            [
                r#"spec: Invalid value: "object": min 3 is over max"#,
                "spec.class: Forbidden: failed rule: !has(self.class) || self.class != 'bad'",
            ]
        );
    }

    #[test]
    fn changes_are_compared_with_what_was() {
        let list = |size: i64| json!([{"name": "new", "size": 0}, {"name": "a", "size": size}]);
        let old = json!({"class": "x", "list": [{"name": "a", "size": 2}]});
        let got = check(json!([]), Some(old.clone()), json!({"class": "y", "list": list(1)}));
        assert_eq!(
            got,
            [
                r#"spec.class: Invalid value: "y": class is immutable"#,
                r#"spec.list[1]: Invalid value: "object": failed rule: self.size >= oldSelf.size"#,
            ]
        );
        assert!(check(json!([]), Some(old), json!({"class": "x", "list": list(2)})).is_empty());
        assert!(check(json!([]), None, json!({"class": "y", "list": list(1)})).is_empty());
    }

    #[test]
    fn rules_that_fail_or_never_end_are_faults() {
        let got = check(json!([{"rule": "self.gone == 1"}]), None, json!({"min": 1}));
        assert_eq!(
            got,
            [
                r#"spec: Invalid value: "object": rule evaluation error: no such key: gone evaluating rule: self.gone == 1"#
            ]
        );
        let list: Vec<Value> = (0..1500).map(|at| json!({"name": at.to_string(), "size": at})).collect();
        let rule = "self.list.all(a, self.list.all(b, a.size + b.size >= 0))";
        let got = check(json!([{"rule": rule}]), None, json!({"list": list}));
        assert!(got.len() == 1 && got[0].contains("cost limit exceeded"), "{got:?}");
    }

    #[test]
    fn rules_beyond_us_are_counted() {
        let schema = json!({"type": "object", "x-kubernetes-validations": [
            {"rule": "self.url.isURL()"}, {"rule": "oldSelf.hasValue()", "optionalOldSelf": true}, {"rule": "true"}]});
        assert_eq!(Structural::parse(&schema).unevaluated_rules(), 2);
        assert!(Structural::parse(&schema).rule_faults(None, &json!({})).is_empty());
    }
}
