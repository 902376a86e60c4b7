//! The page a bundle carries for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use deedtrail_core::time::Timestamp;

use super::completeness::held_back;
use super::export::Added;
use super::{Cosigned, Manifest, custody};
use crate::timestamp::{Stamp, Token};

/// What the page tells of.
pub(super) struct Facts<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) added: &'a Added,
    pub(super) checkpoint: &'a str,
    pub(super) key: &'a str,
    pub(super) cosigned: &'a [Cosigned],
    pub(super) completeness: Option<&'a [u8]>,
    pub(super) stamps: &'a [Stamp],
    /// What those are called who are told of by an id.
    pub(super) names: &'a BTreeMap<String, String>,
}

/// A page without scripts or outside references.
pub(super) fn page(facts: &Facts<'_>) -> String {
    let Facts {
        manifest, added, ..
    } = facts;
    let withheld = added.withheld;
    let left_out = if withheld == 0 {
        String::new()
    } else {
        format!(
            "<p>{withheld} parts of these records hold secrets or tool arguments and were left \
             out. A marker stands in their place; the proofs hold their hashes and lengths, so \
             that the rest is still proved.</p>\n"
        )
    };
    let mut rows = String::new();
    for row in &manifest.records {
        // Writing to a String cannot fail.
        writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td></tr>",
            row.sequence, row.batch
        )
        .unwrap_or_default();
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}\
         td,th{{text-align:left;padding:.2rem 1rem .2rem 0}}pre{{overflow:auto}}</style></head>\n\
         <body><h1>{title}</h1>\n\
         <p>{count} records of the log <b>{origin}</b>, exported {created}.</p>\n\
         {left_out}<p>Each record is in <code>raw/</code>, its path to the batch in <code>proofs/</code>, \
         the batch's path to the signed checkpoint in <code>batches/</code>. Check all of it \
         with <code>deedtrail evidence verify FILE</code>, offline; or with a second program in \
         Python, which <code>deedtrail evidence verifier</code> prints. Compare the key below with \
         one you got from the log's operator by another way: without that, the bundle only \
         proves that it agrees with itself.</p>\n{vouching}\
         <h2>Key</h2><pre>{key}</pre>\n<h2>Checkpoint</h2><pre>{checkpoint}</pre>\n\
         {custody}{completeness}\
         <h2>Records</h2><table><thead><tr><th>Sequence</th><th>Batch</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></body></html>\n",
        title = escaped(&manifest.title),
        count = manifest.records.len(),
        origin = escaped(&manifest.origin),
        created = escaped(&manifest.created),
        key = escaped(facts.key),
        checkpoint = escaped(facts.checkpoint),
        vouching = vouching(facts.cosigned) + &stamped(facts.stamps),
        custody = custody::table(&added.custody, facts.names),
        completeness = completeness(facts.completeness),
    )
}

/// Who says that there is no other history.
fn vouching(cosigned: &[Cosigned]) -> String {
    if cosigned.is_empty() {
        return "<p>No witness cosigned the checkpoint: nobody but the operator vouches for it. \
                The holder of the key could have written another history before this checkpoint \
                was handed out.</p>\n"
            .to_owned();
    }
    let items = cosigned.iter().map(|(key, time_s)| {
        let at = i64::try_from(*time_s).unwrap_or(i64::MAX);
        let at = Timestamp::from_micros(at.saturating_mul(1_000_000));
        let key = escaped(&key.to_string());
        format!("<li>{at}: <code>{key}</code></li>\n")
    });
    let items: String = items.collect();
    format!(
        "<p>These witnesses cosigned the checkpoint: each says that it continues every other one \
         it saw of this log. Compare their keys with ones you know.</p>\n<ul>\n{items}</ul>\n"
    )
}

/// Who saw the log, and when.
fn stamped(stamps: &[Stamp]) -> String {
    let items = stamps.iter().filter_map(|stamp| {
        let at = Token::read(&stamp.answer).ok()?.time();
        let name = &stamp.authority;
        let (tsr, checkpoint) = (
            format!("timestamps/{name}.tsr"),
            format!("timestamps/{name}.checkpoint"),
        );
        Some(format!(
            "<li>{at} by {name}: <code>openssl ts -verify -in {tsr} -data {checkpoint} -CAfile \
             CA.pem</code></li>\n"
        ))
    });
    let items: String = items.collect();
    if items.is_empty() {
        return items;
    }
    format!(
        "<p>Time stamp authorities (RFC 3161) saw these checkpoints of the log, each with all records \
         of the batches before it. The command, in the folder of the unpacked file, checks one with the \
         certificate of the authority, which you got by another way.</p>\n<ul>\n{items}</ul>\n"
    )
}

/// What is known to be missing.
fn completeness(statement: Option<&[u8]>) -> String {
    let Some(statement) = statement else {
        return String::new();
    };
    let text = escaped(&String::from_utf8_lossy(statement));
    let held = held_back(statement).into_iter();
    let held: Vec<String> = held
        .map(|said| format!("<li>{}</li>\n", escaped(&said)))
        .collect();
    let held = held.concat();
    let held = if held.is_empty() {
        held
    } else {
        format!(
            "<h2>What exceptions to rules held back</h2>\n<p>Somebody answers for these matches; they \
             are no findings. The statement below names the newest.</p>\n<ul>\n{held}</ul>\n"
        )
    };
    format!("{held}<h2>What is known to be missing</h2>\n<pre>{text}</pre>\n")
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
