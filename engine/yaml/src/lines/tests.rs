use super::document;
use crate::error::Error;
use crate::parser::{Parser, Properties, Scalar, Sink};
use crate::scanner::Mark;

/// What a sink was told, a line a node.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn tell(&mut self, what: impl std::fmt::Debug, mark: Mark) -> Result<(), Error> {
        self.0.push(format!("{} {what:?}", mark.line));
        Ok(())
    }
}

impl<'a> Sink<'a> for Told {
    fn alias(&mut self, name: &'a str, mark: Mark) -> Result<(), Error> {
        self.tell(name, mark)
    }

    fn scalar(&mut self, _: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error> {
        self.tell((scalar.text, scalar.style, scalar.implicit), mark)
    }

    fn begin_sequence(&mut self, _: Properties<'a>, mark: Mark) -> Result<(), Error> {
        self.tell("[", mark)
    }

    fn begin_mapping(&mut self, _: Properties<'a>, mark: Mark) -> Result<(), Error> {
        self.tell("{", mark)
    }

    fn end(&mut self) -> Result<(), Error> {
        self.tell("end", Mark::default())
    }
}

/// Whether a text is read line by line; if it is, the parser must tell the same.
fn is_read(text: &str) -> bool {
    let mut ours = Told::default();
    if !document(text, &mut ours) {
        return false;
    }
    let mut theirs = Told::default();
    let read = Parser::new(text).document(&mut theirs);
    assert_eq!(ours.0, theirs.0, "{text:?}: {read:?}");
    assert!(read.is_ok_and(|read| read), "{text:?} is wrong");
    true
}

#[test]
fn reads_what_is_common() {
    let texts = [
        "a: 1\n",
        "---\na: b\nc:\nd: e # x\n# y\n\nf:\n  # z\n  g: h",
        "a:\n- b\n- c: d\n  e: f\n-\n- - g\n  - h\ni: j\n",
        "a:\n  - b\n  -   c: d\n      e:\n      - f\ng:\n",
        "- a\n- b: c\n- |\n  d\n",
        "a: |\n  b\n\n   c \ne: |-\n    f\n   \n\n     g\n\nh: |+\n i\n\n\n# j\n",
        "a: |\n  b\n  \tc\n    \nd: |-\n  e",
        "a: b\n  c\n\n\n  d",
        "a: 'b''c' # d\n\"e\": \"f\\n\\\"g\"\n'h' : i\n",
        "a: []\nb: {}\nc: [d, \"e\", {f: g, 'h': [1]}, ] # i\n",
        "a b: c d\ne:f: g\nh: -i\nj: http://k:1#l\nm: '#'\n",
        "  a: 1\n  b:\n   c: 2\n",
        "a:\n  \"b\"\nc:\n  d\n",
        "a: 'b\n  c''d  \n\n\n e' # f\ng: \" h\\n \n i \"\n",
        "a: |\nb: |+\n\n# d\nc: |-\n  # e\n",
        "{a: [b, c]}\n",
        "[]",
    ];
    for text in texts {
        assert!(is_read(text), "{text:?}");
    }
}

#[test]
fn leaves_the_rest_to_the_parser() {
    let texts = [
        "a: &b c\n",
        "a: *b\n",
        "a: !c d\n",
        "a: >\n  b\n",
        "a: |2\n   b\n",
        "a: [b,\n  c]\n",
        "a: \"b\n---\nc\"\n",
        "a:\tb\n",
        "? a\n: b\n",
        "a: b: c\n",
        "a: b\n c: d\n",
        "a: b # c\n  d\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: 1\n- b\n",
        "a: 1\n---\nb: 2\n",
        " a: 1\nb: 2\n",
        "a\n",
        "",
        "a: [b: c]\n",
        "{a: b}\nc\n",
        "a: \"b\\\n  c\"\n",
    ];
    for text in texts {
        assert!(!is_read(text), "{text:?}");
    }
}

const PIECES: &[&str] = &[
    "a: b",
    "c:",
    "- d",
    "-",
    "- e: f",
    "# g",
    "",
    "   ",
    "h",
    "i: |",
    "j: |-",
    "k: |+",
    "- |",
    "l: 'm'",
    "\"n\": o # p",
    "q: [r, s]",
    "t: {u: v}",
    "- - w",
    "x: \"y",
    "z\"",
    "a b: c: d",
    "e: #f",
    "g #h: i",
    "j: k #l",
    "'m' n: o",
    "--- p",
    "...",
    "\tq: r",
    "s:\tt",
    "u: {}",
    "v: []x",
    "- w # x",
    "y: -",
    "z: - a",
    "b: ? c",
    "? d",
    ": e",
    "- \"f\": g",
    "h: ''",
    "i: 'j''k'",
    "l: \"\\\"\"",
    "m: \"\\x41\"",
    "n: |x",
    "o: | # p",
    "-q",
    "r:s",
    "t: u:",
    "- v:",
    "w: x  ",
    "y : z",
    "- []",
    "a: [b, [c]]",
    "d: {e: [f]}",
    "g: [,]",
    "k: 'l",
    "m'",
    "- 'n''",
    "o''p' # q",
    "r: \"s\\",
    "t \\\" u\"",
    "v: \"w \\n  ",
    "h: [i j, k]",
    "l: [m,]",
    "n: >-",
    ".inf: .5",
    "- .nan",
    "~: o",
    "<<: {}",
    "- 'p': \"q\"",
];

/// Texts of likely and unlikely pieces, at likely and unlikely places.
pub(crate) fn texts(count: usize) -> impl Iterator<Item = String> {
    let mut seed = 1_u64;
    let mut random = move |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % bound
    };
    (0..count).map(move |_| {
        let mut text = String::new();
        let mut indent = 0_usize;
        for _ in 0..=random(6) {
            indent = match random(5) {
                0 => indent + 2,
                1 => indent + 1,
                2 => indent.saturating_sub(2),
                3 => 0,
                _ => indent,
            };
            text.push_str(&" ".repeat(indent));
            text.push_str(PIECES[random(PIECES.len())]);
            text.push('\n');
        }
        if random(4) == 0 {
            text.pop();
        }
        text
    })
}

#[test]
fn agrees_with_the_parser() {
    let read = texts(200_000).filter(|text| is_read(text)).count();
    assert!(read > 10_000, "only {read} texts were read line by line");
}
