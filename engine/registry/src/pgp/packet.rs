//! Packets: a tag, a length, a body.

use super::Problem;

/// A packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// Cuts bytes into packets.
pub(super) fn packets(mut bytes: &[u8]) -> Result<Vec<Packet<'_>>, Problem> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let mut reader = Reader { rest: bytes };
        let head = reader.byte()?;
        if head & 0x80 == 0 {
            return Err("it is not made of OpenPGP packets".to_owned());
        }
        let (tag, length) = if head & 0x40 == 0 {
            let length = match head & 3 {
                0 => usize::from(reader.byte()?),
                1 => usize::from(reader.number16()?),
                2 => reader.number32()?,
                _ => reader.rest.len(),
            };
            ((head >> 2) & 15, length)
        } else {
            (head & 63, reader.length()?)
        };
        let body = reader.take(length)?;
        found.push(Packet { tag, body });
        bytes = reader.rest;
    }
    Ok(found)
}

/// Bytes, read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("a packet ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Problem> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number16(&mut self) -> Result<u16, Problem> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn number32(&mut self) -> Result<usize, Problem> {
        let bytes = self.take(4)?;
        usize::try_from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .map_err(|_| "a packet is too long".to_owned())
    }

    /// A length as packets and subpackets of the new kind write it; parts of unknown length have no place here.
    pub(super) fn length(&mut self) -> Result<usize, Problem> {
        match self.byte()? {
            first @ 0..192 => Ok(usize::from(first)),
            first @ 192..224 => Ok(((usize::from(first) - 192) << 8) + usize::from(self.byte()?) + 192),
            255 => self.number32(),
            _ => Err("a packet comes in parts".to_owned()),
        }
    }

    /// A length as subpackets write it: 192 to 254 begin two bytes.
    pub(super) fn subpacket_length(&mut self) -> Result<usize, Problem> {
        match self.byte()? {
            first @ 0..192 => Ok(usize::from(first)),
            255 => self.number32(),
            first => Ok(((usize::from(first) - 192) << 8) + usize::from(self.byte()?) + 192),
        }
    }

    /// A large number, without leading zeros.
    pub(super) fn mpi(&mut self) -> Result<&'a [u8], Problem> {
        let bits = usize::from(self.number16()?);
        self.take(bits.div_ceil(8))
    }
}

/// A number as packets write it.
pub(super) fn mpi(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let number = &number[start..];
    let zeros = number.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = u16::try_from(number.len() * 8 - zeros).unwrap_or(u16::MAX);
    [&bits.to_be_bytes()[..], number].concat()
}

/// A number of a fixed width, its leading zeros back.
pub(super) fn padded(number: &[u8], width: usize) -> Result<Vec<u8>, Problem> {
    let missing = width.checked_sub(number.len()).ok_or("a number is too large")?;
    Ok([&vec![0; missing][..], number].concat())
}
