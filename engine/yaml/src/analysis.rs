//! Which styles a text can be written in, by the rules of libyaml.

use crate::emitter::Flavour;

/// Which styles a text allows.
pub(crate) struct Analysis {
    /// It has line breaks.
    pub(crate) multiline: bool,
    /// It can stand bare.
    pub(crate) plain: bool,
    /// It can stand in single quotes.
    pub(crate) single: bool,
    /// It can be written as a block.
    pub(crate) block: bool,
}

impl Analysis {
    pub(crate) fn of(text: &str, flavour: Flavour) -> Self {
        if text.is_empty() {
            return Self { multiline: false, plain: true, single: true, block: false };
        }
        if text.is_ascii() { Self::of_ascii(text.as_bytes(), flavour) } else { Self::of_any(text, flavour) }
    }

    /// By the rules of the library, character by character.
    fn of_any(text: &str, flavour: Flavour) -> Self {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut line_breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
        let (mut tabs, tabs_fit_blocks) = (false, flavour == Flavour::Pretty);
        let (mut after_blank, mut after_space, mut after_break) = (true, false, false);
        let mut rest = text.chars().peekable();
        let mut first = true;
        while let Some(character) = rest.next() {
            let before_blank = rest.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            indicators |= match character {
                '#' => first || after_blank,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => first,
                ':' => before_blank,
                '?' | '-' => first && before_blank,
                _ => false,
            };
            if character == '\t' && tabs_fit_blocks {
                tabs = true;
            } else {
                special |= !is_printable(character);
            }
            if character == ' ' {
                break_space |= after_break;
                (after_space, after_break) = (true, false);
            } else if is_break(character) {
                line_breaks = true;
                space_break |= after_space;
                (after_space, after_break) = (false, true);
            } else {
                (after_space, after_break) = (false, false);
            }
            after_blank = matches!(character, ' ' | '\t') || is_break(character);
            first = false;
        }
        let edge = |character: Option<char>| character.is_some_and(|found| found == ' ' || is_break(found));
        let (leading, trailing) = (edge(text.chars().next()), edge(text.chars().next_back()));
        let broken = space_break || special;
        Self {
            multiline: line_breaks,
            plain: !(leading || trailing || break_space || broken || tabs || line_breaks || indicators),
            single: !(break_space || broken || tabs),
            block: !(text.ends_with(' ') || broken),
        }
    }

    /// The same for a text of ASCII that is not empty: few of its bytes need a look at their neighbours.
    fn of_ascii(text: &[u8], flavour: Flavour) -> Self {
        let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        let is_break = |byte: Option<&u8>| matches!(byte, Some(b'\n' | b'\r'));
        let mut indicators = text.starts_with(b"---") || text.starts_with(b"...");
        indicators |= match text[0] {
            b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' => {
                true
            }
            b'?' | b'-' => text.len() == 1 || is_blank(text.get(1)),
            _ => false,
        };
        let (mut line_breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
        let (mut tabs, tabs_fit_blocks) = (false, flavour == Flavour::Pretty);
        for (at, byte) in text.iter().enumerate() {
            if byte.is_ascii_graphic() && !matches!(byte, b'#' | b':') {
                continue;
            }
            let before = at.checked_sub(1).map(|before| &text[before]);
            match byte {
                b'#' => indicators |= before.is_none() || is_blank(before) || is_break(before),
                b':' => indicators |= at + 1 == text.len() || is_blank(text.get(at + 1)),
                b' ' => break_space |= is_break(before),
                b'\n' | b'\r' => {
                    line_breaks = true;
                    space_break |= before == Some(&b' ');
                    special |= *byte == b'\r';
                }
                b'\t' if tabs_fit_blocks => tabs = true,
                _ => special = true,
            }
        }
        let edge = |byte: Option<&u8>| byte == Some(&b' ') || is_break(byte);
        let broken = space_break || special;
        Self {
            multiline: line_breaks,
            plain: !(edge(text.first())
                || edge(text.last())
                || break_space
                || broken
                || tabs
                || line_breaks
                || indicators),
            single: !(break_space || broken || tabs),
            block: !(text.ends_with(b" ") || broken),
        }
    }
}

/// Whether go-yaml v3 can write a text as a block.
pub(crate) fn fits_block(text: &str) -> bool {
    Analysis::of(text, Flavour::Pretty).block
}

pub(crate) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(crate) fn is_printable(character: char) -> bool {
    matches!(character, '\n' | '\x20'..='\x7E' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
        && character != '\u{FEFF}'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known of ASCII at a glance is what the general rules say.
    #[test]
    fn ascii_is_analysed_alike() {
        const BYTES: &[u8] = b"a1 \n\r\t:#-?'[.";
        let mut texts: Vec<String> = vec!["---".into(), "...x".into(), "--- a".into()];
        for length in 1..=4_u32 {
            texts.extend((0..BYTES.len().pow(length)).map(|number| {
                (0..length).map(|at| char::from(BYTES[number / BYTES.len().pow(at) % BYTES.len()])).collect()
            }));
        }
        for text in texts {
            for flavour in [Flavour::Compact, Flavour::Pretty] {
                let (quick, general) = (Analysis::of(&text, flavour), Analysis::of_any(&text, flavour));
                let facts = |it: &Analysis| (it.multiline, it.plain, it.single, it.block);
                assert_eq!(facts(&quick), facts(&general), "{text:?} {flavour:?}");
            }
        }
    }
}
