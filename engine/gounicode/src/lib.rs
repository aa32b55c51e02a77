//! Characters as Go knows them: what its `unicode` package says of each, and how its strings fall into runes.
//!
//! Charts and kustomizations are printed by Go programs, and what these take for a letter, a capital or something that can
//! be printed is decided by the version of Unicode in Go's tables, [`VERSION`]; Rust's are newer. Go's mappings of case turn
//! one character into one; Rust's may answer several.
//!
//! - [`is_letter`], [`is_digit`], [`is_upper`], ... ask for a category; ASCII is answered at once, and what is beyond it by a table
//!   that is made when it is first asked for;
//! - [`to_upper`], [`to_lower`] and [`to_title`] map case;
//! - [`runes`] and [`lossy`] read bytes that may not be UTF-8: each byte that is not stands for one U+FFFD; [`hidden`] and
//!   [`revealed`] take them through what knows texts alone.
//!
//! ```
//! assert!(kpkg_gounicode::is_letter('é') && !kpkg_gounicode::is_print('\u{378}'));
//! assert_eq!(kpkg_gounicode::to_upper('ß'), 'ß');
//! assert_eq!(kpkg_gounicode::lossy(b"a\xE2\x82"), "a\u{FFFD}\u{FFFD}");
//! ```

mod case;
mod category;
mod hidden;
mod runes;

pub use case::{to_lower, to_title, to_upper};
pub use category::{
    VERSION, is_digit, is_letter, is_lower, is_number, is_print, is_punctuation, is_space, is_title, is_upper,
};
pub use hidden::{hidden, revealed};
pub use runes::{lossy, rune_count, runes};
