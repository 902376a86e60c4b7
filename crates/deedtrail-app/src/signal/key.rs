//! The public keys of a transmitter: a JWK Set (RFC 7517), kept and looked up anew.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deedtrail_core::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Largest JWK Set, bytes. Beyond it: not used.
pub const KEYS_BYTES_MAX: usize = 256 << 10;
/// Most keys of a set; those after them are not used.
const KEYS_MAX: usize = 100;
/// Keys are looked up again after this time, so that withdrawn ones stop counting, µs.
const FRESH_US: i64 = Timestamp::HOUR_US;
/// While they cannot be looked up, the known ones count for so long, µs.
const STALE_US: i64 = Timestamp::DAY_US;
/// Keys are looked up at most this often, whatever is sent, µs.
pub(super) const LOOK_EVERY_US: i64 = Timestamp::MINUTE_US;
/// Bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Where the keys of a transmitter are published.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The JWK Set as it is now, at most [`KEYS_BYTES_MAX`] bytes. May take seconds.
    fn fetch(&self) -> Result<Vec<u8>, FetchError>;
}

/// Why keys could not be looked up, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Why a JWK Set is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    #[error("the JWK Set has more than {KEYS_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is no JWK Set: a JSON object with a list `keys` (RFC 7517)")]
    NotAKeySet,
    #[error(
        "no key in it can check a signature: RSA of 2048 to 8192 bits, EC P-256 or OKP Ed25519"
    )]
    Unusable,
}

/// Why no key is there to check a signature with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The transmitter publishes none of that name.
    Unknown,
    /// Nobody can tell at the moment; it can be tried again then.
    Unavailable { retry_after_s: u32 },
}

/// A key that signs SETs.
pub(super) struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
    /// Its public members alone.
    public: Value,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public)
    }
}

#[derive(Deserialize)]
struct KeyList<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    pub(super) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    /// The key as a JWK: what proves later that a SET was signed with it.
    pub(super) fn to_json(&self) -> String {
        self.public.to_string()
    }

    /// A key that can check signatures; `None` for any other.
    fn of(jwk: Jwk) -> Option<Self> {
        let verifies = jwk
            .key_ops
            .as_ref()
            .is_none_or(|all| all.iter().any(|one| one == "verify"));
        if jwk.r#use.as_deref().is_some_and(|r#use| r#use != "sig") || !verifies {
            return None;
        }
        let bytes = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_ref()?).ok();
        let (algorithms, decoding, mut public) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(&jwk.n)?, bytes(&jwk.e)?);
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                if !RSA_BITS.contains(&((n.len() - zeros) * 8)) {
                    return None;
                }
                let algorithms = vec![Algorithm::RS256, Algorithm::PS256];
                let public = json!({ "kty": "RSA", "n": jwk.n, "e": jwk.e });
                (
                    algorithms,
                    DecodingKey::from_rsa_raw_components(&n, &e),
                    public,
                )
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                let public = json!({ "kty": "EC", "crv": "P-256", "x": jwk.x, "y": jwk.y });
                let decoding = DecodingKey::from_ec_der(&point);
                (vec![Algorithm::ES256], decoding, public)
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes(&jwk.x).filter(|x| x.len() == 32)?;
                let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": jwk.x });
                let decoding = DecodingKey::from_ed_der(&x);
                (vec![Algorithm::EdDSA], decoding, public)
            }
            _ => return None,
        };
        let named = |algorithm: &Algorithm| match &jwk.alg {
            Some(name) => *name == format!("{algorithm:?}"),
            None => true,
        };
        let algorithms: Vec<_> = algorithms.into_iter().filter(named).collect();
        if let Some(kid) = &jwk.kid {
            public["kid"] = json!(kid);
        }
        (!algorithms.is_empty()).then_some(Self {
            kid: jwk.kid,
            algorithms,
            decoding,
            public,
        })
    }
}

/// The keys of a transmitter that can check signatures.
#[derive(Debug)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a JWK Set. Keys of other kinds and for other uses are left out.
    pub fn parse(text: &[u8]) -> Result<Self, BadKeys> {
        if text.len() > KEYS_BYTES_MAX {
            return Err(BadKeys::TooLarge);
        }
        let list: KeyList<'_> = serde_json::from_slice(text).map_err(|_| BadKeys::NotAKeySet)?;
        let keys = list.keys.into_iter().take(KEYS_MAX);
        let keys = keys.filter_map(|key| Key::of(serde_json::from_str(key.get()).ok()?));
        let keys: Vec<Key> = keys.collect();
        if keys.is_empty() {
            return Err(BadKeys::Unusable);
        }
        Ok(Self(keys))
    }

    /// The key of that name for that algorithm; without a name the only one there is for it.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let fits = |key: &&Key| {
            key.algorithms.contains(&algorithm) && (kid.is_none() || key.kid.as_deref() == kid)
        };
        let mut found = self.0.iter().filter(fits);
        let first = found.next();
        // A name that two keys have names neither.
        first.filter(|_| found.next().is_none())
    }
}

/// The keys of a transmitter as they were last looked up.
#[derive(Debug)]
pub struct Keyring {
    source: Box<dyn KeySource>,
    known: Mutex<Known>,
    /// Held while they are looked up.
    looking: Mutex<()>,
    /// Keys that the log holds already.
    recorded: Mutex<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    /// When they were looked up last, whatever came of it.
    looked: Option<Timestamp>,
}

/// What to do for a key.
enum Step {
    Use(Arc<KeySet>),
    /// Look them up; what is known already will do if that fails.
    Look(Option<Arc<KeySet>>),
    /// It is too early to look again.
    Wait {
        retry_after_s: u32,
    },
}

impl Keyring {
    /// Nothing is looked up before it is needed.
    pub fn new(source: Box<dyn KeySource>) -> Self {
        Self {
            source,
            known: Mutex::default(),
            looking: Mutex::default(),
            recorded: Mutex::default(),
        }
    }

    /// Keys among which is the one of that name. They are looked up where it is not known, or
    /// where those known are old; other callers go on with what there is meanwhile.
    pub(super) fn keys_with(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, NoKey> {
        let fits = |keys: &KeySet| keys.find(kid, algorithm).is_some();
        let mut step = lock(&self.known).step(fits, now);
        if matches!(step, Step::Wait { .. }) && lock(&self.known).keys.is_none() {
            // Somebody is looking them up for the first time.
            drop(lock(&self.looking));
            step = lock(&self.known).step(fits, now);
        }
        match step {
            Step::Use(keys) => Ok(keys),
            Step::Wait { retry_after_s } => Err(NoKey::Unavailable { retry_after_s }),
            Step::Look(otherwise) => match self.look(now) {
                Ok(keys) if fits(&keys) => Ok(keys),
                Ok(_) => Err(NoKey::Unknown),
                Err(error) => {
                    tracing::warn!(%error, "the keys of a transmitter cannot be looked up");
                    let retry_after_s = seconds(LOOK_EVERY_US);
                    otherwise.ok_or(NoKey::Unavailable { retry_after_s })
                }
            },
        }
    }

    /// When the keys known now were looked up.
    pub(super) fn looked_up(&self) -> Option<Timestamp> {
        lock(&self.known).keys.as_ref().map(|(_, at)| *at)
    }

    fn look(&self, now: Timestamp) -> Result<Arc<KeySet>, FetchError> {
        let looking = lock(&self.looking);
        let text = self.source.fetch()?;
        let keys = KeySet::parse(&text).map_err(|error| FetchError(error.to_string()))?;
        let keys = Arc::new(keys);
        lock(&self.known).keys = Some((Arc::clone(&keys), now));
        drop(looking);
        Ok(keys)
    }

    /// Calls `record` for a key that the log does not hold yet.
    pub(super) fn record_once<E>(
        &self,
        key: &Key,
        record: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = key.to_json();
        if lock(&self.recorded).contains(&text) {
            return Ok(());
        }
        record(&text)?;
        lock(&self.recorded).insert(text);
        Ok(())
    }
}

impl Known {
    fn step(&mut self, fits: impl Fn(&KeySet) -> bool, now: Timestamp) -> Step {
        let age = |at: Timestamp| now.micros_since(at).saturating_abs();
        self.keys = self.keys.take().filter(|(_, at)| age(*at) < STALE_US);
        let found = self.keys.as_ref().filter(|(keys, _)| fits(keys));
        let since = found.map_or(STALE_US, |(_, at)| age(*at));
        let found = found.map(|(keys, _)| Arc::clone(keys));
        let looked = self.looked.map_or(LOOK_EVERY_US, age);
        match found {
            Some(keys) if since < FRESH_US || looked < LOOK_EVERY_US => Step::Use(keys),
            None if looked < LOOK_EVERY_US => Step::Wait {
                retry_after_s: seconds(LOOK_EVERY_US - looked),
            },
            found => {
                self.looked = Some(now);
                Step::Look(found)
            }
        }
    }
}

fn seconds(us: i64) -> u32 {
    let whole = us.div_euclid(Timestamp::SECOND_US) + 1;
    u32::try_from(whole).unwrap_or(u32::MAX)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
