//! Listeners of the real server, with clients that nobody here wrote and with hostile ones.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::command::{Folder, Server, cloudtrail, served_by};
use crate::encrypted::certificate;

/// A server with listeners.
pub(crate) struct Listening {
    pub(crate) folder: Folder,
    server: Server,
    ports: BTreeMap<String, u16>,
    token: String,
}

impl Listening {
    /// Starts a server with these settings.
    pub(crate) fn start(settings: &str) -> Self {
        let folder = Folder::new();
        folder.ok(&["init"]);
        Self::start_in(folder, settings)
    }

    pub(crate) fn start_in(folder: Folder, settings: &str) -> Self {
        let token = folder.ok(&["token", "create", "reader", "--scope", "read"]);
        let (server, ports) = started(&folder, settings);
        Self {
            folder,
            server,
            ports,
            token: token.trim().to_owned(),
        }
    }

    /// As a crash of the machine would, apart from its disk.
    pub(crate) fn kill_and_start(&mut self, settings: &str) {
        self.server.child.kill().unwrap();
        self.server.child.wait().unwrap();
        (self.server, self.ports) = started(&self.folder, settings);
    }

    pub(crate) fn port(&self, listener: &str) -> u16 {
        self.ports[listener]
    }

    fn connect(&self, listener: &str) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port(listener))).unwrap();
        let patience = Some(Duration::from_mins(1));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// A figure of `/metrics` for one listener.
    pub(crate) fn figure(&self, name: &str, listener: &str) -> u64 {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--insecure", "--header"])
            .arg(format!("Authorization: Bearer {}", self.token))
            .arg(format!("{}/metrics", self.server.address));
        let text = String::from_utf8(curl.output().unwrap().stdout).unwrap();
        let line = format!("{name}{{listener=\"{listener}\"}} ");
        let found = text.lines().find_map(|text| text.strip_prefix(&line));
        assert!(found.is_some(), "{text}");
        found.unwrap().parse().unwrap()
    }
}

fn started(folder: &Folder, settings: &str) -> (Server, BTreeMap<String, u16>) {
    folder.write("data/deedtrail.toml", settings);
    folder.ok(&["config", "check"]);
    let server = folder.serve();
    let named = settings.matches("[listeners.").count();
    let ports = (0..named).map(|_| {
        let line = server.says("listener ");
        let (name, rest) = line
            .strip_prefix("listener ")
            .unwrap()
            .split_once(": ")
            .unwrap();
        let (_, port) = rest.rsplit_once(':').unwrap();
        (name.to_owned(), port.parse().unwrap())
    });
    let ports = ports.collect();
    (server, ports)
}

/// Most questions before a test gives up. Each takes a command that waits for the server: 50 ms
/// at least.
const ASKED_MAX: u32 = 2_400;

/// Asks until it holds; fails with what there is when it never does.
pub(crate) fn waits_for<T: Debug>(holds: impl Fn() -> bool, there_is: impl Fn() -> T) {
    let held = (0..ASKED_MAX).any(|_| holds());
    assert!(held, "{:?}", there_is());
}

/// Events of the archive.
pub(crate) fn count(folder: &Folder) -> usize {
    let rows = folder.json(&["query", "SELECT count(*) AS n FROM events"]);
    rows[0]["n"].as_u64().unwrap().try_into().unwrap()
}

const ALL: &str = "[listeners.tcp]\nprotocol = \"syslog\"\nlisten = \"127.0.0.1:0\"\n\
                   [listeners.udp]\nprotocol = \"syslog-udp\"\nlisten = \"127.0.0.1:0\"\n\
                   [listeners.relp]\nprotocol = \"relp\"\nlisten = \"127.0.0.1:0\"\n";

fn waiting(folder: &Folder) -> Vec<Value> {
    folder.json(&["quarantine", "list"])
}

#[test]
fn logger_in_every_form() {
    let server = Listening::start(ALL);
    let log = |more: &[&str], message: &str| {
        let listener = if more.contains(&"-d") { "udp" } else { "tcp" };
        let mut logger = Command::new("logger");
        logger.args(["-n", "127.0.0.1", "-P", &server.port(listener).to_string()]);
        assert!(logger.args(more).arg(message).status().unwrap().success());
    };
    for (place, form) in ["--rfc5424", "--rfc3164"].into_iter().enumerate() {
        let record = |way: &str| cloudtrail(&format!("{place}-{way}"), "ListUsers");
        log(&["-T", form, "-t", "aws.cloudtrail"], &record("tcp"));
        log(
            &["-T", form, "--octet-count", "-t", "any"],
            &record("counted"),
        );
        log(
            &["-d", form, "-t", "any"],
            &format!("@cee: {}", record("udp")),
        );
    }
    log(
        &[
            "-T",
            "--rfc5424",
            "-t",
            "sshd",
            "--sd-id",
            "a@1",
            "--sd-param",
            "b=\"x\"",
        ],
        "Accepted publickey for root",
    );
    let folder = &server.folder;
    let both = || (count(folder), waiting(folder).len());
    waits_for(|| both() == (6, 1), both);
    // The record is what the program wrote, byte for byte: from a file it is the same.
    let again = ["0-tcp", "0-counted", "0-udp", "1-tcp", "1-counted", "1-udp"];
    let again = again.map(|id| cloudtrail(id, "ListUsers") + "\n").concat();
    let file = folder.write("again.ndjson", again);
    let file = file.to_str().unwrap();
    let answer = folder.json(&["ingest", "--source", "aws.cloudtrail", file]);
    assert_eq!(answer[0]["duplicates"], 6, "{answer:?}");
    let left = &waiting(folder)[0];
    assert_eq!(left["source"], "syslog");
    let whole = folder.ok(&["quarantine", "show", &left["id"].to_string()]);
    assert!(
        whole.contains("sshd - - [") && whole.contains("Accepted publickey"),
        "{whole}"
    );
}

/// Bytes that the listener is to live through, and how many messages wait in quarantine for it.
const HOSTILE: [(&[u8], usize); 9] = [
    (b"1000000000000 <13>a count of ten to the twelfth\n", 1),
    (b"0 <13>a count of zero\n", 1),
    (b"<13>\0zero\0bytes\0\n", 1),
    (b"<13>\xff\xfe\x80 no UTF-8\n", 1),
    (b"18 <13>half a message", 1),
    (b"20 <13>half a message", 0),
    (b"<13>a line without its end", 1),
    (b"99999999 <13>more than may come", 0),
    (b"\n\r\n\n\n", 0),
];

#[test]
fn hostile_senders_harm_nobody() {
    let server = Listening::start(ALL);
    for (bytes, _) in HOSTILE {
        server.connect("tcp").write_all(bytes).unwrap();
    }
    let mut endless = server.connect("tcp");
    for _ in 0..64 {
        endless.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    endless.write_all(b"\n<13>the next line\n").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = ("127.0.0.1", server.port("udp"));
    let longest = vec![b'x'; 65_507];
    for datagram in [&b""[..], b"\0", b"<13>\xff", &longest] {
        udp.send_to(datagram, to).unwrap();
    }
    let mut relp = server.connect("relp");
    relp.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    assert_eq!(relp.read(&mut [0]).unwrap(), 0);
    let expected = HOSTILE.iter().map(|(_, kept)| kept).sum::<usize>() + 1 + 3;
    let kept = || waiting(&server.folder).len();
    waits_for(|| kept() >= expected, || waiting(&server.folder));
    assert_eq!(kept(), expected, "{:?}", waiting(&server.folder));
    let refused = || server.figure("deedtrail_listener_refused_total", "tcp");
    // The one in part and the two that are too long; halves of lines are kept.
    waits_for(|| refused() >= 3, refused);
    // Half a message each, from more connections than one address may have.
    let many: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = server.connect("tcp");
            drop(stream.write_all(b"<13>half"));
            stream
        })
        .collect();
    let denied = || server.figure("deedtrail_listener_denied_total", "tcp");
    waits_for(|| denied() >= 40, denied);
    let open = || server.figure("deedtrail_listener_connections_open", "tcp");
    assert!(open() <= 256, "{}", open());
    drop(many);
    waits_for(|| open() < 256, open);
    server
        .connect("tcp")
        .write_all(cloudtrail("e-1", "ListUsers").as_bytes())
        .unwrap();
    waits_for(|| count(&server.folder) == 1, || waiting(&server.folder));
}

#[test]
fn only_those_may_send_whom_the_listener_allows() {
    let settings = ALL.replace(
        "\nlisten",
        "\nallow = [\"192.0.2.0/24\", \"2001:db8::1\"]\nlisten",
    );
    let server = Listening::start(&settings);
    for listener in ["tcp", "relp"] {
        assert_eq!(server.connect(listener).read(&mut [0]).unwrap_or(0), 0);
    }
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"<13>x", ("127.0.0.1", server.port("udp")))
        .unwrap();
    for listener in ["tcp", "udp", "relp"] {
        let denied = || server.figure("deedtrail_listener_denied_total", listener);
        waits_for(|| denied() == 1, denied);
    }
    assert!(waiting(&server.folder).is_empty());
}

#[test]
fn openssl_sends_encrypted_and_plain_text_is_turned_away() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let (own, key) = certificate(&folder, "server");
    let settings = format!(
        "[tls]\ncertificate_file = '{}'\nkey_file = '{}'\n\
         [listeners.tls]\nprotocol = 'syslog'\nlisten = '127.0.0.1:0'\ntls = true\nsource = 'aws.cloudtrail'\n",
        own.display(),
        key.display()
    );
    let server = Listening::start_in(folder, &settings);
    let folder = &server.folder;
    let record = folder.write("record", cloudtrail("e-1", "ListUsers") + "\n");
    let send = |version: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_client",
            "-quiet",
            "-no_ign_eof",
            "-verify_return_error",
            version,
        ]);
        openssl
            .arg("-connect")
            .arg(format!("127.0.0.1:{}", server.port("tls")));
        openssl.arg("-CAfile").arg(&own);
        let input = std::fs::File::open(&record).unwrap();
        let ran = openssl
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ran.unwrap().success()
    };
    assert!(send("-tls1_2") && send("-tls1_3"));
    let records = || server.figure("deedtrail_listener_records_total", "tls");
    waits_for(|| records() == 2, records);
    assert_eq!(count(folder), 1);
    assert!(!send("-tls1_1"));
    let mut plain = server.connect("tls");
    plain.write_all(b"<13>in plain text\n").unwrap();
    drop(plain.read_to_end(&mut Vec::new()));
    // A record that is none of the source that the listener names waits as of that source.
    let other = folder.write("record", "<13>Nov  1 10:00:00 h sshd: words\n");
    assert_eq!(other, record);
    assert!(send("-tls1_3"));
    waits_for(|| !waiting(folder).is_empty(), || waiting(folder));
    assert_eq!(waiting(folder)[0]["source"], "aws.cloudtrail");
    let denied = server.figure("deedtrail_listener_denied_total", "tls");
    assert!(denied >= 2, "{denied}");
}

#[test]
fn what_was_sent_before_the_server_was_asked_to_end_is_there() {
    let mut server = Listening::start(ALL);
    let mut sender = server.connect("tcp");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..2_000 {
        let record = cloudtrail(&format!("tcp-{number}"), "ListUsers") + "\n";
        sender.write_all(record.as_bytes()).unwrap();
        if number % 40 == 0 {
            let record = cloudtrail(&format!("udp-{number}"), "ListUsers");
            udp.send_to(record.as_bytes(), ("127.0.0.1", server.port("udp")))
                .unwrap();
        }
    }
    server.server.stop();
    assert_eq!(count(&server.folder), 2_050);
}

#[test]
fn mistakes_of_a_listener_are_told() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let check = |settings: &str| {
        let listener =
            format!("[listeners.one]\nprotocol = 'syslog'\nlisten = '127.0.0.1:0'\n{settings}");
        folder.write("data/deedtrail.toml", listener);
        String::from_utf8(folder.run(&["config", "check"]).stdout).unwrap()
    };
    for (settings, told) in [
        ("source = 'aws.cloudtrial'", "`listeners.one`: "),
        (
            "allow = ['example.com']",
            "`example.com` is no address and no network",
        ),
        ("tls = true", "`tls` needs the server's certificate"),
        ("client_ca_file = 'x'", "is of no use without `tls = true`"),
        ("port = 1", "unknown field `port`"),
    ] {
        let said = check(settings);
        assert!(said.contains(told), "{settings}: {said}");
    }
    assert!(check("").starts_with("ok"), "{}", check(""));
}

#[test]
fn a_server_may_open_more_files_than_a_shell_gives_it() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -n 256; exec \"$@\"", "sh"]);
    limited.arg(folder.command().get_program());
    limited.args(folder.command().get_args());
    limited.env("XDG_STATE_HOME", folder.path("state"));
    let server = served_by(limited);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let mut lines = limits.lines();
    let line = lines.find(|line| line.starts_with("Max open files"));
    let soft = line.unwrap().split_whitespace().nth(3).unwrap();
    assert!(soft.parse::<u64>().unwrap() > 256, "{limits}");
}
