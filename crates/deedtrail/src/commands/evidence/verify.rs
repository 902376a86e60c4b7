//! `evidence verify`: a bundle, with nothing but the file.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::bundle::{self, Verified};
use deedtrail_evidence::witness::WitnessKey;
use serde_json::json;

use crate::args::Trusted;
use crate::commands::Ended;
use crate::output::Console;

/// A witness and when it cosigned, s since 1970; `None` where it did not.
type Vouching = (WitnessKey, Option<u64>);

/// Verifies a bundle, the key it must be signed with if one is given, and the witnesses that must
/// vouch for it.
pub(crate) fn run(file: &Path, trusted: &Trusted, console: &mut Console) -> anyhow::Result<Ended> {
    let keys = witness_keys(&trusted.witnesses)?;
    let quorum = trusted.quorum.unwrap_or(keys.len());
    anyhow::ensure!(
        trusted.quorum.is_none() || (1..=keys.len()).contains(&quorum),
        "--quorum: 1 to {}, the number of --witness",
        keys.len()
    );
    let verified = match bundle::verify(file) {
        Ok(verified) => verified,
        Err(error) => return not_valid(console, &error.to_string(), None),
    };
    let wanted = trusted.key.as_deref();
    if wanted.is_some_and(|key| key.trim() != verified.verifier_key) {
        let says = format!("signed by another key, {}", verified.verifier_key);
        return not_valid(console, &says, Some(&verified));
    }
    let times = match verified.vouched_by(&keys) {
        Ok(times) => times,
        Err(error) => return not_valid(console, &error.to_string(), Some(&verified)),
    };
    let vouching: Vec<Vouching> = keys.into_iter().zip(times).collect();
    let count = vouching.iter().filter(|(_, time)| time.is_some()).count();
    if count < quorum {
        let says = too_few(&vouching, (count, quorum));
        return not_valid(console, &says, Some(&verified));
    }
    if console.json {
        console.object(&as_json(&verified, &vouching))?;
    } else {
        tell(&verified, &vouching, wanted, console)?;
    }
    Ok(Ended::Done)
}

fn witness_keys(given: &[String]) -> anyhow::Result<Vec<WitnessKey>> {
    let mut keys: Vec<WitnessKey> = Vec::with_capacity(given.len());
    for text in given {
        let key: WitnessKey = text.trim().parse().context("--witness")?;
        let is_new = keys.iter().all(|known| !known.is_same_key(&key));
        anyhow::ensure!(is_new, "--witness: {} was given twice", key.name());
        keys.push(key);
    }
    Ok(keys)
}

fn too_few(vouching: &[Vouching], (count, quorum): (usize, usize)) -> String {
    let missing = vouching.iter().filter(|(_, time)| time.is_none());
    let missing: Vec<&str> = missing.map(|(key, _)| key.name()).collect();
    format!(
        "{count} of {} witnesses vouch, {quorum} are asked for; missing: {}",
        vouching.len(),
        missing.join(", ")
    )
}

fn not_valid(
    console: &mut Console,
    says: &str,
    verified: Option<&Verified>,
) -> anyhow::Result<Ended> {
    if console.json {
        console.object(&json!({
            "id": verified.map(|verified| &verified.origin),
            "valid": false,
            "reason": says,
            "verifier_key": verified.map(|verified| &verified.verifier_key),
        }))?;
    } else {
        console.line(format_args!("NOT VALID: {says}"))?;
    }
    Ok(Ended::Found)
}

fn as_json(verified: &Verified, vouching: &[Vouching]) -> serde_json::Value {
    let row = |key: &WitnessKey, time_s: Option<u64>| json!({ "key": key.to_string(), "cosigned": time_s.map(at) });
    let witnesses = vouching.iter().map(|(key, time_s)| row(key, *time_s));
    let cosigned = verified.cosigned.iter();
    let cosigned = cosigned.map(|(key, time_s)| row(key, Some(*time_s)));
    json!({
        "id": verified.origin,
        "valid": true,
        "title": verified.title,
        "created": verified.created,
        "records": verified.sequences.len(),
        "events": verified.events,
        "withheld": verified.withheld,
        "custody": verified.custody,
        "completeness": verified.has_completeness,
        "verifier_key": verified.verifier_key,
        "witnesses": witnesses.collect::<Vec<_>>(),
        "cosigned_as_the_bundle_says": cosigned.collect::<Vec<_>>(),
    })
}

/// The time of a cosignature.
pub(super) fn at(time_s: u64) -> String {
    let time_s = i64::try_from(time_s).unwrap_or(i64::MAX);
    Timestamp::from_micros(time_s.saturating_mul(1_000_000)).to_string()
}

fn tell(
    verified: &Verified,
    vouching: &[Vouching],
    wanted: Option<&str>,
    console: &mut Console,
) -> anyhow::Result<()> {
    console.line(format_args!("OK: {}", verified.title))?;
    console.line(format_args!(
        "{} records, {} events, made {}; in the log {} at size {}",
        verified.sequences.len(),
        verified.events,
        verified.created,
        verified.origin,
        verified.checkpoint.head.size
    ))?;
    if verified.custody > 0 {
        console.line(format_args!(
            "{} of the records say who looked, decided, revealed or exported (custody)",
            verified.custody
        ))?;
    }
    if verified.withheld > 0 {
        console.line(format_args!(
            "{} parts with secrets or tool arguments are withheld; their hashes hold",
            verified.withheld
        ))?;
    }
    console.line(format_args!("signed by {}", verified.verifier_key))?;
    for (key, time_s) in vouching {
        match time_s {
            Some(time_s) => {
                console.line(format_args!(
                    "witnessed by {} at {}",
                    key.name(),
                    at(*time_s)
                ))?;
            }
            None => console.line(format_args!("not witnessed by {}", key.name()))?,
        }
    }
    if vouching.is_empty() {
        unvouched(verified, console)?;
    }
    if wanted.is_none() {
        console.say(
            "anybody could have signed this: compare the key with one you know \
             (deedtrail evidence checkpoint), or give it with --key",
        )?;
    }
    Ok(())
}

/// Whom the bundle itself names, when no witness was given.
fn unvouched(verified: &Verified, console: &mut Console) -> anyhow::Result<()> {
    if verified.cosigned.is_empty() {
        console.line(
            "witnesses: none. Nobody but the operator vouches that there is no other history",
        )?;
        return Ok(());
    }
    for (key, time_s) in &verified.cosigned {
        console.line(format_args!("cosigned by {key} at {}", at(*time_s)))?;
    }
    console.say("these keys come from the bundle: give those you know with --witness")?;
    Ok(())
}
