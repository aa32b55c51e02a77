//! Bytes as runes.

use std::borrow::Cow;

/// What `range` makes of a string: each character with its bytes, and for each byte that is not UTF-8 one U+FFFD.
pub fn runes(bytes: &[u8]) -> impl Iterator<Item = (char, &[u8])> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let characters = valid.char_indices();
        let invalid = chunk.invalid().chunks(1).map(|byte| (char::REPLACEMENT_CHARACTER, byte));
        characters.map(|(at, it)| (it, &valid.as_bytes()[at..at + it.len_utf8()])).chain(invalid)
    })
}

/// `utf8.RuneCount`
pub fn rune_count(bytes: &[u8]) -> usize {
    bytes.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// Bytes as text, as Go's encoders of JSON write it; costs nothing where it is UTF-8.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => runes(bytes).map(|(character, _)| character).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_that_is_no_text_is_a_rune() {
        let bytes = b"a\xC3\xA9\xE2\x82b\xED\xA0\x80\xFF";
        let found: Vec<(char, &[u8])> = runes(bytes).collect();
        assert_eq!(found[..3], [('a', &b"a"[..]), ('é', &b"\xC3\xA9"[..]), ('\u{FFFD}', &b"\xE2"[..])]);
        assert_eq!(found.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<u8>>(), bytes);
        assert_eq!((found.len(), rune_count(bytes)), (9, 9));
        assert_eq!(lossy(bytes).chars().count(), 9);
    }
}
