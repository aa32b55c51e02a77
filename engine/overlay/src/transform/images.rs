//! New names, tags and digests of images.

use kpkg_yaml::node::{Node, Scalar};
use regex::Regex;

use crate::error::{Error, Result};
use crate::fieldspec::{Create, FieldSpec};
use crate::kustomization::Image;
use crate::selector::compile;
use crate::set::ResourceSet;
use crate::tree::{kind_name, set_scalar};

/// Changes one image wherever it is used.
#[derive(Debug)]
pub(crate) struct ImageTransformer {
    image: Image,
    pattern: Option<Regex>,
    specs: Vec<FieldSpec>,
}

impl ImageTransformer {
    pub(crate) fn new(image: Image, specs: Vec<FieldSpec>) -> Result<Self> {
        let is_plain = image.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/:".contains(&byte));
        let pattern = if is_plain {
            None
        } else {
            let name = &image.name;
            Some(compile(&format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$"))?)
        };
        Ok(Self { image, pattern, specs })
    }

    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        for at in 0..set.len() {
            let resource = set.content_mut(at);
            if resource.kind() != "CustomResourceDefinition" {
                self.walk(&mut resource.node)?;
            }
        }
        for at in 0..set.len() {
            let resource = set.content_mut(at);
            if resource.kind() != "CustomResourceDefinition" {
                for spec in &self.specs {
                    spec.apply(&mut resource.node, Create::Nothing, &mut |place| self.set(place))?;
                }
            }
        }
        Ok(())
    }

    /// Finds `containers` and `initContainers` wherever they stand.
    fn walk(&self, node: &mut Node) -> Result<()> {
        match node {
            Node::Scalar(_) => Ok(()),
            Node::List(items) => items.iter_mut().try_for_each(|item| self.walk(item)),
            Node::Map(fields) => fields.iter_mut().try_for_each(|(key, value)| {
                self.walk(value)?;
                match value {
                    Node::List(items) if matches!(key.text.as_str(), "containers" | "initContainers") => {
                        items.iter_mut().try_for_each(|item| match item {
                            item if item.is_null() => Ok(()),
                            Node::Map(container) => container.get_mut("image").map_or(Ok(()), |image| self.set(image)),
                            other => Err(Error::Shape { expected: "MappingNode", found: kind_name(other) }),
                        })
                    }
                    _ => Ok(()),
                }
            }),
        }
    }

    fn set(&self, place: &mut Node) -> Result<()> {
        let Node::Scalar(scalar) = place else {
            return Err(Error::Shape { expected: "ScalarNode", found: kind_name(place) });
        };
        if !self.is_meant(&scalar.text) {
            return Ok(());
        }
        let new = self.changed(&scalar.text);
        set_scalar(place, Scalar::bare(new))
    }

    fn is_meant(&self, text: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.is_match(text),
            None => text.strip_prefix(self.image.name.as_str()).is_some_and(is_tag_and_digest),
        }
    }

    fn changed(&self, text: &str) -> String {
        let image = &self.image;
        let (name, tag, digest) = split_image(text);
        let mut name = if image.new_name.is_empty() { name.to_owned() } else { image.new_name.clone() };
        let (tag, digest) = match (image.new_tag.as_str(), image.digest.as_str(), image.tag_suffix.as_str()) {
            ("", "", "") => (tag.to_owned(), digest.to_owned()),
            ("", "", suffix) => (format!("{tag}{suffix}"), String::new()),
            ("", digest, _) => (String::new(), digest.to_owned()),
            (tag, digest, _) => (tag.to_owned(), digest.to_owned()),
        };
        for (mark, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                name.push(mark);
                name.push_str(&part);
            }
        }
        name
    }
}

/// Whether nothing, a tag, a digest or both follow an image's name.
fn is_tag_and_digest(rest: &str) -> bool {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.{}-".contains(&byte));
    let (tag, digest) = rest.split_once('@').map_or((rest, None), |(tag, digest)| (tag, Some(digest)));
    let tag_fits = tag.is_empty() || tag.strip_prefix(':').is_some_and(is_word);
    tag_fits && digest.is_none_or(|digest| digest.strip_prefix("sha256:").is_some_and(is_word))
}

/// Splits an image into name, tag and digest.
pub(crate) fn split_image(image: &str) -> (&str, &str, &str) {
    let start = image.find('/').filter(|at| *at > 0).unwrap_or(0);
    let at = |mark: char| image[start..].find(mark).map(|at| at + start);
    match (at('@'), at(':')) {
        (None, None) => (image, "", ""),
        (Some(digest), tag) if tag.is_none_or(|tag| digest < tag) => (&image[..digest], "", &image[digest + 1..]),
        (Some(digest), Some(tag)) => (&image[..tag], &image[tag + 1..digest], &image[digest + 1..]),
        (_, Some(tag)) => (&image[..tag], &image[tag + 1..], ""),
        (Some(_), None) => (image, "", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images() {
        let image = |name: &str, new_tag: &str, digest: &str| Image {
            name: name.into(),
            new_tag: new_tag.into(),
            digest: digest.into(),
            ..Image::default()
        };
        let cases = [
            (image("nginx", "1.2", ""), "nginx:1.1", Some("nginx:1.2")),
            (image("nginx", "1.2", ""), "nginx", Some("nginx:1.2")),
            (image("nginx", "1.2", ""), "nginxx:1", None),
            (image("h:5000/a", "2", ""), "h:5000/a@sha256:ab", Some("h:5000/a:2")),
            (image("a.b/c", "", "sha256:9"), "a.b/c:1", Some("a.b/c@sha256:9")),
            (image("a.b/c", "", "sha256:9"), "aXb/c:1", Some("aXb/c@sha256:9")),
        ];
        for (image, text, want) in cases {
            let transformer = ImageTransformer::new(image, Vec::new()).expect("a pattern");
            let got = transformer.is_meant(text).then(|| transformer.changed(text));
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }
}
