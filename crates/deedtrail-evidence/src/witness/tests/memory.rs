//! What witnesses, and those they witness, remember.

use deedtrail_core::port::witness::Witnesses;

use super::*;

#[test]
fn a_witness_that_gets_another_name_goes_on_and_one_with_another_key_says_so() {
    let root = tempfile::tempdir().unwrap();
    let signer = NoteSigner::new("test.example/log", &[3; 32]).unwrap();
    let key = signer.verifier_key().to_string();
    let three = note(&signer, &[1, 2, 3]);
    server(root.path(), 1, &[&key])
        .add_checkpoint(&body(0, &[1, 2, 3], three.clone()))
        .unwrap();
    let named = named_server(root.path(), 1, Some("north.example/w"), &[&key]);
    assert_eq!(
        named.add_checkpoint(&body(0, &[1, 2, 3], three)),
        Err(Refusal::Stale(3))
    );
    let five = note(&signer, &[1, 2, 3, 4, 5]);
    named
        .add_checkpoint(&body(3, &[1, 2, 3, 4, 5], five.clone()))
        .unwrap();
    // Who has the old name again knows what was cosigned under the new one.
    let again = server(root.path(), 1, &[&key]);
    let fork = note(&signer, &[1, 2, 3, 4, 6]);
    assert_eq!(
        again.add_checkpoint(&body(5, &[1, 2, 3, 4, 6], fork)),
        Err(Refusal::Stale(5))
    );
    std::fs::remove_file(root.path().join("witness.key")).unwrap();
    let stranger = server(root.path(), 2, &[&key]);
    let refused = stranger.add_checkpoint(&body(5, &[1, 2, 3, 4, 5], five));
    let Err(Refusal::Failed(reason)) = refused else {
        panic!("{refused:?}");
    };
    assert!(reason.contains("put the key back"), "{reason}");
}

#[test]
fn a_quorum_is_what_the_policy_asks_for_now() {
    let root = tempfile::tempdir().unwrap();
    let (log, [a, b, c], file) = watched_by_three(root.path());
    let here = |name: &str, server: &Arc<Server>| asked_of(name, server, Here(Arc::clone(server)));
    append(&log, "one");
    let asking = client(&log, file.clone(), 1, vec![here("a", &a)]);
    assert_eq!(asking.ask().vouching, 1);
    let one = Witnesses::quorate(&asking);
    assert!(one.is_some());
    // Two must vouch now, and one did; another may do who did not.
    let stricter = client(&log, file.clone(), 2, vec![here("a", &a), here("b", &b)]);
    assert_eq!(Witnesses::quorate(&stricter), None);
    assert_eq!(stricter.standings()[0].1.size, 1);
    drop(stricter);
    let others = client(&log, file.clone(), 1, vec![here("c", &c)]);
    assert_eq!(Witnesses::quorate(&others), None);
    drop(others);
    // The same name, another key: what it said does not count.
    let exchanged = client(&log, file.clone(), 1, vec![here("a", &c)]);
    assert_eq!(exchanged.standings()[0].1, Standing::default());
    drop(exchanged);
    // Nobody was asked meanwhile, so that what was said still counts for who asks for it.
    let as_before = client(&log, file, 1, vec![here("a", &a), here("c", &c)]);
    assert_eq!(Witnesses::quorate(&as_before), one);
}

#[test]
fn what_witnesses_said_and_cannot_be_read_is_put_aside() {
    let root = tempfile::tempdir().unwrap();
    let log = Arc::new(open(&root.path().join("log")));
    let key = log.verifier_key();
    let a = server(&root.path().join("a"), 1, &[&key]);
    let witnesses = || vec![asked_of("a", &a, Here(Arc::clone(&a)))];
    append(&log, "one");
    let file = root.path().join("witnesses.json");
    for content in [
        &b"{\"quorate\":"[..],
        b"\xff\0",
        b"7",
        b"{\"witnesses\":{\"a\":7}}",
    ] {
        std::fs::write(&file, content).unwrap();
        let asking = client(&log, file.clone(), 1, witnesses());
        assert_eq!(asking.standings()[0].1, Standing::default());
        let aside = std::fs::read(root.path().join("witnesses.unreadable"));
        assert_eq!(aside.unwrap(), content);
        assert_eq!(asking.ask().vouching, 1);
        drop(asking);
        let asking = client(&log, file.clone(), 1, witnesses());
        assert_eq!(asking.standings()[0].1.size, 1);
    }
}
