//! Time stamps: the authority is `openssl ts`, so is one verifier; the other two are ours.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use deedtrail_core::port::log::{EvidenceLog as _, Secrets};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::Log;
use deedtrail_evidence::bundle::{self, BundleRequest, Stamped};
use deedtrail_evidence::disk::RealDisk;
use deedtrail_evidence::timestamp::{
    ANSWER_BYTES_MAX, Authorities, Authority, Carrier, Client, Stamp, TimestampFault, Token,
    TokenError,
};
use deedtrail_testkit::timestamp::{OTHER_POLICY, POLICY, TimestampAuthority};

use crate::support::{TestEntropy, entry, open};

/// Without a network: what is asked, and what it makes of it.
struct Here<F>(F);

impl<F> std::fmt::Debug for Here<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Here")
    }
}

impl<F: Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync> Carrier for Here<F> {
    fn post(&self, address: &str, request: Vec<u8>) -> Result<Vec<u8>, String> {
        assert_eq!(address, "https://tsa.example/");
        self.0(&request)
    }
}

fn authority(
    answer: impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
    trusted: Option<Authorities>,
) -> Authority {
    Authority {
        name: "tsa".to_owned(),
        url: "https://tsa.example/".to_owned(),
        policy: None,
        trusted,
        carrier: Box::new(Here(answer)),
    }
}

fn client(log: &Arc<Log>, root: &Path, authority: Authority) -> Client {
    let places = (Arc::new(RealDisk) as _, root.join("stamps"));
    let entropy = Arc::new(TestEntropy::new(5));
    Client::new(Arc::clone(log), vec![authority], places, entropy)
}

fn folder(root: &Path, name: &str) -> std::path::PathBuf {
    let folder = root.join(name);
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn trusted(tsa: &TimestampAuthority) -> Authorities {
    Authorities::from_pem(&std::fs::read(tsa.ca_file()).unwrap()).unwrap()
}

fn append(log: &Log, key: &str) {
    log.append(vec![entry(key, "1")]).unwrap();
    log.seal().unwrap();
}

fn bundle(log: &Log, sequences: Vec<u64>, stamps: Vec<Stamp>) -> Vec<u8> {
    let request = BundleRequest {
        title: "case".to_owned(),
        created: Timestamp::from_micros(1),
        sequences,
        events: vec![],
        secrets: Secrets::Withheld,
        witnessed: None,
        completeness: None,
        stamps,
        names: BTreeMap::new(),
        extra: BTreeMap::new(),
    };
    bundle::to_bytes(log, &request).unwrap()
}

fn only(stamps: Vec<Stamped>) -> Stamped {
    let [stamped] = <[Stamped; 1]>::try_from(stamps).unwrap();
    stamped
}

/// A file of a bundle.
fn taken_out(bundle: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bundle)).unwrap();
    let mut bytes = Vec::new();
    archive
        .by_name(name)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// What the verifier in Python says.
fn python(root: &Path, bundle: &[u8]) -> (Option<i32>, String) {
    let (program, file) = (root.join("verify.py"), root.join("bundle.zip"));
    std::fs::write(&program, bundle::VERIFIER).unwrap();
    std::fs::write(&file, bundle).unwrap();
    let output = Command::new("python3").arg(program).arg(file).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn what_an_authority_stamped_holds_for_openssl_and_both_verifiers() {
    let root = tempfile::tempdir().unwrap();
    let tsa = Arc::new(TimestampAuthority::new(&folder(root.path(), "tsa")));
    let log = Arc::new(open(&root.path().join("log")));
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = {
        let (tsa, asked) = (Arc::clone(&tsa), Arc::clone(&asked));
        move |query: &[u8]| {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(tsa.answer(query))
        }
    };
    let client = client(&log, root.path(), authority(answer, Some(trusted(&tsa))));
    let tsa_of = &client.authorities()[0];
    append(&log, "a");
    append(&log, "b");
    let first = client.ask(tsa_of).unwrap();
    assert_eq!((first.size, first.is_new), (2, true));
    assert!(!client.ask(tsa_of).unwrap().is_new, "nothing is new");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    for key in ["c", "d", "e"] {
        append(&log, key);
    }
    assert_eq!(client.ask(tsa_of).unwrap().size, 5);
    append(&log, "f");

    // Each from the earliest stamp that covers it; what no stamp covers is stamped now.
    for (sequences, covering, size, records) in [
        (vec![0, 1, 5], 2, 2, 2),
        (vec![0, 3], 4, 5, 2),
        (vec![5], 6, 6, 1),
    ] {
        let stamps = client.covering(covering);
        let bytes = bundle(&log, sequences, stamps);
        let verified = bundle::verify_bytes(&bytes).unwrap();
        let stamped = only(verified.stamps);
        assert_eq!((stamped.size, stamped.records), (size, records));
        assert_eq!(stamped.token.policy(), POLICY);
        let signer = stamped.token.check_signer(&trusted(&tsa)).unwrap();
        assert_eq!(signer, "CN=Stamper");
        let (code, said) = python(root.path(), &bytes);
        assert_eq!(code, Some(0), "{said}");
        let time = stamped.token.time();
        assert!(said.contains(&format!("time stamp tsa: {time}")), "{said}");

        let (tsr, data) = (root.path().join("tsr"), root.path().join("data"));
        std::fs::write(&tsr, taken_out(&bytes, "timestamps/tsa.tsr")).unwrap();
        std::fs::write(&data, taken_out(&bytes, "timestamps/tsa.checkpoint")).unwrap();
        assert!(tsa.verifies(&tsr, &data));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let other = TimestampAuthority::new(&folder(root.path(), "other"));
    let stamp = client.covering(2).remove(0);
    let token = Token::read(&stamp.answer).unwrap();
    let refused = token.check_signer(&trusted(&other));
    assert!(
        matches!(refused, Err(TokenError::Untrusted(_))),
        "{refused:?}"
    );
    assert_eq!(client.standing(tsa_of).kept, 3);
}

/// What comes of one answer; nothing but a good one is kept.
fn fault(root: &Path, of: Authority) -> TimestampFault {
    let log = Arc::new(open(&root.join("log")));
    append(&log, "a");
    let client = client(&log, root, of);
    let authority = &client.authorities()[0];
    let fault = client.ask(authority).unwrap_err();
    let standing = client.standing(authority);
    assert_eq!((standing.kept, standing.newest), (0, None));
    assert_eq!(standing.fault, Some(fault.to_string()));
    log.close().unwrap();
    std::fs::remove_dir_all(root.join("log")).unwrap();
    fault
}

/// What the authority answers to a query that was changed on the way.
fn answered(
    tsa: &Arc<TimestampAuthority>,
    change: fn(&mut Vec<u8>),
) -> impl Fn(&[u8]) -> Result<Vec<u8>, String> + Send + Sync + use<> {
    let tsa = Arc::clone(tsa);
    move |query: &[u8]| {
        let mut query = query.to_vec();
        change(&mut query);
        Ok(tsa.answer(&query))
    }
}

#[test]
fn an_answer_that_does_not_hold_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let tsa = Arc::new(TimestampAuthority::new(&folder(root.path(), "tsa")));
    let other = TimestampAuthority::new(&folder(root.path(), "other"));
    let answered = |change: fn(&mut Vec<u8>)| answered(&tsa, change);
    let check = |of: Authority, expected: &str| {
        let said = fault(root.path(), of).to_string();
        assert!(said.contains(expected), "{said}");
    };
    // The query: … the hash (32), the nonce (at most 17 with its sign), certReq (3).
    let wrong_nonce = answered(|query| {
        let at = query.len() - 4;
        query[at] ^= 1;
    });
    check(authority(wrong_nonce, None), "nonce differs");
    let wrong_imprint = answered(|query| query[30] ^= 1);
    check(authority(wrong_imprint, None), "something else");
    check(
        authority(answered(Vec::clear), None),
        "refused with status 2: Bad request",
    );
    check(
        authority(|_| Err("away".to_owned()), None),
        "no answer: away",
    );
    let large = |_: &[u8]| Ok(vec![0x30; ANSWER_BYTES_MAX + 1]);
    check(authority(large, None), "more than");
    for garbage in [
        &b""[..],
        b"<html>",
        &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x30; 400],
    ] {
        check(
            authority(|_| Ok(garbage.to_vec()), None),
            "no answer of a time stamp",
        );
    }
    let by_another = authority(answered(|_| ()), Some(trusted(&other)));
    check(by_another, "no authority that is trusted");
}

#[test]
fn a_stamp_is_under_the_policy_that_was_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let tsa = Arc::new(TimestampAuthority::new(&folder(root.path(), "tsa")));
    let answered = |change: fn(&mut Vec<u8>)| answered(&tsa, change);
    let check = |of: Authority, expected: &str| {
        let said = fault(root.path(), of).to_string();
        assert!(said.contains(expected), "{said}");
    };
    let mut wanted = authority(answered(|_| ()), None);
    wanted.policy = Some(Authority::parse_policy("1.2.3.4.9").unwrap());
    check(wanted, "refused with status 2");
    // 1.2.3.4.5 is asked for, 1.2.3.4.1 is what it stamps under.
    let mut wanted = authority(
        answered(|query| {
            let at = query
                .windows(4)
                .position(|it| it == [0x2A, 3, 4, 5])
                .unwrap();
            query[at + 3] = 1;
        }),
        None,
    );
    wanted.policy = Some(Authority::parse_policy(OTHER_POLICY).unwrap());
    check(wanted, "under the policy 1.2.3.4.1, not 1.2.3.4.5");
    let mut wanted = authority(answered(|_| ()), Some(trusted(&tsa)));
    wanted.policy = Some(Authority::parse_policy(OTHER_POLICY).unwrap());
    let log = Arc::new(open(&root.path().join("log")));
    append(&log, "a");
    let client = client(&log, root.path(), wanted);
    client.ask(&client.authorities()[0]).unwrap();
    let token = Token::read(&client.covering(1)[0].answer).unwrap();
    assert_eq!(token.policy(), OTHER_POLICY);
    assert!(Authority::parse_policy("one").is_err());
}

#[test]
fn a_changed_answer_says_what_was_signed_or_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let tsa = Arc::new(TimestampAuthority::new(&folder(root.path(), "tsa")));
    let log = Arc::new(open(&root.path().join("log")));
    append(&log, "a");
    let newest = Arc::new(Mutex::new(Vec::new()));
    let answer = {
        let (tsa, newest) = (Arc::clone(&tsa), Arc::clone(&newest));
        move |query: &[u8]| {
            let answer = tsa.answer(query);
            *newest.lock().unwrap() = answer.clone();
            Ok(answer)
        }
    };
    let client = client(&log, root.path(), authority(answer, Some(trusted(&tsa))));
    client.ask(&client.authorities()[0]).unwrap();
    let mut answer = newest.lock().unwrap().clone();
    let checkpoint = log.checkpoint();
    let trusted = trusted(&tsa);
    let said = |answer: &[u8]| {
        let token = Token::read(answer).ok()?;
        token.check_imprint(checkpoint.as_bytes()).ok()?;
        token.check_signer(&trusted).ok()?;
        Some((token.time(), token.serial(), token.policy()))
    };
    let original = said(&answer).unwrap();
    let mut refused = 0;
    for at in 0..answer.len() {
        let bit = 1 << (at % 8);
        answer[at] ^= bit;
        match said(&answer) {
            None => refused += 1,
            Some(changed) => assert_eq!(changed, original, "byte {at}"),
        }
        answer[at] ^= bit;
    }
    // What is not refused: the status that grants with changes, and what nobody signed.
    assert!(refused + 40 > answer.len(), "{refused} of {}", answer.len());
    for end in 0..answer.len() {
        assert_eq!(said(&answer[..end]), None);
    }
}

#[test]
fn a_stamp_of_something_else_makes_a_bundle_invalid() {
    let root = tempfile::tempdir().unwrap();
    let tsa = Arc::new(TimestampAuthority::new(&folder(root.path(), "tsa")));
    let log = Arc::new(open(&root.path().join("log")));
    let answer = {
        let tsa = Arc::clone(&tsa);
        move |query: &[u8]| Ok(tsa.answer(query))
    };
    let client = client(&log, root.path(), authority(answer, None));
    append(&log, "a");
    let early = client.covering(1).remove(0);
    append(&log, "b");
    let late = client.covering(2).remove(0);
    for stamps in [vec![], vec![early.clone()], vec![late.clone()]] {
        let bytes = bundle(&log, vec![0], stamps);
        bundle::verify_bytes(&bytes).unwrap();
    }
    // The exporter signs what it wants: the early checkpoint with the answer about the late one.
    let swapped = Stamp {
        answer: late.answer.clone(),
        ..early.clone()
    };
    let garbage = Stamp {
        answer: b"stamped".to_vec(),
        ..early.clone()
    };
    for (stamp, expected) in [
        (swapped, "something else"),
        (garbage, "no answer of a time"),
    ] {
        let bytes = bundle(&log, vec![0], vec![stamp]);
        let error = bundle::verify_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        let (code, said) = python(root.path(), &bytes);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("NOT VALID: timestamps/tsa.tsr"), "{said}");
    }
    // A stamp of another log is nothing to this one.
    let elsewhere = open(&root.path().join("elsewhere"));
    append(&elsewhere, "x");
    let bytes = bundle(&elsewhere, vec![0], vec![early]);
    assert!(bundle::verify_bytes(&bytes).unwrap().stamps.is_empty());
}
