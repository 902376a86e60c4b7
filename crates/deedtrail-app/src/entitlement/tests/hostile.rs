//! Files that are damaged, of another kind, incomplete, or too large.

use serde_json::{Value, json};

use super::reading::{AWS, CSV, ENTRA, EXPORTS, GITHUB, KUBERNETES};
use crate::entitlement::import::{ImportKind, read};
use crate::entitlement::{FILE_BYTES_MAX, LOG_BYTES_MAX, log_form};

/// The mistakes of a file, a line each.
fn mistakes(kind: ImportKind, file: &[u8]) -> String {
    let mistakes = read(kind, None, file).expect_err("the file was taken");
    let lines = mistakes.iter().map(ToString::to_string);
    lines.collect::<Vec<_>>().join("\n")
}

/// An export with something changed.
fn with(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(file).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

fn check(kind: ImportKind, file: &[u8], parts: &[&str]) {
    let mistakes = mistakes(kind, file);
    for part in parts {
        assert!(mistakes.contains(part), "`{part}` is not in: {mistakes}");
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    let aws = ImportKind::Aws;
    check(aws, KUBERNETES, &["`UserDetailList`", "export all of it"]);
    check(
        ImportKind::Kubernetes,
        AWS,
        &["line ", "column ", "kind `aws`"],
    );
    check(ImportKind::Github, AWS, &["gh api", "kind `aws`"]);
    check(ImportKind::Entra, AWS, &["appRoleAssignments"]);
    check(ImportKind::List, AWS, &["line 1", "not JSON"]);
    check(aws, CSV, &["line 1", "kind `list`"]);
    check(aws, b"{", &["line 1, column 1", "EOF"]);
    check(aws, b"", &["line 1"]);
    check(ImportKind::List, b"", &["no column `alias`"]);
}

#[test]
fn parts_of_a_file_are_not_taken_for_all_of_it() {
    let truncated = with(AWS, |file| file["IsTruncated"] = json!(true));
    check(ImportKind::Aws, &truncated, &["first page only"]);
    let filtered = with(AWS, |file| file["Policies"] = json!([]));
    check(
        ImportKind::Aws,
        &filtered,
        &["GroupDetailList[0]", "without --filter"],
    );
    let no_group = with(AWS, |file| file["GroupDetailList"] = json!([]));
    check(
        ImportKind::Aws,
        &no_group,
        &["UserDetailList[0]", "`developers`"],
    );
    let page = with(ENTRA, |file| {
        file["servicePrincipals"]["@odata.nextLink"] = json!("x");
    });
    check(
        ImportKind::Entra,
        &page,
        &["servicePrincipals", "fetch all"],
    );
    let page = with(GITHUB, |file| drop(file.as_array_mut().unwrap().pop()));
    check(ImportKind::Github, &page, &["1 of 2"]);
    let page = with(KUBERNETES, |file| file["metadata"]["continue"] = json!("t"));
    check(ImportKind::Kubernetes, &page, &["first page only"]);
    let no_roles = with(KUBERNETES, |file| {
        let items = file["items"].as_array_mut().unwrap();
        items.retain(|item| item["kind"] != "Role" && item["kind"] != "ClusterRole");
    });
    check(ImportKind::Kubernetes, &no_roles, &["there are no roles"]);
}

#[test]
fn a_mistake_says_where_and_what_was_meant() {
    let statement = |change: fn(&mut Value)| {
        with(AWS, |file| {
            let policy = &mut file["UserDetailList"][0]["UserPolicyList"][0];
            change(&mut policy["PolicyDocument"]["Statement"]);
        })
    };
    let place = "UserDetailList[0] inline policy 0.Statement[0]";
    let effect = statement(|it| it["Effect"] = json!("allow"));
    check(ImportKind::Aws, &effect, &[place, "`Allow` or `Deny`"]);
    let both = statement(|it| it["NotAction"] = json!("s3:*"));
    check(
        ImportKind::Aws,
        &both,
        &[place, "both `Action` and `NotAction`"],
    );
    let number = statement(|it| it["Action"] = json!([1]));
    check(ImportKind::Aws, &number, &[place, "list of texts"]);
    let condition = statement(|it| it["Condition"] = json!({"Bool": 1}));
    check(ImportKind::Aws, &condition, &[place, "operators"]);
    let none = statement(|it| *it = json!("x"));
    check(ImportKind::Aws, &none, &["a list `Statement`"]);
    let other = with(AWS, |file| {
        file["RoleDetailList"][0]["Arn"] = json!("arn:aws:iam::9:role/x");
    });
    check(ImportKind::Aws, &other, &["several accounts"]);
    let subject = with(KUBERNETES, |file| {
        file["items"][3]["subjects"][0]["kind"] = json!("Robot");
    });
    check(
        ImportKind::Kubernetes,
        &subject,
        &["items[3]", "`Robot`", "ServiceAccount"],
    );
    let principal = with(ENTRA, |file| {
        file["appRoleAssignments"][0]["principalType"] = json!("App");
    });
    check(
        ImportKind::Entra,
        &principal,
        &["appRoleAssignments asg-1", "`App`"],
    );
    let org = with(GITHUB, |file| {
        file[1]["installations"][0]["account"]["login"] = json!("fir");
    });
    check(
        ImportKind::Github,
        &org,
        &["installations[1]", "another organisation"],
    );
}

#[test]
fn a_list_says_which_line_and_column() {
    let list = ImportKind::List;
    check(
        list,
        b"alias,system,permision\n",
        &["line 1", "`permision`", "`permission`"],
    );
    check(list, b"alias,system\n", &["no column `permission`"]);
    check(list, b"alias,system,permission,system\n", &["twice"]);
    let head = "alias,system,permission,effect,expires\n";
    let row = |row: &str| [head, row].concat().into_bytes();
    check(
        list,
        &row("email:a@x,s,p,alow,\n"),
        &["line 2, column `effect`", "`allow`"],
    );
    check(
        list,
        &row("email:a@x,s,p,,soon\n"),
        &["line 2, column `expires`", "no date"],
    );
    check(
        list,
        &row("emial:a@x,s,p,,\n"),
        &["line 2, column `alias`", "`email`"],
    );
    check(
        list,
        &row(",s,p,,\n"),
        &["line 2, column `alias`", "every row needs it"],
    );
    check(
        list,
        &row("email:a@x,s\n"),
        &["2 cells", "the header has 5"],
    );
    check(
        list,
        &row("email:a@x,s,p,,\nemail:a@x,s,p,,\n"),
        &["line 3", "what line 2 says"],
    );
    check(
        list,
        b"{\"alias\":\"email:a@x\",\"system\":\"s\",\"permission\":1}",
        &["`permission`", "neither"],
    );
    check(
        list,
        b"{\"alias\":\"a:b\",\"holder\":1}",
        &["`holder`", "use one of"],
    );
    check(
        list,
        b"alias,system,permission\nemail:\xff,s,p\n",
        &["line 2", "not UTF-8"],
    );
    let accounts = b"alias,system,permission,account\na.id:1,s,p,x\na.id:1,s,q,y\n";
    check(
        list,
        accounts,
        &["line 3, column `account`", "another account"],
    );
}

#[test]
fn limits_are_told() {
    let large = vec![b' '; FILE_BYTES_MAX + 1];
    check(ImportKind::List, &large, &["over 67108864 bytes"]);
    let verbs: Vec<String> = (0..200).map(|number| format!("v{number}")).collect();
    let many = with(KUBERNETES, |file| {
        file["items"][0]["rules"][0]["verbs"] = json!(verbs);
        file["items"][0]["rules"][0]["resources"] = json!(verbs);
    });
    check(
        ImportKind::Kubernetes,
        &many,
        &["ClusterRole edit rules[0]", "over 20000"],
    );
    let long = with(GITHUB, |file| {
        file[0]["installations"][0]["app_slug"] = json!("x".repeat(9_000));
    });
    check(ImportKind::Github, &long, &["over 8192 bytes"]);
    let rows = (0..4_000).map(|n| format!("a.id:{n},s,{n}{}\n", "x".repeat(8_000)));
    let file = format!("alias,system,permission\n{}", rows.collect::<String>());
    let parsed = read(ImportKind::List, None, file.as_bytes()).unwrap();
    let refused = log_form::to_log(&parsed, &"ana".into()).unwrap_err();
    assert!(refused[0].message.contains(&LOG_BYTES_MAX.to_string()));
    let bad = "x\n".repeat(300);
    let file = format!("alias,system,permission\n{bad}");
    let mistakes = read(ImportKind::List, None, file.as_bytes()).unwrap_err();
    assert_eq!(mistakes.len(), 100);
}

#[test]
fn cut_and_twisted_files_are_read_or_refused() {
    for (kind, file) in EXPORTS {
        for end in (0..file.len()).step_by(7) {
            let mut twisted = file.to_vec();
            twisted[end] ^= 0x15;
            for kind in ImportKind::ALL {
                drop(read(kind, None, &twisted));
            }
            drop(read(kind, None, &file[..end]));
        }
        let deep = [b"[".repeat(100_000), b"{\"a\":".repeat(100_000)];
        assert!(deep.iter().all(|deep| read(kind, None, deep).is_err()));
    }
}
