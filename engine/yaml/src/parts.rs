//! Reading only what is wanted of a document.

use crate::error::Error;
use crate::lines;
use crate::parser::{Parser, Properties, Scalar, Sink};
use crate::reader::{Breaks, Composer, Options, check_characters, read_with};
use crate::resolve::{Resolved, resolve};
use crate::scanner::Mark;
use crate::value::Value;

/// Reads the first document of a text as [`read_with`] does, but leaves out what `keep` refuses: it is asked for
/// every key of the document's mapping and of mappings inside, with their depth. What is left out is checked all the
/// same, at a fraction of the cost.
pub fn read_parts(text: &str, options: Options, keep: impl Fn(usize, &str) -> bool) -> Result<Value, Error> {
    if let Some(breaks) = check_characters(text).ok().filter(|_| text.len() <= options.max_size) {
        let pruned = || Pruned { composer: Composer::new(options), keep: &keep, skipped: Vec::new() };
        let mut sink = pruned();
        if breaks == Breaks::Plain && lines::document(text, &mut sink) {
            return sink.composer.finish();
        }
        let mut sink = pruned();
        if Parser::new(text).document(&mut sink).is_ok() {
            return sink.composer.finish();
        }
    }
    // Rare: it is wrong, which the whole reader words, or has parts that mean something elsewhere.
    read_with(text, options)
}

/// Leaves parts of a document out. Anchors, tags and merge keys are beyond it: it gives up on them.
struct Pruned<'k, K> {
    composer: Composer,
    keep: &'k K,
    /// The collections open inside what is left out.
    skipped: Vec<Skipped>,
}

/// A collection that is left out, and what it waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Skipped {
    Item,
    Key,
    Value,
}

/// Why [`Pruned`] gave up; nobody sees it.
fn beyond() -> Error {
    Error::plain("more than can be left out")
}

impl<K: Fn(usize, &str) -> bool> Pruned<'_, K> {
    /// Notes that a node of what is left out is complete.
    fn skipped_node(&mut self) {
        match self.skipped.last_mut() {
            Some(Skipped::Item) => {}
            Some(waits @ Skipped::Key) => *waits = Skipped::Value,
            Some(waits @ Skipped::Value) => *waits = Skipped::Key,
            None => self.composer.drop_key(),
        }
    }

    /// Whether a collection that begins is left out; if so, it is open from now on.
    fn skips(&mut self, properties: &Properties<'_>, waits: Skipped) -> Result<bool, Error> {
        if properties.anchor.is_some() || !properties.tag.is_empty() || self.skipped.last() == Some(&Skipped::Key) {
            return Err(beyond());
        }
        let skips = self.is_skipping();
        if skips {
            self.skipped.push(waits);
        }
        Ok(skips)
    }
}

impl<'a, K: Fn(usize, &str) -> bool> Sink<'a> for Pruned<'_, K> {
    fn alias(&mut self, _name: &'a str, _mark: Mark) -> Result<(), Error> {
        Err(beyond())
    }

    fn scalar(&mut self, properties: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error> {
        if properties.anchor.is_some() || !properties.tag.is_empty() {
            return Err(beyond());
        }
        if !self.is_skipping() {
            return self.composer.scalar(properties, scalar, mark);
        }
        if scalar.implicit {
            match resolve(&scalar.text) {
                Resolved::Merge => return Err(beyond()),
                Resolved::Null if self.skipped.last() == Some(&Skipped::Key) => return Err(beyond()),
                Resolved::Float(value) if !value.is_finite() => return Err(beyond()),
                _ => {}
            }
        }
        self.skipped_node();
        Ok(())
    }

    fn begin_sequence(&mut self, properties: Properties<'a>, mark: Mark) -> Result<(), Error> {
        if self.skips(&properties, Skipped::Item)? { Ok(()) } else { self.composer.begin_sequence(properties, mark) }
    }

    fn begin_mapping(&mut self, properties: Properties<'a>, mark: Mark) -> Result<(), Error> {
        if self.skips(&properties, Skipped::Key)? { Ok(()) } else { self.composer.begin_mapping(properties, mark) }
    }

    fn is_skipping(&self) -> bool {
        !self.skipped.is_empty() || self.composer.is_at_unwanted(self.keep)
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.skipped.pop().is_none() {
            return self.composer.end();
        }
        self.skipped_node();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;

    fn head(text: &str) -> Result<Value, Error> {
        read_parts(text, Options::default(), |depth, key| depth > 0 || key == "a")
    }

    /// What reading everything, and dropping other keys than `a`, gives.
    fn expected(text: &str) -> Result<Value, Error> {
        Ok(match read_with(text, Options::default())? {
            Value::Map(map) => Value::Map(map.into_iter().filter(|(key, _)| key == "a").collect::<Map>()),
            other => other,
        })
    }

    #[test]
    fn leaves_out_what_is_not_wanted() {
        let texts = [
            "a: 1\nb: {c: [1, {d: e}], f: |-2\n",
            "a: {b: [1, 2], c: {d: e}}\nb:\n- c: d\n  e:\n  - f\n- - g\nh: i\n",
            "b: c\na:\n  a: b\n  c: d\n",
            "b: {? c : d}\na: 1\n",
            "- a: 1\n  b: 2\n",
            "x\n",
            "",
        ];
        for text in texts {
            assert_eq!(format!("{:?}", head(text)), format!("{:?}", expected(text)), "{text:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_checked() {
        for text in [
            "a: 1\nb: [1, 2\n",
            "a: 1\nb: .nan\n",
            "a: 1\nb: {c: -.inf}\n",
            "a: 1\nb: {~: c}\n",
            "a: 1\nb: {[c]: d}\n",
            "a: 1\nb: *c\n",
            "a: 1\nb: c: d\n",
            "a: 1\nb: \u{1}\n",
        ] {
            assert_eq!(
                head(text).map_err(|error| error.to_string()).err(),
                expected(text).map_err(|error| error.to_string()).err(),
                "{text:?}"
            );
            assert!(head(text).is_err(), "{text:?}");
        }
    }

    /// What is skipped line by line would have been accepted, and left out, by the parser too.
    #[test]
    fn skipping_agrees_with_the_parser() {
        let pruned = || Pruned {
            composer: Composer::new(Options::default()),
            keep: &|depth, key: &str| depth == 0 && key.len() == 1 && key < "k",
            skipped: Vec::new(),
        };
        let check = |text: &str| {
            let mut ours = pruned();
            if !lines::document(text, &mut ours) {
                return false;
            }
            let mut theirs = pruned();
            let read = Parser::new(text).document(&mut theirs);
            assert!(read.is_ok(), "{text:?}: {read:?}");
            assert_eq!(ours.composer.finish(), theirs.composer.finish(), "{text:?}");
            assert!(read_with(text, Options::default()).is_ok(), "{text:?}");
            true
        };
        let mut skipped = 0;
        for text in lines::tests::texts(200_000) {
            skipped += usize::from(check(&text));
            // Deeper, all of it is skipped.
            skipped += usize::from(check(&format!("x:\n {}\ny: z\n", text.trim_end().replace('\n', "\n "))));
        }
        assert!(skipped > 20_000, "only {skipped} texts were skipped line by line");
    }

    #[test]
    fn skips_what_is_common() {
        for text in [
            "x:\n- b\n- c: d\n  e: f\n-\n- - g\n  - h\na: j\n",
            "x: # y\n  c:\n    d: e f\n      g\n\n      h\n  # i\n  j: {}\na: k\n",
            "x: |\n  b\n\n    c\n  # d\ny: >-\n    e\n   \na: |+\n  f\n\n",
            "x: 'it''s'\n\"y\": \"a\\n\\\"\" # b\nz: [a, 'b', {c: d}]\nv: 'a\n  b' \na: 1",
            "x: http://k:1#l\nz: -i\nv: :j\na: 0x10\n",
            "x:\n  - |\n    b\n  -\n    c: d\n  -   e: f\n      g:\n      - h\nw: 80\nn: 2020-01-01\na: i\n",
        ] {
            let mut sink = Pruned {
                composer: Composer::new(Options::default()),
                keep: &|_, key: &str| key == "a",
                skipped: Vec::new(),
            };
            assert!(lines::document(text, &mut sink), "{text:?}");
            assert_eq!(sink.composer.finish(), expected(text), "{text:?}");
        }
    }

    #[test]
    fn anchors_outside_mean_the_same() {
        let text = "b: &x {c: 1}\na: *x\n";
        assert_eq!(head(text).expect("valid").at("a.c"), Some(&Value::Float(1.0)));
    }
}
