//! Words of `snakecase`, `kebabcase` and `camelcase`, as the library `xstrings` finds them.

use kpkg_gounicode::{is_letter, is_number, is_punctuation, is_space, is_upper, runes, to_lower, to_upper};

/// What a run of characters is.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Word {
    /// The end of the text.
    Nothing,
    Number,
    /// Capitals, or a capital and the small letters after it.
    Capital,
    Small,
    Connector,
    Punctuation,
    Other,
}

/// A character and its bytes; bytes that are not UTF-8 belong to the character that follows, the last to the one before.
type Unit<'a> = (char, &'a [u8]);

fn units(bytes: &[u8]) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    let mut from = 0;
    let mut to = 0;
    for (character, rune) in runes(bytes) {
        to += rune.len();
        if character != char::REPLACEMENT_CHARACTER {
            units.push((character, &bytes[from..to]));
            from = to;
        }
    }
    if from < to {
        let character = units.last().map_or(char::REPLACEMENT_CHARACTER, |(character, _)| *character);
        units.push((character, &bytes[from..to]));
    }
    units
}

fn is_connector(character: char) -> bool {
    matches!(character, '-' | '_') || is_space(character)
}

/// Letters of alphabets; ideographs have no case and count as something else.
fn is_alphabet(character: char) -> bool {
    is_letter(character) && !matches!(u32::from(character), 0x3400..=0x4D85 | 0x4E00..=0x9FCC | 0x20000..=0x2_B81D)
}

/// The next run, and what follows it.
fn next_word<'r, 'a>(text: &'r [Unit<'a>]) -> (Word, &'r [Unit<'a>], &'r [Unit<'a>]) {
    let Some(&(first, _)) = text.first() else { return (Word::Nothing, text, text) };
    let run = |fits: fn(char) -> bool| text.iter().take_while(|(character, _)| fits(*character)).count();
    let small = |from: usize| {
        let rest = &text[from..];
        from + rest.iter().take_while(|(character, _)| is_alphabet(*character) && !is_upper(*character)).count()
    };
    let (word, length) = if is_connector(first) {
        (Word::Connector, run(is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, run(is_punctuation))
    } else if is_upper(first) {
        let capitals = run(is_upper);
        let length = match text.get(capitals) {
            // `HTTPStatus` is `HTTP` and `Status`.
            Some((next, _)) if capitals > 1 && is_alphabet(*next) => capitals - 1,
            Some((next, _)) if capitals == 1 && is_alphabet(*next) => small(1),
            _ => capitals,
        };
        (Word::Capital, length)
    } else if is_alphabet(first) {
        (Word::Small, small(0))
    } else if is_number(first) {
        (Word::Number, run(is_number))
    } else {
        (Word::Other, run(|c| !(is_connector(c) || is_alphabet(c) || is_number(c) || is_punctuation(c))))
    };
    (word, &text[..length], &text[length..])
}

fn push_lower(out: &mut Vec<u8>, word: Word, text: &[Unit<'_>], connector: char) {
    for (_, bytes) in text {
        if !matches!(word, Word::Capital | Word::Connector) {
            out.extend_from_slice(bytes);
            continue;
        }
        for (character, _) in runes(bytes) {
            push(out, if is_connector(character) { connector } else { to_lower_capital(character) });
        }
    }
}

/// Only capitals; some that Unicode maps are none, such as Roman numerals.
fn to_lower_capital(character: char) -> char {
    if is_upper(character) { to_lower(character) } else { character }
}

fn push(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Lower case, with a connector between words.
pub(super) fn delimited(bytes: &[u8], connector: char) -> Vec<u8> {
    let units = units(bytes);
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let (mut word, mut run, mut rest) = next_word(&units);
    let joins = |word: Word| !matches!(word, Word::Nothing | Word::Punctuation | Word::Connector);
    while !rest.is_empty() {
        if word != Word::Connector {
            push_lower(&mut out, word, run, connector);
        }
        let (previous, last) = (word, run);
        (word, run, rest) = next_word(rest);
        match previous {
            Word::Number => {
                while matches!(word, Word::Small | Word::Number) {
                    push_lower(&mut out, word, run, connector);
                    (word, run, rest) = next_word(rest);
                }
                if joins(word) {
                    push(&mut out, connector);
                }
            }
            Word::Connector => push_lower(&mut out, previous, last, connector),
            Word::Punctuation => {}
            _ if word != Word::Number => {
                if joins(word) {
                    push(&mut out, connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = run;
                (word, run, rest) = next_word(rest);
                if word == Word::Small {
                    // Small letters after a number make the number begin a word: `http_2xx`.
                    push(&mut out, connector);
                    push_lower(&mut out, Word::Number, number, connector);
                    while matches!(word, Word::Small | Word::Number) {
                        push_lower(&mut out, word, run, connector);
                        (word, run, rest) = next_word(rest);
                    }
                } else {
                    push_lower(&mut out, Word::Number, number, connector);
                }
                if joins(word) {
                    push(&mut out, connector);
                }
            }
        }
    }
    push_lower(&mut out, word, run, connector);
    out
}

/// `PascalCase`: connectors go, and capitals after a capital become small.
pub(super) fn pascal(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = runes(bytes).map(|(character, _)| character);
    let mut current = None;
    let mut after_capital = false;
    for character in rest.by_ref() {
        if !is_connector(character) {
            after_capital = is_upper(character);
            current = Some(to_upper(character));
            break;
        }
        out.push(character);
    }
    let Some(mut current) = current else {
        // The library writes the last of nothing but connectors twice.
        out.extend(out.chars().next_back());
        return out;
    };
    for character in rest {
        let previous = std::mem::replace(&mut current, character);
        if is_connector(character) && is_connector(previous) {
            out.push(previous);
        } else if is_connector(previous) {
            after_capital = is_upper(character);
            current = to_upper(character);
        } else {
            if after_capital {
                if is_upper(character) {
                    current = to_lower(character);
                } else {
                    after_capital = false;
                }
            }
            out.push(previous);
        }
    }
    out.push(current);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, want) in [
            ("FirstName", "first_name"),
            ("HTTPServer", "http_server"),
            ("NoHTTPS", "no_https"),
            ("GO_PATH", "go_path"),
            (
                "http2xx Duration2m3s Bld4Floor3rd HTTP20xOK 12ab3 a1B2",
                "http_2xx_duration_2m3s_bld4_floor_3rd_http_20x_ok_12ab3_a1_b2",
            ),
        ] {
            assert_eq!(delimited(text.as_bytes(), '_'), want.as_bytes());
        }
    }
}
