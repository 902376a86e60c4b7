//! HTTP over TLS, as clients that nobody here wrote see it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use deedtrail_testkit::python::output;

use crate::command::{Folder, Server};
use crate::listeners::Listening;
use crate::rsyslog::vouched_for;
use crate::shippers::exported;

/// A certificate for 127.0.0.1 that is its own authority, with its key.
pub(crate) fn certificate(folder: &Folder, name: &str) -> (PathBuf, PathBuf) {
    let files = (
        folder.path(&format!("{name}.pem")),
        folder.path(&format!("{name}.key")),
    );
    let mut openssl = Command::new("openssl");
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=127.0.0.1"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&files.1)
        .arg("-out")
        .arg(&files.0);
    output(&mut openssl);
    files
}

/// What curl says of an answer, or nothing if it does not trust the server.
fn asked(server: &Server, authority: &PathBuf, how: &str) -> Option<String> {
    let address = format!("{}/healthz", server.address);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", how, "--cacert"])
        .arg(authority)
        .args(["--write-out", "%{http_version} %{http_code}", &address]);
    let said = curl.output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    said.status.success().then_some(text)
}

#[test]
fn a_certificate_serves_every_protocol_and_is_read_again_when_it_changes() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let (old, old_key) = certificate(&folder, "old");
    let (new, new_key) = certificate(&folder, "new");
    let settings = "[tls]\ncertificate_file = \"server.pem\"\nkey_file = \"server.key\"\n";
    folder.write("data/deedtrail.toml", settings);
    let install = |certificate: &PathBuf, key: &PathBuf| {
        std::fs::copy(key, folder.path("data/server.key")).unwrap();
        std::fs::copy(certificate, folder.path("data/server.pem")).unwrap();
    };
    let checked = folder.run(&["config", "check"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(told.contains("`tls.certificate_file`"), "{told}");
    install(&old, &new_key);
    let checked = folder.run(&["config", "check"]);
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(told.contains("do not fit each other"), "{told}");
    install(&old, &old_key);
    folder.ok(&["config", "check"]);

    let server = folder.serve();
    assert!(server.address.starts_with("https://"));
    let told = |authority, how| asked(&server, authority, how);
    assert_eq!(told(&old, "--http2").as_deref(), Some("2 200"));
    assert_eq!(told(&old, "--http1.1").as_deref(), Some("1.1 200"));
    assert_eq!(told(&new, "--http2"), None);
    exported(&folder, &server, &["grpc", old.to_str().unwrap()]);

    install(&new, &new_key);
    let replaced = (0..ASKED_MAX).any(|_| told(&new, "--http2").is_some());
    assert!(replaced, "the new certificate never served");
    assert_eq!(told(&old, "--http2"), None);
}

/// Whether a RELP listener answers a client with this certificate and key.
fn is_answered(port: u16, authority: &Path, (certificate, key): &(PathBuf, PathBuf)) -> bool {
    let mut openssl = Command::new("openssl");
    openssl
        .args(["s_client", "-quiet", "-verify_return_error", "-connect"])
        .arg(format!("127.0.0.1:{port}"))
        .args(["-CAfile".as_ref(), authority.as_os_str()])
        .args(["-cert".as_ref(), certificate.as_os_str()])
        .args(["-key".as_ref(), key.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut client = openssl.spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    // One that is turned away may be gone already.
    drop(input.write_all(b"1 open 14 relp_version=0\n2 close 0\n"));
    let said = client.wait_with_output().unwrap();
    drop(input);
    said.stdout.starts_with(b"1 rsp ")
}

#[test]
fn the_authorities_of_clients_are_read_again_when_they_change() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let (own, key) = certificate(&folder, "server");
    let [old, new] = ["old", "new"].map(|name| certificate(&folder, name));
    let of = |name: &str, by: &(PathBuf, PathBuf)| vouched_for(&folder, name, (&by.0, &by.1));
    let clients = [of("client-of-old", &old), of("client-of-new", &new)];
    let authorities = folder.path("authorities.pem");
    std::fs::copy(&old.0, &authorities).unwrap();
    let settings = format!(
        "[tls]\ncertificate_file = '{}'\nkey_file = '{}'\n\
         [listeners.relp]\nprotocol = 'relp'\nlisten = '127.0.0.1:0'\ntls = true\n\
         client_ca_file = '{}'\n",
        own.display(),
        key.display(),
        authorities.display()
    );
    let server = Listening::start_in(folder, &settings);
    let port = server.port("relp");
    let answered = || {
        clients
            .each_ref()
            .map(|client| is_answered(port, &own, client))
    };
    assert_eq!(answered(), [true, false]);
    // What is no certificate changes nothing.
    std::fs::write(&authorities, "no certificate").unwrap();
    assert_eq!(answered(), [true, false]);
    std::fs::copy(&new.0, &authorities).unwrap();
    let replaced = (0..ASKED_MAX).any(|_| is_answered(port, &own, &clients[1]));
    assert!(replaced, "the new authority never counted");
    assert_eq!(answered(), [false, true]);
}

/// How often a client looks whether a certificate was replaced; once takes about 20 ms.
const ASKED_MAX: u32 = 2_000;
