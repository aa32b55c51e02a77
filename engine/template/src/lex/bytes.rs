//! What bytes mean in an action.

/// Separates operands.
const SPACE: u8 = 1;
/// An ASCII letter, digit or underscore.
const WORD: u8 = 2;
/// Names may end before it.
const TERMINATOR: u8 = 4;
/// Ends what is plain in a literal in quotes.
const QUOTED: u8 = 8;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte: u8 = 0;
    loop {
        classes[byte as usize] = match byte {
            b'\n' => SPACE | TERMINATOR | QUOTED,
            b' ' | b'\t' | b'\r' => SPACE | TERMINATOR,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => WORD,
            b'.' | b',' | b'|' | b':' | b')' | b'(' | b'}' => TERMINATOR,
            b'"' | b'\'' | b'\\' => QUOTED,
            _ => 0,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

/// Whether it separates operands.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    CLASSES[byte as usize] & SPACE != 0
}

/// Whether names may end before it.
#[inline]
pub(super) fn is_terminator(byte: u8) -> bool {
    CLASSES[byte as usize] & TERMINATOR != 0
}

/// Where the run of ASCII letters, digits and underscores ends that begins at a place.
#[inline]
pub(super) fn end_of_word(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, |class| class & WORD == 0)
}

/// Where the run of spaces ends that begins at a place.
#[inline]
pub(super) fn end_of_spaces(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, |class| class & SPACE == 0)
}

/// Where the next quote, backslash or line break is.
#[inline]
pub(super) fn end_of_plain(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, |class| class & QUOTED != 0)
}

/// Where the first byte of some class is; the end if there is none. Most of what an action holds passes through here:
/// eight bytes at a time save the checks for the end.
#[inline]
fn find(bytes: &[u8], mut at: usize, is_wanted: impl Fn(u8) -> bool) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        for (offset, byte) in chunk.iter().enumerate() {
            if is_wanted(CLASSES[*byte as usize]) {
                return at + offset;
            }
        }
        at += chunk.len();
    }
    while bytes.get(at).is_some_and(|byte| !is_wanted(CLASSES[*byte as usize])) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_looking_at_each_byte_finds() {
        for length in 0..40 {
            for at in 0..length {
                let text = |byte| (0..length).map(|it| if it == at { byte } else { b'a' }).collect::<Vec<u8>>();
                for from in [0, at / 2, at, at + 1] {
                    let want = if from <= at { at } else { length };
                    assert_eq!(end_of_word(&text(b'-'), from), want, "{at} of {length} from {from}");
                    assert_eq!(end_of_plain(&text(b'"'), from), want, "{at} of {length} from {from}");
                }
            }
        }
    }
}
