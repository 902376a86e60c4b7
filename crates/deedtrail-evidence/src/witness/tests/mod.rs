//! A log and its witnesses, without a network between them.

mod memory;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deedtrail_core::Text;
use deedtrail_core::id::TenantId;
use deedtrail_core::port::Entropy;
use deedtrail_core::port::log::{EntryKind, EvidenceLog as _, NewEntry};
use deedtrail_core::port::witness::{Refusal, Witness as _};
use deedtrail_core::time::Timestamp;
use deedtrail_testkit::{FakeClock, SeededEntropy};

use super::*;
use crate::disk::RealDisk;
use crate::note::{Checkpoint, Note, NoteSigner};
use crate::{Log, LogConfig, Upkeep};

const NOON: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn open(root: &Path) -> Log {
    let mut config = LogConfig::new(&root.join("data"), &root.join("checkpoints"));
    config.segment_bytes = 16 << 10;
    config.upkeep = Upkeep::Manual;
    config.origin = Some("test.example/log".to_owned());
    Log::open(
        &config,
        Arc::new(RealDisk),
        Arc::new(FakeClock::at(NOON)),
        Arc::new(SeededEntropy::new(3)),
    )
    .unwrap()
}

fn append(log: &Log, text: &str) {
    log.append(vec![NewEntry {
        kind: EntryKind::Tick,
        tenant: TenantId::default(),
        source: None,
        received: NOON,
        idempotency_key: None,
        note: Text::new(text),
        parts: vec![],
    }])
    .unwrap();
    log.seal().unwrap();
}

fn server(folder: &Path, seed: u64, logs: &[&str]) -> Arc<Server> {
    named_server(folder, seed, None, logs)
}

fn named_server(folder: &Path, seed: u64, name: Option<&str>, logs: &[&str]) -> Arc<Server> {
    let logs = logs.iter().map(|key| key.parse().unwrap()).collect();
    let around = (
        Arc::new(RealDisk) as _,
        Arc::new(FakeClock::at(NOON)) as _,
        &SeededEntropy::new(seed) as &dyn Entropy,
    );
    let places = (&*folder.join("seen"), &*folder.join("witness.key"));
    std::fs::create_dir_all(folder).unwrap();
    Arc::new(Server::open(places, name, logs, around).unwrap())
}

/// HTTP without HTTP.
#[derive(Debug)]
struct Here(Arc<Server>);

impl Courier for Here {
    fn post(&self, address: &str, body: String) -> Result<Reply, String> {
        assert_eq!(address, "https://w.example/add-checkpoint");
        Ok(match self.0.add_checkpoint(&body) {
            Ok(body) => Reply { status: 200, body },
            Err(Refusal::Stale(size)) => Reply {
                status: 409,
                body: format!("{size}\n"),
            },
            Err(refusal) => Reply {
                status: match refusal {
                    Refusal::Inconsistent(_) => 422,
                    Refusal::UnknownLog(_) => 404,
                    Refusal::Unsigned(_) => 403,
                    _ => 400,
                },
                body: refusal.to_string(),
            },
        })
    }
}

/// Nobody answers.
#[derive(Debug)]
struct Nowhere;

impl Courier for Nowhere {
    fn post(&self, _: &str, _: String) -> Result<Reply, String> {
        Err("connection refused".to_owned())
    }
}

fn asked_of(name: &str, server: &Arc<Server>, courier: impl Courier + 'static) -> Witness {
    Witness {
        name: name.to_owned(),
        key: server.key().parse().unwrap(),
        url: "https://w.example".to_owned(),
        courier: Box::new(courier),
    }
}

fn client(log: &Arc<Log>, file: PathBuf, quorum: usize, witnesses: Vec<Witness>) -> Client {
    let policy = Policy { witnesses, quorum };
    assert_eq!(policy.mistake(), None);
    Client::open(Arc::clone(log), policy, Arc::new(RealDisk), file)
}

/// A copy of a log's folder and its checkpoint store, that may sign.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        std::fs::create_dir_all(to).unwrap();
        if path.is_dir() {
            copy(&path, &target);
        } else if path.extension().is_none_or(|it| it != "folder") {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A log, three that witness it, and the file in which is remembered what they say.
fn watched_by_three(root: &Path) -> (Arc<Log>, [Arc<Server>; 3], PathBuf) {
    let log = Arc::new(open(&root.join("log")));
    let key = log.verifier_key();
    let servers = [1, 2, 4].map(|seed| server(&root.join(format!("{seed}")), seed, &[&key]));
    (log, servers, root.join("witnesses.json"))
}

#[test]
fn enough_witnesses_vouch_though_one_is_away() {
    let root = tempfile::tempdir().unwrap();
    let (log, [a, b, c], file) = watched_by_three(root.path());
    let key = log.verifier_key();
    let witnesses = || {
        vec![
            asked_of("a", &a, Here(Arc::clone(&a))),
            asked_of("b", &b, Here(Arc::clone(&b))),
            asked_of("c", &c, Nowhere),
        ]
    };
    append(&log, "one");
    let asking = client(&log, file.clone(), 2, witnesses());
    let asked = asking.ask();
    assert_eq!((asked.size, asked.vouching), (1, 2));
    let away = WitnessFault::NoAnswer("connection refused".to_owned());
    assert_eq!(asked.faults, [("c".to_owned(), away)]);
    let vouched = asking.vouched(1).unwrap();
    let note = Note::parse(&vouched).unwrap();
    assert_eq!(a_key(&a).cosigned(&note), Ok(Some(1_700_000_000)));
    assert_eq!(a_key(&b).cosigned(&note), Ok(Some(1_700_000_000)));
    assert_eq!(a_key(&c).cosigned(&note), Ok(None));

    // What was said outlives a restart; a longer log is shown by a proof from what they saw.
    drop(asking);
    for text in ["two", "three", "four"] {
        append(&log, text);
    }
    let asking = client(&log, file, 2, witnesses());
    assert_eq!(asking.standings()[0].1.size, 1);
    assert_eq!(asking.vouched(1), Some(vouched), "nobody has to be asked");
    let newer = asking.vouched(4).unwrap();
    let own = Checkpoint::verify(&newer, &key.parse().unwrap()).unwrap();
    assert_eq!(own.head.size, 4);
    assert_eq!(asking.ask().vouching, 2);
    // All three are asked for: what two say is still better than nothing.
    let strict = client(&log, root.path().join("strict.json"), 3, witnesses());
    let some = strict.vouched(4).unwrap();
    assert!(
        a_key(&a)
            .cosigned(&Note::parse(&some).unwrap())
            .unwrap()
            .is_some()
    );
    assert_eq!(strict.ask().vouching, 2);
}

fn a_key(server: &Server) -> WitnessKey {
    server.key().parse().unwrap()
}

#[test]
fn a_rolled_back_or_forked_log_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (old, new) = (root.path().join("old"), root.path().join("new"));
    let log = open(&new);
    append(&log, "one");
    log.close().unwrap();
    drop(log);
    copy(&new, &old);
    let log = Arc::new(open(&new));
    let witness = server(&root.path().join("w"), 1, &[&log.verifier_key()]);
    let of = |log: &Arc<Log>, name: &str| {
        let asked = vec![asked_of("w", &witness, Here(Arc::clone(&witness)))];
        client(log, root.path().join(name), 1, asked)
    };
    assert_eq!(of(&log, "one.json").ask().vouching, 1);
    for text in ["two", "three"] {
        append(&log, text);
    }
    assert_eq!(of(&log, "new.json").ask().vouching, 1);

    // An older state of the log, with its own store and what the witness said of it: it cannot
    // know, the witness does.
    std::fs::copy(root.path().join("one.json"), root.path().join("old.json")).unwrap();
    let rolled = Arc::new(open(&old));
    let asked = of(&rolled, "old.json").ask();
    assert_eq!(asked.vouching, 1, "what it cosigned before is still so");
    let ahead = WitnessFault::Ahead { seen: 3, size: 1 };
    assert_eq!(asked.faults, [("w".to_owned(), ahead)]);
    // It goes on with another history, as long as the first.
    for text in ["zwei", "drei"] {
        append(&rolled, text);
    }
    let asked = of(&rolled, "old.json").ask();
    assert!(
        matches!(&asked.faults[..], [(_, WitnessFault::Forked(_))]),
        "{asked:?}"
    );
    // And longer.
    append(&rolled, "vier");
    let forked = of(&rolled, "old.json");
    let asked = forked.ask();
    assert!(
        matches!(&asked.faults[..], [(_, WitnessFault::Forked(_))]),
        "{asked:?}"
    );
    assert_eq!(forked.vouched(2), None);
    // The true one goes on being witnessed.
    append(&log, "four");
    assert_eq!(of(&log, "new.json").ask().vouching, 1);
}

/// A log of leaves that are made up, signed by `signer`.
fn note(signer: &NoteSigner, leaves: &[u8]) -> String {
    let hashes: Vec<_> = leaves
        .iter()
        .map(|leaf| crate::merkle::leaf_hash(&[*leaf]))
        .collect();
    let checkpoint = Checkpoint {
        origin: "test.example/log".to_owned(),
        head: crate::merkle::Head {
            size: leaves.len() as u64,
            root: crate::merkle::root(&hashes),
        },
    };
    signer.sign_note(&checkpoint.to_text())
}

fn body(old: u64, leaves: &[u8], checkpoint: String) -> String {
    let hashes: Vec<_> = leaves
        .iter()
        .map(|leaf| crate::merkle::leaf_hash(&[*leaf]))
        .collect();
    let Ok(proof) =
        crate::merkle::consistency_path(&crate::merkle::Leaves(&hashes), old, leaves.len() as u64);
    AddCheckpoint {
        old,
        proof,
        checkpoint,
    }
    .to_text()
}

#[test]
fn a_witness_answers_as_the_protocol_says() {
    let root = tempfile::tempdir().unwrap();
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let stranger = NoteSigner::new("test.example/log", &[9; 32]).unwrap();
    let other = NoteSigner::new("test.example/other", &[3; 32]).unwrap();
    let key = signer.verifier_key().to_string();
    let witness = server(root.path(), 1, &[&key]);
    let three = note(&signer, &[1, 2, 3]);
    let refused = |body: &str| witness.add_checkpoint(body).unwrap_err();

    let malformed = [
        "",
        "old 0\n",
        "old 00\n\nx",
        "old -1\n\nx\n",
        "old 0\n!\n\nx\n\ny\n",
    ];
    for text in malformed {
        assert!(matches!(refused(text), Refusal::Malformed(_)), "{text}");
    }
    let text = note(&other, &[1]).replace("test.example/log", "test.example/other");
    assert!(matches!(
        refused(&body(0, &[1], text)),
        Refusal::UnknownLog(_)
    ));
    let text = note(&stranger, &[1, 2, 3]);
    assert!(matches!(
        refused(&body(0, &[1, 2, 3], text)),
        Refusal::Unsigned(_)
    ));
    let wrong = three.replace("\n3\n", "\n4\n");
    assert!(matches!(
        refused(&body(0, &[1, 2, 3], wrong)),
        Refusal::Unsigned(_)
    ));
    let larger = format!("old 4\n\n{three}");
    assert!(matches!(refused(&larger), Refusal::Malformed(_)));
    assert_eq!(
        refused(&body(2, &[1, 2, 3], three.clone())),
        Refusal::Stale(0)
    );
    let needless = format!("old 0\n{}\n\n{three}", "A".repeat(43) + "=");
    assert!(matches!(refused(&needless), Refusal::Inconsistent(_)));
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("test.example/log"));
    assert_eq!(
        witness.checkpoint(&hash),
        Ok(None),
        "nothing was kept so far"
    );

    let line = witness
        .add_checkpoint(&body(0, &[1, 2, 3], three.clone()))
        .unwrap();
    let cosigned = format!("{three}{line}");
    let parsed = Note::parse(&cosigned).unwrap();
    assert_eq!(a_key(&witness).cosigned(&parsed), Ok(Some(1_700_000_000)));
    assert_eq!(witness.checkpoint(&hash), Ok(Some(cosigned)));
    assert_eq!(witness.checkpoint("../witness.key"), Ok(None));
}

#[test]
fn repeated_signatures_do_not_make_a_witness_forget() {
    let root = tempfile::tempdir().unwrap();
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let key = signer.verifier_key().to_string();
    let witness = server(root.path(), 1, &[&key]);
    let three = note(&signer, &[1, 2, 3]);
    let line = three.lines().last().unwrap();
    let repeated = format!("{three}{}", format!("{line}\n").repeat(63));
    witness
        .add_checkpoint(&body(0, &[1, 2, 3], repeated))
        .unwrap();
    witness
        .add_checkpoint(&body(3, &[1, 2, 3], three.clone()))
        .unwrap();
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("test.example/log"));
    let kept = witness.checkpoint(&hash).unwrap().unwrap();
    assert_eq!(kept.matches(line).count(), 1);
}

#[test]
fn a_witness_remembers_what_it_cosigned() {
    let root = tempfile::tempdir().unwrap();
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let key = signer.verifier_key().to_string();
    let witness = server(root.path(), 1, &[&key]);
    let three = note(&signer, &[1, 2, 3]);
    let first = body(0, &[1, 2, 3], three.clone());
    witness.add_checkpoint(&first).unwrap();
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("test.example/log"));
    // The same once more, then a longer one, after a restart.
    witness
        .add_checkpoint(&body(3, &[1, 2, 3], three.clone()))
        .unwrap();
    let witness = server(root.path(), 1, &[&key]);
    let refused = |body: &str| witness.add_checkpoint(body).unwrap_err();
    assert_eq!(
        refused(&body(0, &[1, 2, 3], three.clone())),
        Refusal::Stale(3)
    );
    let fork = note(&signer, &[1, 2, 4]);
    assert_eq!(refused(&body(3, &[1, 2, 4], fork)), Refusal::Stale(3));
    let fork = note(&signer, &[1, 2, 4, 5]);
    assert!(matches!(
        refused(&body(3, &[1, 2, 4, 5], fork)),
        Refusal::Inconsistent(_)
    ));
    let five = note(&signer, &[1, 2, 3, 4, 5]);
    witness
        .add_checkpoint(&body(3, &[1, 2, 3, 4, 5], five.clone()))
        .unwrap();
    assert_eq!(refused(&body(3, &[1, 2, 3], three)), Refusal::Stale(5));

    // What it saw and cannot be read is not forgotten: it says so, and cosigns nothing.
    let file = root.path().join("seen").join(format!("{hash}.checkpoint"));
    let mut kept = std::fs::read(&file).unwrap();
    kept["test.example/log\n".len()] ^= 1;
    std::fs::write(&file, kept).unwrap();
    assert!(matches!(
        refused(&body(5, &[1, 2, 3, 4, 5], five)),
        Refusal::Failed(_)
    ));
}

#[test]
fn of_two_requests_at_once_one_is_stale() {
    let root = tempfile::tempdir().unwrap();
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let witness = server(root.path(), 1, &[&signer.verifier_key().to_string()]);
    let leaves: Vec<u8> = (0..40).collect();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let (witness, leaves, signer) = (&witness, &leaves, &signer);
        let asking = (1..=leaves.len()).map(|size| {
            let leaves = &leaves[..size];
            scope.spawn(move || witness.add_checkpoint(&body(0, leaves, note(signer, leaves))))
        });
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let stale = answers
        .iter()
        .filter(|answer| matches!(answer, Err(Refusal::Stale(_))));
    assert_eq!(stale.count(), 39);
}

#[test]
fn the_name_of_a_cosignature_is_not_enough() {
    let key = Cosigner::new("w.example", &[1; 32]).unwrap();
    let forger = Cosigner::new("w.example", &[2; 32]).unwrap();
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let signed = note(&signer, &[1]);
    let text = Note::parse(&signed).unwrap().text.to_owned();
    let line = key.cosign(&text, 7);
    for at in 0..line.len() {
        let mut changed = line.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        let whole = format!("{signed}{changed}");
        let found = Note::parse(&whole).and_then(|note| key.key().cosigned(&note));
        assert_ne!(found, Ok(Some(7)), "byte {at}");
    }
    let whole = format!("{signed}{}", forger.cosign(&text, 7));
    assert_eq!(key.key().cosigned(&Note::parse(&whole).unwrap()), Ok(None));
    let parsed: WitnessKey = key.key().to_string().parse().unwrap();
    assert_eq!(parsed, key.key());
    let of_a_log = signer.verifier_key().to_string();
    assert!(of_a_log.parse::<WitnessKey>().is_err());
}

#[test]
fn a_policy_is_written_as_others_read_it() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = [1, 2].map(|seed| server(&root.path().join(format!("{seed}")), seed, &[]));
    let mut policy = Policy {
        witnesses: vec![asked_of("a", &a, Nowhere), asked_of("b", &b, Nowhere)],
        quorum: 1,
    };
    let (a, b) = (a.key(), b.key());
    assert_eq!(
        policy.to_text("LOG"),
        format!("log LOG\nwitness a {a}\nwitness b {b}\ngroup enough 1 a b\nquorum enough\n")
    );
    policy.quorum = 3;
    assert!(policy.mistake().unwrap().contains("1 to 2"));
    policy.quorum = 1;
    policy.witnesses[1].key = a.parse().unwrap();
    assert!(policy.mistake().unwrap().contains("one key"));
}
