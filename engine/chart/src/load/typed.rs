//! YAML into the fields of `Chart.yaml` and locks, as Go's decoder fills a struct: names ignore case,
//! unknown ones are skipped, numbers become text where text is wanted, and other mismatches are refused.

use kpkg_yaml::{Map, Options, Value};

use crate::metadata::{Dependency, Lock, Maintainer, Metadata};

/// Fills metadata from a document; fields that it does not name stay.
pub(super) fn metadata(bytes: &[u8], into: &mut Metadata) -> Result<(), String> {
    let Some(map) = document(bytes, "v2.Metadata")? else { return Ok(()) };
    let fields = Fields { map: &map, path: "Metadata" };
    fields.text("name", &mut into.name)?;
    fields.text("home", &mut into.home)?;
    fields.texts("sources", &mut into.sources)?;
    fields.text("version", &mut into.version)?;
    fields.text("description", &mut into.description)?;
    fields.texts("keywords", &mut into.keywords)?;
    fields.text("icon", &mut into.icon)?;
    fields.text("apiVersion", &mut into.api_version)?;
    fields.text("condition", &mut into.condition)?;
    fields.text("tags", &mut into.tags)?;
    fields.text("appVersion", &mut into.app_version)?;
    fields.text("kubeVersion", &mut into.kube_version)?;
    fields.text("type", &mut into.kind)?;
    fields.flag("deprecated", &mut into.deprecated)?;
    if let Some(maps) = fields.maps("maintainers", "v2.Maintainer")? {
        into.nulls.maintainers = maps.contains(&None);
        into.maintainers = maps.iter().flatten().map(maintainer).collect::<Result<_, _>>()?;
    }
    if let Some(value) = fields.find("annotations") {
        let Value::Map(annotations) = value else {
            return Err(mismatch(value, "Metadata.annotations", "map[string]string"));
        };
        for (key, value) in annotations {
            let text = value.scalar_text().ok_or_else(|| mismatch(value, "Metadata.annotations", "string"))?;
            into.annotations.insert(key.clone(), text);
        }
    }
    if let Some(maps) = fields.maps("dependencies", "v2.Dependency")? {
        into.nulls.dependencies = maps.contains(&None);
        into.dependencies = maps.iter().flatten().map(dependency).collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// Reads a lock.
pub(super) fn lock(bytes: &[u8]) -> Result<Lock, String> {
    let mut lock = Lock::default();
    let Some(map) = document(bytes, "v2.Lock")? else { return Ok(lock) };
    let fields = Fields { map: &map, path: "Lock" };
    fields.text("generated", &mut lock.generated)?;
    fields.text("digest", &mut lock.digest)?;
    if let Some(maps) = fields.maps("dependencies", "v2.Dependency")? {
        lock.dependencies = maps.iter().flatten().map(dependency).collect::<Result<_, _>>()?;
    }
    Ok(lock)
}

fn document(bytes: &[u8], kind: &str) -> Result<Option<Map>, String> {
    let options = Options { integers: true, ..Options::default() };
    match kpkg_yaml::decode(bytes).and_then(|text| kpkg_yaml::read_with(&text, options)) {
        Ok(Value::Null) => Ok(None),
        Ok(Value::Map(map)) => Ok(Some(map)),
        Ok(other) => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type {kind}",
            other.json_type()
        )),
        Err(error) => Err(format!("error converting YAML to JSON: {error}")),
    }
}

fn mismatch(value: &Value, path: &str, wanted: &str) -> String {
    format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go struct field {path} of type {wanted}",
        value.json_type()
    )
}

struct Fields<'a> {
    map: &'a Map,
    path: &'static str,
}

impl Fields<'_> {
    fn find(&self, name: &str) -> Option<&Value> {
        let exact = self.map.get(name);
        let found =
            exact.or_else(|| self.map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
        found.filter(|value| !value.is_null())
    }

    fn text(&self, name: &str, into: &mut String) -> Result<(), String> {
        if let Some(value) = self.find(name) {
            *into = value.scalar_text().ok_or_else(|| self.mismatch(value, name, "string"))?;
        }
        Ok(())
    }

    fn texts(&self, name: &str, into: &mut Vec<String>) -> Result<(), String> {
        let Some(value) = self.find(name) else { return Ok(()) };
        let Value::List(items) = value else { return Err(self.mismatch(value, name, "[]string")) };
        let texts = items.iter().map(|item| item.scalar_text().ok_or_else(|| self.mismatch(item, name, "string")));
        *into = texts.collect::<Result<_, _>>()?;
        Ok(())
    }

    fn flag(&self, name: &str, into: &mut bool) -> Result<(), String> {
        match self.find(name) {
            None => Ok(()),
            Some(Value::Bool(value)) => {
                *into = *value;
                Ok(())
            }
            Some(other) => Err(self.mismatch(other, name, "bool")),
        }
    }

    /// A list of mappings; a null in it is `None`.
    fn maps(&self, name: &str, kind: &str) -> Result<Option<Vec<Option<Map>>>, String> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let Value::List(items) = value else { return Err(self.mismatch(value, name, &format!("[]*{kind}"))) };
        let maps = items.iter().map(|item| match item {
            Value::Null => Ok(None),
            Value::Map(map) => Ok(Some(map.clone())),
            other => Err(self.mismatch(other, name, kind)),
        });
        maps.collect::<Result<_, _>>().map(Some)
    }

    fn mismatch(&self, value: &Value, name: &str, wanted: &str) -> String {
        mismatch(value, &format!("{}.{name}", self.path), wanted)
    }
}

fn maintainer(map: &Map) -> Result<Maintainer, String> {
    let fields = Fields { map, path: "Maintainer.maintainers" };
    let mut maintainer = Maintainer::default();
    fields.text("name", &mut maintainer.name)?;
    fields.text("email", &mut maintainer.email)?;
    fields.text("url", &mut maintainer.url)?;
    Ok(maintainer)
}

fn dependency(map: &Map) -> Result<Dependency, String> {
    let fields = Fields { map, path: "Dependency.dependencies" };
    let mut dependency = Dependency::default();
    fields.text("name", &mut dependency.name)?;
    fields.text("version", &mut dependency.version)?;
    fields.text("repository", &mut dependency.repository)?;
    fields.text("condition", &mut dependency.condition)?;
    fields.texts("tags", &mut dependency.tags)?;
    fields.flag("enabled", &mut dependency.enabled)?;
    fields.text("alias", &mut dependency.alias)?;
    if let Some(value) = fields.find("import-values") {
        let Value::List(items) = value else { return Err(fields.mismatch(value, "import-values", "[]interface {}")) };
        dependency.import_values = items.iter().map(Value::to_json).collect();
    }
    Ok(dependency)
}
