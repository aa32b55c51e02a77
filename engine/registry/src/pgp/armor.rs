//! The text form of packets: base64 between two lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Problem;

const WIDTH: usize = 64;

/// The packets in a block of this kind (`PGP SIGNATURE`).
pub(super) fn decode(text: &str, kind: &str) -> Result<Vec<u8>, Problem> {
    let begin = format!("-----BEGIN {kind}-----");
    let end = format!("-----END {kind}-----");
    let mut lines = text.lines().map(str::trim_end).skip_while(|line| *line != begin).skip(1);
    // Headers, up to an empty line.
    for line in lines.by_ref() {
        if line.is_empty() {
            break;
        }
        if !line.contains(": ") {
            return Err(format!("its {kind} block has no empty line after its headers"));
        }
    }
    let mut body = String::new();
    let mut checksum = None;
    for line in lines {
        if line == end {
            let bytes = STANDARD.decode(&body).map_err(|_| format!("its {kind} block is not base64"))?;
            return match checksum {
                Some(checksum) if checksum != STANDARD.encode(&crc(&bytes).to_be_bytes()[1..]) => {
                    Err(format!("the checksum of its {kind} block is wrong"))
                }
                _ => Ok(bytes),
            };
        }
        match line.strip_prefix('=') {
            Some(sum) if sum.len() == 4 => checksum = Some(sum.to_owned()),
            _ => body.push_str(line),
        }
    }
    Err(format!("its {kind} block does not end"))
}

/// A block of this kind.
pub(super) fn encode(bytes: &[u8], kind: &str) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {kind}-----\n\n");
    for line in body.as_bytes().chunks(WIDTH) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    let sum = STANDARD.encode(&crc(bytes).to_be_bytes()[1..]);
    text.push_str(&format!("={sum}\n-----END {kind}-----\n"));
    text
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc: u32 = 0x00B7_04CE;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4CFB;
            }
        }
    }
    crc & 0x00FF_FFFF
}
