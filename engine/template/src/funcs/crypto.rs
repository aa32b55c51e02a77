//! Sprig's passwords, ciphers and random bytes.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::bases::decode_base64;
use super::encoding::hex;
use super::{Answer, Function, Type, fixed, int, string, text};
use crate::error::Failure;
use crate::exec::Context;
use crate::value::Value;

use Type::{Int, String as Str, Uint32};

/// Go's default cost of bcrypt.
const BCRYPT_COST: u32 = 10;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("bcrypt", &[Str], |context, args| Ok(bcrypt_text(context, text(&args[0])).into())),
    fixed("htpasswd", &[Str, Str], |context, args| {
        let (user, password) = (string(&args[0]), text(&args[1]));
        if user.contains(':') {
            return Ok(format!("invalid username: {user}").into());
        }
        Ok(format!("{user}:{}", bcrypt_text(context, password)).into())
    }),
    fixed("derivePassword", &[Uint32, Str, Str, Str, Str], |_, args| derive_password(args)),
    fixed("encryptAES", &[Str, Str], |context, args| {
        if text(&args[1]).is_empty() {
            return Ok("".into());
        }
        let mut iv = [0_u8; 16];
        context.ambient.fill(&mut iv);
        let cipher = cbc::Encryptor::<Aes256>::new(&key(text(&args[0])).into(), &iv.into());
        let mut sealed = iv.to_vec();
        sealed.extend(cipher.encrypt_padded_vec::<Pkcs7>(text(&args[1])));
        Ok(STANDARD.encode(sealed).into())
    }),
    fixed("decryptAES", &[Str, Str], |_, args| {
        if text(&args[1]).is_empty() {
            return Ok("".into());
        }
        let sealed = decode_base64(text(&args[1])).map_err(Failure::new)?;
        if sealed.len() < 16 {
            return Err(format!("runtime error: slice bounds out of range [:16] with capacity {}", sealed.len()).into());
        }
        let Some((iv, body)) = sealed.split_at_checked(16).filter(|(_, body)| !body.is_empty() && body.len() % 16 == 0)
        else {
            return Err("crypto/cipher: input not full blocks".into());
        };
        let iv: [u8; 16] = iv.try_into().map_err(|_| Failure::new("crypto/cipher: input not full blocks"))?;
        let cipher = cbc::Decryptor::<Aes256>::new(&key(text(&args[0])).into(), &iv.into());
        let open = cipher.decrypt_padded_vec::<Pkcs7>(body);
        open.map(Value::from).map_err(|_| Failure::new("runtime error: slice bounds out of range"))
    }),
    fixed("randBytes", &[Int], |context, args| {
        let Ok(count) = usize::try_from(int(&args[0])) else {
            return Err("runtime error: makeslice: len out of range".into());
        };
        context.spend(count.saturating_mul(2))?;
        let mut bytes = vec![0; count];
        context.ambient.fill(&mut bytes);
        Ok(STANDARD.encode(bytes).into())
    }),
    fixed("uuidv4", &[], |context, _| {
        let mut bytes = [0_u8; 16];
        context.ambient.fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        let text = hex(&bytes);
        Ok(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]).into())
    }),
];

/// A key of 32 bytes: what is short is filled with zeros, what is long is cut.
fn key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let length = password.len().min(32);
    key[..length].copy_from_slice(&password[..length]);
    key
}

fn bcrypt_text(context: &mut Context, password: &[u8]) -> String {
    if password.len() > 72 {
        return "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned();
    }
    let mut salt = [0_u8; 16];
    context.ambient.fill(&mut salt);
    match bcrypt::hash_with_salt(password, BCRYPT_COST, salt) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(error) => format!("failed to encrypt string with bcrypt: {error}"),
    }
}

const PASSWORD_SEED: &[u8] = b"com.lyndir.masterpassword";

/// The Master Password algorithm: shapes of passwords, by type.
fn templates(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters that a letter of a shape stands for.
fn alphabet(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derive_password(args: &[Value]) -> Answer {
    let kind = string(&args[1]);
    let Some(shapes) = templates(&kind) else {
        return Ok(format!("cannot find password template {kind}").into());
    };
    let (password, user, site) = (text(&args[2]), text(&args[3]), text(&args[4]));
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [PASSWORD_SEED, &length(user), user].concat();
    let params = scrypt::Params::new(15, 8, 2).map_err(|error| Failure::new(error.to_string()))?;
    let mut key = [0_u8; 64];
    scrypt::scrypt(password, &salt, &params, &mut key).map_err(|error| Failure::new(error.to_string()))?;
    let counter = u32::try_from(int(&args[0])).unwrap_or(0).to_be_bytes();
    let seed = hmac_sha256(&key, &[PASSWORD_SEED, &length(site), site, &counter].concat());
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    let characters = shape.bytes().zip(&seed[1..]).map(|(class, byte)| {
        let alphabet = alphabet(class);
        alphabet[usize::from(*byte) % alphabet.len()]
    });
    Ok(characters.collect::<Vec<u8>>().into())
}

/// HMAC with a key no longer than a block.
fn hmac_sha256(key: &[u8; 64], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| key.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5C)).chain_update(inner).finalize().into()
}
