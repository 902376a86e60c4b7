//! Shippers that nobody here wrote, sending to the real server as their manuals say.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deedtrail_testkit::python::python_with;
use serde_json::{Value, json};

use crate::command::{Folder, Server, cloudtrail};

fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let packages = [
        "elasticsearch==9.5.1",
        "splunk-hec-handler==1.2.0",
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
        "standardwebhooks==1.0.1",
        "cloudevents==1.12.0",
        "requests==2.32.5",
    ];
    python_with(folder, &packages)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(name)
}

fn token(folder: &Folder) -> String {
    let token = folder.ok(&["token", "create", "shipper", "--scope", "ingest"]);
    token.trim().to_owned()
}

fn host_and_port(server: &Server) -> (&str, &str) {
    let address = server.address.strip_prefix("http://").unwrap();
    address.split_once(':').unwrap()
}

/// Runs a command with this standard input; returns what it printed.
fn fed(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Events of the archive and records in quarantine, by source.
fn stored(folder: &Folder) -> Vec<Value> {
    folder.json(&[
        "query",
        "SELECT source, operation, count(*) AS n FROM events GROUP BY 1, 2",
    ])
}

fn waiting(folder: &Folder) -> Vec<(String, String)> {
    let rows = folder.json(&["quarantine", "list"]).into_iter();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let mut rows: Vec<_> = rows
        .map(|row| (text(&row, "source"), text(&row, "code")))
        .collect();
    rows.sort();
    rows
}

#[test]
fn a_logging_handler_for_the_event_collector() {
    let folder = Folder::new();
    let server = folder.serve();
    let (host, port) = host_and_port(&server);
    let messages = [
        cloudtrail("e-1", "ListUsers"),
        cloudtrail("e-2", "ListUsers"),
        "plain words".to_owned(),
    ];
    let mut handler = Command::new(python());
    handler
        .arg(script("collector.py"))
        .args([host, port, &token(&folder)]);
    fed(&mut handler, &messages.join("\n"));
    let expected = json!({ "source": "aws.cloudtrail", "operation": "iam:ListUsers", "n": 2 });
    assert_eq!(stored(&folder), [expected]);
    // The handler makes `{"message": "plain words"}` of it.
    let waits = ("aws.cloudtrail".to_owned(), "wrong_source".to_owned());
    assert_eq!(waiting(&folder), [waits]);
}

#[test]
fn the_official_client_of_elasticsearch() {
    let folder = Folder::new();
    let server = folder.serve();
    let records: Vec<String> = (0..700)
        .map(|n| cloudtrail(&format!("e-{n}"), "ListUsers"))
        .collect();
    let send = |index: &str, body: &str| -> Value {
        let mut client = Command::new(python());
        client
            .arg(script("bulk.py"))
            .args([&server.address, &token(&folder), index]);
        serde_json::from_str(&fed(&mut client, body)).unwrap()
    };
    let told = json!({ "health": "green", "taken": 1400, "errors": [], "refused": [400] });
    let index = "logs-aws.cloudtrail-default";
    // The same record comes as it is and in a shipper's text, and all of it again: one event.
    assert_eq!(send(index, &records.join("\n")), told);
    assert_eq!(send(index, &records.join("\n")), told);
    let expected = json!({ "source": "aws.cloudtrail", "operation": "iam:ListUsers", "n": 700 });
    assert_eq!(stored(&folder), [expected]);
    // Whatever the index is called, the content tells the source; what nothing tells waits.
    let strange = format!(
        "{}\n{{\"hello\":\"world\"}}\n",
        cloudtrail("e-x", "GetUser")
    );
    assert_eq!(send("main", &strange)["errors"], json!([]));
    assert_eq!(stored(&folder).len(), 2);
    let waits = ("elastic.bulk".to_owned(), "unrecognized".to_owned());
    assert_eq!(waiting(&folder), vec![waits; 2]);
}

#[test]
fn the_exporters_of_opentelemetry() {
    for protocol in ["http", "grpc"] {
        let folder = Folder::new();
        let server = folder.serve();
        exported(&folder, &server, &[protocol]);
    }
}

/// Exports spans and log records, and looks for them.
pub(crate) fn exported(folder: &Folder, server: &Server, how: &[&str]) {
    let bodies = format!("{}\nplain words\n", cloudtrail("e-1", "ListUsers"));
    let mut exporter = Command::new(python());
    exporter
        .arg(script("otlp.py"))
        .args([&server.address, &token(folder)])
        .args(how);
    fed(&mut exporter, &bodies);
    let sql = "SELECT source, operation, actor FROM events ORDER BY 1, 2";
    let row = |source: &str, operation: &str, actor: &str| json!({ "source": source, "operation": operation, "actor": actor });
    let expected = [
        row("aws.cloudtrail", "iam:ListUsers", "ana"),
        row("otel.genai", "POST", "support-bot"),
        row("otel.genai", "refund_order", "support-bot"),
    ];
    assert_eq!(folder.json(&["query", sql]), expected);
    let waits = ("aws.cloudtrail".to_owned(), "not_json".to_owned());
    assert_eq!(waiting(folder), [waits]);
}

#[test]
fn the_sdk_of_cloud_events() {
    let folder = Folder::new();
    let server = folder.serve();
    let send = |mode: &str, lines: &[String]| {
        let mut sender = Command::new(python());
        sender
            .arg(script("cloud_events.py"))
            .args([&server.address, &token(&folder), mode]);
        fed(&mut sender, &lines.join("\n"))
    };
    let lines = [
        cloudtrail("e-1", "ListUsers"),
        r#"{"hello":"world"}"#.to_owned(),
    ];
    for mode in ["binary", "structured"] {
        assert_eq!(send(mode, &lines), "200\n200\n");
    }
    // The SDK writes the record anew (other spacing), and its own time into the event around what
    // nobody understands.
    let expected = json!({ "source": "aws.cloudtrail", "operation": "iam:ListUsers", "n": 1 });
    assert_eq!(stored(&folder), [expected]);
    let waits = ("cloudevents.event".to_owned(), "unrecognized".to_owned());
    assert_eq!(waiting(&folder), vec![waits; 2]);
}

/// As the API server of Kubernetes sends, with a kubeconfig that names address and token
/// (k8s.io/apiserver/plugin/pkg/audit/webhook).
#[test]
fn the_audit_webhook_of_kubernetes() {
    let folder = Folder::new();
    let server = folder.serve();
    let event = |stage: &str| {
        json!({
            "level": "Metadata", "auditID": "a-1", "stage": stage, "verb": "get",
            "requestURI": "/api/v1/namespaces/shop/secrets/db",
            "user": { "username": "ana@example.com", "groups": ["system:authenticated"] },
            "sourceIPs": ["192.0.2.10"], "userAgent": "kubectl/v1.31.0",
            "objectRef": { "resource": "secrets", "namespace": "shop", "name": "db", "apiVersion": "v1" },
            "responseStatus": { "metadata": {}, "code": 200 },
            "requestReceivedTimestamp": "2026-11-01T10:00:00.000000Z",
            "stageTimestamp": "2026-11-01T10:00:00.010000Z",
        })
    };
    let list = json!({
        "kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {},
        "items": [event("ResponseComplete")],
    });
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--data-binary", "@-"])
        .args(["--header", "Content-Type: application/json"])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", token(&folder)),
        ])
        .arg(format!(
            "{}/v1/ingest/kubernetes.audit?timeout=30s",
            server.address
        ));
    let answer: Value = serde_json::from_str(&fed(&mut curl, &list.to_string())).unwrap();
    assert_eq!(answer["accepted"], 1, "{answer}");
    let sql = "SELECT source, action, actor, target FROM events";
    let expected = json!({
        "source": "kubernetes.audit", "action": "secret_read",
        "actor": "ana@example.com", "target": "shop/db",
    });
    assert_eq!(folder.json(&["query", sql]), [expected]);
}

/// Base64 of 24 bytes, as the library makes them.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn a_signed_webhook_is_taken_and_an_unsigned_one_is_not() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let secret = folder.write("secret", format!("{SECRET}\n"));
    let settings = |source: &str| {
        let file = secret.display();
        let text = format!(
            "[webhooks.pushed]\nsource = \"{source}\"\nscheme = \"standard\"\nsecret_file = \"{file}\"\n"
        );
        folder.write("data/deedtrail.toml", text);
    };
    settings("aws.cloudtrial");
    let checked = folder.run(&["config", "check"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(
        told.contains("`webhooks.pushed`: ") && told.contains("`aws.cloudtrail`"),
        "{told}"
    );
    settings("aws.cloudtrail");
    folder.ok(&["config", "check"]);
    let server = folder.serve();
    let send = |name: &str, secret: &str, id: &str| -> String {
        let address = format!("{}/v1/webhooks/{name}", server.address);
        let mut sender = Command::new(python());
        sender
            .arg(script("webhook.py"))
            .args([&address, secret, id]);
        let record = cloudtrail("e-1", "ListUsers").replace("\"eventID\":\"e-1\",", "");
        fed(&mut sender, &record)
    };
    let first = send("pushed", SECRET, "m-1");
    assert!(
        first.starts_with("200 ") && first.contains("\"accepted\":1"),
        "{first}"
    );
    let again = send("pushed", SECRET, "m-1");
    assert!(again.contains("\"duplicates\":1"), "{again}");
    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx";
    for refused in [send("pushed", other, "m-2"), send("other", SECRET, "m-2")] {
        assert!(refused.starts_with("401 "), "{refused}");
        assert!(!refused.contains("MfKQ"), "{refused}");
    }
    assert_eq!(stored(&folder).len(), 1);
}

#[test]
fn rsyslog_reads_a_file_and_ships_it() {
    let folder = Folder::new();
    let server = folder.serve();
    let (host, port) = host_and_port(&server);
    let lines: String = (0..40)
        .map(|n| cloudtrail(&format!("e-{n}"), "ListUsers") + "\n")
        .collect();
    let log = folder.write("audit.ndjson", lines + "{ broken\n");
    let work = folder.path("");
    let (token, log, work) = (token(&folder), log.display(), work.display());
    let settings = format!(
        r#"global(workDirectory="{work}" maxMessageSize="64k")
module(load="imfile")
module(load="omelasticsearch")
template(name="line" type="string" string="%msg%")
input(type="imfile" file="{log}" tag="audit" ruleset="ship")
ruleset(name="ship") {{
  action(type="omelasticsearch" server="{host}" serverport="{port}" uid="rsyslog" pwd="{token}"
         searchIndex="aws.cloudtrail" searchType="" bulkmode="on" template="line"
         errorFile="{work}/errors" action.resumeRetryCount="-1")
}}
"#
    );
    let settings = folder.write("rsyslog.conf", settings);
    let mut rsyslog = Command::new("rsyslogd")
        .args(["-n", "-i"])
        .arg(folder.path("rsyslog.pid"))
        .arg("-f")
        .arg(settings)
        .spawn()
        .expect("rsyslogd is installed");
    // Every question waits for the server to have processed what it took.
    let is_there = |_: &u32| stored(&folder).iter().any(|row| row["n"] == 40);
    let came = (0..ASKED_MAX).find(is_there).is_some() && !waiting(&folder).is_empty();
    rsyslog.kill().unwrap();
    rsyslog.wait().unwrap();
    assert!(came, "{:?}", stored(&folder));
    let waits = ("aws.cloudtrail".to_owned(), "not_json".to_owned());
    assert_eq!(waiting(&folder), [waits]);
    assert!(!folder.path("errors").try_exists().unwrap());
}

/// How often it is asked whether the shipper's records are there; a question takes about 0.1 s.
const ASKED_MAX: u32 = 600;
