//! Any bytes as what a stranger hands over for verification: notes, checkpoints, keys, proofs, time
//! stamps and bundles. What parses, prints as it was read; no change of a sound bundle is accepted.
#![no_main]

use deedtrail_evidence::bundle;
use deedtrail_evidence::note::{Checkpoint, Note, VerifierKey};
use deedtrail_evidence::proof::TlogProof;
use deedtrail_evidence::timestamp::Token;
use libfuzzer_sys::fuzz_target;

const SOUND_BUNDLE: &[u8] = include_bytes!("../seeds/proof/bundle.zip");
/// The key that signed it.
const SOUND_KEY: &str = include_str!("../seeds/proof/log.vkey");

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        parse(text);
    }
    if let Ok(token) = Token::read(data) {
        drop(token.check_imprint(data));
        drop(token.check_signature());
    }
    if let Ok(verified) = bundle::verify_bytes(data) {
        let ours = verified.verifier_key == SOUND_KEY;
        assert!(
            !ours || data == SOUND_BUNDLE,
            "a changed bundle was accepted"
        );
    }
});

fn parse(text: &str) {
    if let Ok(note) = Note::parse(text) {
        assert!(text.starts_with(note.text) && !note.signatures.is_empty());
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
        if let Ok(note) = Note::parse(SOUND_KEY) {
            drop(key.verify_note(&note));
        }
    }
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(TlogProof::parse(&proof.to_text()), Ok(proof.clone()));
        if let Ok(key) = SOUND_KEY.parse() {
            drop(proof.verify([0; 32], &key));
        }
    }
}
