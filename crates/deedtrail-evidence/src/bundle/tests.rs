//! Forgeries by somebody who can write well-formed archives: only the key stops them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass, Secrets};
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;

use super::export::sha256;
use super::*;
use crate::disk::RealDisk;
use crate::note::{Note, NoteSigner};
use crate::witness::Cosigner;
use crate::{Log, LogConfig, Upkeep};

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1)
    }
}

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(3);
    }
}

fn a_bundle(root: &Path) -> Files {
    let mut config = LogConfig::new(&root.join("data"), &root.join("checkpoints"));
    config.segment_bytes = 16 << 10;
    config.upkeep = Upkeep::Manual;
    config.origin = Some("test.example/log".to_owned());
    let log = Log::open(
        &config,
        Arc::new(RealDisk),
        Arc::new(Fixed),
        Arc::new(Fixed),
    )
    .unwrap();
    let entry = |text: &str| NewEntry {
        kind: EntryKind::Record,
        tenant: TenantId::default(),
        source: None,
        received: Timestamp::from_micros(1),
        idempotency_key: None,
        note: Text::default(),
        parts: vec![Part {
            class: PartClass::Plain,
            key_id: 0,
            bytes: text.as_bytes().to_vec(),
        }],
    };
    let mut second = entry("second");
    for (class, text) in [
        (PartClass::Secret, "hunter2"),
        (PartClass::ToolArguments, "rm -r"),
        (PartClass::Plain, "end"),
    ] {
        let mut part = second.parts[0].clone();
        (part.class, part.bytes) = (class, text.as_bytes().to_vec());
        second.parts.push(part);
    }
    log.append(vec![entry("first"), second, entry("third")])
        .unwrap();
    let mut audit = entry("ana finding decided: 7");
    audit.kind = EntryKind::Audit;
    log.append(vec![entry("fourth"), audit]).unwrap();
    log.seal().unwrap();
    let witness = witness(7);
    let note = log.checkpoint();
    let line = witness.cosign(Note::parse(&note).unwrap().text, 1_700_000_000);
    let (log_key, witness_key) = (log.verifier_key(), witness.key());
    let policy =
        format!("log {log_key}\nwitness w {witness_key}\ngroup enough 1 w\nquorum enough\n");
    let request = BundleRequest {
        title: "case".to_owned(),
        created: Timestamp::from_micros(1),
        sequences: vec![0, 1, 3, 4],
        events: vec!["{}".to_owned()],
        secrets: Secrets::Withheld,
        witnessed: Some(Witnessed {
            policy,
            checkpoint: Some(format!("{note}{line}")),
        }),
        completeness: Some(br#"{"held_back":[{"says":"<b>2 matches</b>"},{}]}"#.to_vec()),
        stamps: vec![],
        names: BTreeMap::new(),
        extra: BTreeMap::new(),
    };
    archive::read(&to_bytes(&log, &request).unwrap()[..]).unwrap()
}

fn witness(seed: u8) -> Cosigner {
    Cosigner::new("witness.example/w", &[seed; 32]).unwrap()
}

fn is_accepted(files: &Files) -> bool {
    verify_bytes(&archive::write(files).unwrap()).is_ok()
}

/// Makes the manifest and its note fit `files`, with a key of the forger's.
fn resign(files: &mut Files, signer: &NoteSigner) {
    let mut manifest: Manifest = serde_json::from_slice(&files[MANIFEST]).unwrap();
    let others = files
        .iter()
        .filter(|(name, _)| *name != MANIFEST && *name != SIGNATURE);
    manifest.files = others
        .map(|(name, bytes)| (name.clone(), sha256(bytes)))
        .collect();
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let note = signer.sign_note(&manifest_text(&manifest));
    files.insert(MANIFEST.to_owned(), manifest);
    files.insert(SIGNATURE.to_owned(), note.into_bytes());
}

#[test]
fn a_file_that_is_not_as_packed_is_named() {
    let files = Files::from([
        ("a.json".to_owned(), b"first".to_vec()),
        ("b.json".to_owned(), b"second".to_vec()),
    ]);
    let archive = archive::write(&files).unwrap();
    let with = |at: usize| {
        let mut bytes = archive.clone();
        bytes[at] ^= 1;
        archive::read(&bytes[..]).unwrap_err()
    };
    let place = |text: &[u8]| {
        archive
            .windows(text.len())
            .position(|it| it == text)
            .unwrap()
    };
    let named = |name: &str| ArchiveError::Changed(name.to_owned());
    assert_eq!(with(place(b"first")), named("a.json"));
    // The check sum stands 16 bytes before the name.
    assert_eq!(with(place(b"b.json") - 16), named("b.json"));
    let structure = ArchiveError::Malformed("its structure was changed");
    assert_eq!(with(place(b"b.json")), structure);
    assert_eq!(with(archive.len() - 1), structure);
}

#[test]
fn every_changed_added_removed_or_swapped_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let files = a_bundle(root.path());
    assert!(is_accepted(&files));
    let names: Vec<String> = files.keys().cloned().collect();
    for name in &names {
        let mut changed = files.clone();
        changed.get_mut(name).unwrap().push(b'\n');
        assert!(!is_accepted(&changed), "{name} with a byte more");
        let mut changed = files.clone();
        changed.remove(name);
        assert!(!is_accepted(&changed), "without {name}");
        for other in names.iter().filter(|other| files[*other] != files[name]) {
            let mut swapped = files.clone();
            swapped.insert(name.clone(), files[other].clone());
            swapped.insert(other.clone(), files[name].clone());
            assert!(!is_accepted(&swapped), "{name} and {other} swapped");
        }
    }
    let mut added = files;
    added.insert("extra/more".to_owned(), vec![]);
    assert!(!is_accepted(&added));
}

#[test]
fn even_the_key_s_holder_cannot_pass_a_changed_record_off() {
    let root = tempfile::tempdir().unwrap();
    let files = a_bundle(root.path());
    // The log's own key: everything but the tree can be signed anew.
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let mut untouched = files.clone();
    resign(&mut untouched, &signer);
    assert!(
        is_accepted(&untouched),
        "the forger's tool itself is broken"
    );
    for name in files.keys().filter(|name| {
        ["raw/", "proofs/", "batches/"]
            .iter()
            .any(|folder| name.starts_with(folder))
    }) {
        for at in 0..files[name].len() {
            let mut changed = files.clone();
            changed.get_mut(name).unwrap()[at] ^= 1;
            resign(&mut changed, &signer);
            // White space in a proof file and the like: accepted only if it says the same.
            if is_accepted(&changed) {
                let say =
                    |files: &Files| serde_json::from_slice::<RecordProof>(&files[name]).unwrap();
                assert_eq!(say(&changed), say(&files), "{name}, byte {at}");
            }
        }
    }
    let mut swapped = files.clone();
    swapped.insert(raw_name(0), files[&raw_name(1)].clone());
    resign(&mut swapped, &signer);
    assert!(!is_accepted(&swapped));
}

/// Changes the proof of record 1 and signs everything anew with the log's own key.
fn is_accepted_with(files: &Files, change: impl Fn(&mut RecordProof)) -> bool {
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let mut files = files.clone();
    let mut proof: RecordProof = serde_json::from_slice(&files[&proof_name(1)]).unwrap();
    change(&mut proof);
    files.insert(proof_name(1), serde_json::to_vec(&proof).unwrap());
    resign(&mut files, &signer);
    is_accepted(&files)
}

#[test]
fn a_withheld_part_cannot_be_another_one() {
    let root = tempfile::tempdir().unwrap();
    let files = a_bundle(root.path());
    assert!(
        is_accepted_with(&files, |_| {}),
        "the forger's tool itself is broken"
    );
    let proof: RecordProof = serde_json::from_slice(&files[&proof_name(1)]).unwrap();
    assert_eq!(proof.withheld.len(), 2);
    for index in 0..2 {
        for at in 0..64 {
            let changed = is_accepted_with(&files, |proof| {
                let hash = &mut proof.withheld[index].sha256;
                let digit = if hash.as_bytes()[at] == b'0' {
                    "1"
                } else {
                    "0"
                };
                hash.replace_range(at..=at, digit);
            });
            assert!(!changed, "digit {at} of the hash of {index}");
        }
        for bit in 0..16 {
            assert!(!is_accepted_with(&files, |proof| proof.withheld[index].length ^= 1 << bit));
            assert!(!is_accepted_with(&files, |proof| proof.withheld[index].part ^= 1 << bit));
        }
        assert!(!is_accepted_with(&files, |proof| {
            proof.withheld[index].sha256 = proof.withheld[index].sha256.to_uppercase();
        }));
        assert!(!is_accepted_with(&files, |proof| {
            proof.withheld.remove(index);
        }));
    }
    assert!(!is_accepted_with(&files, |proof| proof.withheld.swap(0, 1)));
    // What is plain is there: a part of another class cannot be hidden, even with its true hash.
    let leaf = proof.leaf_hash.clone();
    let mut hidden = files.clone();
    let raw = String::from_utf8(hidden[&raw_name(1)].clone()).unwrap();
    let marker = format!("⟦withheld: secret, 3 bytes, part 3 of {leaf}⟧");
    let raw = raw.strip_suffix("end").unwrap().to_owned() + &marker;
    hidden.insert(raw_name(1), raw.into_bytes());
    assert!(!is_accepted_with(&hidden, |proof| {
        proof.withheld.push(WithheldPart {
            part: 3,
            length: 3,
            sha256: sha256(b"end"),
        });
    }));
}

#[test]
fn another_key_is_visible_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut files = a_bundle(root.path());
    let stranger = NoteSigner::new("test.example/log", &[4; 32]).unwrap();
    files.insert(
        KEY.to_owned(),
        format!("{}\n", stranger.verifier_key()).into_bytes(),
    );
    resign(&mut files, &stranger);
    assert!(
        !is_accepted(&files),
        "the checkpoint is not signed by that key"
    );
}

/// Prints the exit code of the second verifier for each file of a folder, in the order of names.
const EACH: &str = "
import io, os, sys
sys.path.insert(0, sys.argv[1])
import verify_bundle
folder, out = sys.argv[2], sys.stdout
for name in sorted(os.listdir(folder)):
    sys.stdout = io.TextIOWrapper(io.BytesIO(), 'utf-8')
    out.write('%s %d\\n' % (name, verify_bundle.main([os.path.join(folder, name)])))
";

#[test]
fn a_bundle_says_who_vouches_and_who_decided() {
    let root = tempfile::tempdir().unwrap();
    let files = a_bundle(root.path());
    let bytes = archive::write(&files).unwrap();
    let verified = verify_bytes(&bytes).unwrap();
    assert_eq!(
        (verified.custody, verified.completeness.is_some()),
        (1, true)
    );
    assert_eq!(verified.cosigned, [(witness(7).key(), 1_700_000_000)]);
    let asked = [witness(7).key(), witness(8).key()];
    let vouched = verified.vouched_by(&asked);
    assert_eq!(vouched, Ok(vec![Some(1_700_000_000), None]));
    let page = String::from_utf8(files[REPORT].clone()).unwrap();
    assert!(
        page.contains("finding decided: 7") && page.contains("2023-11-14T22:13:20"),
        "{page}"
    );
    assert!(
        page.contains("<li>&lt;b&gt;2 matches&lt;/b&gt;</li>"),
        "{page}"
    );

    let (program, file) = (root.path().join("v.py"), root.path().join("b.zip"));
    std::fs::write(&program, VERIFIER).unwrap();
    std::fs::write(&file, &bytes).unwrap();
    let [seven, eight] = [7, 8].map(|seed| witness(seed).key().to_string());
    let said = |more: &[&str]| {
        let mut python = std::process::Command::new("python3");
        let done = python.arg(&program).arg(&file).args(more).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, text) = said(&["--witness", &seven]);
    assert!(
        code == Some(0) && text.contains("witnessed by witness.example/w at 2023"),
        "{text}"
    );
    assert!(
        text.contains("as the exporter says: <b>2 matches</b>\n"),
        "{text}"
    );
    let (code, text) = said(&["--witness", &eight]);
    assert!(
        code == Some(1) && text.contains("0 of 1 witnesses"),
        "{text}"
    );
    let both = ["--witness", &seven, "--witness", &eight];
    assert_eq!(said(&both).0, Some(1), "all of them are asked for");
    assert_eq!(said(&[&both[..], &["--quorum", "1"]].concat()).0, Some(0));
    assert_eq!(said(&[&both[..], &["--quorum", "3"]].concat()).0, Some(2));
}

/// What the verifier in Python says of each bundle: whether it holds.
fn second_opinion(root: &Path, bundles: &[Vec<u8>]) -> Vec<bool> {
    let (program, folder) = (root.join("program"), root.join("bundles"));
    std::fs::create_dir_all(&program).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(program.join("verify_bundle.py"), VERIFIER).unwrap();
    for (at, bytes) in bundles.iter().enumerate() {
        std::fs::write(folder.join(format!("{at:06}")), bytes).unwrap();
    }
    let mut python = std::process::Command::new("python3");
    let done = python
        .args(["-B", "-c", EACH])
        .args([&program, &folder])
        .output();
    let done = done.unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{complaint}");
    let said = String::from_utf8(done.stdout).unwrap();
    let codes = said
        .lines()
        .map(|line| match line.split_once(' ').unwrap().1 {
            "0" => true,
            "1" => false,
            other => panic!("{other}: {complaint}"),
        });
    codes.collect()
}

#[test]
fn the_verifier_in_python_says_the_same() {
    let root = tempfile::tempdir().unwrap();
    let files = a_bundle(root.path());
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let mut bundles = vec![archive::write(&files).unwrap()];
    let mut resigned = files.clone();
    resign(&mut resigned, &signer);
    bundles.push(archive::write(&resigned).unwrap());
    for name in files.keys() {
        let length = files[name].len();
        for at in (0..length).step_by((length / 24).max(1)) {
            let mut changed = files.clone();
            changed.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            bundles.push(archive::write(&changed).unwrap());
        }
        for at in (0..length).step_by((length / 6).max(1)) {
            let mut changed = files.clone();
            changed.get_mut(name).unwrap()[at] ^= 1 << (at % 7);
            if name != MANIFEST {
                resign(&mut changed, &signer);
            }
            bundles.push(archive::write(&changed).unwrap());
        }
    }
    let whole = bundles[0].clone();
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        bundles.push(changed);
    }
    let first: Vec<bool> = bundles.iter().map(|b| verify_bytes(b).is_ok()).collect();
    assert!(first[0] && first[1], "what nobody changed holds");
    let second = second_opinion(root.path(), &bundles);
    for (at, (first, second)) in first.iter().zip(&second).enumerate() {
        assert_eq!(first, second, "bundle {at} of {}", bundles.len());
    }
    // Accepted: the page for people and the lines of events, which the key's holder may write.
    let accepted = second.iter().filter(|holds| **holds).count();
    assert!(
        accepted < bundles.len() / 20,
        "{accepted} of {}",
        bundles.len()
    );
}
