//! Identifiers: one type per kind of thing, all 128 bits, printed as lower-case hex.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Text;

/// A kind of thing that has a 128-bit id; `DOMAIN` separates the hashes of different kinds.
pub trait IdKind {
    /// Domain string hashed into every derived id of this kind.
    const DOMAIN: &'static str;
}

/// Fewest hex digits that may stand for an id that begins with them.
pub const ID_DIGITS_MIN: usize = 6;

/// A 128-bit id of one kind of thing. Text form: 32 lower-case hex digits.
pub struct Id<K>(u128, PhantomData<fn() -> K>);

impl<K: IdKind> Id<K> {
    /// The first 128 bits of a BLAKE3 hash over the domain and the length-prefixed `parts`.
    pub fn derive(parts: &[&[u8]]) -> Self {
        Self::finish(blake3::Hasher::new(), parts)
    }

    /// As [`Id::derive`], keyed: nobody without `key` can compute or confirm the id.
    pub fn derive_keyed(key: &[u8; 32], parts: &[&[u8]]) -> Self {
        Self::finish(blake3::Hasher::new_keyed(key), parts)
    }

    fn finish(mut hasher: blake3::Hasher, parts: &[&[u8]]) -> Self {
        hasher.update(K::DOMAIN.as_bytes());
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut first = [0_u8; 16];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self::from_bytes(first)
    }
}

impl<K> Id<K> {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes), PhantomData)
    }

    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Every id that begins with these digits; `None` unless they are [`ID_DIGITS_MIN`] to 32
    /// lower-case hex digits.
    pub fn beginning_with(digits: &str) -> Option<RangeInclusive<Self>> {
        let hex = digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hex || !(ID_DIGITS_MIN..=32).contains(&digits.len()) {
            return None;
        }
        let bits = u128::from_str_radix(digits, 16).ok()?;
        let open = 4 * u32::try_from(32 - digits.len()).ok()?;
        let first = bits.checked_shl(open)?;
        let rest = u128::MAX.checked_shr(128 - open).unwrap_or(0);
        Some(Self(first, PhantomData)..=Self(first | rest, PhantomData))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 32 lower-case hex digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 32 lower-case hex digits")]
pub struct NotAnId;

impl<K> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let lower_hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !lower_hex {
            return Err(NotAnId);
        }
        u128::from_str_radix(text, 16)
            .map(|bits| Self(bits, PhantomData))
            .map_err(|_| NotAnId)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Declares the kinds; the type of an id is `Id<kind::Event>` under a short alias.
pub mod kind {
    use super::IdKind;

    /// A canonical event.
    #[derive(Debug)]
    pub enum Event {}
    /// An alias of an identity: hash of (tenant, namespace, value).
    #[derive(Debug)]
    pub enum Alias {}
    /// An identity, human or not.
    #[derive(Debug)]
    pub enum Identity {}
    /// An access key, token, certificate, cookie or grant.
    #[derive(Debug)]
    pub enum Credential {}
    /// A session.
    #[derive(Debug)]
    pub enum Session {}
    /// A right that an import says somebody has.
    #[derive(Debug)]
    pub enum Entitlement {}
    /// A finding.
    #[derive(Debug)]
    pub enum Finding {}
    /// A target, device, message, link or URL: something an event refers to.
    #[derive(Debug)]
    pub enum Reference {}

    impl IdKind for Event {
        const DOMAIN: &'static str = "deedtrail.event.v1";
    }
    impl IdKind for Alias {
        const DOMAIN: &'static str = "deedtrail.alias.v1";
    }
    impl IdKind for Identity {
        const DOMAIN: &'static str = "deedtrail.identity.v1";
    }
    impl IdKind for Credential {
        const DOMAIN: &'static str = "deedtrail.credential.v1";
    }
    impl IdKind for Session {
        const DOMAIN: &'static str = "deedtrail.session.v1";
    }
    impl IdKind for Entitlement {
        const DOMAIN: &'static str = "deedtrail.entitlement.v1";
    }
    impl IdKind for Finding {
        const DOMAIN: &'static str = "deedtrail.finding.v1";
    }
    impl IdKind for Reference {
        const DOMAIN: &'static str = "deedtrail.reference.v1";
    }
}

pub type EventUid = Id<kind::Event>;
pub type AliasUid = Id<kind::Alias>;
pub type IdentityId = Id<kind::Identity>;
pub type CredentialUid = Id<kind::Credential>;
pub type SessionUid = Id<kind::Session>;
pub type EntitlementId = Id<kind::Entitlement>;
pub type FindingId = Id<kind::Finding>;
pub type ReferenceUid = Id<kind::Reference>;

impl AliasUid {
    /// The alias id the archive stores and sorts by (immutable; merges rewrite nothing). Made from
    /// the canonical value, so that a spelling with other capitals leads to the same identity.
    pub fn of(tenant: &TenantId, namespace: &str, value: &str) -> Self {
        Self::derive(&[
            tenant.as_str().as_bytes(),
            namespace.as_bytes(),
            crate::namespace::canonical_value(namespace, value).as_bytes(),
        ])
    }
}

impl IdentityId {
    /// The id of an identity discovered through `first_alias`.
    pub fn discovered(first_alias: AliasUid) -> Self {
        Self::derive(&[&first_alias.to_bytes()])
    }
}

impl FindingId {
    /// House contract: hash of (tenant, type, first alias, pattern, UTC day of the event).
    pub fn of(tenant: &TenantId, kind: &str, first: AliasUid, pattern: &str, utc_day: i64) -> Self {
        Self::derive(&[
            tenant.as_str().as_bytes(),
            kind.as_bytes(),
            &first.to_bytes(),
            pattern.as_bytes(),
            &utc_day.to_le_bytes(),
        ])
    }
}

/// Who a record, key and log belong to. Comes from the token or connection, never from a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TenantId(Text);

/// The name of a source: `vendor.log`, e.g. `aws.cloudtrail`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SourceName(Text);

/// A name that is empty, longer than 64 bytes, or has characters outside `a-z 0-9 _ . -`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid name: use 1 to 64 of a-z, 0-9, `_`, `.` and `-`")]
pub struct BadName(pub String);

fn checked_name(text: &str) -> Result<Text, BadName> {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
    let fits = !text.is_empty() && text.len() <= 64;
    if fits && text.bytes().all(allowed) && !text.starts_with('.') && !text.contains("..") {
        Ok(Text::new(text))
    } else {
        Err(BadName(text.chars().take(64).collect()))
    }
}

impl TenantId {
    /// The tenant of an installation that never asked for more than one.
    pub const DEFAULT: &'static str = "default";

    pub fn new(text: &str) -> Result<Self, BadName> {
        checked_name(text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(Text::new_static(Self::DEFAULT))
    }
}

impl SourceName {
    pub fn new(text: &str) -> Result<Self, BadName> {
        checked_name(text).map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantId {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(&text)
    }
}
impl TryFrom<String> for SourceName {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(&text)
    }
}
impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_length_prefixed() {
        let ab_c = AliasUid::derive(&[b"ab", b"c"]);
        let a_bc = AliasUid::derive(&[b"a", b"bc"]);
        assert_ne!(ab_c, a_bc);
        assert_eq!(ab_c.to_string().parse(), Ok(ab_c));
        assert_eq!("XYZ".parse::<AliasUid>(), Err(NotAnId));
    }

    #[test]
    fn digits_stand_for_every_id_that_begins_with_them() {
        let id: AliasUid = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let text = id.to_string();
        for digits in [6, 7, 31, 32] {
            let beginning = text.get(..digits).unwrap();
            let range = AliasUid::beginning_with(beginning).unwrap();
            assert!(range.contains(&id), "{digits}");
            assert!(range.start().to_string().starts_with(beginning));
            assert!(range.end().to_string().starts_with(beginning));
        }
        let whole = AliasUid::beginning_with(&text).unwrap();
        assert_eq!(whole.start(), whole.end());
        for none in ["", "01234", "01234G", "01234F", &"0".repeat(33), "é12345"] {
            assert_eq!(AliasUid::beginning_with(none), None, "{none}");
        }
    }

    #[test]
    fn kinds_have_their_own_domain() {
        let event = EventUid::derive(&[b"x"]).to_bytes();
        let alias = AliasUid::derive(&[b"x"]).to_bytes();
        assert_ne!(event, alias);
    }

    #[test]
    fn names_refuse_paths_and_capitals() {
        for bad in ["", "A", "../x", "a/b", ".a", "a..b", &"x".repeat(65)] {
            assert!(TenantId::new(bad).is_err(), "{bad}");
        }
        assert_eq!(
            SourceName::new("aws.cloudtrail").unwrap().as_str(),
            "aws.cloudtrail"
        );
    }
}
