//! `%YAML` and `%TAG`, and the tags that these shorten.

use super::{Kind, Mark, Scanner};
use crate::error::Error;

impl<'a> Scanner<'a> {
    pub(super) fn fetch_directive(&mut self) -> Result<(), Error> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let start = self.mark;
        self.skip();
        let name = self.take_word();
        if name.is_empty() {
            return Err(self.fail_since(start, "could not find expected directive name"));
        }
        if !self.is_blank_or_end(0) {
            return Err(self.fail_since(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version_directive(start)?,
            "TAG" => self.tag_directive(start)?,
            _ => return Err(self.fail_since(start, "found unknown directive name")),
        };
        self.push(kind, start);
        self.end_line(start)
    }

    fn version_directive(&mut self, start: Mark) -> Result<Kind<'a>, Error> {
        self.skip_blanks();
        let major = self.version_number(start)?;
        if self.at(0) != b'.' {
            return Err(self.fail_since(start, "did not find expected digit or '.' character"));
        }
        self.skip();
        let minor = self.version_number(start)?;
        Ok(Kind::VersionDirective { major, minor })
    }

    fn version_number(&mut self, start: Mark) -> Result<u8, Error> {
        let mut value = 0;
        let mut length = 0;
        while self.at(0).is_ascii_digit() {
            length += 1;
            if length > 2 {
                return Err(self.fail_since(start, "found extremely long version number"));
            }
            value = value * 10 + (self.at(0) - b'0');
            self.skip();
        }
        if length == 0 {
            return Err(self.fail_since(start, "did not find expected version number"));
        }
        Ok(value)
    }

    fn tag_directive(&mut self, start: Mark) -> Result<Kind<'a>, Error> {
        self.skip_blanks();
        let handle = self.tag_handle(true, start)?;
        if !self.is_blank(0) {
            return Err(self.fail_since(start, "did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.tag_uri("", start)?;
        if !self.is_blank_or_end(0) {
            return Err(self.fail_since(start, "did not find expected whitespace or line break"));
        }
        Ok(Kind::TagDirective { handle, prefix })
    }

    pub(super) fn fetch_tag(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        let (handle, suffix) = if self.at(1) == b'<' {
            self.skip_many(2);
            let uri = self.tag_uri("", start)?;
            if self.at(0) != b'>' {
                return Err(self.fail_since(start, "did not find the expected '>'"));
            }
            self.skip();
            ("", uri)
        } else {
            let handle = self.tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.tag_uri("", start)?)
            } else {
                let suffix = self.tag_uri(handle, start)?;
                if suffix.is_empty() { ("", "!".to_owned()) } else { ("!", suffix) }
            }
        };
        if !self.is_blank_or_end(0) {
            return Err(self.fail_since(start, "did not find expected whitespace or line break"));
        }
        self.push(Kind::Tag { handle, suffix }, start);
        Ok(())
    }

    fn tag_handle(&mut self, directive: bool, start: Mark) -> Result<&'a str, Error> {
        if self.at(0) != b'!' {
            return Err(self.fail_since(start, "did not find expected '!'"));
        }
        let from = self.mark.offset;
        self.skip();
        while Self::is_word(self.at(0)) {
            self.skip();
        }
        if self.at(0) == b'!' {
            self.skip();
        } else if directive && self.mark.offset - from != 1 {
            return Err(self.fail_since(start, "did not find expected '!'"));
        }
        Ok(&self.text[from..self.mark.offset])
    }

    fn tag_uri(&mut self, head: &str, start: Mark) -> Result<String, Error> {
        let mut found = !head.is_empty();
        let mut bytes: Vec<u8> = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        loop {
            let byte = self.at(0);
            if byte == b'%' {
                let pair = self.text.get(self.mark.offset + 1..self.mark.offset + 3);
                let octet = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
                bytes.push(octet.ok_or_else(|| self.fail_since(start, "did not find URI escaped octet"))?);
                self.skip_many(3);
            } else if Self::is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) {
                bytes.push(byte);
                self.skip();
            } else {
                break;
            }
            found = true;
        }
        if !found {
            return Err(self.fail_since(start, "did not find expected tag URI"));
        }
        String::from_utf8(bytes).map_err(|_| self.fail_since(start, "found an incorrect leading UTF-8 octet"))
    }
}
