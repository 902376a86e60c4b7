//! Feeds that the real server fetches itself, while it is killed again and again.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use deedtrail_testkit::python::python_with;
use serde_json::{Value, json};

use crate::command::{Folder, cloudtrail, there};

/// How often it is asked whether something came; a question takes about 0.1 s.
const ASKED_MAX: u32 = 600;

fn python() -> PathBuf {
    let packages = ["boto3==1.44.5", "moto[server]==5.2.5", "nats-py==2.16.0"];
    python_with(Path::new(env!("CARGO_TARGET_TMPDIR")), &packages)
}

fn script(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    folder.join(name)
}

/// A record without an id.
pub(crate) fn without_id(name: &str) -> String {
    cloudtrail("", name).replace(r#""eventID":"","#, "")
}

/// Events by operation.
pub(crate) fn stored(folder: &Folder) -> Vec<(String, u64)> {
    let sql = "SELECT operation, count(*) AS n FROM events GROUP BY 1 ORDER BY 1";
    let rows = folder.json(&["query", sql]).into_iter();
    let row = |row: Value| {
        let operation = row["operation"].as_str().unwrap().to_owned();
        (operation, row["n"].as_u64().unwrap())
    };
    rows.map(row).collect()
}

/// What `doctor` says; it ends with 1 when something is wrong.
fn doctor(folder: &Folder) -> Vec<Value> {
    let said = folder.run(&["--json", "doctor"]).stdout;
    let lines = String::from_utf8(said).unwrap();
    let checks = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    checks.collect()
}

pub(crate) fn count(folder: &Folder) -> u64 {
    stored(folder).iter().map(|(_, count)| count).sum()
}

/// Waits until there are so many events.
pub(crate) fn wait_for(folder: &Folder, expected: u64) {
    let came = (0..ASKED_MAX).any(|_| count(folder) >= expected);
    assert!(
        came,
        "{} of {expected}: {:?}",
        count(folder),
        stored(folder)
    );
}

/// Number of lines that are written between two deaths of the server.
const LINES: u64 = 1_200;

struct Writer<'a> {
    folder: &'a Folder,
    written: u64,
}

impl Writer<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path("logs").join(name)
    }

    /// Half of the lines have an id, the others come twice.
    fn write(&mut self, name: &str, lines: u64) {
        let options = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.path(name));
        let mut file = options.unwrap();
        for _ in 0..lines / 2 {
            let number = self.written;
            let with = cloudtrail(&format!("e-{number}"), &format!("A{number}"));
            let without = without_id(&format!("B{}", number / 4));
            // As a process that buffers writes: lines are cut anywhere.
            let both = format!("{with}\n{without}\n");
            let (first, second) = both.split_at(both.len() / 3);
            file.write_all(first.as_bytes()).unwrap();
            file.write_all(second.as_bytes()).unwrap();
            self.written += 2;
        }
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_and_cut(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        let file = OpenOptions::new()
            .write(true)
            .open(self.path(from))
            .unwrap();
        file.set_len(0).unwrap();
    }
}

#[test]
fn a_folder_is_read_line_by_line_whatever_dies_and_rotates() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    fs::create_dir(folder.path("logs")).unwrap();
    let settings = "[folders.trail]\nfiles = [\"../logs/*.log*\"]\nsource = \"aws.cloudtrail\"\n";
    folder.write("data/deedtrail.toml", settings);
    let mut writer = Writer {
        folder: &folder,
        written: 0,
    };
    for cycle in 0..6 {
        let server = folder.serve();
        writer.write("grown.log", LINES / 2);
        // It dies amid the work: after some lines of this cycle, and before the last.
        wait_for(&folder, writer.written - LINES / 2);
        writer.write("grown.log", LINES / 2);
        writer.write("cut.log", LINES);
        if cycle % 2 == 0 {
            drop(server);
            writer.rename("grown.log", &format!("grown.log.{cycle}"));
            writer.copy_and_cut("cut.log", &format!("cut.log.{cycle}"));
        } else {
            writer.rename("grown.log", &format!("grown.log.{cycle}"));
            writer.copy_and_cut("cut.log", &format!("cut.log.{cycle}"));
            drop(server);
        }
    }
    let _server = folder.serve();
    wait_for(&folder, writer.written);
    let operations = stored(&folder);
    let wrong: Vec<_> = operations
        .iter()
        .filter(|(name, count)| *count != if name.starts_with("iam:A") { 1 } else { 2 })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(count(&folder), writer.written);
    assert!(folder.json(&["quarantine", "list"]).is_empty());
}

#[test]
fn a_table_that_grows_keeps_its_header() {
    grown_table("source = \"salesforce.setup_audit_trail\"\n");
}

#[test]
fn a_table_that_nobody_labelled_keeps_its_header_too() {
    grown_table("");
}

fn grown_table(source: &str) {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let settings = format!("[folders.setup]\nfiles = [\"setup.csv\"]\n{source}");
    folder.write("data/deedtrail.toml", settings);
    let row = |number: u32| {
        format!(
            "\"11/18/2026, 10:30:{number} AM UTC\",\"ana@example.com\",\"\",\"Froze user\n{number}\",\"Manage Users\",\"\"\n"
        )
    };
    let header =
        "\"Date\",\"User\",\"Source Namespace Prefix\",\"Action\",\"Section\",\"Delegate User\"\n";
    let table = folder.write("data/setup.csv", header);
    let add = |text: &str| {
        let mut file = OpenOptions::new().append(true).open(&table).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let server = folder.serve();
    add(&row(10));
    wait_for(&folder, 1);
    // A row that is written in two pieces, cut at the newline within its quotes.
    let (second, third) = (row(11), row(12));
    let (first_half, second_half) = third.split_at(third.find('\n').unwrap() + 1);
    add(&second);
    add(first_half);
    wait_for(&folder, 2);
    drop(server);
    add(second_half);
    let _server = folder.serve();
    wait_for(&folder, 3);
    assert_eq!(count(&folder), 3);
    assert!(folder.json(&["quarantine", "list"]).is_empty());
}

#[test]
fn an_ingest_that_was_cut_short_goes_on_where_it_was() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let line = |number: u32| match number % 2 {
        0 => cloudtrail(&format!("e-{number}"), &format!("A{number}")),
        // Twins, far apart, without an id.
        _ => without_id(&format!("B{}", number % 10_000)),
    };
    let lines: Vec<String> = (0..30_000).map(line).collect();
    let file = folder.write("big.ndjson", lines.join("\n") + "\n");
    let file = file.to_str().unwrap();
    let arguments = ["ingest", "--source", "aws.cloudtrail", file];
    let mut child = folder.command().args(arguments).spawn().unwrap();
    let noted = folder.path("data/state/ingest.json");
    while !there(&noted) && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let answer = folder.json(&arguments).remove(0);
    let records = answer["records"].as_u64().unwrap();
    assert!(records < 30_000, "it began anew: {answer}");
    assert_eq!(count(&folder), 30_000);
    // It came to its end: another run is told what is known.
    let again = folder.json(&arguments).remove(0);
    assert_eq!(
        (&again["records"], &again["duplicates"]),
        (&json!(30_000), &json!(30_000))
    );
}

/// A store that speaks S3.
struct Store {
    child: Child,
    input: ChildStdin,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
    address: String,
}

impl Store {
    fn start() -> Self {
        let mut child = Command::new(python())
            .arg(script("s3.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = answers.next().unwrap().unwrap();
        let input = child.stdin.take().unwrap();
        Self {
            child,
            input,
            answers,
            address,
        }
    }

    fn ask(&mut self, request: &Value) {
        writeln!(self.input, "{request}").unwrap();
        assert_eq!(self.answers.next().unwrap().unwrap(), "done");
    }

    fn put(&mut self, key: &str, records: &[String]) {
        let text = format!("{{\"Records\":[{}]}}", records.join(","));
        self.ask(&json!({ "key": key, "text": text, "gzip": true }));
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn trail(account: &str, region: &str, time: &str) -> String {
    let day = format!("{}/{}/{}", &time[..4], &time[4..6], &time[6..8]);
    format!(
        "org/AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{time}Z_x.json.gz"
    )
}

/// Configures a bucket, with keys in files.
fn bucket(folder: &Folder, store: &Store, more: &str) {
    folder.ok(&["init"]);
    folder.write("data/id", "AKIAEXAMPLE\n");
    folder.write("data/secret", "secret\n");
    let settings = format!(
        "[buckets.trail]\nsource = \"aws.cloudtrail\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
         access_key_id_file = \"id\"\nsecret_access_key_file = \"secret\"\nevery_s = 1\n{more}",
        store.address
    );
    folder.write("data/deedtrail.toml", settings);
    folder.ok(&["config", "check"]);
}

#[test]
fn a_bucket_in_cloud_trails_layout_is_taken_as_objects_arrive() {
    let mut store = Store::start();
    let folder = Folder::new();
    let layout = "url = \"s3://logs/org\"\nlayout = \"cloudtrail\"\n";
    bucket(&folder, &store, layout);
    let record = |number: u32| cloudtrail(&format!("e-{number}"), &format!("A{number}"));
    let (first, second) = ("111122223333", "444455556666");
    store.put(
        &trail(first, "us-east-1", "20261101T1005"),
        &[record(1), record(2)],
    );
    store.put(&trail(second, "eu-west-1", "20261031T2355"), &[record(3)]);
    let digest =
        trail(first, "us-east-1", "20261101T1005").replace("CloudTrail/", "CloudTrail-Digest/");
    store.ask(&json!({ "key": digest, "text": "{\"digest\":true}", "gzip": true }));
    let server = folder.serve();
    wait_for(&folder, 3);
    // Late, and out of order; another region; what is there already in another object.
    store.put(
        &trail(first, "us-east-1", "20261101T0910"),
        &[record(4), record(1)],
    );
    store.put(&trail(first, "ap-south-1", "20261101T1100"), &[record(5)]);
    wait_for(&folder, 5);
    drop(server);
    for number in 10..40 {
        let time = format!("20261102T{number}00");
        store.put(
            &trail(second, "eu-west-1", &time),
            &[record(number), without_id(&format!("B{number}"))],
        );
    }
    // It dies while it fetches, twice.
    for expected in [10, 30] {
        let server = folder.serve();
        wait_for(&folder, expected);
        drop(server);
    }
    let server = folder.serve();
    wait_for(&folder, 65);
    // One that cannot be read is told, tried again and does not keep up others.
    let broken = trail(first, "us-east-1", "20261103T0000");
    store.ask(&json!({ "key": &broken, "text": "{}".repeat(99), "gzip": true, "cut": true }));
    store.put(&trail(first, "us-east-1", "20261103T0005"), &[record(6)]);
    wait_for(&folder, 66);
    let noted = || fs::read_to_string(folder.path("data/state/buckets.trail.json")).unwrap();
    assert!((0..ASKED_MAX).any(|_| count(&folder) > 0 && noted().contains("\"tries\":1")));
    let checks = doctor(&folder);
    let check = checks
        .iter()
        .find(|check| check["id"] == "buckets.trail")
        .unwrap();
    assert!(
        check["ok"] == false && check["detail"].as_str().unwrap().contains(&broken),
        "{check}"
    );
    drop(server);
    let all = stored(&folder);
    assert!(all.iter().all(|(_, count)| *count == 1), "{all:?}");
    assert_eq!(all.len(), 66);
    assert!(folder.json(&["quarantine", "list"]).is_empty());
}

#[test]
fn objects_of_any_kind_are_taken() {
    let mut store = Store::start();
    let folder = Folder::new();
    bucket(&folder, &store, "url = \"s3://logs/any\"\n");
    let record = |number: u32| cloudtrail(&format!("e-{number}"), &format!("A{number}"));
    let lines = format!("{}\n{}", record(1), record(2));
    store.ask(&json!({ "key": "any/z.ndjson", "text": lines }));
    store.ask(
        &json!({ "key": "any/deep/er/a.gz", "text": format!("{}\n", record(3)), "gzip": true }),
    );
    store.ask(&json!({ "key": "other/a.json", "text": record(4) }));
    // Written by a program of our own; one of them without its end.
    let named = "SELECT 'e-8' AS \"eventID\", 'A8' AS \"eventName\", '2026-11-01T10:00:00Z' AS \"eventTime\", \
                 named_struct('type', 'Root', 'accountId', '111122223333') AS \"userIdentity\"";
    let table = folder.run(&["query", "--format", "parquet", named]).stdout;
    for (name, bytes) in [("t.parquet", &table[..]), ("u.parquet", &table[..99])] {
        let file = folder.write(name, bytes);
        store.ask(&json!({ "key": format!("any/{name}"), "file": file }));
    }
    let server = folder.serve();
    wait_for(&folder, 4);
    // Another content under a key that is known.
    store.ask(&json!({ "key": "any/z.ndjson", "text": format!("{lines}\n{}\n", record(5)) }));
    store.ask(&json!({ "key": "any/a.json", "text": format!("[{},{}]", record(6), record(7)) }));
    wait_for(&folder, 7);
    let checks = doctor(&folder);
    drop(server);
    let check = checks.iter().find(|one| one["id"] == "buckets.trail");
    let detail = check.unwrap()["detail"].as_str().unwrap();
    assert!(detail.contains("any/u.parquet"), "{detail}");
    let table = folder.path("t.parquet");
    let table = table.to_str().unwrap();
    let again = folder.json(&["ingest", "--source", "aws.cloudtrail", table]);
    assert_eq!(again[0]["duplicates"], 1);
    let all = stored(&folder);
    assert_eq!(all.len(), 7);
    assert!(all.iter().all(|(_, count)| *count == 1), "{all:?}");
}

/// A server of NATS with JetStream, on a port and a folder of its own.
struct Nats {
    child: Child,
    address: String,
}

impl Nats {
    fn start(folder: &Folder, port: u16) -> Self {
        let mut child = Command::new("nats-server")
            .args(["--jetstream", "--addr", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .arg("--store_dir")
            .arg(folder.path("nats"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server is installed");
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_ready = |line: std::io::Result<String>| line.unwrap().contains("Server is ready");
        assert!(said.any(is_ready));
        std::thread::spawn(move || said.for_each(drop));
        Self {
            child,
            address: format!("nats://127.0.0.1:{port}"),
        }
    }

    /// Publishes, and says how much waits for our consumer.
    fn publish(&self, messages: &[Value]) -> String {
        let mut child = Command::new(python())
            .arg(script("jetstream.py"))
            .args([self.address.as_str(), "deedtrail"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        for message in messages {
            writeln!(input, "{message}").unwrap();
        }
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// By subject, by header, by content; and twins without an id.
fn messages(numbers: std::ops::Range<u32>) -> Vec<Value> {
    let message = |number: u32| {
        let with = cloudtrail(&format!("e-{number}"), &format!("A{number}"));
        let twin = without_id("B");
        match number % 4 {
            0 => json!({ "subject": "audit.trail.eu", "text": with }),
            1 => {
                let headers = json!({ "Source": "aws.cloudtrail" });
                json!({ "subject": "audit.other", "text": with, "headers": headers })
            }
            2 => json!({ "subject": "audit.other", "text": with }),
            _ => json!({ "subject": "audit.trail.eu", "text": format!("{twin}\n{twin}\n") }),
        }
    };
    numbers.map(message).collect()
}

/// Sources of the records in quarantine.
fn waiting(folder: &Folder) -> Vec<String> {
    let rows = folder.json(&["quarantine", "list"]).into_iter();
    let mut sources: Vec<_> = rows
        .map(|row| row["source"].as_str().unwrap().to_owned())
        .collect();
    sources.sort();
    sources
}

#[test]
fn a_stream_of_nats_is_taken_whoever_dies() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let port = free_port();
    let settings = format!(
        "[nats.audit]\nservers = [\"nats://127.0.0.1:{port}\"]\nstream = \"AUDIT\"\nack_wait_s = 2\n\
         [nats.audit.subjects]\n\"audit.trail.>\" = \"aws.cloudtrail\"\n"
    );
    folder.write("data/deedtrail.toml", settings);
    folder.ok(&["config", "check"]);
    // The server comes first, and waits for the other.
    let server = folder.serve();
    let nats = Nats::start(&folder, port);
    nats.publish(&messages(0..400));
    wait_for(&folder, 500);
    drop(server);
    nats.publish(&messages(400..4_000));
    // Both die amid the work.
    let server = folder.serve();
    wait_for(&folder, 501);
    drop(server);
    let server = folder.serve();
    drop(nats);
    let nats = Nats::start(&folder, port);
    // A header alone names the source, however it is written.
    let words = |headers: Value| json!({ "subject": "audit.nothing", "text": "plain words", "headers": headers });
    nats.publish(&[
        words(json!({ "a": "b" })),
        words(json!({ "SOURCE": "aws.cloudtrail" })),
    ]);
    wait_for(&folder, 5_000);
    let acknowledged = (0..ASKED_MAX).any(|_| nats.publish(&[]) == "0");
    assert!(acknowledged, "{} are not acknowledged", nats.publish(&[]));
    let all = stored(&folder);
    let twins = all.iter().filter(|(name, _)| name == "iam:B");
    assert_eq!(twins.map(|(_, count)| *count).collect::<Vec<_>>(), [2_000]);
    let alone = all
        .iter()
        .filter(|(name, count)| name.starts_with("iam:A") && *count == 1);
    assert_eq!(alone.count(), 3_000);
    assert_eq!(waiting(&folder), ["aws.cloudtrail", "nats.message"]);
    // It is asked how much waits every few seconds.
    let is_up_to_date = |_: u32| {
        let checks = doctor(&folder).into_iter();
        let mut ours = checks.filter(|check| check["id"] == "nats.audit");
        let told = |check: Value| check["detail"].to_string().contains("; 0 messages behind");
        ours.any(told)
    };
    assert!((0..ASKED_MAX).any(is_up_to_date), "{:?}", doctor(&folder));
    drop(server);
}
