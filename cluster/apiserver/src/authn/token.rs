//! Service-account tokens: JSON Web Tokens signed with ES256.

use crate::Config;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::{
    error::KeyRejected,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey},
};
use serde_json::{Value, json};

/// How far the clocks of issuer and reader may be apart, in seconds.
const LEEWAY: i64 = 10;

/// Signs and verifies tokens.
pub(crate) struct Tokens {
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// Names the key in the header; a digest of the public key.
    key_id: String,
    issuer: String,
}

/// An object that a token speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) namespace: String,
    pub(crate) account: Bound,
    pub(crate) pod: Option<Bound>,
    pub(crate) secret: Option<Bound>,
    pub(crate) node: Option<Bound>,
    pub(crate) audiences: Vec<String>,
    pub(crate) issued: i64,
    pub(crate) expires: i64,
}

impl Tokens {
    pub(crate) fn new(config: &Config) -> Result<Self, KeyRejected> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &config.service_account_key, &random)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, key.public_key().as_ref());
        let key_id = BASE64_URL_SAFE_NO_PAD.encode(digest.as_ref());
        Ok(Self { key, random, key_id, issuer: config.issuer.clone() })
    }

    /// Whom a token is for that names nobody.
    pub(crate) fn default_audience(&self) -> &str {
        &self.issuer
    }

    /// A signed token that makes these claims.
    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let header = json!({"alg": "ES256", "kid": self.key_id, "typ": "JWT"});
        let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(self.payload(claims)));
        let signature = self.key.sign(&self.random, message.as_bytes()).expect("the system has random bytes");
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn payload(&self, claims: &Claims) -> Value {
        let bound = |bound: &Bound| json!({"name": bound.name, "uid": bound.uid});
        let mut private = json!({"namespace": claims.namespace, "serviceaccount": bound(&claims.account)});
        for (key, value) in [("pod", &claims.pod), ("secret", &claims.secret), ("node", &claims.node)] {
            if let Some(value) = value {
                private[key] = bound(value);
            }
        }
        json!({
            "iss": self.issuer,
            "sub": format!("system:serviceaccount:{}:{}", claims.namespace, claims.account.name),
            "aud": claims.audiences,
            "iat": claims.issued,
            "nbf": claims.issued,
            "exp": claims.expires,
            "jti": uuid::Uuid::new_v4().to_string(),
            "kubernetes.io": private,
        })
    }

    /// What a token says, if this cluster signed it, it is valid now, and it is for one of `audiences` (for this server,
    /// if there are none). On failure, why.
    pub(crate) fn verify(&self, token: &str, audiences: &[&str], now: Timestamp) -> Result<Claims, &'static str> {
        let payload = self.signed_payload(token)?;
        let claims = read(&payload).ok_or("claims are missing")?;
        let now = now.as_second();
        if payload["iss"] != self.issuer.as_str() {
            return Err("another issuer");
        }
        if now > claims.expires + LEEWAY {
            return Err("expired");
        }
        if now + LEEWAY < payload["nbf"].as_i64().unwrap_or_default() {
            return Err("not valid yet");
        }
        let own = [self.default_audience()];
        let wanted = if audiences.is_empty() { &own[..] } else { audiences };
        if !claims.audiences.iter().any(|audience| wanted.contains(&audience.as_str())) {
            return Err("for another audience");
        }
        Ok(claims)
    }

    fn signed_payload(&self, token: &str) -> Result<Value, &'static str> {
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| "not base64");
        let json = |text: &str| serde_json::from_slice::<Value>(&decode(text)?).map_err(|_| "not JSON");
        let (message, signature) = token.rsplit_once('.').ok_or("not a token")?;
        let (header, payload) = message.split_once('.').ok_or("not a token")?;
        // The algorithm is ours to say, not the token's.
        if json(header)?["alg"] != "ES256" {
            return Err("another algorithm");
        }
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref())
            .verify(message.as_bytes(), &decode(signature)?)
            .map_err(|_: ring::error::Unspecified| "not signed by this cluster")?;
        json(payload)
    }

    /// What others must know to check tokens.
    pub(crate) fn issuer_document(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}/openid/v1/jwks", self.issuer),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    /// The public key as a set of JSON Web Keys.
    pub(crate) fn key_set(&self) -> Value {
        // An uncompressed point: 4, then both coordinates.
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "use": "sig", "kty": "EC", "kid": self.key_id, "crv": "P-256", "alg": "ES256",
            "x": encode(x), "y": encode(y),
        }]})
    }
}

fn read(payload: &Value) -> Option<Claims> {
    let private = &payload["kubernetes.io"];
    let bound = |key: &str| {
        let object = private.get(key)?;
        Some(Bound { name: object["name"].as_str()?.to_owned(), uid: object["uid"].as_str()?.to_owned() })
    };
    let audiences = payload["aud"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
    Some(Claims {
        namespace: private["namespace"].as_str()?.to_owned(),
        account: bound("serviceaccount")?,
        pod: bound("pod"),
        secret: bound("secret"),
        node: bound("node"),
        audiences: audiences.collect(),
        issued: payload["iat"].as_i64()?,
        expires: payload["exp"].as_i64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(&Config::new(Config::new_signing_key())).expect("a new key is good")
    }

    fn claims(tokens: &Tokens) -> Claims {
        let bound = |name: &str| Bound { name: name.to_owned(), uid: "u".to_owned() };
        Claims {
            namespace: "default".to_owned(),
            account: bound("builder"),
            pod: Some(bound("p")),
            secret: None,
            node: None,
            audiences: vec![tokens.default_audience().to_owned()],
            issued: 1000,
            expires: 2000,
        }
    }

    #[test]
    fn tokens_go_there_and_back() {
        let tokens = tokens();
        let claims = claims(&tokens);
        let token = tokens.sign(&claims);
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert_eq!(tokens.verify(&token, &[], at(1500)), Ok(claims));
        assert_eq!(tokens.verify(&token, &[], at(2011)), Err("expired"));
        assert_eq!(tokens.verify(&token, &[], at(900)), Err("not valid yet"));
        assert_eq!(tokens.verify(&token, &["vault"], at(1500)), Err("for another audience"));
    }

    #[test]
    fn refuses_what_it_did_not_sign() {
        let (own, other) = (tokens(), tokens());
        let token = other.sign(&claims(&other));
        let now = Timestamp::from_second(1500).expect("a time");
        assert_eq!(own.verify(&token, &[], now), Err("not signed by this cluster"));
        let payload = token.split('.').nth(1).expect("three parts");
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert_eq!(own.verify(&format!("{none}.{payload}."), &[], now), Err("another algorithm"));
        for garbage in ["", ".", "..", "a.b.c"] {
            assert!(own.verify(garbage, &[], now).is_err());
        }
    }
}
