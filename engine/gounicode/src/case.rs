//! Case, one character for one, as `UnicodeData.txt` has it.

use crate::category::ASSIGNED;

/// `unicode.ToUpper`
pub fn to_upper(character: char) -> char {
    // Small letters with an iota below, whose capitals Rust writes as two.
    let with_iota = match character {
        '\0'..='\x7F' => return character.to_ascii_uppercase(),
        '\u{1F80}'..='\u{1F87}' | '\u{1F90}'..='\u{1F97}' | '\u{1FA0}'..='\u{1FA7}' => 8,
        '\u{1FB3}' | '\u{1FC3}' | '\u{1FF3}' => 9,
        _ => return known(character, character.to_uppercase()),
    };
    char::from_u32(u32::from(character) + with_iota).unwrap_or(character)
}

/// `unicode.ToLower`
pub fn to_lower(character: char) -> char {
    match character {
        '\0'..='\x7F' => character.to_ascii_lowercase(),
        // Rust adds the dot that is lost.
        'İ' => 'i',
        _ => known(character, character.to_lowercase()),
    }
}

/// `unicode.ToTitle`
pub fn to_title(character: char) -> char {
    match character {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals for whole texts, not for the first letter of a word.
        '\u{10D0}'..='\u{10FA}' | '\u{10FD}'..='\u{10FF}' => character,
        _ => to_upper(character),
    }
}

/// The mapping, if it is one character that Go knows of one that Go knows.
fn known(character: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) if one != character => {
            let is_known = |character: char| character.is_ascii() || ASSIGNED.contains(character);
            if is_known(one) && is_known(character) { one } else { character }
        }
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_one() {
        for (character, upper, lower, title) in [
            ('a', 'A', 'a', 'A'),
            ('ß', 'ß', 'ß', 'ß'),
            ('İ', 'İ', 'i', 'İ'),
            ('ǆ', 'Ǆ', 'ǆ', 'ǅ'),
            ('\u{1F80}', '\u{1F88}', '\u{1F80}', '\u{1F88}'),
            ('\u{1FBC}', '\u{1FBC}', '\u{1FB3}', '\u{1FBC}'),
            ('\u{10D0}', '\u{1C90}', '\u{10D0}', '\u{10D0}'),
            // Its capital came with Unicode 16.
            ('\u{19B}', '\u{19B}', '\u{19B}', '\u{19B}'),
        ] {
            assert_eq!((to_upper(character), to_lower(character), to_title(character)), (upper, lower, title));
        }
    }
}
