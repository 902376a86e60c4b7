//! What somebody stumbles over who uses it for the first time.

use std::process::Output;

use crate::command::{Folder, cloudtrail};

fn talk(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A folder with one event of the user `ana`.
fn with_ana() -> Folder {
    let folder = Folder::new();
    let file = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    folder.ok(&["ingest", "-s", "aws.cloudtrail", file.to_str().unwrap()]);
    folder
}

#[test]
fn a_part_of_a_name_is_said_to_be_one_and_an_owner_is_nobody_else() {
    let folder = with_ana();
    let proof = folder.path("proof.zip");
    let export = |who| {
        let proof = proof.to_str().unwrap();
        folder.run(&["evidence", "export", who, "--force", "-o", proof])
    };
    for (who, is_whole) in [("ANA", true), ("user/an", false), ("an", false)] {
        for asked in [
            export(who),
            folder.run(&["timeline", who]),
            folder.run(&["identity", "show", who]),
        ] {
            let said = talk(&asked);
            assert!(asked.status.success(), "{who}: {said}");
            let part = format!("nobody is called exactly `{who}`; taken: ana (unknown, id ");
            assert_eq!(said.contains(&part), !is_whole, "{who}: {said}");
        }
    }
    let exported = printed(&export("ana"));
    assert!(exported.contains("Identity ana ("), "{exported}");

    let owners =
        "alias,name,owner\naws.arn:arn:aws:iam::111122223333:user/ana,ana,zoe@example.com\n";
    let owners = folder.write("owners.csv", owners);
    folder.ok(&["identity", "import", owners.to_str().unwrap()]);
    let refused = export("zoe@example.com");
    assert_eq!(refused.status.code(), Some(1), "{}", printed(&refused));
    let said = talk(&refused);
    assert!(
        said.contains("nobody is called `zoe@example.com`"),
        "{said}"
    );
}

#[test]
fn what_waits_in_quarantine_is_not_passed_off_as_done_when_it_comes_again() {
    let folder = Folder::new();
    let unknown = folder.write("unknown.ndjson", "{\"foo\":1}\n{\"foo\":2}\n");
    let ingest = |path: &std::path::Path| {
        folder.run(&["ingest", "-s", "aws.cloudtrail", path.to_str().unwrap()])
    };
    for _ in 0..2 {
        let taken = ingest(&unknown);
        assert_eq!(taken.status.code(), Some(3), "{}", printed(&taken));
        assert!(
            talk(&taken).contains("nothing was understood"),
            "{}",
            talk(&taken)
        );
    }
    let known = cloudtrail("e-1", "ListUsers");
    let both = folder.write("both.ndjson", format!("{{\"foo\":1}}\n{known}\n"));
    let taken = ingest(&both);
    let said = talk(&taken);
    assert_eq!(taken.status.code(), Some(0), "{said}");
    let row = printed(&taken);
    assert!(
        row.contains("1 accepted, 1 duplicates (1 of them still in quarantine)"),
        "{row}"
    );
    assert!(
        said.contains("1 record that came before still wait"),
        "{said}"
    );
    let again = folder.json(&["ingest", "-s", "aws.cloudtrail", both.to_str().unwrap()]);
    assert_eq!(
        (&again[0]["duplicates"], &again[0]["waiting"]),
        (&2.into(), &1.into())
    );
}
