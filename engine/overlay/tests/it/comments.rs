//! Replacements into texts that hold YAML: what is said in comments, and how values are quoted, stays.

use crate::tree::Tree;

/// Texts in which `a` is replaced.
const TEXTS: &[&str] = &[
    "# head\na: 1 # line\n# before b\nb:\n  # in b\n  c: x # of c\n  d: y\n# foot\n",
    "a: 1\n\n# about b\nb: 2\n\n# end\n",
    "a: 1\n# foot of a\n\nb: 2\n",
    "# top\n\n# second\na: 1\nb: 2\n",
    "list:\n  # one\n  - name: x # a\n    v: 1\n    # foot\n  # two\n  - y: z\na: 1\n",
    "a: 'x # no' # yes\nt: |\n  # text\n  more\n# k\nb: \"q\"\n",
    "a:   1    # wide\nb:\n    c: 1  # deep\n",
    "b:  # on key\n  c: 1\n\n  # foot of c\n\na: x\n",
    "a: 1\n# x\n\n# y\nb: 2\n\n# z\n\nc: 'three'\n",
    "a: old\nb: \"# no\n  comment\" # one\n'c': 1\n",
];

#[test]
fn comments_and_quotes_stay() {
    for value in ["NEW", "80", "it's"] {
        let mut files = String::from("=== kustomization.yaml\nresources: [r.yaml]\nreplacements:\n");
        files.push_str(&format!("- sourceValue: \"{value}\"\n  targets:\n"));
        files.push_str("  - {select: {kind: ConfigMap}, fieldPaths: [data.f.a]}\n=== r.yaml\n");
        for (at, text) in TEXTS.iter().enumerate() {
            let head = format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{at}}}\ndata:\n  f: |\n");
            let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
            files.extend(std::iter::once(head).chain(text.lines().map(line)));
        }
        let tree = Tree::new(&files);
        assert!(tree.ours("").expect("builds").contains("# foot of a"), "comments stay");
        tree.compare(value, "");
    }
}
