//! What a value's or a key's first byte says of it.

/// What may begin with a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// A plain scalar that is text, or one of many words for a boolean.
    Text,
    /// A plain scalar that may be a number.
    Number,
    /// A plain scalar that may be null, or a merge key.
    Word,
    /// A plain scalar, if no space follows: a dash may be a number's sign or an item's mark.
    Indicator,
    Quote,
    /// A flow collection.
    Flow,
    /// A literal or folded block.
    Block,
    Break,
    Comment,
    /// Anchors, tags and whatever else takes more than one look; tabs.
    Other,
}

impl First {
    pub(super) fn of(byte: u8) -> Self {
        const TABLE: [First; 256] = table();
        TABLE[usize::from(byte)]
    }
}

const fn table() -> [First; 256] {
    let mut table = [First::Text; 256];
    let mut byte = 0;
    while byte < 128 {
        #[expect(clippy::cast_possible_truncation, reason = "below 128")]
        let first = match byte as u8 {
            b'0'..=b'9' | b'.' | b'+' => First::Number,
            b'~' | b'n' | b'N' | b'<' => First::Word,
            b'-' | b'?' | b':' => First::Indicator,
            b'"' | b'\'' => First::Quote,
            b'[' | b'{' => First::Flow,
            b'|' | b'>' => First::Block,
            b'\n' => First::Break,
            b'#' => First::Comment,
            b',' | b']' | b'}' | b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | 0..=0x1F => First::Other,
            _ => First::Text,
        };
        table[byte] = first;
        byte += 1;
    }
    table
}
