//! Shared signals from a transmitter that signs with a library nobody here wrote.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use deedtrail_testkit::python::{output, python_with};
use serde_json::{Value, json};

use crate::command::{Folder, Server};

const AUDIENCE: &str = "https://deedtrail.example.com";
/// What the transmitter wants to see of whoever polls.
const TOKEN: &str = "poll-token-of-this-test";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// `tests/python/transmitter.py`, running.
struct Transmitter {
    child: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
    certificate: PathBuf,
}

impl Transmitter {
    fn start(arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let python = python_with(folder, &["PyJWT==2.15.1", "cryptography==50.0.2"]);
        let script = "tests/python/transmitter.py";
        let mut child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
            .arg("0")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let text = |name: &str| first[name].as_str().unwrap().to_owned();
        Self {
            child,
            commands,
            lines,
            address: text("address"),
            certificate: text("certificate").into(),
        }
    }

    fn command(&mut self, command: &Value) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// The next thing it says with that name.
    fn says(&mut self, name: &str) -> Value {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines
            .find_map(|line| {
                let said: Value = serde_json::from_str(&line).unwrap();
                said.get(name).is_some().then_some(said)
            })
            .unwrap()
    }

    fn issuer(&self) -> String {
        format!("{}/tenant", self.address)
    }

    fn payload(&self, id: &str) -> Value {
        payload(&self.issuer(), id)
    }

    fn sign(&mut self, payload: &Value, alg: &str) -> String {
        self.sign_with(payload, alg, &json!({}))
    }

    fn sign_with(&mut self, payload: &Value, alg: &str, header: &Value) -> String {
        self.command(&json!({ "sign": payload, "alg": alg, "header": header }));
        self.says("token")["token"].as_str().unwrap().to_owned()
    }

    fn forge(&mut self, payload: &Value, header: &Value, how: &str) -> String {
        self.command(&json!({ "forge": payload, "header": header, "how": how }));
        self.says("token")["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Transmitter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(&self.certificate));
    }
}

/// Deeper than records are read.
const DEPTH: usize = 200;

/// 2026-11-01T10:00:00Z: in the past, whenever this runs.
const ISSUED_S: u64 = 1_793_527_200;

fn payload(issuer: &str, id: &str) -> Value {
    json!({
        "iss": issuer, "aud": AUDIENCE, "jti": id, "iat": ISSUED_S,
        "sub_id": { "format": "email", "email": "ana@example.com" },
        "events": { REVOKED: { "event_timestamp": ISSUED_S - 7, "initiating_entity": "policy" } },
    })
}

fn configure(folder: &Folder, settings: &str) {
    folder.ok(&["init"]);
    folder.write("data/deedtrail.toml", settings);
}

/// `[signals.NAME]` of an issuer, with more lines.
fn stream(name: &str, issuer: &str, delivery: &str, more: &str) -> String {
    format!(
        "[signals.{name}]\nissuer = \"{issuer}\"\naudience = \"{AUDIENCE}\"\n\
         delivery = \"{delivery}\"\n{more}\n"
    )
}

/// Status of a push and its answer.
fn push(server: &Server, name: &str, token: &str, header: &str) -> (String, Value) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--data-binary", "@-", "--header", header])
        .args(["--header", "Content-Type: application/secevent+jwt"])
        .args(["--write-out", "\n%{http_code}"])
        .arg(format!("{}/v1/signals/{name}", server.address))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = curl.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(token.as_bytes()).unwrap();
    drop(input);
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (status.to_owned(), body)
}

fn count(folder: &Folder) -> Value {
    let rows = folder.json(&["query", "SELECT count(*) AS n FROM events"]);
    rows[0]["n"].clone()
}

#[test]
fn tokens_of_every_algorithm_are_taken_and_come_out_as_signals() {
    let folder = Folder::new();
    let mut transmitter = Transmitter::start(&[]);
    let issuer = transmitter.issuer();
    // Keys are found by discovery.
    configure(&folder, &stream("idp", &issuer, "push", ""));
    folder.ok(&["config", "check"]);
    let server = folder.serve();
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = transmitter.sign(&transmitter.payload(&format!("j-{alg}")), alg);
        for _ in ["first", "again"] {
            let (status, answer) = push(&server, "idp", &token, "X-A: b");
            assert_eq!((status.as_str(), answer), ("202", Value::Null), "{alg}");
        }
    }
    let sql = "SELECT source, kind, operation, target, time FROM events GROUP BY 1, 2, 3, 4, 5";
    let expected = json!({
        "source": "ssf.event", "kind": "signal", "operation": "caep:session-revoked",
        "target": "ana@example.com", "time": "2026-11-01T09:59:53Z",
    });
    assert_eq!(folder.json(&["query", sql]), [expected]);
    assert_eq!(count(&folder), 4);
    // Kept whole, not withheld as a secret, and found with her who it is about.
    let mut hers = transmitter.payload("j-hers");
    hers["events"][REVOKED]["initiating_entity"] = "user".into();
    let token = transmitter.sign(&hers, "EdDSA");
    assert_eq!(push(&server, "idp", &token, "X-A: b").0, "202");
    assert_eq!(folder.json(&["timeline", "ana@example.com"]).len(), 5);
    let (bundle, unpacked) = (folder.path("bundle.zip"), folder.path("bundle"));
    let (from, to) = (bundle.to_str().unwrap(), unpacked.to_str().unwrap());
    folder.ok(&["evidence", "export", "ana@example.com", "-o", from]);
    let unzip = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    output(Command::new("python3").args(["-c", unzip, from, to]));
    let found = Command::new("grep")
        .args(["-r", "-l", "-F", &token, to])
        .output()
        .unwrap();
    assert!(found.status.success(), "the token is not in the bundle");
}

/// Tokens that are not to be taken, with the code that says why.
fn forged(
    transmitter: &mut Transmitter,
    payload: &Value,
    evil: &str,
) -> Vec<(String, &'static str)> {
    let none = json!({ "alg": "none", "typ": "secevent+jwt" });
    let hmac = json!({ "alg": "HS256", "typ": "secevent+jwt", "kid": "rsa" });
    let fake =
        json!({ "alg": "RS256", "typ": "secevent+jwt", "kid": "rsa", "jku": evil, "x5u": evil });
    let bad = "invalid_request";
    let mut tokens: Vec<(String, &str)> = [
        // The keys are known from here on.
        (fake, "none", "authentication_failed"),
        (none, "none", bad),
        (hmac, "hmac", bad),
    ]
    .into_iter()
    .map(|(header, how, code)| (transmitter.forge(payload, &header, how), code))
    .collect();
    for (alg, header, code) in [
        ("ES256", json!({ "kid": "rsa" }), "invalid_key"),
        ("RS256", json!({ "typ": "JWT" }), bad),
    ] {
        tokens.push((transmitter.sign_with(payload, alg, &header), code));
    }
    let two = json!({ REVOKED: {}, "https://schemas.openid.net/secevent/caep/event-type/credential-change": {} });
    for (name, value, code) in [
        ("events", two, bad),
        ("exp", json!(4_000_000_000_u64), bad),
        ("iat", json!(4_000_000_000_u64), bad),
        ("aud", json!(["other"]), "invalid_audience"),
        ("iss", json!("https://evil.example"), "invalid_issuer"),
    ] {
        let mut claims = payload.clone();
        claims[name] = value;
        tokens.push((transmitter.sign(&claims, "RS256"), code));
    }
    tokens
}

#[test]
fn forged_tokens_are_refused_and_addresses_in_them_never_asked() {
    let folder = Folder::new();
    let mut transmitter = Transmitter::start(&[]);
    let agreed = folder.write("agreed", "Bearer agreed-between-us\n");
    let more = format!("authorization_file = \"{}\"", agreed.display());
    configure(
        &folder,
        &stream("idp", &transmitter.issuer(), "push", &more),
    );
    let server = folder.serve();
    let evil = format!("{}/evil.json", transmitter.address);
    let payload = transmitter.payload("j-1");
    let header = "Authorization: Bearer agreed-between-us";
    for (token, code) in forged(&mut transmitter, &payload, &evil) {
        let (status, answer) = push(&server, "idp", &token, header);
        // A key of that name for that algorithm may be published any moment.
        let waits = code == "invalid_key" && status == "503";
        assert!(
            waits || status == "400" && answer["err"] == code,
            "{code}: {status} {answer}"
        );
    }
    let sound = transmitter.sign_with(&payload, "RS256", &json!({ "jku": evil, "x5u": evil }));
    let (status, answer) = push(&server, "idp", &sound, "Authorization: Bearer other");
    assert_eq!(
        (status.as_str(), &answer["err"]),
        ("400", &json!("authentication_failed"))
    );
    let huge = "a".repeat(10 << 20);
    assert_eq!(push(&server, "idp", &huge, header).0, "413");
    assert_eq!(count(&folder), 0);
    assert_eq!(push(&server, "idp", &sound, header).0, "202");
    // What is nested too deeply to be read is signed all the same: it waits in quarantine.
    let mut bomb = transmitter.payload("j-2");
    bomb["deep"] = (0..DEPTH).fold(json!("bomb"), |inner, _| json!([inner]));
    let bomb = transmitter.sign(&bomb, "RS256");
    assert_eq!(push(&server, "idp", &bomb, header).0, "202");
    assert_eq!(count(&folder), 1);
    transmitter.command(&json!({ "sign": {}, "alg": "RS256" }));
    let mut asked = Vec::new();
    for line in transmitter.lines.by_ref().map(Result::unwrap) {
        let said: Value = serde_json::from_str(&line).unwrap();
        if said.get("token").is_some() {
            break;
        }
        asked.extend(said["asked"].as_str().map(str::to_owned));
    }
    assert!(!asked.iter().any(|path| path.contains("evil")), "{asked:?}");
}

#[test]
fn keys_that_cannot_be_trusted_are_not_used() {
    let folder = Folder::new();
    let mut plain = Transmitter::start(&[]);
    let mut encrypted = Transmitter::start(&["tls"]);
    let mut expired = Transmitter::start(&["expired"]);
    let (plain_address, issuer) = (plain.address.clone(), plain.issuer());
    let keys_at = |path: &str| format!("jwks_uri = \"{plain_address}/{path}\"");
    let trusting =
        |transmitter: &Transmitter| format!("ca_file = \"{}\"", transmitter.certificate.display());
    let settings = [
        stream("huge", &issuer, "push", &keys_at("huge.json")),
        stream("moved", &issuer, "push", &keys_at("moved.json")),
        stream("gone", &issuer, "push", &keys_at("gone.json")),
        stream("liar", &format!("{plain_address}/liar"), "push", ""),
        stream("stranger", &encrypted.issuer(), "push", ""),
        stream("known", &encrypted.issuer(), "push", &trusting(&encrypted)),
        stream("expired", &expired.issuer(), "push", &trusting(&expired)),
    ];
    configure(&folder, &settings.concat());
    folder.ok(&["config", "check"]);
    let server = folder.serve();
    let token = plain.sign(&plain.payload("j-1"), "RS256");
    for name in ["huge", "moved", "gone"] {
        assert_eq!(push(&server, name, &token, "X-A: b").0, "503", "{name}");
    }
    let liar = payload(&format!("{plain_address}/liar"), "j-1");
    let liar = plain.sign(&liar, "RS256");
    assert_eq!(push(&server, "liar", &liar, "X-A: b").0, "503");
    let token = encrypted.sign(&encrypted.payload("j-1"), "RS256");
    assert_eq!(push(&server, "stranger", &token, "X-A: b").0, "503");
    assert_eq!(push(&server, "known", &token, "X-A: b").0, "202");
    let token = expired.sign(&expired.payload("j-1"), "RS256");
    assert_eq!(push(&server, "expired", &token, "X-A: b").0, "503");
    assert_eq!(count(&folder), 1);
}

/// Tokens by `jti`.
fn offer(transmitter: &mut Transmitter, ids: &[String]) {
    let mut tokens = serde_json::Map::new();
    for id in ids {
        let token = transmitter.sign(&transmitter.payload(id), "ES256");
        tokens.insert(id.clone(), token.into());
    }
    transmitter.command(&json!({ "offer": tokens }));
}

fn polled(folder: &Folder, transmitter: &Transmitter) -> String {
    let token = folder.write("token", format!("{TOKEN}\n"));
    let (address, token) = (&transmitter.address, token.display());
    let more = format!(
        "endpoint = \"{address}/poll\"\nauthorization_file = \"{token}\"\ninterval_s = 1\n"
    );
    stream("idp", &transmitter.issuer(), "poll", &more)
}

#[test]
fn a_stream_is_polled_and_what_is_durable_acknowledged() {
    let folder = Folder::new();
    let mut transmitter = Transmitter::start(&[]);
    configure(&folder, &polled(&folder, &transmitter));
    folder.ok(&["config", "check"]);
    // More than are asked for at once.
    let ids: Vec<String> = (0..130).map(|n| format!("j-{n:03}")).collect();
    offer(&mut transmitter, &ids);
    let mut server = folder.serve();
    let mut acknowledged: Vec<Value> = Vec::new();
    for _ in &ids {
        acknowledged.push(transmitter.says("acknowledged")["acknowledged"].clone());
    }
    assert_eq!(acknowledged, ids);
    assert_eq!(count(&folder), 130);
    // What is not sound is told, and the rest goes on.
    let sound = transmitter.sign(&transmitter.payload("j-x"), "RS256");
    let other = transmitter.sign(&payload("https://evil.example", "j-evil"), "RS256");
    let offered = json!({ "j-x": sound, "j-evil": other, "j-under-another-id": sound, "j-7": 7 });
    transmitter.command(&json!({ "offer": offered }));
    assert_eq!(transmitter.says("acknowledged")["acknowledged"], "j-x");
    let errors: Vec<_> = (0..3).map(|_| transmitter.says("refused")).collect();
    let told = |error: &Value| format!("{} {}", error["refused"], error["err"]);
    let told: Vec<String> = errors.iter().map(told).collect();
    let expected = [
        r#""j-7" "invalid_request""#,
        r#""j-evil" "invalid_issuer""#,
        r#""j-under-another-id" "invalid_request""#,
    ];
    assert_eq!(told, expected);
    assert_eq!(count(&folder), 131);
    server.stop();
}

#[test]
fn a_server_killed_between_taking_and_acknowledging_loses_and_doubles_nothing() {
    let folder = Folder::new();
    let mut transmitter = Transmitter::start(&[]);
    configure(&folder, &polled(&folder, &transmitter));
    let ids: Vec<String> = (0..40).map(|n| format!("j-{n:02}")).collect();
    offer(&mut transmitter, &ids);
    transmitter.command(&json!({ "deaf": true }));
    for _ in 0..3 {
        let mut server = folder.serve();
        // It has them, says so, and is killed before anybody has heard.
        assert_eq!(transmitter.says("unheard")["unheard"], json!(ids));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    transmitter.command(&json!({ "deaf": false }));
    let _server = folder.serve();
    for id in &ids {
        assert_eq!(transmitter.says("acknowledged")["acknowledged"], json!(id));
    }
    assert_eq!(count(&folder), 40);
}

#[test]
fn the_check_tells_every_mistake() {
    let folder = Folder::new();
    let keys = folder.write("keys.json", "{\"keys\":[]}");
    let short = folder.write("short", "abc");
    let keys = format!("jwks_file = \"{}\"", keys.display());
    let short = format!("authorization_file = \"{}\"", short.display());
    let known = "jwks_uri = \"https://idp.example.com/keys\"";
    let settings = [
        stream("a", "https://idp.example.com", "push", &keys),
        stream("b", "https://idp.example.com", "push", &short),
        stream("c", "idp", "push", ""),
        stream(
            "d",
            "https://idp.example.com",
            "push",
            "jwks_uri = \"http://idp.example.com/keys\"",
        ),
        stream("e", "https://idp.example.com", "poll", ""),
        stream(
            "f",
            "https://idp.example.com",
            "push",
            &format!("{known}\n{keys}"),
        ),
        stream(
            "g",
            "https://idp.example.com",
            "push",
            "endpoint = \"https://idp.example.com\"",
        ),
        stream("h", "", "push", known),
        stream(
            "i",
            "https://idp.example.com",
            "poll",
            "endpoint = \"https://idp.example.com\"",
        ),
        stream("j", "https://idp.example.com", "push", known),
    ];
    configure(&folder, &settings.concat());
    let checked = folder.run(&["config", "check"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    for (name, part) in [
        ("a", "no key in it can check a signature"),
        ("b", "`authorization_file` has fewer than 16 bytes"),
        ("c", "set `jwks_uri` or `jwks_file`"),
        ("d", "only https is trusted"),
        ("e", "`endpoint` is missing"),
        ("f", "one of `jwks_uri` and `jwks_file`"),
        ("g", "of no use with `delivery = \"push\"`"),
        ("h", "`issuer` is empty"),
        ("i", "`authorization_file` is missing"),
    ] {
        let line = format!("`signals.{name}`: ");
        let line = told.lines().find(|one| one.contains(&line));
        assert!(
            line.is_some_and(|line| line.contains(part)),
            "{name}: {told}"
        );
    }
    assert!(!told.contains("signals.j"), "{told}");
}
