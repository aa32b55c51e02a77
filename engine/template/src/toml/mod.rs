//! TOML, as the library BurntSushi/toml has it: `write` keeps to its layout, `read` to its grammar and to the words in which
//! it complains. A reader has a `cursor` in the text, which `strings` and other values (`scalar`) are read with, and `tables`,
//! which know what keys may still be given. Times without a zone are a matter of their own (`local`).

mod cursor;
mod local;
mod read;
mod scalar;
mod strings;
mod tables;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use read::parse;
pub(crate) use write::write;
