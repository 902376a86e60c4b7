//! `evidence verify`: a bundle, with nothing but the file.

use std::path::Path;

use anyhow::Context as _;
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::bundle::{self, Stamped, Verified, VerifyError};
use deedtrail_evidence::note::VerifierKey;
use deedtrail_evidence::timestamp::Authorities;
use deedtrail_evidence::witness::WitnessKey;
use serde_json::json;

use crate::args::Trusted;
use crate::commands::Ended;
use crate::output::Console;
use crate::timestamps::read_authorities;

/// A witness and when it cosigned, s since 1970; `None` where it did not.
type Vouching = (WitnessKey, Option<u64>);

/// A time stamp and what is known of who signed it: the subject of the certificate, or why it is not
/// trusted; `None` where no authority was given.
type Signed<'a> = (&'a Stamped, Option<Result<String, String>>);

/// Whom a verifier trusts, read.
struct Given {
    key: Option<VerifierKey>,
    witnesses: Vec<WitnessKey>,
    quorum: usize,
    authorities: Option<Authorities>,
}

/// Verifies a bundle, the key it must be signed with if one is given, the witnesses that must vouch
/// for it, and who must have stamped it. What cannot be begun is told apart from what does not hold.
pub(crate) fn run(
    (folder, file): (&Path, &Path),
    trusted: &Trusted,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    let begun = given(folder, trusted).and_then(|given| {
        let verified = bundle::verify(&folder.join(file));
        match verified {
            Err(error @ VerifyError::Io { .. }) => Err(error.into()),
            verified => Ok((given, verified)),
        }
    });
    match begun {
        Err(error) => {
            console.complain(&error)?;
            Ok(Ended::Mistyped)
        }
        Ok((_, Err(error))) => not_valid(console, &error.to_string(), None),
        Ok((given, Ok(verified))) => judge(given, &verified, console),
    }
}

fn given(folder: &Path, trusted: &Trusted) -> anyhow::Result<Given> {
    let key = trusted.key.as_deref().map(|key| key.trim().parse());
    let witnesses = witness_keys(&trusted.witnesses)?;
    let count = witnesses.len();
    let quorum = trusted.quorum.unwrap_or(count);
    anyhow::ensure!(
        trusted.quorum.is_none() || (1..=count).contains(&quorum),
        "--quorum: 1 to {count}, the number of --witness"
    );
    let authorities = trusted.timestamp_ca.as_ref();
    let authorities = authorities.map(|file| read_authorities(&folder.join(file)));
    Ok(Given {
        key: key.transpose().context("--key: this is no key")?,
        witnesses,
        quorum,
        authorities: authorities.transpose().context("--timestamp-ca")?,
    })
}

fn judge(given: Given, verified: &Verified, console: &mut Console) -> anyhow::Result<Ended> {
    let wanted = given.key.as_ref();
    if let Some(key) = wanted.filter(|key| key.to_string() != verified.verifier_key) {
        return not_valid(console, &other_key(key, verified), Some(verified));
    }
    let (keys, quorum) = (given.witnesses, given.quorum);
    let times = match verified.vouched_by(&keys) {
        Ok(times) => times,
        Err(error) => return not_valid(console, &error.to_string(), Some(verified)),
    };
    let vouching: Vec<Vouching> = keys.into_iter().zip(times).collect();
    let count = vouching.iter().filter(|(_, time)| time.is_some()).count();
    if count < quorum {
        let says = too_few(&vouching, (count, quorum));
        return not_valid(console, &says, Some(verified));
    }
    let signed = signed(verified, given.authorities.as_ref());
    if let Some(says) = unstamped(&signed, given.authorities.as_ref()) {
        return not_valid(console, &says, Some(verified));
    }
    if console.json {
        console.object(&as_json(verified, &vouching, &signed))?;
    } else {
        tell(verified, (&vouching, &signed), wanted.is_some(), console)?;
    }
    Ok(Ended::Done)
}

/// How the key that signed differs from the one that had to.
fn other_key(wanted: &VerifierKey, verified: &Verified) -> String {
    let is = &verified.verifier_key;
    let signed = is.parse::<VerifierKey>();
    if signed.is_ok_and(|key| key.key_bytes() == wanted.key_bytes()) {
        return format!(
            "signed by the same key under another name, {is}: the log was adopted since, or before"
        );
    }
    format!("signed by another key, {is}")
}

/// What is known of those who stamped the log.
fn signed<'a>(verified: &'a Verified, trusted: Option<&Authorities>) -> Vec<Signed<'a>> {
    let stamps = verified.stamps.iter();
    let signed = stamps.map(|stamped| {
        let signer = trusted.map(|trusted| {
            let signer = stamped.token.check_signer(trusted);
            signer.map_err(|error| error.to_string())
        });
        (stamped, signer)
    });
    signed.collect()
}

/// Why no time stamp holds, where one has to.
fn unstamped(signed: &[Signed<'_>], trusted: Option<&Authorities>) -> Option<String> {
    trusted?;
    if signed
        .iter()
        .any(|(_, signer)| matches!(signer, Some(Ok(_))))
    {
        return None;
    }
    let faults = signed.iter().filter_map(|(stamped, signer)| {
        let fault = signer.as_ref()?.as_ref().err()?;
        Some(format!("; {}: {fault}", stamped.authority))
    });
    let faults: String = faults.collect();
    Some(format!(
        "no time stamp by an authority of --timestamp-ca{faults}"
    ))
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

fn as_json(verified: &Verified, vouching: &[Vouching], signed: &[Signed<'_>]) -> serde_json::Value {
    let row = |key: &WitnessKey, time_s: Option<u64>| json!({ "key": key.to_string(), "cosigned": time_s.map(at) });
    let witnesses = vouching.iter().map(|(key, time_s)| row(key, *time_s));
    let stamps = signed.iter().map(|(stamped, signer)| {
        json!({
            "authority": stamped.authority,
            "time": stamped.token.time(),
            "size": stamped.size,
            "records": stamped.records,
            "policy": stamped.token.policy(),
            "serial": stamped.token.serial(),
            "signer": signer.as_ref().and_then(|signer| signer.as_ref().ok()),
            "trouble": signer.as_ref().and_then(|signer| signer.as_ref().err()),
        })
    });
    let stamps: Vec<_> = stamps.collect();
    // It is not looked into: what is no JSON is told as text.
    let completeness = verified.completeness.as_deref().map(|bytes| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
    });
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
        "completeness": completeness,
        "timestamps": stamps,
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
    (vouching, signed): (&[Vouching], &[Signed<'_>]),
    is_known: bool,
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
    let statement = verified.completeness.as_deref();
    for said in statement.map(bundle::held_back).unwrap_or_default() {
        console.line(format_args!("as the exporter says: {said}"))?;
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
    tell_stamps(verified, signed, console)?;
    if !is_known {
        console.say(
            "anybody could have signed this: compare the key with one you know \
             (deedtrail evidence checkpoint), or give it with --key",
        )?;
    }
    Ok(())
}

/// When the log was stamped, and by whom as far as that is known.
fn tell_stamps(
    verified: &Verified,
    signed: &[Signed<'_>],
    console: &mut Console,
) -> anyhow::Result<()> {
    for (stamped, signer) in signed {
        let signer = match signer {
            Some(Ok(subject)) => format!("signed by {subject}"),
            Some(Err(fault)) => format!("not trusted: {fault}"),
            None => "its imprint is right, its signature was not checked".to_owned(),
        };
        console.line(format_args!(
            "time stamp {}: {}, over the first {} batches with {} of the {} records: {signer}",
            stamped.authority,
            stamped.token.time(),
            stamped.size,
            stamped.records,
            verified.sequences.len()
        ))?;
    }
    if signed.iter().any(|(_, signer)| signer.is_none()) {
        console.say("give the certificate of the authority you trust with --timestamp-ca")?;
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
