//! What the exports of each system are read as.

use deedtrail_core::entitlement::Grant;

use crate::entitlement::import::list::COLUMNS;
use crate::entitlement::import::{ImportKind, ParsedEntitlements, read};
use crate::entitlement::log_form;

pub(super) const AWS: &[u8] = include_bytes!("export/aws.json");
pub(super) const ENTRA: &[u8] = include_bytes!("export/entra.json");
pub(super) const GITHUB: &[u8] = include_bytes!("export/github.json");
pub(super) const KUBERNETES: &[u8] = include_bytes!("export/kubernetes.json");
pub(super) const CSV: &[u8] = include_bytes!("export/list.csv");
pub(super) const NDJSON: &[u8] = include_bytes!("export/list.ndjson");

pub(super) const EXPORTS: [(ImportKind, &[u8]); 6] = [
    (ImportKind::Aws, AWS),
    (ImportKind::Entra, ENTRA),
    (ImportKind::Github, GITHUB),
    (ImportKind::Kubernetes, KUBERNETES),
    (ImportKind::List, CSV),
    (ImportKind::List, NDJSON),
];

pub(super) fn parsed(kind: ImportKind, file: &[u8]) -> ParsedEntitlements {
    read(kind, None, file).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// The form of the log, which says everything once.
fn told(kind: ImportKind, file: &[u8]) -> String {
    let parsed = parsed(kind, file);
    let log = String::from_utf8(log_form::to_log(&parsed, &"ana".into()).unwrap()).unwrap();
    format!("{log}\n---\n{}", parsed.notes.join("\n"))
}

#[test]
fn an_account_of_aws() {
    insta::assert_snapshot!(told(ImportKind::Aws, AWS));
}

#[test]
fn a_tenant_of_entra() {
    insta::assert_snapshot!(told(ImportKind::Entra, ENTRA));
}

#[test]
fn installations_of_github() {
    insta::assert_snapshot!(told(ImportKind::Github, GITHUB));
}

#[test]
fn roles_of_kubernetes() {
    insta::assert_snapshot!(told(ImportKind::Kubernetes, KUBERNETES));
}

#[test]
fn lists() {
    insta::assert_snapshot!(format!(
        "{}\n{}",
        told(ImportKind::List, CSV),
        told(ImportKind::List, NDJSON)
    ));
}

#[test]
fn a_file_is_read_the_same_after_the_log() {
    for (kind, file) in EXPORTS {
        let parsed = parsed(kind, file);
        let log = log_form::to_log(&parsed, &"ana".into()).unwrap();
        let (import, grants) = log_form::from_log(&log).unwrap();
        assert_eq!((import, grants), (parsed.import, parsed.grants));
    }
    assert_eq!(log_form::from_log(b"{\"format\":2}"), None);
    assert_eq!(log_form::from_log(b""), None);
}

#[test]
fn the_reference_page_names_every_kind_and_column() {
    let page = include_str!("../../../../../docs/reference/entitlement-import.md");
    let kinds = ImportKind::ALL.iter().map(|kind| kind.name());
    for name in COLUMNS.into_iter().chain(kinds) {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn an_account_may_be_named() {
    let named = read(ImportKind::Kubernetes, Some("eu-1"), KUBERNETES).unwrap();
    assert_eq!(named.import.account, "eu-1");
    let said = read(ImportKind::Aws, Some(""), AWS).unwrap();
    assert_eq!(said.import.account, "111122223333");
}

#[test]
fn bytes_of_order_and_single_pages_are_no_matter() {
    let with_mark = [b"\xef\xbb\xbf".as_slice(), CSV].concat();
    assert_eq!(
        parsed(ImportKind::List, &with_mark),
        parsed(ImportKind::List, CSV)
    );
    let pages: Vec<serde_json::Value> = serde_json::from_slice(GITHUB).unwrap();
    let all = pages
        .iter()
        .flat_map(|page| page["installations"].as_array().unwrap());
    let bare = serde_json::json!(all.collect::<Vec<_>>()).to_string();
    let of_bare: Vec<Grant> = parsed(ImportKind::Github, bare.as_bytes()).grants;
    assert_eq!(of_bare, parsed(ImportKind::Github, GITHUB).grants);
}
