//! What vendors write in place of a secret.

/// Words that stand where a secret was taken out.
const MASKS: [&[u8]; 14] = [
    b"false",
    b"filtered",
    b"hidden",
    b"hidden_due_to_security_reasons",
    b"masked",
    b"none",
    b"null",
    b"omitted",
    b"redacted",
    b"removed",
    b"sensitivedataremoved",
    b"true",
    b"undefined",
    b"value_hidden",
];
/// Most characters that a mask leaves to see.
const MASK_TAIL_MAX: usize = 4;

/// Whether a value is what a vendor puts in place of a secret.
pub(super) fn is_mask(text: &[u8]) -> bool {
    if let Some(digest) = text.strip_prefix(b"hmac-sha256:") {
        return digest.iter().all(u8::is_ascii_hexdigit);
    }
    // The bullet, U+2022, has three bytes.
    let filler = |byte: &&u8| matches!(byte, b'*' | b'.' | b'-' | 0xE2 | 0x80 | 0xA2);
    let stars = text.iter().take_while(filler).count();
    if text.len() <= stars || stars >= 3 && text.len() - stars <= MASK_TAIL_MAX {
        return true;
    }
    if text.len() > 64 {
        return false;
    }
    let word = text.trim_ascii();
    let word = word.strip_prefix(b"\\u003c").unwrap_or(word);
    let word = word.strip_suffix(b"\\u003e").unwrap_or(word);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric();
    let first = word.iter().position(inner).unwrap_or(0);
    let last = word.iter().rposition(inner).map_or(0, |last| last + 1);
    let word = word.get(first..last).unwrap_or_default();
    MASKS.iter().any(|mask| word.eq_ignore_ascii_case(mask))
}
