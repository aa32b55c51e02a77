use super::*;

fn is_match(pattern: &str, name: &str) -> Result<bool, Stop> {
    Glob::parse(pattern).matches(name).map(|(is_match, _)| is_match)
}

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
        assert_eq!(is_match(pattern, name), Ok(want), "{pattern} {name}");
    }
}

/// What Helm finds among these files.
#[test]
fn finds_as_helm() {
    const FILES: [&str; 13] =
        ["a", "a,b", "ab", "b", "bar.txt", "bin", "foo-1.txt", "foo.txt", "sub/x.yaml", "utf", "}bin", "é", "é.txt"];
    let cases: [(&str, &[&str]); 24] = [
        ("f/{foo*,bar}.txt", &["bar.txt", "foo.txt"]),
        ("f/{bar,foo*}.txt", &["bar.txt", "foo-1.txt", "foo.txt"]),
        ("f/{foo,foo-1}.txt", &["foo-1.txt", "foo.txt"]),
        ("f/{*,?}", &["a", "b", "é"]),
        ("f/{b*,u?f}", &["bin", "utf"]),
        ("f/{bin", &["bin"]),
        ("f/{bin,utf", &["bin", "utf"]),
        ("f/}bin", &["}bin"]),
        ("f/bin\\", &["bin"]),
        ("f/[a-]*", &FILES),
        ("f/[a-c-e]", &FILES),
        ("f/[]*", &FILES),
        ("f/[!]", &FILES),
        ("f/{a,b},b", &["a,b"]),
        ("f/a,b", &["a,b"]),
        ("f/[a-c]", &["a", "b"]),
        // Rows cut off all but a character's first byte.
        ("f/[é]", &[]),
        ("f/?", &["a", "b", "é"]),
        ("f/??", &["ab"]),
        ("f/[!ab]", &["é"]),
        ("f/b**bin", &["bin"]),
        ("f/{a,ab}{,,b}", &["a", "ab"]),
        ("f/[\\]a]", &["a"]),
        ("**/x.yaml", &["sub/x.yaml"]),
    ];
    for (pattern, want) in cases {
        let glob = Glob::parse(pattern);
        let found =
            FILES.into_iter().filter(|name| glob.matches(&format!("f/{name}")).is_ok_and(|(is_match, _)| is_match));
        assert_eq!(found.collect::<Vec<_>>(), want, "{pattern}");
    }
}

#[test]
fn fails_where_helm_fails() {
    for pattern in ["f/a{,}", "f/a{*,}"] {
        let stop = is_match(pattern, "f/a").expect_err(pattern);
        assert_eq!(stop.to_string(), "runtime error: slice bounds out of range [:4] with length 3", "{pattern}");
    }
}

#[test]
fn hostile_patterns_end() {
    let name = "a".repeat(5000);
    assert_eq!(is_match(&"*a".repeat(50), &(name.clone() + "b")), Ok(false));
    for pattern in ["*a".repeat(50) + "*", "**a*".repeat(70)] {
        assert_ne!(is_match(&pattern, &format!("{name}/")), Err(Stop::TooLarge), "{pattern}");
    }
    for pattern in ["{".repeat(100), "*?".repeat(500), "{a,".to_owned() + &"b,".repeat(10_000)] {
        assert_eq!(is_match(&pattern, "a"), Err(Stop::TooLarge), "{pattern}");
    }
}

/// Joining neighbours compares each run of them.
#[test]
fn long_rows_compile() {
    for pattern in ["[ab][ab]*", "[!a]?", "?*[ab]", "{a,b}*?"] {
        let size = 300 / pattern.matches(['*', '?', ']', '{']).count() - 1;
        let _ = Glob::parse(&pattern.repeat(size)).matches("abc");
    }
}
