//! General categories.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, HirKind};

/// The version of Unicode whose characters Go knows.
pub const VERSION: &str = "15.0";

/// A set of characters, by what expressions call it; made when a character beyond ASCII is first looked for.
pub(crate) struct Set {
    expression: &'static str,
    ranges: OnceLock<Box<[(char, char)]>>,
}

impl Set {
    pub(crate) const fn new(expression: &'static str) -> Self {
        Self { expression, ranges: OnceLock::new() }
    }

    pub(crate) fn contains(&self, character: char) -> bool {
        let ranges = self.ranges.get_or_init(|| ranges(self.expression));
        let after = ranges.partition_point(|(first, _)| *first <= character);
        after.checked_sub(1).is_some_and(|at| character <= ranges[at].1)
    }
}

/// The characters of an expression for one, as far as Go knows them.
fn ranges(expression: &str) -> Box<[(char, char)]> {
    let known = format!(r"[{expression}&&\p{{Age:{VERSION}}}]");
    let parsed = regex_syntax::parse(&known).expect("the expressions are those below");
    match parsed.kind() {
        HirKind::Class(Class::Unicode(class)) => class.iter().map(|range| (range.start(), range.end())).collect(),
        other => unreachable!("{known} is a class, not {other:?}"),
    }
}

/// Every character that there is.
pub(crate) static ASSIGNED: Set = Set::new(r"\P{Cn}");

macro_rules! categories {
    ($($(#[$doc:meta])* $name:ident: $expression:literal, $ascii:expr;)*) => {
        $($(#[$doc])*
        pub fn $name(character: char) -> bool {
            static SET: Set = Set::new($expression);
            let in_ascii: fn(u8) -> bool = $ascii;
            u8::try_from(character).ok().filter(u8::is_ascii).map_or_else(|| SET.contains(character), in_ascii)
        })*
    };
}

categories! {
    /// `unicode.IsLetter`: category L.
    is_letter: r"\p{L}", |byte| byte.is_ascii_alphabetic();
    /// `unicode.IsDigit`: category Nd.
    is_digit: r"\p{Nd}", |byte| byte.is_ascii_digit();
    /// `unicode.IsNumber`: category N, Roman numerals and fractions among them.
    is_number: r"\p{N}", |byte| byte.is_ascii_digit();
    /// `unicode.IsUpper`: category Lu.
    is_upper: r"\p{Lu}", |byte| byte.is_ascii_uppercase();
    /// `unicode.IsLower`: category Ll.
    is_lower: r"\p{Ll}", |byte| byte.is_ascii_lowercase();
    /// `unicode.IsTitle`: category Lt, such as `ǅ`.
    is_title: r"\p{Lt}", |_| false;
    /// `unicode.IsPunct`: category P; `$` and `+` are symbols, of another.
    is_punctuation: r"\p{P}", |byte| byte.is_ascii_punctuation() && !b"$+<=>^`|~".contains(&byte);
    /// `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and of all spaces that of ASCII.
    is_print: r"\p{L}\p{M}\p{N}\p{P}\p{S}", |byte| matches!(byte, b' '..=b'~');
}

/// `unicode.IsSpace`.
pub fn is_space(character: char) -> bool {
    character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Category = fn(char) -> bool;

    #[test]
    fn ascii_is_known_without_a_table() {
        let known: [(Category, &str); 8] = [
            (is_letter, r"\p{L}"),
            (is_digit, r"\p{Nd}"),
            (is_number, r"\p{N}"),
            (is_upper, r"\p{Lu}"),
            (is_lower, r"\p{Ll}"),
            (is_title, r"\p{Lt}"),
            (is_punctuation, r"\p{P}"),
            (is_print, r"\p{L}\p{M}\p{N}\p{P}\p{S} "),
        ];
        for (category, expression) in known {
            let ranges = ranges(expression);
            for character in '\0'..='\x7F' {
                let is_in = ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
                assert_eq!(category(character), is_in, "{character:?} {expression}");
            }
        }
    }

    #[test]
    fn characters_younger_than_gos_tables_are_unknown() {
        assert!(!is_letter('\u{1C89}') && !is_print('\u{1C89}') && is_letter('\u{1C88}'));
        assert!(is_print('\u{FFFD}') && !is_print('\u{AD}') && !is_print('\u{A0}') && !is_print('\u{E000}'));
    }
}
