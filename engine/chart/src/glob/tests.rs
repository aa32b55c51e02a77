use super::*;

#[test]
fn patterns() {
    let cases = [
        ("foo/*", "foo/a.txt", true),
        ("foo/*", "foo/b/a.txt", false),
        ("foo/**", "foo/b/a.txt", true),
        ("**.yaml", "a/b.yaml", true),
        ("*.{json,yaml}", "a.yaml", true),
        ("*.{json,yaml}", "a.txt", false),
        ("[a-c]x", "bx", true),
        ("[!a-c]x", "bx", false),
        ("a?c", "a/c", false),
        ("{a,b{c,d}}/x", "bd/x", true),
        ("[", "anything/at/all", true),
    ];
    for (pattern, name, want) in cases {
        assert_eq!(Glob::parse(pattern).matches(name), Ok(want), "{pattern} {name}");
    }
    assert_eq!(Glob::parse(&"*a".repeat(50)).matches(&("a".repeat(5000) + "b")), Ok(false));
}
