//! Merkle trees, notes and proofs against published vectors and another implementation.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use deedtrail_evidence::merkle::{self, Hash, Head, Leaves};
use deedtrail_evidence::note::{Checkpoint, Note, NoteError, NoteSigner, VerifierKey};
use deedtrail_evidence::proof::TlogProof;
use deedtrail_evidence::tile_path;
use proptest::prelude::*;
use sha2::Sha256;

use crate::support::TestEntropy;

/// Leaves and roots of the certificate-transparency reference implementation.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn path(leaves: &[Hash], index: u64) -> Vec<Hash> {
    let Ok(path) = merkle::inclusion_path(&Leaves(leaves), index, leaves.len() as u64);
    path
}

#[test]
fn roots_agree_with_rfc_6962() {
    let leaves: Vec<Hash> = LEAVES
        .iter()
        .map(|leaf| merkle::leaf_hash(&hex::decode(leaf).unwrap()))
        .collect();
    for (count, root) in ROOTS.iter().enumerate() {
        assert_eq!(
            hex::encode(merkle::root(&leaves[..count])),
            *root,
            "{count} leaves"
        );
    }
    // PATH(0, D[8]) and PROOF(6, D[8]) of the same implementation.
    let expected = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(
        path(&leaves, 0).iter().map(hex::encode).collect::<Vec<_>>(),
        expected
    );
    let Ok(proof) = merkle::consistency_path(&Leaves(&leaves), 6, 8);
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof.iter().map(hex::encode).collect::<Vec<_>>(), expected);
}

#[test]
fn roots_and_proofs_agree_with_another_implementation() {
    let dice = TestEntropy::new(1);
    let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    let mut leaves = Vec::new();
    for size in 1..=300_u64 {
        let leaf = dice.next().to_be_bytes().to_vec();
        leaves.push(merkle::leaf_hash(&leaf));
        other.push(leaf);
        let root = merkle::root(&leaves);
        assert_eq!(
            root.as_slice(),
            other.root().as_bytes().as_slice(),
            "size {size}"
        );
        for _ in 0..12 {
            let index = dice.below(size);
            let ours = path(&leaves, index);
            let theirs = other.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(ours.as_flattened(), theirs.as_bytes(), "{index} of {size}");
            let at = usize::try_from(index).unwrap();
            assert_eq!(
                merkle::root_from_path(leaves[at], index, size, &ours),
                Some(root)
            );
            let added = dice.below(size);
            let Ok(ours) = merkle::consistency_path(&Leaves(&leaves), size - added, size);
            if added > 0 {
                let theirs = other.prove_consistency(usize::try_from(added).unwrap());
                assert_eq!(
                    ours.as_flattened(),
                    theirs.as_bytes(),
                    "{added} added to {size}"
                );
            }
            let old_size = size - added;
            let old_root = merkle::root(&leaves[..usize::try_from(old_size).unwrap()]);
            let (old, new) = (
                Head {
                    size: old_size,
                    root: old_root,
                },
                Head { size, root },
            );
            assert!(merkle::is_consistent(old, new, &ours));
        }
    }
}

proptest! {
    #[test]
    fn a_changed_proof_fails(size in 2..200_u64, index in 0..200_u64, flip in 0..256_usize, at in 0..10_usize) {
        let index = index % size;
        let leaves: Vec<Hash> = (0..size).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect();
        let root = merkle::root(&leaves);
        let good = path(&leaves, index);
        let leaf = leaves[usize::try_from(index).unwrap()];
        let mut bad = good.clone();
        let at = at % bad.len();
        bad[at][flip / 8] ^= 1 << (flip % 8);
        prop_assert_ne!(merkle::root_from_path(leaf, index, size, &bad), Some(root));
        prop_assert_ne!(merkle::root_from_path(leaf, index, size, &good[1..]), Some(root));
        let longer = [good.clone(), vec![root]].concat();
        prop_assert_ne!(merkle::root_from_path(leaf, index, size, &longer), Some(root));
        prop_assert_ne!(merkle::root_from_path(leaf, (index + 1) % size, size, &good), Some(root));

        let old_size = index.max(1);
        let old = Head { size: old_size, root: merkle::root(&leaves[..usize::try_from(old_size).unwrap()]) };
        let new = Head { size, root };
        let Ok(proof) = merkle::consistency_path(&Leaves(&leaves), old_size, size);
        prop_assert!(merkle::is_consistent(old, new, &proof));
        let mut bad = proof.clone();
        let at = at % bad.len();
        bad[at][flip / 8] ^= 1 << (flip % 8);
        prop_assert!(!merkle::is_consistent(old, new, &bad));
        prop_assert!(!merkle::is_consistent(old, new, &proof[1..]));
        let forked = Head { root: [1; 32], ..old };
        prop_assert!(!merkle::is_consistent(forked, new, &proof));
    }

    #[test]
    fn parsers_do_not_panic_and_what_they_accept_is_canonical(text in "(\\PC|\n| |—|\\+|[0-9A-Za-z/=]){0,200}") {
        if let Ok(proof) = TlogProof::parse(&format!("c2sp.org/tlog-proof@v1\n{text}")) {
            prop_assert!(TlogProof::parse(&proof.to_text()) == Ok(proof));
        }
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text.clone());
        }
        if let Ok(note) = Note::parse(&text) {
            prop_assert!(text.starts_with(note.text));
        }
        prop_assert!(text.parse::<VerifierKey>().is_err());
    }
}

/// Key and note of c2sp.org/signed-note.
const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn the_example_of_the_note_specification_verifies() {
    let key: VerifierKey = KEY.parse().unwrap();
    assert_eq!(key.to_string(), KEY);
    let note = Note::parse(NOTE).unwrap();
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(key.verify_note(&note), Ok(()));
}

#[test]
fn every_changed_byte_of_a_checkpoint_is_refused() {
    let signer = NoteSigner::new("test.example/log", &[7; 32]).unwrap();
    let head = Head {
        size: 20_852_163,
        root: [9; 32],
    };
    let checkpoint = Checkpoint {
        origin: "test.example/log".to_owned(),
        head,
    };
    let note = signer.sign_note(&checkpoint.to_text());
    let key: VerifierKey = signer.verifier_key().to_string().parse().unwrap();
    assert_eq!(Checkpoint::verify(&note, &key), Ok(checkpoint));
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(
                Checkpoint::verify(&changed, &key).is_err(),
                "byte {at}, bit {bit}"
            );
        }
    }
    let stranger = NoteSigner::new("test.example/log", &[8; 32])
        .unwrap()
        .verifier_key();
    let name = "test.example/log".to_owned();
    assert_eq!(
        Checkpoint::verify(&note, &stranger),
        Err(NoteError::Unsigned(name))
    );
}

#[test]
fn notes_with_several_signatures_need_ours_to_be_right() {
    let ours = NoteSigner::new("a", &[1; 32]).unwrap();
    let theirs = NoteSigner::new("b", &[2; 32]).unwrap();
    let text = "x\n";
    let other = theirs.sign_note(text);
    let line = other.strip_prefix("x\n\n").unwrap();
    let both = format!("{}{line}", ours.sign_note(text));
    let note = Note::parse(&both).unwrap();
    assert_eq!(note.signatures.len(), 2);
    assert_eq!(ours.verifier_key().verify_note(&note), Ok(()));
    assert_eq!(theirs.verifier_key().verify_note(&note), Ok(()));
    for bad in [
        "",
        "x",
        "x\n\n",
        "x\n\n\u{2014} a AAAA\n",
        "x\n\n- a AAAAAAAA\n",
        "\tx\n\n\u{2014} a AAAAAAAA\n",
    ] {
        assert!(Note::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn tiles_have_the_paths_of_the_specification() {
    assert_eq!(tile_path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(tile_path(2, 0, 17), "tile/2/000.p/17");
    assert_eq!(tile_path(1, 999, 256), "tile/1/999");
    assert_eq!(tile_path(1, 1000, 1), "tile/1/x001/000.p/1");
}
