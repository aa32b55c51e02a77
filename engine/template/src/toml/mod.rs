//! TOML, as the library BurntSushi/toml has it: `write` keeps to its layout, `read` reads TOML 1.0.

mod read;
mod write;

pub(crate) use read::parse;
pub(crate) use write::write;
