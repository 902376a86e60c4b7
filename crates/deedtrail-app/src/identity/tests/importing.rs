//! What people declare.

use proptest::prelude::*;

use deedtrail_core::event::{ActorKind, Environment};
use deedtrail_core::id::TenantId;
use deedtrail_core::identity::Identity;
use deedtrail_core::port::store::{IdentityFilter, Store as _};
use deedtrail_testkit::MemoryStore;

use super::events::{actor, by, kind_of, save, second};
use crate::identity::{
    Column, DeclaredRow, ImportDiff, Resolver, diff, parse_import, parse_import_rows, to_ndjson,
};

const CSV: &str = "\
alias,name,kind,owner,backup_owner,department,environment,purpose,employment,manager,declared_tools,read_only,workload,workload_gone_since,orphaned_since,tags
email:ana@example.com;okta.id:00u1,Ana,human,lead@example.com,,Finance,production,\"Pays bills, monthly\",employee,boss@example.com,,,,,,
agent.id:a1,,ai_agent,ana@example.com,,,,,,,read_file; send_money,yes,payments,2026-03-31,2026-04-01T12:00:00Z,tier=1;team=pay
";

fn imported(resolver: &mut Resolver, rows: &[DeclaredRow], seconds: i64) {
    resolver.apply_import(&TenantId::default(), rows.to_vec(), second(seconds));
}

fn stored(resolver: &mut Resolver) -> MemoryStore {
    let store = MemoryStore::default();
    save(resolver, &store);
    store
}

fn named(store: &MemoryStore, alias: &str) -> Identity {
    let aliases = store.find_alias(alias).unwrap();
    store.identity(aliases[0].identity).unwrap().unwrap()
}

fn compared(rows: &[DeclaredRow], store: &MemoryStore) -> ImportDiff {
    diff(rows, &TenantId::default(), store).unwrap()
}

#[test]
fn every_column_reaches_the_identity() {
    let rows = parse_import(CSV.as_bytes()).unwrap();
    let mut resolver = Resolver::default();
    imported(&mut resolver, &rows, 5);
    let store = stored(&mut resolver);
    let ana = named(&store, "00u1");
    assert_eq!(ana.id, named(&store, "ana@example.com").id);
    assert_eq!(
        (ana.name.as_str(), ana.kind, ana.discovered),
        ("Ana", ActorKind::Human, false)
    );
    assert_eq!(ana.declared.owner.as_deref(), Some("lead@example.com"));
    assert_eq!(ana.declared.owner_since, Some(second(5)));
    assert_eq!(ana.declared.environment, Environment::Production);
    assert_eq!(ana.declared.purpose.as_deref(), Some("Pays bills, monthly"));
    assert_eq!(ana.declared.manager.as_deref(), Some("boss@example.com"));
    assert_eq!(ana.declared.employment.as_deref(), Some("employee"));
    assert_eq!(ana.declared.department.as_deref(), Some("Finance"));
    let agent = named(&store, "a1").declared;
    assert_eq!(agent.declared_tools, ["read_file", "send_money"]);
    assert!(agent.read_only);
    assert_eq!(agent.workload.as_deref(), Some("payments"));
    let gone = agent.workload_gone_since.map(|at| at.to_string());
    assert_eq!(gone.as_deref(), Some("2026-03-31T00:00:00.000000Z"));
    let orphaned = agent.orphaned_since.map(|at| at.to_string());
    assert_eq!(orphaned.as_deref(), Some("2026-04-01T12:00:00.000000Z"));
    assert_eq!(
        agent.tags.get("team").map(deedtrail_core::Text::as_str),
        Some("pay")
    );
}

#[test]
fn the_reference_page_names_every_column_and_kind() {
    let page = include_str!("../../../../../docs/reference/identity-import.md");
    let columns = Column::ALL
        .iter()
        .map(|column| format!("| `{}` |", column.name()));
    let kinds = ActorKind::ALL
        .iter()
        .map(|kind| format!("`{}`", kind.name()));
    for name in columns.chain(kinds) {
        assert!(page.contains(&name), "{name}");
    }
}

#[test]
fn ndjson_says_the_same() {
    let ndjson = r#"{"alias":["email:ana@example.com","okta.id:00u1"],"name":"Ana","kind":"human","owner":"lead@example.com","department":"Finance","environment":"production","purpose":"Pays bills, monthly","employment":"employee","manager":"boss@example.com"}
{"alias":"agent.id:a1","kind":"ai_agent","owner":"ana@example.com","declared_tools":["read_file","send_money"],"read_only":true,"workload":"payments","workload_gone_since":"2026-03-31","orphaned_since":"2026-04-01T12:00:00Z","tags":{"tier":"1","team":"pay"}}
"#;
    let state = |file: &[u8]| {
        let mut resolver = Resolver::default();
        imported(&mut resolver, &parse_import(file).unwrap(), 5);
        stored(&mut resolver)
            .identities(&IdentityFilter::default())
            .unwrap()
    };
    assert_eq!(state(CSV.as_bytes()), state(ndjson.as_bytes()));
}

#[test]
fn a_diff_comes_first_and_a_second_import_changes_nothing() {
    let mut resolver = Resolver::default();
    actor(&mut resolver, by(&["okta.id:00u1"]));
    let store = stored(&mut resolver);
    let rows = parse_import(CSV.as_bytes()).unwrap();
    let before = compared(&rows, &store);
    assert_eq!(
        (before.new.len(), before.changed.len(), before.unchanged),
        (1, 1, 0)
    );
    let owner = before.changed[0]
        .fields
        .iter()
        .find(|field| field.field == "owner")
        .unwrap();
    assert_eq!(
        (owner.before.as_str(), owner.after.as_str()),
        ("", "lead@example.com")
    );
    assert!(
        before.changed[0]
            .fields
            .iter()
            .any(|f| f.after == "email:ana@example.com")
    );

    imported(&mut resolver, &rows, 5);
    save(&mut resolver, &store);
    let state = store.identities(&IdentityFilter::default()).unwrap();
    let after = compared(&rows, &store);
    assert!(after.is_empty(), "{after:?}");
    assert_eq!(after.unchanged, 2);
    imported(&mut resolver, &rows, 9);
    save(&mut resolver, &store);
    assert_eq!(store.identities(&IdentityFilter::default()).unwrap(), state);
}

#[test]
fn a_dash_empties_a_field_and_an_empty_cell_leaves_it() {
    let mut resolver = Resolver::default();
    imported(&mut resolver, &parse_import(CSV.as_bytes()).unwrap(), 5);
    let csv = "alias,owner,department,read_only\nemail:ana@example.com,-,,\nagent.id:a1,bob,,no\n";
    imported(&mut resolver, &parse_import(csv.as_bytes()).unwrap(), 9);
    let store = stored(&mut resolver);
    let ana = named(&store, "ana@example.com").declared;
    assert_eq!(
        (ana.owner, ana.owner_since, ana.department),
        (None, None, Some("Finance".into()))
    );
    let agent = named(&store, "a1").declared;
    assert_eq!(
        (agent.owner_since, agent.read_only),
        (Some(second(9)), false)
    );
}

#[test]
fn a_declared_kind_and_name_win_over_events() {
    let mut resolver = Resolver::default();
    let csv = "alias,kind,name\nx.id:1,ai_agent,Payer\n";
    imported(&mut resolver, &parse_import(csv.as_bytes()).unwrap(), 5);
    let mut event = kind_of(ActorKind::Human, by(&["x.id:1"]));
    event.actor_name = Some("svc-1".into());
    let id = actor(&mut resolver, event);
    let identity = resolver.identity(id).unwrap();
    assert_eq!(
        (identity.kind, identity.name.as_str()),
        (ActorKind::AiAgent, "Payer")
    );
    assert_eq!(identity.first_seen, Some(second(10)));
}

#[test]
fn aliases_of_one_row_are_one_identity_even_if_rules_would_not_say_so() {
    let mut resolver = Resolver::default();
    let human = actor(
        &mut resolver,
        kind_of(ActorKind::Human, by(&["email:ana@example.com"])),
    );
    actor(
        &mut resolver,
        kind_of(ActorKind::ServiceAccount, by(&["github.login:ana-bot"])),
    );
    let store = stored(&mut resolver);
    let rows = parse_import(b"alias\nemail:ana@example.com;github.login:ana-bot\n").unwrap();
    assert_eq!(compared(&rows, &store).changed[0].fields[0].field, "merge");
    imported(&mut resolver, &rows, 20);
    assert_eq!(actor(&mut resolver, by(&["github.login:ana-bot"])), human);
    save(&mut resolver, &store);
    assert!(compared(&rows, &store).is_empty());
}

#[test]
fn errors_name_line_column_and_what_was_meant() {
    let check = |file: &str, expected: &str| {
        let errors = parse_import(file.as_bytes()).unwrap_err();
        assert_eq!(errors[0].to_string(), expected, "{file}");
    };
    check(
        "alias,ownr\nx.id:1,ana\n",
        "line 1, column `ownr`: no column is called `ownr`; did you mean `owner`?",
    );
    check(
        "owner\nana\n",
        "line 1: there is no column `alias`; it says who a row is about",
    );
    check(
        "alias,owner,owner\n",
        "line 1, column `owner`: the column is there twice",
    );
    check(
        "alias,kind\nx.id:1,human\nx.id:2,humn\n",
        "line 3, column `kind`: `humn` is no kind; did you mean `human`?",
    );
    check(
        "alias,workload_gone_since\nx.id:1,31.3.2026\n",
        "line 2, column `workload_gone_since`: `31.3.2026` is no date; write 2026-03-31 or \
         2026-03-31T14:00:00Z",
    );
    check(
        "alias\nemial:ana@example.com\n",
        "line 2, column `alias`: no namespace is called `emial`; did you mean `email`?",
    );
    check(
        "alias\nana@example.com\n",
        "line 2, column `alias`: `ana@example.com` is not `namespace:value`, e.g. \
         `email:ana@example.com`",
    );
    check(
        "alias,owner\n,ana\n",
        "line 2, column `alias`: empty; write who the row is about as `namespace:value`",
    );
    check(
        "alias\nemail:ana@example.com\nemail:ANA@example.com\n",
        "line 3, column `alias`: `email:ANA@example.com` is on line 2 too; one row per identity",
    );
    check(
        "alias,owner\nx.id:1,a,b\n",
        "line 2: 3 cells, but the header has 2; quote commas",
    );
    check(
        "{\"alias\":\"x.id:1\",\"owner\":7}\n",
        "line 1, column `owner`: `7` is a number; write a text",
    );
    check(
        "{\"alias\":\"x.id:1\",\"declared_tools\":[\"a;b\"]}\n",
        "line 1, column `declared_tools`: `a;b` holds `;`, which separates values",
    );
}

#[test]
fn an_operators_own_namespace_is_taken() {
    for namespace in ["gitlab.login", "hr", "acme.badge"] {
        let rows = parse_import(format!("alias\n{namespace}:7\n").as_bytes()).unwrap();
        assert_eq!(rows[0].aliases[0].namespace, namespace);
    }
}

#[test]
fn one_bad_line_stops_all_unless_the_good_ones_are_asked_for() {
    let file = b"alias,kind\nx.id:1,human\nx.id:2,humn\nx.id:3,human\n";
    assert_eq!(parse_import(file).unwrap_err().len(), 1);
    let parsed = parse_import_rows(file);
    assert_eq!(
        parsed.rows.iter().map(|row| row.line).collect::<Vec<_>>(),
        [2, 4]
    );
    assert_eq!(parsed.errors[0].line, 3);
}

#[test]
fn hostile_files_are_errors_or_plain_text() {
    let refused = |file: &[u8]| assert!(!parse_import_rows(file).errors.is_empty());
    refused(b"");
    refused(b"\xff\xfe\x00");
    refused(b"alias,owner\nx.id:1,\xff\xfe\n");
    refused(b"{\"alias\": ");
    refused(b"{} \n[1,2]\n");
    refused(format!("alias,owner\nx.id:1,{}\n", "a".repeat(9 << 10)).as_bytes());
    let many: Vec<String> = (0..65).map(|number| format!("x.id:{number}")).collect();
    refused(format!("alias\n{}\n", many.join(";")).as_bytes());
    let endless = "{\"alias\":\n".repeat(10_000);
    assert_eq!(parse_import_rows(endless.as_bytes()).errors.len(), 100);

    let formula = "\u{feff}ALIAS,Owner\r\n\"x.id:1\",\"=cmd|' /C calc'!A0\0\"\r\n";
    let rows = parse_import(formula.as_bytes()).unwrap();
    let mut resolver = Resolver::default();
    imported(&mut resolver, &rows, 5);
    let owner = named(&stored(&mut resolver), "1").declared.owner;
    assert_eq!(owner.as_deref(), Some("=cmd|' /C calc'!A0\0"));
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("-".to_owned()),
        "[ -~äß\\n\"]{1,12}"
    ]
}

proptest! {
    #[test]
    fn an_import_reads_the_same_from_the_log(cells in prop::collection::vec((cell(), cell()), 1..9)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["alias", "owner", "purpose"]).unwrap();
        for (number, (owner, purpose)) in cells.iter().enumerate() {
            writer.write_record([&format!("x.id:{number}"), owner, purpose]).unwrap();
        }
        let rows = parse_import(&writer.into_inner().unwrap()).unwrap();
        let mut again = parse_import(&to_ndjson(&rows)).unwrap();
        for (read, row) in again.iter_mut().zip(&rows) {
            read.line = row.line;
        }
        prop_assert_eq!(again, rows);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(file in prop::collection::vec(any::<u8>(), 0..300)) {
        let parsed = parse_import_rows(&file);
        let with_header = parse_import_rows(&[b"alias,owner,kind\n".as_slice(), &file].concat());
        prop_assert!(parsed.errors.len() <= 100 && with_header.errors.len() <= 100);
    }
}
