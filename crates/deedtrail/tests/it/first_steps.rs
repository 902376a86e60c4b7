//! What somebody stumbles over who uses it for the first time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use crate::command::{Folder, Server, cloudtrail, served_by};
use crate::encrypted::certificate;

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
fn a_part_of_a_name_is_not_enough_for_what_is_recorded_of_somebody() {
    let folder = with_ana();
    let approve = |who| folder.run(&["baseline", "approve", who, "--accept-open-findings"]);
    for part in ["an", "user/an"] {
        let refused = approve(part);
        let said = talk(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        let says = format!("nobody is called exactly `{part}`");
        assert!(said.contains(&says) && said.contains("ana ("), "{said}");
    }
    assert_eq!(folder.json(&["baseline", "list", "ana"]).len(), 0);
    let approved = approve("ANA");
    assert!(approved.status.success(), "{}", talk(&approved));
    let withdraw = |who| folder.run(&["baseline", "withdraw", who, "1", "--reason", "a test"]);
    assert_eq!(withdraw("an").status.code(), Some(1));
    let baseline = folder.json(&["baseline", "list", "ana"]).remove(0);
    assert!(baseline["withdrawn"].is_null(), "{baseline}");
    let withdrawn = withdraw("ana");
    assert!(withdrawn.status.success(), "{}", talk(&withdrawn));
}

#[test]
fn an_unknown_name_or_id_is_told_what_comes_close() {
    let folder = with_ana();
    for command in [
        &["identity", "show", "anna"][..],
        &["baseline", "show", "anna"],
        &["timeline", "anna"],
        &["session", "list", "anna"],
    ] {
        let refused = folder.run(command);
        assert_eq!(refused.status.code(), Some(1));
        let said = talk(&refused);
        assert!(said.contains("nobody is called `anna`"), "{said}");
        assert!(said.contains("; did you mean `ana`?"), "{said}");
    }
    let session = folder.json(&["session", "list"]).remove(0);
    let id = session["uid"].as_str().unwrap();
    let cut = &id[..id.len() - 2];
    let other = if id.ends_with("00") { "11" } else { "00" };
    let mistyped = format!("{cut}{other}");
    let said = talk(&folder.run(&["session", "show", &mistyped]));
    assert!(said.contains(&format!("; did you mean `{id}`?")), "{said}");
    let shown = folder.run(&["session", "show", cut]);
    assert_eq!(
        shown.status.code(),
        Some(0),
        "the digits it begins with are enough"
    );
}

#[test]
fn what_waits_in_quarantine_is_not_passed_off_as_done_when_it_comes_again() {
    let folder = Folder::new();
    let unknown = folder.write("unknown.ndjson", "{\"foo\":1}\n{\"foo\":2}\n");
    let ingest =
        |path: &Path| folder.run(&["ingest", "-s", "aws.cloudtrail", path.to_str().unwrap()]);
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

/// The blocks of a commented configuration file: each plain setting, and each table, with the first
/// `# ` of its lines gone.
fn blocks(file: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut is_table = false;
    for line in file.lines() {
        let Some(setting) = line.strip_prefix("# ") else {
            assert!(line.is_empty() || line.starts_with("## "), "{line}");
            continue;
        };
        let begins = setting.starts_with('[');
        is_table |= begins;
        if begins || !is_table {
            blocks.push(String::new());
        }
        blocks.last_mut().unwrap().push_str(&format!("{setting}\n"));
    }
    blocks
}

#[test]
fn every_block_of_the_first_configuration_works_when_its_mark_is_removed() {
    let folder = Folder::new();
    let file = folder.ok(&["init"]);
    let file = std::fs::read_to_string(file.trim()).unwrap();
    let blocks = blocks(&file);
    for table in ["[tls]", "[nats.one]", "[signals.one]", "[[targets.rules]]"] {
        assert!(
            blocks.iter().any(|block| block.starts_with(table)),
            "{table}"
        );
    }
    for block in blocks.iter().chain([&blocks.concat()]) {
        folder.write("data/deedtrail.toml", block);
        folder.ok(&["config", "show"]);
        if !block.contains('[') {
            continue;
        }
        let checked = folder.run(&["config", "check"]);
        let told = printed(&checked);
        // What a block names is not there yet.
        let errors = told.lines().filter(|line| line.starts_with("error: "));
        let others: Vec<&str> = errors
            .filter(|line| !line.contains("cannot read"))
            .collect();
        assert!(others.is_empty(), "{others:?}\n{block}");
    }
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn settings_that_are_probably_not_meant_are_warned_of() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    std::fs::create_dir(folder.path("logs")).unwrap();
    folder.write("logs/other.txt", "");
    make_pipe(&folder.path("logs/a.pipe"));
    folder.write("data/github.secret", "0123456789abcdef");
    folder.write(
        "data/deedtrail.toml",
        "listen = '0.0.0.0:0'\n[folders.nowhere]\nfiles = ['/nowhere/at/all/*.log']\nsource = 'vault.audit'\n\
         [folders.none]\nfiles = ['../logs/*.log']\nsource = 'vault.audit'\n\
         [folders.pipes]\nfiles = ['../logs/*.pipe']\nsource = 'vault.audit'\n\
         [webhooks.github]\nsource = 'github.webhook'\nscheme = 'github'\nsecret_file = 'github.secret'\n",
    );
    let (checked, looked) = (folder.run(&["config", "check"]), folder.run(&["doctor"]));
    let codes = (checked.status.code(), looked.status.code());
    let (checked, looked) = (printed(&checked), printed(&looked));
    assert_eq!(codes, (Some(0), Some(1)), "{checked}");
    for (setting, says) in [
        (
            "listen",
            "HTTP is plain: tokens and sign-in links can be read",
        ),
        (
            "folders.nowhere.files",
            "there is no folder /nowhere/at/all: make it",
        ),
        ("folders.none.files", "no file matches "),
        ("folders.pipes.files", "no file matches "),
        (
            "webhooks.github.secret_file",
            "anybody on this machine can read ",
        ),
    ] {
        let warned = format!(": `{setting}`: ");
        let line = checked.lines().find(|line| line.contains(&warned)).unwrap();
        assert!(
            line.starts_with("warning: /") && line.contains(".toml:") && line.contains(says),
            "{setting}: {checked}"
        );
        let line = looked.lines().find(|line| line.contains(setting));
        let line = line.unwrap_or_default();
        assert!(
            line.starts_with("LOOK") && line.contains(says),
            "{setting}: {looked}"
        );
    }
    assert!(looked.contains("LOOK   server "), "{looked}");
    assert!(
        looked.contains("nothing came by webhooks.github, folders.none, "),
        "{looked}"
    );
    let server = folder.serve();
    server.says("warning: `folders.nowhere.files`: there is no folder");
    drop(server);

    let secret = folder.path("data/github.secret");
    let mut mode = std::fs::metadata(&secret).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
    std::fs::set_permissions(&secret, mode).unwrap();
    folder.write("logs/audit.log", "");
    let settings = std::fs::read_to_string(folder.path("data/deedtrail.toml")).unwrap();
    let mended = settings
        .replace("0.0.0.0", "127.0.0.1")
        .replace("/nowhere/at/all", "../logs")
        .replace("*.pipe", "*.log");
    folder.write("data/deedtrail.toml", mended);
    let checked = printed(&folder.run(&["config", "check"]));
    assert_eq!(checked.lines().count(), 1, "{checked}");
}

#[test]
fn a_running_server_that_knows_other_sources_is_told_of() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    std::fs::create_dir_all(folder.path("sources")).unwrap();
    let sources = folder.path("sources");
    folder.write(
        "data/deedtrail.toml",
        format!("sources = '{}'\n", sources.display()),
    );
    let _server = folder.serve();
    let before = folder.run(&["source", "list"]);
    assert_eq!(talk(&before), "");
    let door = folder.path("sources/acme.door");
    std::fs::create_dir(&door).unwrap();
    let guide = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/dev/adding-a-source.md"
    );
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, guide) = guide.split_once("\n## At run time").unwrap();
    let mapping = guide
        .split("```")
        .nth(1)
        .unwrap()
        .split_once('\n')
        .unwrap()
        .1;
    folder.write("sources/acme.door/mapping.toml", mapping);
    let record = folder.write("doors.ndjson", "{}\n");
    for arguments in [
        &["source", "list"][..],
        &["ingest", "-s", "acme.door", record.to_str().unwrap()],
        &["replay"],
    ] {
        let said = talk(&folder.run(arguments));
        let says = "the running server was started with other sources (acme.door): restart it";
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn records_of_several_files_are_told_apart_by_their_content() {
    let folder = Folder::new();
    folder.write("a.ndjson", cloudtrail("e-1", "ListUsers"));
    folder.write("b.ndjson", "{\"foo\":1}\n");
    let all = folder.path("*.ndjson");
    let told = folder.ok(&["source", "detect", all.to_str().unwrap()]);
    assert!(told.contains("1        aws.cloudtrail"), "{told}");
    assert!(
        told.contains("`deedtrail ingest --source NAME FILE`"),
        "{told}"
    );
    let none = folder.run(&["source", "detect", folder.path("*.txt").to_str().unwrap()]);
    assert!(talk(&none).contains("no file matches"), "{}", talk(&none));
}

#[test]
fn what_is_said_to_a_file_has_no_colours() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    std::fs::create_dir(folder.path("rules")).unwrap();
    folder.write("rules/open.yml", "title: [T\n");
    let rules = folder.path("rules");
    folder.write(
        "data/deedtrail.toml",
        format!("rules = '{}'\n", rules.display()),
    );
    let said = talk(&folder.run(&["-v", "rule", "exceptions"]));
    assert!(
        said.contains("open.yml") && !said.contains('\u{1b}'),
        "{said:?}"
    );
    folder.write("data/deedtrail.toml", "rules = [\n\"a\nb\"]\n");
    let told = printed(&folder.run(&["config", "check"]));
    assert!(
        told.contains("deedtrail.toml:3: missing comma between array elements, expected")
            && !told.contains('\u{240a}'),
        "{told}"
    );
}

/// What a webhook of Okta answers, whose signature is its secret.
fn delivered(server: &Server, secret: &str) -> String {
    let host = server.address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let body = "{\"data\":{\"events\":[{\"uuid\":\"e-1\"}]}}";
    let length = body.len();
    let head = format!(
        "POST /v1/webhooks/okta HTTP/1.1\r\nHost: {host}\r\nAuthorization: {secret}\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_new_secret_of_a_webhook_is_agreed_without_a_restart_and_doctor_tells_of_refusals() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    folder.write("data/okta.secret", "the first secret of 2026");
    folder.write(
        "data/deedtrail.toml",
        "[webhooks.okta]\nsource = 'okta.system'\nscheme = 'okta'\nsecret_file = 'okta.secret'\n",
    );
    let mut command = folder.command();
    command.env("DEEDTRAIL_LOG", "info");
    let server = served_by(command);
    let doctor = || {
        let told = printed(&folder.run(&["doctor"]));
        let line = told.lines().find(|line| line.contains(" webhooks.okta  "));
        line.unwrap().to_owned()
    };
    assert!(
        doctor().contains("nothing taken since the start"),
        "{}",
        doctor()
    );
    assert_eq!(delivered(&server, "the second secret of 2026"), "401");
    let refused = doctor();
    assert!(
        refused.starts_with("LOOK") && refused.contains("compare the secret"),
        "{refused}"
    );
    folder.write("data/okta.secret", "the second secret of 2026");
    server.says("`webhooks.okta.secret_file` was read again");
    assert_eq!(delivered(&server, "the second secret of 2026"), "200");
    assert_eq!(delivered(&server, "the second secret of 2026"), "200");
    let taken = doctor();
    assert!(
        taken.starts_with("ok") && taken.contains("1 deliveries refused"),
        "{taken}"
    );
    folder.write("data/okta.secret", "short");
    server.says("the new `webhooks.okta.secret_file` is not used; the old one goes on");
    assert_eq!(delivered(&server, "the second secret of 2026"), "200");
}

#[test]
fn doctor_tells_when_the_certificate_ends_and_that_a_new_one_is_not_used() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let (pem, key) = certificate(&folder, "server");
    let settings = "[tls]\ncertificate_file = \"../server.pem\"\nkey_file = \"../server.key\"\n";
    folder.write("data/deedtrail.toml", settings);
    let line = |told: String, what: &str| {
        let line = told.lines().find(|line| line.contains(what));
        line.unwrap_or_default().to_owned()
    };
    // It lives for two days.
    let checked = printed(&folder.run(&["config", "check"]));
    let soon = line(checked, "`tls.certificate_file`");
    assert!(soon.contains("the certificate ends at 20"), "{soon}");
    let doctor = || {
        let told = printed(&folder.run(&["doctor"]));
        let check = |line: &&str| line.split_whitespace().nth(1) == Some("certificate");
        told.lines().find(check).unwrap_or_default().to_owned()
    };
    assert!(doctor().starts_with("ok"), "{}", doctor());
    let server = folder.serve();
    assert!(doctor().contains("it ends at 20"), "{}", doctor());
    std::fs::copy(&key, &pem).unwrap();
    server.says("the new certificate is not used");
    let failed = doctor();
    assert!(
        failed.starts_with("LOOK") && failed.contains("it ends at 20"),
        "{failed}"
    );
    assert!(
        failed.contains("the old one goes on: cannot read"),
        "{failed}"
    );
}

#[test]
fn a_mistake_in_a_question_is_told_in_words() {
    let folder = with_ana();
    for (sql, says) in [
        (
            "SELEC x",
            "not understood: Expected: an SQL statement, found: SELEC at Line: 1",
        ),
        (
            "SELECT * FROM event",
            "not understood: there is no table `event`; there is `events`",
        ),
    ] {
        let said = talk(&folder.run(&["query", sql]));
        assert!(said.contains(says), "{said}");
    }
}
