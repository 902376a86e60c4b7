//! Bundles verify with nothing but the file, and not when anything in them was changed.

use std::collections::BTreeMap;
use std::io::Read as _;

use deedtrail_core::port::log::{EvidenceLog as _, PartClass, Secrets};
use deedtrail_core::time::Timestamp;
use deedtrail_evidence::Log;
use deedtrail_evidence::bundle::{self, BundleError, BundleRequest};
use deedtrail_evidence::disk::RealDisk;

use crate::support::{entry, open};

fn request(sequences: Vec<u64>) -> BundleRequest {
    BundleRequest {
        title: "Case <7>".to_owned(),
        created: Timestamp::from_micros(1_700_000_000_000_000),
        sequences,
        events: vec!["{\"a\":1}".to_owned(), "{\"b\":2}".to_owned()],
        secrets: Secrets::Withheld,
        witnessed: None,
        completeness: None,
        stamps: vec![],
        names: BTreeMap::new(),
        extra: BTreeMap::from([("custody.ndjson".to_owned(), b"{}\n".to_vec())]),
    }
}

fn filled(root: &std::path::Path) -> Log {
    let log = open(root);
    for batch in 0..5 {
        let mut entries: Vec<_> = (0..4)
            .map(|at| entry(&format!("k{batch}.{at}"), &format!("record {at}")))
            .collect();
        let mut second = entries[1].parts[0].clone();
        second.class = PartClass::Url;
        entries[1].parts.push(second);
        log.append(entries).unwrap();
    }
    log
}

#[test]
fn a_bundle_verifies_and_says_what_it_proves() {
    let root = tempfile::tempdir().unwrap();
    let log = filled(root.path());
    let path = root.path().join("case.zip");
    bundle::write(&log, &request(vec![13, 1, 1, 0]), &RealDisk, &path).unwrap();
    let verified = bundle::verify(&path).unwrap();
    assert_eq!(verified.sequences, [0, 1, 13]);
    assert_eq!(verified.verifier_key, log.verifier_key());
    assert_eq!(
        (verified.origin.as_str(), verified.events),
        ("test.example/log", 2)
    );
    assert_eq!(verified.checkpoint.head.size, 5);
    let again = bundle::to_bytes(&log, &request(vec![0, 1, 13])).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), again, "not deterministic");

    // Any zip program can open it.
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(again)).unwrap();
    let names: Vec<String> = zip.file_names().map(str::to_owned).collect();
    assert!(
        names.contains(&"manifest.json".to_owned()) && names.len() == 17,
        "{names:?}"
    );
    let mut raw = String::new();
    zip.by_name("raw/00000000000000000001")
        .unwrap()
        .read_to_string(&mut raw)
        .unwrap();
    assert_eq!(raw, "record 1record 1");
    let mut report = String::new();
    zip.by_name("report.html")
        .unwrap()
        .read_to_string(&mut report)
        .unwrap();
    assert!(report.contains("Case &lt;7&gt;"));
}

#[test]
fn secrets_and_tool_arguments_are_left_out_unless_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path());
    let mut split = entry("k", "{\"user\":\"a\",\"password\":\"");
    for (class, text) in [
        (PartClass::Secret, "hunter2"),
        (PartClass::Plain, "\",\"arguments\":\""),
        (PartClass::ToolArguments, "rm -r"),
        (PartClass::Plain, "\"}"),
    ] {
        let mut part = split.parts[0].clone();
        (part.class, part.bytes) = (class, text.as_bytes().to_vec());
        split.parts.push(part);
    }
    log.append(vec![split]).unwrap();
    let raw_of = |bytes: &[u8]| {
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut raw = String::new();
        let mut file = zip.by_name("raw/00000000000000000000").unwrap();
        file.read_to_string(&mut raw).unwrap();
        raw
    };
    let bytes = bundle::to_bytes(&log, &request(vec![0])).unwrap();
    assert_eq!(bundle::verify_bytes(&bytes).unwrap().withheld, 2);
    let leaf = log.prove(0).unwrap().leaf_hash;
    assert_eq!(
        raw_of(&bytes),
        format!(
            "{{\"user\":\"a\",\"password\":\"⟦withheld: secret, 7 bytes, part 1 of {leaf}⟧\",\
             \"arguments\":\"⟦withheld: tool arguments, 5 bytes, part 3 of {leaf}⟧\"}}"
        )
    );
    let everywhere = String::from_utf8_lossy(&bytes);
    assert!(!everywhere.contains("hunter2") && !everywhere.contains("rm -r"));

    let mut all = request(vec![0]);
    all.secrets = Secrets::Included;
    let bytes = bundle::to_bytes(&log, &all).unwrap();
    assert_eq!(bundle::verify_bytes(&bytes).unwrap().withheld, 0);
    assert!(raw_of(&bytes).contains("\"password\":\"hunter2\""));
}

#[test]
fn writing_a_bundle_leaves_the_files_beside_it_alone() {
    let root = tempfile::tempdir().unwrap();
    let log = filled(root.path());
    let folder = root.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("case.new"), "mine").unwrap();
    let path = folder.join("case.zip");
    bundle::write(&log, &request(vec![1]), &RealDisk, &path).unwrap();
    bundle::write(&log, &request(vec![2]), &RealDisk, &path).unwrap();
    assert_eq!(bundle::verify(&path).unwrap().sequences, [2]);
    assert_eq!(std::fs::read(folder.join("case.new")).unwrap(), b"mine");
    // A bundle that cannot be put in its place leaves nothing behind.
    let taken = folder.join("taken.zip");
    std::fs::create_dir(&taken).unwrap();
    let refused = bundle::write(&log, &request(vec![2]), &RealDisk, &taken);
    assert!(matches!(refused, Err(BundleError::Io { .. })));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
}

#[test]
fn every_flipped_bit_of_a_bundle_is_found() {
    let root = tempfile::tempdir().unwrap();
    let mut bytes = bundle::to_bytes(&filled(root.path()), &request(vec![5])).unwrap();
    bundle::verify_bytes(&bytes).unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(
                bundle::verify_bytes(&bytes).is_err(),
                "byte {at}, bit {bit}"
            );
            bytes[at] ^= 1 << bit;
        }
    }
    for cut in 0..bytes.len() {
        assert!(bundle::verify_bytes(&bytes[..cut]).is_err(), "cut to {cut}");
    }
    bytes.push(0);
    assert!(bundle::verify_bytes(&bytes).is_err());
}

#[test]
fn a_bundle_without_records_or_with_bad_input() {
    let root = tempfile::tempdir().unwrap();
    let log = filled(root.path());
    let empty = bundle::to_bytes(&log, &request(vec![])).unwrap();
    assert_eq!(bundle::verify_bytes(&empty).unwrap().sequences, [0_u64; 0]);
    assert!(matches!(
        bundle::to_bytes(&log, &request(vec![99])),
        Err(BundleError::Read(_))
    ));
    let mut broken = request(vec![1]);
    broken.events.push("two\nlines".to_owned());
    assert!(matches!(
        bundle::to_bytes(&log, &broken),
        Err(BundleError::BrokenLine(2))
    ));
    let mut escaping = request(vec![1]);
    escaping.extra.insert("../x".to_owned(), vec![]);
    assert!(matches!(
        bundle::to_bytes(&log, &escaping),
        Err(BundleError::BadName(_))
    ));
    let too_many = bundle::to_bytes(&log, &request((0..21_502).collect()));
    assert!(matches!(too_many, Err(BundleError::TooMany(21_502))));
}
