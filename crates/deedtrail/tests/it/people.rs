//! People sign in under their own name, and decide from the command line as on the pages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::command::{Folder, Server, cloudtrail};

/// Sends one request to the server a sign-in link names and returns the whole answer.
fn send(link: &str, head: &str) -> String {
    let host = link.split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "{head}\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Uses a sign-in link up.
fn redeem(link: &str) -> String {
    let secret = link.rsplit('/').next().unwrap();
    send(link, &format!("POST /sign-in/{secret} HTTP/1.1"))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

fn kill(mut server: Server) {
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

#[test]
fn a_link_for_a_person_is_printed_beside_a_running_server() {
    let folder = Folder::new();
    let server = folder.serve();
    let older = folder.ok(&["sign-in", "ana", "--scope", "read"]);
    let printed = folder.ok(&["sign-in", "ana", "--scope", "read"]);
    let link = printed.trim();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert_eq!(
        link.split("/sign-in/").next(),
        Some(server.address.as_str())
    );
    assert_eq!(status(&redeem(older.trim())), "401");
    let signed_in = redeem(link);
    assert_eq!(status(&signed_in), "303", "{signed_in}");
    let (_, cookie) = signed_in.split_once("set-cookie: ").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let page = send(link, &format!("GET / HTTP/1.1\r\nCookie: {cookie}"));
    assert_eq!(status(&page), "200");
    assert!(page.contains("ana"), "{page}");
    assert_eq!(status(&redeem(link)), "401", "a link works once");
}

#[test]
fn a_link_made_before_the_server_runs_works_when_it_does() {
    let folder = Folder::new();
    folder.ok(&["init"]);
    let made = folder.run(&["sign-in", "ben"]);
    let talk = String::from_utf8(made.stderr).unwrap();
    assert!(talk.contains("deedtrail serve"), "{talk}");
    let link = String::from_utf8(made.stdout).unwrap();
    let secret = link.trim().rsplit('/').next().unwrap();
    let server = folder.serve();
    let here = &server.address;
    assert_eq!(status(&redeem(&format!("{here}/sign-in/{secret}"))), "303");
}

#[test]
fn a_server_prints_no_secret_once_somebody_has_signed_in() {
    let folder = Folder::new();
    let first = folder.serve();
    let unused = first.line.clone();
    kill(first);
    let second = folder.serve();
    let here = &second.address;
    let secret = unused.rsplit('/').next().unwrap();
    let old = redeem(&format!("{here}/sign-in/{secret}"));
    assert_eq!(status(&old), "401", "the link of the start before");
    let (_, link) = second.line.split_once("24 h): ").unwrap();
    assert_eq!(status(&redeem(link.trim())), "303");
    kill(second);
    let third = folder.serve();
    assert!(
        third.line.contains("deedtrail sign-in NAME"),
        "{}",
        third.line
    );
    assert!(!third.line.contains("http"), "{}", third.line);
}

#[test]
fn a_finding_is_decided_and_filtered_from_the_command_line() {
    let folder = Folder::new();
    let file = folder.write("a.ndjson", cloudtrail("e-1", "CreateAccessKey"));
    let file = file.to_str().unwrap();
    folder.ok(&["ingest", "--source", "aws.cloudtrail", file]);
    let found = folder.json(&["finding", "list", "--status", "open"]);
    let id = found[0]["id"].as_str().unwrap();
    assert!(found[0]["priority"].as_u64().is_some(), "{}", found[0]);
    assert!(!found[0]["mapped_ref"].as_array().unwrap().is_empty());
    assert!(!found[0]["seed_ref"].as_array().unwrap().is_empty());
    let unknown = folder.run(&["finding", "decide", id, "--disposition", "fine"]);
    assert_eq!(unknown.status.code(), Some(2));
    for unsaid in [&[][..], &["--note", "a drill"], &["--status", "closed"]] {
        let refused = folder.run(&[&["finding", "decide", id][..], unsaid].concat());
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("benign, coerced, intrusion"), "{said}");
    }
    folder.ok(&["finding", "decide", id, "--status", "acknowledged"]);
    folder.ok(&["finding", "decide", id, "--status", "open"]);
    let note = "asked Ana:\na drill \u{1b}]0;pwned\u{7}\u{202e}";
    let decide = ["finding", "decide", id, "--disposition", "benign", "--note"];
    let long = "x".repeat(2_001);
    let refused = folder.run(&[&decide[..], &[&long]].concat());
    assert_eq!(refused.status.code(), Some(1));
    let decided = folder.ok(&[&decide[..], &[note]].concat());
    assert!(decided.starts_with("closed: benign: "), "{decided}");
    let open = folder.json(&["finding", "list", "--status", "open"]);
    assert_eq!(open.len(), found.len() - 1);
    let closed = folder.json(&["finding", "list", "--status", "closed"]);
    assert_eq!(closed[0]["id"], id);
    assert_eq!(closed[0]["analyst"], "local");
    assert_eq!(closed[0]["note"], note);
    let shown = folder.ok(&["finding", "show", id]);
    for words in [
        "closed: benign",
        "note of local: asked Ana:",
        "What to do first",
        "Controls: ",
    ] {
        assert!(shown.contains(words), "{words} is missing in\n{shown}");
    }
}
