//! What is asked and answered, in DER (RFC 3161, section 2.4).

use cms::content_info::ContentInfo;
use deedtrail_core::time::Timestamp;
use der::asn1::{Any, BitString, Int, ObjectIdentifier, OctetString, Uint};
use der::{
    DateTime, DecodeValue, Encode as _, EncodeValue, FixedTag, Header, Length, Reader, Sequence,
    Tag, Writer,
};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::token::TokenError;

/// SHA-256.
pub(super) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// The hash that is stamped.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct MessageImprint {
    pub(super) hash_algorithm: AlgorithmIdentifierOwned,
    pub(super) hashed_message: OctetString,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct TimeStampReq {
    version: u8,
    message_imprint: MessageImprint,
    #[asn1(optional = "true")]
    req_policy: Option<ObjectIdentifier>,
    #[asn1(optional = "true")]
    nonce: Option<Uint>,
    #[asn1(default = "Default::default")]
    cert_req: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct PkiStatusInfo {
    /// 0 granted, 1 granted with changes; others are refusals.
    pub(super) status: u32,
    #[asn1(optional = "true")]
    pub(super) status_string: Option<Vec<String>>,
    #[asn1(optional = "true")]
    fail_info: Option<BitString>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct TimeStampResp {
    pub(super) status: PkiStatusInfo,
    #[asn1(optional = "true")]
    pub(super) token: Option<ContentInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u64>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

/// What an authority signs.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct TstInfo {
    pub(super) version: u8,
    pub(super) policy: ObjectIdentifier,
    pub(super) message_imprint: MessageImprint,
    pub(super) serial_number: Int,
    pub(super) gen_time: GenTime,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordering: bool,
    #[asn1(optional = "true")]
    pub(super) nonce: Option<Uint>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    tsa: Option<GeneralName>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

/// Certificate the signer says it signs with, by its hash (RFC 5816; without an algorithm SHA-256,
/// in the older form of RFC 2634 SHA-1).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct EssCertId {
    #[asn1(optional = "true")]
    pub(super) hash_algorithm: Option<AlgorithmIdentifierOwned>,
    pub(super) hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct SigningCertificate {
    pub(super) certificates: Vec<EssCertId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

/// A `GeneralizedTime` in UTC that may have a fraction of a second, which the type of the library
/// refuses and authorities send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GenTime(String);

impl FixedTag for GenTime {
    const TAG: Tag = Tag::GeneralizedTime;
}

impl<'a> DecodeValue<'a> for GenTime {
    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        let text = String::from_utf8(reader.read_vec(header.length)?);
        let time = text.map(Self).map_err(|_| Self::TAG.value_error())?;
        time.time().ok_or_else(|| Self::TAG.value_error())?;
        Ok(time)
    }
}

impl EncodeValue for GenTime {
    fn value_len(&self) -> der::Result<Length> {
        self.0.len().try_into()
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0.as_bytes())
    }
}

impl GenTime {
    /// `YYYYMMDDhhmmss[.f…]Z`; a fraction does not end with a zero.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let text = self.0.strip_suffix('Z')?;
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() != 14 || !is_number(whole) {
            return None;
        }
        let number = |from: usize, to: usize| whole.get(from..to)?.parse::<u8>().ok();
        let year = whole.get(..4)?.parse().ok()?;
        let (month, day) = (number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
        let date = DateTime::new(year, month, day, hour, minute, second).ok()?;
        let micros = match fraction {
            None => 0,
            Some(digits)
                if (1..=9).contains(&digits.len())
                    && is_number(digits)
                    && !digits.ends_with('0') =>
            {
                let six: String = digits.chars().chain("000000".chars()).take(6).collect();
                six.parse().ok()?
            }
            Some(_) => return None,
        };
        let seconds = i64::try_from(date.unix_duration().as_secs()).ok()?;
        Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?).plus_micros(micros))
    }
}

/// The request for a stamp of a SHA-256 hash.
pub(super) fn request(
    hash: &[u8; 32],
    policy: Option<ObjectIdentifier>,
    nonce: &[u8],
) -> der::Result<Vec<u8>> {
    let request = TimeStampReq {
        version: 1,
        message_imprint: MessageImprint {
            hash_algorithm: AlgorithmIdentifierOwned {
                oid: SHA_256,
                parameters: Some(Any::null()),
            },
            hashed_message: OctetString::new(&hash[..])?,
        },
        req_policy: policy,
        nonce: Some(Uint::new(nonce)?),
        cert_req: true,
    };
    request.to_der()
}

/// Why a status is no stamp.
pub(super) fn refusal(status: &PkiStatusInfo) -> Option<TokenError> {
    if status.status <= 1 {
        return None;
    }
    let said = status.status_string.as_ref();
    let said = said.map_or_else(String::new, |lines| lines.join("; "));
    let plain = said.chars().filter(|c| !c.is_control()).take(WORDS_MAX);
    Some(TokenError::Refused {
        status: status.status,
        words: plain.collect(),
    })
}

/// Most characters of an authority's own words that are told.
const WORDS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_form_with_or_without_a_fraction() {
        let micros = |text: &str| GenTime(text.to_owned()).time().map(Timestamp::as_micros);
        let noon = 1_700_000_000_000_000;
        assert_eq!(micros("20231114221320Z"), Some(noon));
        assert_eq!(micros("20231114221320.5Z"), Some(noon + 500_000));
        assert_eq!(micros("20231114221320.000001Z"), Some(noon + 1));
        assert_eq!(micros("20231114221320.123456789Z"), Some(noon + 123_456));
        for wrong in [
            "",
            "Z",
            "20231114221320",
            "20231114221320.Z",
            "20231114221320.50Z",
            "20231114221320.1234567891Z",
            "20231114221320.+1Z",
            "20231314221320Z",
            "2023111422132Z",
            "+023111422132 Z",
            "20231114221320+0100",
            "äääääääZ",
        ] {
            assert_eq!(micros(wrong), None, "{wrong}");
        }
    }
}
