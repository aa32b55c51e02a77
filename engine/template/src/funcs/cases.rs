//! Words of `snakecase`, `kebabcase` and `camelcase`, as the library `xstrings` finds them.

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

fn is_connector(character: char) -> bool {
    matches!(character, '-' | '_') || character.is_whitespace()
}

fn is_punctuation(character: char) -> bool {
    // Go's category P; symbols such as + and $ are another.
    character.is_ascii_punctuation() && !"$+<=>^`|~".contains(character)
}

/// Letters of alphabets; ideographs have no case and count as something else.
fn is_alphabet(character: char) -> bool {
    character.is_alphabetic() && !matches!(u32::from(character), 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2FA1F)
}

/// The next run, and what follows it.
fn next_word(text: &[char]) -> (Word, &[char], &[char]) {
    let Some(&first) = text.first() else { return (Word::Nothing, text, text) };
    let run = |fits: fn(char) -> bool| text.iter().take_while(|character| fits(**character)).count();
    let small = |from: usize| {
        let rest = &text[from..];
        from + rest.iter().take_while(|character| is_alphabet(**character) && !character.is_uppercase()).count()
    };
    let (word, length) = if is_connector(first) {
        (Word::Connector, run(is_connector))
    } else if is_punctuation(first) {
        (Word::Punctuation, run(is_punctuation))
    } else if first.is_uppercase() {
        let capitals = run(char::is_uppercase);
        let length = match text.get(capitals) {
            // `HTTPStatus` is `HTTP` and `Status`.
            Some(next) if capitals > 1 && is_alphabet(*next) => capitals - 1,
            Some(next) if capitals == 1 && is_alphabet(*next) => small(1),
            _ => capitals,
        };
        (Word::Capital, length)
    } else if is_alphabet(first) {
        (Word::Small, small(0))
    } else if first.is_numeric() {
        (Word::Number, run(char::is_numeric))
    } else {
        let other =
            |c: char| !(is_connector(c) || c.is_uppercase() || is_alphabet(c) || c.is_numeric() || is_punctuation(c));
        (Word::Other, run(other))
    };
    (word, &text[..length], &text[length..])
}

fn push_lower(out: &mut String, word: Word, text: &[char], connector: char) {
    for character in text {
        match character {
            _ if !matches!(word, Word::Capital | Word::Connector) => out.push(*character),
            other if is_connector(*other) => out.push(connector),
            other => out.extend(super::strings::lower(*other)),
        }
    }
}

/// Lower case, with a connector between words.
pub(super) fn delimited(text: &str, connector: char) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let (mut word, mut run, mut rest) = next_word(&characters);
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
                    out.push(connector);
                }
            }
            Word::Connector => push_lower(&mut out, previous, last, connector),
            Word::Punctuation => {}
            _ if word != Word::Number => {
                if joins(word) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = run;
                (word, run, rest) = next_word(rest);
                if word == Word::Small {
                    // Small letters after a number make the number begin a word: `http_2xx`.
                    out.push(connector);
                    push_lower(&mut out, Word::Number, number, connector);
                    while matches!(word, Word::Small | Word::Number) {
                        push_lower(&mut out, word, run, connector);
                        (word, run, rest) = next_word(rest);
                    }
                } else {
                    push_lower(&mut out, Word::Number, number, connector);
                }
                if joins(word) {
                    out.push(connector);
                }
            }
        }
    }
    push_lower(&mut out, word, run, connector);
    out
}

/// `PascalCase`: connectors go, and capitals after a capital become small.
pub(super) fn pascal(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    let mut current = None;
    let mut after_capital = false;
    for character in rest.by_ref() {
        if !is_connector(character) {
            after_capital = character.is_uppercase();
            current = super::strings::upper(character);
            break;
        }
        out.push(character);
    }
    let Some(mut current) = current else { return out };
    for character in rest {
        let previous = std::mem::replace(&mut current, character);
        if is_connector(character) && is_connector(previous) {
            out.push(previous);
        } else if is_connector(previous) {
            after_capital = character.is_uppercase();
            current = super::strings::upper(character).unwrap_or(character);
        } else {
            if after_capital {
                if character.is_uppercase() {
                    current = super::strings::lower(character).unwrap_or(character);
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
            assert_eq!(delimited(text, '_'), want);
        }
    }
}
