//! Forgeries by somebody who can write well-formed archives: only the key stops them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry, Part, PartClass};
use deedtrail_core::port::{Clock, Entropy};
use deedtrail_core::time::Timestamp;

use super::export::sha256;
use super::*;
use crate::disk::RealDisk;
use crate::note::NoteSigner;
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
    log.append(vec![entry("first"), entry("second"), entry("third")])
        .unwrap();
    log.append(vec![entry("fourth")]).unwrap();
    let request = BundleRequest {
        title: "case".to_owned(),
        created: Timestamp::from_micros(1),
        sequences: vec![0, 1, 3],
        events: vec!["{}".to_owned()],
        extra: BTreeMap::new(),
    };
    archive::read(&to_bytes(&log, &request).unwrap()[..]).unwrap()
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
