//! An answer of an authority taken apart and checked.

use std::fmt::Write as _;

use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use deedtrail_core::time::Timestamp;
use der::asn1::{Any, ObjectIdentifier, OctetString, Uint};
use der::{Decode as _, Encode as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::Certificate;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::ANSWER_BYTES_MAX;
use super::message::{self, SHA_256, SigningCertificate, TimeStampResp, TstInfo};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// The same as webpki has it: the bytes of the identifier in DER.
const TIME_STAMPING_BYTES: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 8];

/// What is wrong with an answer of a time stamp authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("it has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it is no answer of a time stamp authority (RFC 3161): {0}")]
    Malformed(String),
    #[error("the authority refused with status {status}: {words}")]
    Refused { status: u32, words: String },
    #[error("it stamps something else than the checkpoint")]
    OtherImprint,
    #[error("it answers another request: its nonce differs")]
    OtherNonce,
    #[error("it is under the policy {is}, not {wanted}")]
    OtherPolicy { is: String, wanted: String },
    #[error("its signature does not hold: {0}")]
    Signature(String),
    #[error("no authority that is trusted vouches for its signer: {0}")]
    Untrusted(String),
    #[error("certificates cannot be read: {0}")]
    Certificates(String),
}

fn malformed(reason: impl std::fmt::Display) -> TokenError {
    TokenError::Malformed(reason.to_string())
}

fn unsigned(reason: impl std::fmt::Display) -> TokenError {
    TokenError::Signature(reason.to_string())
}

/// Certificates of those whose time stamps are trusted.
#[derive(Clone, Debug)]
pub struct Authorities(Vec<TrustAnchor<'static>>);

impl Authorities {
    /// Of the certificates in PEM; at least one.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TokenError> {
        let fault = |error: String| TokenError::Certificates(error);
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| fault(error.to_string()))?;
            let anchor = webpki::anchor_from_trusted_cert(&certificate);
            anchors.push(anchor.map_err(|error| fault(error.to_string()))?.to_owned());
        }
        if anchors.is_empty() {
            return Err(fault("there is none in PEM".to_owned()));
        }
        Ok(Self(anchors))
    }
}

/// An authority's answer that holds a stamp. Whose it is, is not known before
/// [`Token::check_signer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    info: TstInfo,
    time: Timestamp,
    /// The bytes that are signed through their digest.
    content: Vec<u8>,
    signed: SignedData,
}

impl Token {
    /// Reads an answer (`TimeStampResp` in DER) that grants a stamp of a SHA-256 hash.
    pub fn read(answer: &[u8]) -> Result<Self, TokenError> {
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(TokenError::TooLarge);
        }
        let answer = TimeStampResp::from_der(answer).map_err(malformed)?;
        if let Some(refusal) = message::refusal(&answer.status) {
            return Err(refusal);
        }
        let token: ContentInfo = answer.token.ok_or_else(|| malformed("no token"))?;
        if token.content_type != SIGNED_DATA {
            return Err(malformed("the token is not signed"));
        }
        let signed: SignedData = token.content.decode_as().map_err(malformed)?;
        let inner = &signed.encap_content_info;
        let content = inner
            .econtent
            .as_ref()
            .filter(|_| inner.econtent_type == TST_INFO);
        let content = content.ok_or_else(|| malformed("what is signed is no stamp"))?;
        let content: OctetString = content.decode_as().map_err(malformed)?;
        let content = content.into_bytes();
        let info = TstInfo::from_der(&content).map_err(malformed)?;
        let imprint = &info.message_imprint;
        if info.version != 1 || imprint.hash_algorithm.oid != SHA_256 {
            return Err(malformed("not a stamp of version 1 of a SHA-256 hash"));
        }
        let time = info.gen_time.time().ok_or_else(|| malformed("the time"))?;
        Ok(Self {
            info,
            time,
            content,
            signed,
        })
    }

    /// When the authority stamped it, by its clock.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The policy it stamped under, as numbers with dots.
    pub fn policy(&self) -> String {
        self.info.policy.to_string()
    }

    /// The number the authority gave it, hex.
    pub fn serial(&self) -> String {
        let mut text = String::new();
        for byte in self.info.serial_number.as_bytes() {
            // Writing to a String cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
        }
        text
    }

    /// Checks that exactly these bytes were stamped.
    pub fn check_imprint(&self, stamped: &[u8]) -> Result<(), TokenError> {
        let hash = Sha256::digest(stamped);
        let imprint = self.info.message_imprint.hashed_message.as_bytes();
        (imprint == &hash[..])
            .then_some(())
            .ok_or(TokenError::OtherImprint)
    }

    /// Checks that it answers the request with this nonce, and is under `policy` if one was asked for.
    pub(super) fn check_request(
        &self,
        nonce: &[u8],
        policy: Option<ObjectIdentifier>,
    ) -> Result<(), TokenError> {
        let wanted = Uint::new(nonce).map_err(malformed)?;
        if self.info.nonce != Some(wanted) {
            return Err(TokenError::OtherNonce);
        }
        match policy {
            Some(wanted) if wanted != self.info.policy => Err(TokenError::OtherPolicy {
                is: self.policy(),
                wanted: wanted.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Checks the signature by the certificate that comes with it, which has to be one for time
    /// stamps alone; its subject. Anybody could have made that certificate.
    pub fn check_signature(&self) -> Result<String, TokenError> {
        let (signer, certificate) = self.signer()?;
        let attributes = signer.signed_attrs.as_ref();
        let attributes = attributes.ok_or_else(|| unsigned("no signed attributes"))?;
        let digest = digest(signer.digest_alg.oid, &self.content)?;
        let said = attribute(signer, CONTENT_TYPE)?.ok_or_else(|| unsigned("no content type"))?;
        if said.decode_as::<ObjectIdentifier>() != Ok(TST_INFO) {
            return Err(unsigned("another content type"));
        }
        let said = attribute(signer, MESSAGE_DIGEST)?.ok_or_else(|| unsigned("no digest"))?;
        let said: OctetString = said.decode_as().map_err(unsigned)?;
        if said.as_bytes() != digest {
            return Err(unsigned("the digest of the stamp differs"));
        }
        let der = certificate.to_der().map_err(unsigned)?;
        check_signing_certificate(signer, &der)?;
        check_usage(certificate)?;
        let message = attributes.to_der().map_err(unsigned)?;
        let der = CertificateDer::from(der);
        let key = EndEntityCert::try_from(&der).map_err(unsigned)?;
        let signature = signer.signature.as_bytes();
        let holds = |one: &&dyn SignatureVerificationAlgorithm| {
            key.verify_signature(*one, &message, signature).is_ok()
        };
        if !algorithms(signer).iter().any(holds) {
            return Err(unsigned("it is not by the certificate that it names"));
        }
        Ok(certificate.tbs_certificate.subject.to_string())
    }

    /// Checks the signature, and that one of the authorities vouched for the signer when it signed;
    /// its subject. Whether its certificate was revoked is not asked.
    pub fn check_signer(&self, trusted: &Authorities) -> Result<String, TokenError> {
        let subject = self.check_signature()?;
        let (_, certificate) = self.signer()?;
        let der = |certificate: &Certificate| certificate.to_der().map(CertificateDer::from);
        let signer = der(certificate).map_err(unsigned)?;
        let between = self.certificates().map(der).collect::<Result<Vec<_>, _>>();
        let between = between.map_err(unsigned)?;
        let signer = EndEntityCert::try_from(&signer).map_err(unsigned)?;
        let seconds = u64::try_from(self.time.as_micros().div_euclid(1_000_000)).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let usage = KeyUsage::required(TIME_STAMPING_BYTES);
        let path = signer.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &trusted.0,
            &between,
            at,
            usage,
            None,
            None,
        );
        path.map_err(|error| TokenError::Untrusted(error.to_string()))?;
        Ok(subject)
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        let all = self.signed.certificates.iter();
        all.flat_map(|set| set.0.iter())
            .filter_map(|one| match one {
                CertificateChoices::Certificate(certificate) => Some(certificate),
                CertificateChoices::Other(_) => None,
            })
    }

    /// The one signer, and its certificate among those that came along.
    fn signer(&self) -> Result<(&SignerInfo, &Certificate), TokenError> {
        let [signer] = self.signed.signer_infos.0.as_slice() else {
            return Err(unsigned("not by exactly one signer"));
        };
        let SignerIdentifier::IssuerAndSerialNumber(named) = &signer.sid else {
            return Err(unsigned("the signer is not named by issuer and number"));
        };
        if signer.version != CmsVersion::V1 {
            return Err(unsigned("another version"));
        }
        let is_named = |one: &&Certificate| {
            let one = &one.tbs_certificate;
            one.issuer == named.issuer && one.serial_number == named.serial_number
        };
        let certificate = self.certificates().find(is_named);
        let certificate =
            certificate.ok_or_else(|| unsigned("the signer's certificate is missing"))?;
        Ok((signer, certificate))
    }
}

/// The one value of a signed attribute.
fn attribute(signer: &SignerInfo, of: ObjectIdentifier) -> Result<Option<&Any>, TokenError> {
    let all = signer.signed_attrs.iter().flat_map(|all| all.iter());
    let mut found = all.filter(|attribute| attribute.oid == of);
    let Some(first) = found.next() else {
        return Ok(None);
    };
    match (first.values.as_slice(), found.next()) {
        ([value], None) => Ok(Some(value)),
        _ => Err(unsigned("an attribute stands there twice")),
    }
}

fn digest(algorithm: ObjectIdentifier, bytes: &[u8]) -> Result<Vec<u8>, TokenError> {
    match algorithm {
        SHA_256 => Ok(Sha256::digest(bytes).to_vec()),
        SHA_384 => Ok(Sha384::digest(bytes).to_vec()),
        SHA_512 => Ok(Sha512::digest(bytes).to_vec()),
        other => Err(unsigned(format_args!(
            "the digest algorithm {other} is not known"
        ))),
    }
}

/// The certificate that the signer says it signs with is this one: another of the same name and
/// number cannot take its place.
fn check_signing_certificate(signer: &SignerInfo, certificate: &[u8]) -> Result<(), TokenError> {
    let (said, is_older) = match attribute(signer, SIGNING_CERTIFICATE_V2)? {
        Some(said) => (said, false),
        None => (
            attribute(signer, SIGNING_CERTIFICATE)?
                .ok_or_else(|| unsigned("it does not say which certificate signs"))?,
            true,
        ),
    };
    let said: SigningCertificate = said.decode_as().map_err(unsigned)?;
    let first = said.certificates.first();
    let first = first.ok_or_else(|| unsigned("it does not say which certificate signs"))?;
    let hash = match (&first.hash_algorithm, is_older) {
        (None, true) => sha1::Sha1::digest(certificate).to_vec(),
        (Some(algorithm), false) => digest(algorithm.oid, certificate)?,
        (None, false) => digest(SHA_256, certificate)?,
        (Some(_), true) => return Err(unsigned("which certificate signs is malformed")),
    };
    (first.hash.as_bytes() == hash)
        .then_some(())
        .ok_or_else(|| unsigned("it says that another certificate signs"))
}

/// A certificate for time stamps has that use alone, and says so critically (RFC 3161, 2.3).
fn check_usage(certificate: &Certificate) -> Result<(), TokenError> {
    let extensions = certificate.tbs_certificate.extensions.iter().flatten();
    let mut usages = extensions.filter(|one| one.extn_id == KEY_USAGE);
    let usage = usages.next().filter(|one| one.critical);
    let usage = usage.and_then(|one| ExtendedKeyUsage::from_der(one.extn_value.as_bytes()).ok());
    let only = usage.is_some_and(|usage| usage.0 == [TIME_STAMPING]);
    (only && usages.next().is_none())
        .then_some(())
        .ok_or_else(|| unsigned("its certificate is not one for time stamps alone"))
}

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// What a signer's signature may be; webpki takes only what fits the key.
fn algorithms(signer: &SignerInfo) -> Vec<Algorithm> {
    use webpki::aws_lc_rs as all;
    let is_pss = signer.signature_algorithm.oid == RSA_PSS;
    match (signer.digest_alg.oid, is_pss) {
        (SHA_256, true) => vec![all::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        (SHA_384, true) => vec![all::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        (SHA_512, true) => vec![all::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        (SHA_256, false) => vec![
            all::RSA_PKCS1_2048_8192_SHA256,
            all::ECDSA_P256_SHA256,
            all::ECDSA_P384_SHA256,
            all::ECDSA_P521_SHA256,
        ],
        (SHA_384, false) => vec![
            all::RSA_PKCS1_2048_8192_SHA384,
            all::ECDSA_P256_SHA384,
            all::ECDSA_P384_SHA384,
            all::ECDSA_P521_SHA384,
        ],
        (SHA_512, false) => vec![
            all::RSA_PKCS1_2048_8192_SHA512,
            all::ECDSA_P256_SHA512,
            all::ECDSA_P384_SHA512,
            all::ECDSA_P521_SHA512,
            all::ED25519,
        ],
        _ => Vec::new(),
    }
}
