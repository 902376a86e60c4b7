//! Signed receipts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deedtrail_core::port::log::Receipt;

use crate::note::{NoteError, NoteSigner, VerifierKey};
use crate::queue::Written;

/// The text a receipt's signature covers.
pub fn receipt_text(receipt: &Receipt) -> String {
    format!(
        "deedtrail-receipt-v1\n{}\n{}\n{}\n{}\n{}\n",
        receipt.log_origin,
        receipt.batch,
        receipt.first_sequence,
        receipt.count,
        receipt.batch_root
    )
}

/// Checks a receipt against the key of its log.
pub fn verify_receipt(receipt: &Receipt, key: &VerifierKey) -> Result<(), NoteError> {
    if receipt.log_origin != key.name() {
        return Err(NoteError::Unsigned(receipt.log_origin.clone()));
    }
    let signature = STANDARD
        .decode(&receipt.signature)
        .map_err(|_| NoteError::Malformed("the receipt's signature is not base64"))?;
    key.verify(receipt_text(receipt).as_bytes(), &signature)
}

pub(crate) fn sign(signer: &NoteSigner, origin: &str, written: &Written) -> Receipt {
    let mut receipt = Receipt {
        log_origin: origin.to_owned(),
        batch: written.batch,
        first_sequence: written.first_sequence,
        count: written.count,
        batch_root: hex::encode(written.root),
        signature: String::new(),
    };
    receipt.signature = STANDARD.encode(signer.sign(receipt_text(&receipt).as_bytes()));
    receipt
}
