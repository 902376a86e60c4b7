//! Debian's rsyslog, sending to the real server as its manual says.

use std::path::PathBuf;
use std::process::{Child, Command};

use deedtrail_testkit::python::output;

use crate::command::{Folder, cloudtrail};
use crate::encrypted::certificate;
use crate::listeners::{Listening, count, waits_for};

/// An rsyslogd of its own; killed when dropped.
struct Rsyslog(Child);

impl Drop for Rsyslog {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs rsyslogd on a file of records, which `action` ships as the program `tag`.
fn ship(folder: &Folder, name: &str, records: &[String], action: &str) -> Rsyslog {
    let work = folder.path(name);
    std::fs::create_dir(&work).unwrap();
    let log = folder.write(&format!("{name}/audit.ndjson"), records.join("\n") + "\n");
    let (work, log) = (work.display(), log.display());
    let settings = format!(
        r#"global(workDirectory="{work}" maxMessageSize="2m")
module(load="imfile")
module(load="omrelp" tls.tlslib="openssl")
input(type="imfile" file="{log}" tag="aws.cloudtrail:" ruleset="ship")
ruleset(name="ship" queue.type="LinkedList") {{
  {action}
}}
"#
    );
    let settings = folder.write(&format!("{name}/rsyslog.conf"), settings);
    let mut rsyslog = Command::new("rsyslogd");
    rsyslog
        .args(["-n", "-i"])
        .arg(folder.path(name).join("pid"));
    let started = rsyslog.arg("-f").arg(settings).spawn();
    Rsyslog(started.expect("rsyslogd is installed"))
}

fn records(prefix: &str, count: usize) -> Vec<String> {
    let records = (0..count).map(|n| cloudtrail(&format!("{prefix}-{n}"), "ListUsers"));
    records.collect()
}

#[test]
fn rsyslog_forwards_in_every_way() {
    let settings = "[listeners.tcp]\nprotocol = \"syslog\"\nlisten = \"127.0.0.1:0\"\n\
                    [listeners.udp]\nprotocol = \"syslog-udp\"\nlisten = \"127.0.0.1:0\"\n\
                    [listeners.relp]\nprotocol = \"relp\"\nlisten = \"127.0.0.1:0\"\n";
    let server = Listening::start(settings);
    let folder = &server.folder;
    let forward = |listener: &str, more: &str| {
        let port = server.port(listener);
        format!(r#"action(type="omfwd" target="127.0.0.1" port="{port}" {more})"#)
    };
    let relp = server.port("relp");
    let actions = [
        forward("tcp", r#"protocol="tcp""#),
        forward(
            "tcp",
            r#"protocol="tcp" tcp_framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format""#,
        ),
        forward("udp", r#"protocol="udp""#),
        format!(r#"action(type="omrelp" target="127.0.0.1" port="{relp}")"#),
    ];
    let mut running = Vec::new();
    for (place, action) in actions.iter().enumerate() {
        let name = format!("way-{place}");
        running.push(ship(folder, &name, &records(&name, 200), action));
    }
    waits_for(|| count(folder) >= 800, || count(folder));
    drop(running);
    assert_eq!(count(folder), 800);
    assert!(folder.json(&["quarantine", "list"]).is_empty());
}

/// A client's certificate, and its key, for which an authority stands.
pub(crate) fn vouched_for(
    folder: &Folder,
    name: &str,
    by: (&PathBuf, &PathBuf),
) -> (PathBuf, PathBuf) {
    let files = (
        folder.path(&format!("{name}.pem")),
        folder.path(&format!("{name}.key")),
    );
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj"])
        .arg(format!("/CN={name}"))
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-CA".as_ref(), by.0.as_os_str()])
        .args(["-CAkey".as_ref(), by.1.as_os_str()])
        .args(["-keyout".as_ref(), files.1.as_os_str()])
        .args(["-out".as_ref(), files.0.as_os_str()]);
    output(&mut openssl);
    files
}

#[test]
fn rsyslog_forwards_encrypted_and_with_a_certificate_of_its_own() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let (own, key) = certificate(&folder, "server");
    let (authority, authority_key) = certificate(&folder, "authority");
    let (client, client_key) = vouched_for(&folder, "client", (&authority, &authority_key));
    let (stranger, stranger_key) = vouched_for(&folder, "stranger", (&own, &key));
    let settings = format!(
        "[tls]\ncertificate_file = '{}'\nkey_file = '{}'\n\
         [listeners.open]\nprotocol = 'syslog'\nlisten = '127.0.0.1:0'\ntls = true\n\
         [listeners.closed]\nprotocol = 'syslog'\nlisten = '127.0.0.1:0'\ntls = true\nclient_ca_file = '{}'\n\
         [listeners.relp]\nprotocol = 'relp'\nlisten = '127.0.0.1:0'\ntls = true\nclient_ca_file = '{}'\n",
        own.display(),
        key.display(),
        authority.display(),
        authority.display()
    );
    let server = Listening::start_in(folder, &settings);
    let folder = &server.folder;
    let forward = |listener: &str, mine: Option<(&PathBuf, &PathBuf)>| {
        let port = server.port(listener);
        let mine = mine.map(|(certificate, key)| {
            let (certificate, key) = (certificate.display(), key.display());
            format!(r#"StreamDriver.CertFile="{certificate}" StreamDriver.KeyFile="{key}""#)
        });
        let (authority, mine) = (own.display(), mine.unwrap_or_default());
        format!(
            r#"action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="octet-counted"
                StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid"
                StreamDriver.CAFile="{authority}" {mine})"#
        )
    };
    let running = [
        ship(folder, "open", &records("open", 50), &forward("open", None)),
        ship(
            folder,
            "closed",
            &records("closed", 50),
            &forward("closed", Some((&client, &client_key))),
        ),
    ];
    waits_for(|| count(folder) >= 100, || count(folder));
    let relp = server.port("relp");
    let (authority, mine, my_key) = (own.display(), client.display(), client_key.display());
    let action = format!(
        r#"action(type="omrelp" target="127.0.0.1" port="{relp}" tls="on" tls.cacert="{authority}"
               tls.mycert="{mine}" tls.myprivkey="{my_key}" tls.authmode="certvalid")"#
    );
    let relp = ship(folder, "relp", &records("relp", 50), &action);
    waits_for(|| count(folder) >= 150, || count(folder));
    let turned_away = ship(
        folder,
        "stranger",
        &records("stranger", 1),
        &forward("closed", Some((&stranger, &stranger_key))),
    );
    let denied = || server.figure("deedtrail_listener_denied_total", "closed");
    waits_for(|| denied() > 0, denied);
    drop((running, relp, turned_away));
    assert_eq!(count(folder), 150);
}

/// Records of the run in which the server is killed.
const SENT: usize = 20_000;
/// After each of these shares of them the server is killed.
const KILLS: usize = 6;

#[test]
fn a_relp_sender_outlives_a_server_that_is_killed_again_and_again() {
    let settings = "[listeners.relp]\nprotocol = \"relp\"\nlisten = \"127.0.0.1:0\"\n";
    let mut server = Listening::start(settings);
    let port = server.port("relp");
    let action = format!(
        r#"action(type="omrelp" target="127.0.0.1" port="{port}" rebindInterval="0" timeout="5"
               action.resumeRetryCount="-1" action.resumeInterval="1"
               queue.type="LinkedList" queue.fileName="waiting" queue.size="2000"
               queue.saveOnShutdown="on" queue.timeoutEnqueue="100000")"#
    );
    let running = ship(&server.folder, "killed", &records("killed", SENT), &action);
    for kill in 1..=KILLS {
        let due = SENT * kill / (KILLS + 1);
        waits_for(|| count(&server.folder) >= due, || count(&server.folder));
        server.kill_and_start(&settings.replace(":0", &format!(":{port}")));
    }
    waits_for(|| count(&server.folder) >= SENT, || count(&server.folder));
    drop(running);
    let ids = server.folder.json(&[
        "query",
        "SELECT count(*) AS n, count(DISTINCT source_uid) AS ids FROM events",
    ]);
    let expected = serde_json::json!({ "n": SENT, "ids": SENT });
    assert_eq!(ids, [expected]);
    assert!(server.folder.json(&["quarantine", "list"]).is_empty());
}

#[test]
fn a_relp_sender_goes_on_after_a_message_that_is_refused() {
    let settings = "[listeners.relp]\nprotocol = \"relp\"\nlisten = \"127.0.0.1:0\"\n";
    let server = Listening::start(settings);
    let mut sent = records("around", 20);
    let long = cloudtrail("long", "ListUsers").replace("aws-cli", &"x".repeat(1 << 20));
    sent.insert(10, long);
    let port = server.port("relp");
    let action = format!(
        r#"action(type="omrelp" target="127.0.0.1" port="{port}" action.resumeRetryCount="-1")"#
    );
    let running = ship(&server.folder, "long", &sent, &action);
    waits_for(|| count(&server.folder) >= 20, || count(&server.folder));
    drop(running);
    assert_eq!(count(&server.folder), 20);
    assert!(server.figure("deedtrail_listener_refused_total", "relp") > 0);
}
