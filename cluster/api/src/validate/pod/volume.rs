//! Volumes and where their content comes from.

use super::{
    Volume,
    env::{self, FILE_FIELDS},
};
use crate::{
    validate::{
        FieldError,
        checks::{self, Errors},
        path::Path,
        storage,
    },
    value::Read as _,
};
use serde_json::Value;

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks volumes; gives those that mounts may name.
pub(super) fn volumes<'a>(volumes: &'a [Value], path: &Path<'_>, errors: &mut Errors) -> Vec<Volume<'a>> {
    let mut usable: Vec<Volume<'a>> = Vec::new();
    for (at, volume) in volumes.iter().enumerate() {
        let path = path.index(at);
        let known = errors.len();
        source(volume, &path, errors);
        let name = volume.text("name");
        if name.is_empty() {
            errors.push(FieldError::required(path.child("name"), ""));
        } else {
            checks::label(&path.child("name"), name, errors);
        }
        if usable.iter().any(|other| other.name == name) {
            errors.push(FieldError::duplicate(path.child("name"), name));
        }
        if errors.len() == known {
            usable.push(Volume { name, is_claim: volume.has("persistentVolumeClaim") || volume.has("ephemeral") });
        }
    }
    usable
}

fn source(volume: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut sources = volume.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
    let Some((name, source)) = sources.next() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return;
    };
    for (other, _) in sources {
        errors.push(FieldError::forbidden(path.child(other), "may not specify more than 1 volume type"));
    }
    let path = path.child(name);
    match name.as_str() {
        "emptyDir" if checks::quantity(&source["sizeLimit"]).sign() < 0 => {
            let why = "SizeLimit field must be a valid resource quantity";
            errors.push(FieldError::forbidden(path.child("sizeLimit"), why));
        }
        "hostPath" => host_path(source, &path, errors),
        "secret" => keyed(source, "secretName", &path, errors),
        "configMap" => keyed(source, "name", &path, errors),
        "downwardAPI" => {
            mode(source, "defaultMode", &path, errors);
            source.items("items").iter().for_each(|file| downward_file(file, &path, errors));
        }
        "projected" => projected(source, &path, errors),
        "persistentVolumeClaim" => checks::required(&path.child("claimName"), source.text("claimName"), errors),
        "nfs" => nfs(source, &path, errors),
        "gitRepo" => {
            checks::required(&path.child("repository"), source.text("repository"), errors);
            checks::descending_path(&path.child("directory"), source.text("directory"), errors);
        }
        "ephemeral" => match &source["volumeClaimTemplate"] {
            Value::Null => errors.push(FieldError::required(path.child("volumeClaimTemplate"), "")),
            template => {
                storage::claim_spec(&template["spec"], &path.child("volumeClaimTemplate").child("spec"), errors);
            }
        },
        _ => {}
    }
}

/// A path of the host, without steps back.
pub(in crate::validate) fn host_path(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    if source.text("path").is_empty() {
        errors.push(FieldError::required(path.child("path"), ""));
        return;
    }
    checks::no_backsteps(&path.child("path"), source.text("path"), errors);
    checks::one_of_if_set(&path.child("type"), source["type"].as_str(), HOST_PATH_TYPES, errors);
}

/// A share of a network file server.
pub(in crate::validate) fn nfs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    checks::required(&path.child("server"), source.text("server"), errors);
    checks::required(&path.child("path"), source.text("path"), errors);
    if !source.text("path").starts_with('/') {
        errors.push(FieldError::invalid(path.child("path"), source.text("path"), "must be an absolute path"));
    }
}

fn mode(object: &Value, field: &str, path: &Path<'_>, errors: &mut Errors) {
    if let Some(mode) = object.int(field)
        && !(0..=0o777).contains(&mode)
    {
        errors.push(FieldError::invalid(path.child(field), mode, MODE));
    }
}

/// A Secret or ConfigMap.
fn keyed(source: &Value, name: &str, path: &Path<'_>, errors: &mut Errors) {
    checks::required(&path.child(name), source.text(name), errors);
    mode(source, "defaultMode", path, errors);
    items(source, path, errors);
}

fn items(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("items");
    for (at, item) in source.items("items").iter().enumerate() {
        let path = list.index(at);
        checks::required(&path.child("key"), item.text("key"), errors);
        checks::required(&path.child("path"), item.text("path"), errors);
        checks::unreserved_path(&path.child("path"), item.text("path"), errors);
        mode(item, "mode", &path, errors);
    }
}

fn downward_file(file: &Value, path: &Path<'_>, errors: &mut Errors) {
    checks::required(&path.child("path"), file.text("path"), errors);
    checks::unreserved_path(&path.child("path"), file.text("path"), errors);
    if file.has("fieldRef") {
        env::field_ref(&file["fieldRef"], FILE_FIELDS, &path.child("fieldRef"), errors);
        if file.has("resourceFieldRef") {
            let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
            errors.push(FieldError::invalid(path, "resource", why));
        }
    } else if file.has("resourceFieldRef") {
        env::resource_ref(&file["resourceFieldRef"], true, &path.child("resourceFieldRef"), errors);
    } else {
        errors.push(FieldError::required(path, "one of fieldRef and resourceFieldRef is required"));
    }
    mode(file, "mode", path, errors);
}

fn projected(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    mode(source, "defaultMode", path, errors);
    let mut taken: Vec<&str> = Vec::new();
    let list = path.child("sources");
    for (at, part) in source.items("sources").iter().enumerate() {
        let part_path = list.index(at);
        let mut kinds = 0;
        for (name, content) in part.as_object().into_iter().flatten() {
            kinds += 1;
            projection(name, content, path, &part_path.child(name), errors);
            for item in content.items("items") {
                let file = item.text("path");
                if taken.contains(&file) && !file.is_empty() {
                    let shown = if name == "downwardAPI" { file } else { content.text("name") };
                    errors.push(FieldError::invalid(path, shown, "conflicting duplicate paths"));
                }
                taken.push(file);
            }
        }
        if kinds > 1 {
            let why = "may not specify more than 1 volume type per source";
            errors.push(FieldError::forbidden(part_path, why));
        }
    }
}

fn projection(name: &str, content: &Value, volume: &Path<'_>, path: &Path<'_>, errors: &mut Errors) {
    match name {
        "secret" | "configMap" => {
            checks::required(&path.child("name"), content.text("name"), errors);
            items(content, path, errors);
        }
        "downwardAPI" => content.items("items").iter().for_each(|file| downward_file(file, path, errors)),
        "serviceAccountToken" => {
            let seconds = content.int("expirationSeconds").unwrap_or_default();
            let mut invalid =
                |why: &str| errors.push(FieldError::invalid(path.child("expirationSeconds"), seconds, why));
            if seconds < 600 {
                invalid("may not specify a duration less than 10 minutes");
            }
            if seconds > 1 << 32 {
                invalid("may not specify a duration larger than 2^32 seconds");
            }
            match content.text("path") {
                "" => errors.push(FieldError::required(volume.child("path"), "")),
                file => checks::unreserved_path(&volume.child("path"), file, errors),
            }
        }
        "clusterTrustBundle" => {
            checks::required(&path.child("path"), content.text("path"), errors);
            checks::unreserved_path(&path.child("path"), content.text("path"), errors);
        }
        _ => {}
    }
}
