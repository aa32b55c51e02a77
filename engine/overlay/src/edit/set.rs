//! What can be set in a kustomization.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::add::require;
use super::pairs::{self, NewValues};
use super::{Context, build_metadata, texts_of};
use crate::error::{Error, Result};
use crate::transform::split_image;

/// Something that is set in a kustomization.
#[derive(Debug, Clone)]
pub enum Setting {
    /// `namePrefix`, exactly one.
    NamePrefix(Vec<String>),
    /// `nameSuffix`, exactly one.
    NameSuffix(Vec<String>),
    /// `namespace`, exactly one.
    Namespace(Vec<String>),
    /// Images: `name=new:tag@digest`, parts of which may be left out.
    Images(Vec<String>),
    /// Numbers of replicas, `name=count` each.
    Replicas(Vec<String>),
    /// `buildMetadata`, as one argument with commas.
    BuildMetadata(Vec<String>),
    /// Labels, `key:value` each.
    Labels(Vec<String>),
    /// Annotations, `key:value` each.
    Annotations(Vec<String>),
    /// Values of a ConfigMap or Secret that is there.
    Data(NewValues),
}

pub(super) fn set(setting: &Setting, context: &mut Context<'_>) -> Result<()> {
    let (field, value): (&str, Value) = match setting {
        Setting::NamePrefix(args) => ("namePrefix", only(args, "prefix")?.into()),
        Setting::NameSuffix(args) => ("nameSuffix", only(args, "suffix")?.into()),
        Setting::Namespace(args) => ("namespace", only(args, "namespace")?.into()),
        Setting::BuildMetadata(args) => ("buildMetadata", build_metadata(args)?.into()),
        Setting::Images(args) => return set_images(args, context),
        Setting::Replicas(args) => return set_replicas(args, context),
        Setting::Labels(args) => {
            require(args, "must specify label")?;
            return set_texts("commonLabels", &texts_of(args, "label")?, context);
        }
        Setting::Annotations(args) => {
            require(args, "must specify annotation")?;
            let texts = texts_of(args, "annotation")?;
            if !texts.iter().all(|(key, _)| ANNOTATION.is_match(key)) {
                return Err(Error::rule(
                    "invalid annotation key: see the syntax and character set rules at \
                     https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/",
                ));
            }
            return set_texts("commonAnnotations", &texts, context);
        }
        Setting::Data(values) => return pairs::set(values, context),
    };
    let mut file = context.open()?;
    file.set(field, value);
    file.write()
}

static ANNOTATION: LazyLock<Regex> = LazyLock::new(|| {
    const KEY: &str =
        r"^([a-zA-Z](([-a-zA-Z0-9.]{0,251})[a-zA-Z0-9])?/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$";
    Regex::new(KEY).expect("the pattern is fixed")
});

fn only(args: &[String], noun: &str) -> Result<String> {
    match args {
        [value] => Ok(value.clone()),
        _ => Err(Error::rule(format!("must specify exactly one {noun} value"))),
    }
}

fn set_texts(field: &str, texts: &[(String, String)], context: &Context<'_>) -> Result<()> {
    let mut file = context.open()?;
    let map = file.map_mut(field);
    for (key, value) in texts {
        map.insert(key.clone(), value.as_str().into());
    }
    file.write()
}

fn name_of(item: &Value) -> String {
    item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Sets images; `*` stands for what is there.
fn set_images(args: &[String], context: &Context<'_>) -> Result<()> {
    require(args, "no image specified")?;
    let mut images: BTreeMap<String, Value> = BTreeMap::new();
    for arg in args {
        let image = image(arg)?;
        images.insert(name_of(&image), image);
    }
    let mut file = context.open()?;
    for had in file.list("images") {
        match images.get_mut(&name_of(had)) {
            Some(image) => keep_parts(image, had),
            None => drop(images.insert(name_of(had), had.clone())),
        }
    }
    images.values_mut().for_each(|image| keep_parts(image, &json!({})));
    file.set("images", images.into_values().collect::<Vec<_>>());
    file.write()
}

fn keep_parts(image: &mut Value, had: &Value) {
    for part in ["newName", "newTag", "digest"] {
        if image.get(part).is_some_and(|text| *text == "*") {
            image[part] = had.get(part).cloned().unwrap_or_else(|| "".into());
        }
    }
}

/// An image from `name=new:tag@digest`.
fn image(arg: &str) -> Result<Value> {
    let (name, text) = arg.split_once('=').unwrap_or(("", arg));
    let (new_name, tag, digest) = split_image(text);
    if new_name == arg {
        return Err(Error::rule(
            "invalid format of image, use one of the following options:\n- <image>=<newimage>:<newtag>\n- \
             <image>=<newimage>@<digest>\n- <image>=<newimage>:<newtag>@<digest>\n- <image>=<newimage>\n- \
             <image>:<newtag>\n- <image>:<newtag>@<digest>\n- <image>@<digest>",
        ));
    }
    let mut image = json!({"newTag": tag, "digest": digest});
    if name.is_empty() {
        image["name"] = new_name.into();
    } else {
        image["name"] = name.into();
        image["newName"] = new_name.into();
    }
    Ok(image)
}

fn set_replicas(args: &[String], context: &Context<'_>) -> Result<()> {
    require(args, "no replicas specified")?;
    let invalid = || Error::rule("invalid format of replica, use the following format: <name>=<count>");
    let mut replicas: BTreeMap<String, Value> = BTreeMap::new();
    for arg in args {
        let (name, count) = arg.split_once('=').ok_or_else(invalid)?;
        let count: i64 = count.parse().map_err(|_| invalid())?;
        replicas.insert(name.to_owned(), json!({"name": name, "count": count}));
    }
    let mut file = context.open()?;
    for had in file.list("replicas") {
        replicas.entry(name_of(had)).or_insert_with(|| had.clone());
    }
    file.set("replicas", replicas.into_values().collect::<Vec<_>>());
    file.write()
}
