//! RELP sessions: what is answered, and when.

use std::time::Duration;

use deedtrail_testkit::Refusal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, timeout};

use super::Bench;
use crate::limits::{ANSWER_TIME_MAX, MESSAGE_BYTES_MAX, MESSAGE_TIME_MAX, SENT_AGAIN_TIME_MAX};
use crate::relp::session::serve;

const OPEN: &str = "1 open 30 relp_version=0\ncommands=syslog\n";
const OPENED: &str = "1 rsp 61 200 OK\nrelp_version=0\nrelp_software=deedtrail\ncommands=syslog\n";

/// Sends, and reads as many bytes as the answer is expected to have.
async fn check(client: &mut DuplexStream, sent: &str, answer: &str) {
    client.write_all(sent.as_bytes()).await.unwrap();
    let mut read = vec![0; answer.len()];
    client.read_exact(&mut read).await.unwrap();
    assert_eq!(String::from_utf8(read).unwrap(), answer);
}

/// What is left to read until the end.
async fn rest(client: &mut DuplexStream) -> String {
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    rest
}

#[tokio::test(start_paused = true)]
async fn a_session_from_its_opening_to_its_close() {
    let bench = Bench::new();
    let (mut client, mut tasks) = bench.connect(serve);
    check(&mut client, OPEN, OPENED).await;
    let two = "2 syslog 6 <1>one\n3 syslog 7 <2>\ntwo\n";
    check(&mut client, two, "2 rsp 6 200 OK\n3 rsp 6 200 OK\n").await;
    assert_eq!(bench.stored(), ["<1>one", "<2>\ntwo"]);
    let odd = "4 starttls 0\n5 syslog 1 x\n6 close 0\n7 syslog 1 y\n";
    let answer = "4 rsp 32 500 the command is not supported\n5 rsp 6 200 OK\n6 rsp 0\n";
    check(&mut client, odd, answer).await;
    assert_eq!(rest(&mut client).await, "");
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_before_it_is_durable() {
    let bench = Bench::new();
    let (mut client, _tasks) = bench.connect(serve);
    check(&mut client, OPEN, OPENED).await;
    bench.refuse(Some(Refusal::Busy));
    client.write_all(b"2 syslog 6 <1>one\n").await.unwrap();
    let answered = timeout(Duration::from_hours(2), client.read_u8()).await;
    assert!(answered.is_err());
    bench.refuse(None);
    check(&mut client, "", "2 rsp 6 200 OK\n").await;
    assert_eq!(bench.stored(), ["<1>one"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_the_limit_is_refused_and_the_session_goes_on() {
    let bench = Bench::new();
    let (mut client, _tasks) = bench.connect(serve);
    check(&mut client, OPEN, OPENED).await;
    let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let sent = format!("2 syslog {} {long}\n3 syslog 6 <1>one\n", long.len());
    let answer = "2 rsp 22 500 over 1048576 bytes\n3 rsp 6 200 OK\n";
    check(&mut client, &sent, answer).await;
    assert_eq!(bench.stored(), ["<1>one"]);
    assert_eq!(bench.refused(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_relp_ends_the_connection() {
    for stream in [
        "GET / HTTP/1.1\r\n".to_owned(),
        "1 syslog 6 <1>one\n".to_owned(),
        format!("{OPEN}2 syslog 999999999 x"),
        format!("{OPEN}{OPEN}-"),
    ] {
        let bench = Bench::new();
        let (mut client, mut tasks) = bench.connect(serve);
        client.write_all(stream.as_bytes()).await.unwrap();
        tasks.join_next().await.unwrap().unwrap();
        let denied = &bench.door.counters.denied;
        assert_eq!(
            denied.load(std::sync::atomic::Ordering::Relaxed),
            1,
            "{stream}"
        );
        assert!(rest(&mut client).await.len() < 200);
        assert!(bench.stored().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_after_a_break_is_stored_once() {
    let bench = Bench::new();
    // Two copies that the sender means, of which it has seen no answer, and all of it again.
    let sent = "2 syslog 7 <1>same\n3 syslog 7 <1>same\n4 syslog 8 <1>other\n";
    for _ in 0..3 {
        let (mut client, mut tasks) = bench.connect(serve);
        client.write_all(OPEN.as_bytes()).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        drop(client);
        tasks.join_next().await.unwrap().unwrap();
    }
    assert_eq!(bench.stored(), ["<1>same", "<1>same", "<1>other"]);
}

/// A whole session: whether it ended in order is up to its last frame.
async fn session(bench: &Bench, frames: &[String]) {
    let (mut client, mut tasks) = bench.connect(serve);
    client.write_all(OPEN.as_bytes()).await.unwrap();
    client.write_all(frames.concat().as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    rest(&mut client).await;
    tasks.join_next().await.unwrap().unwrap();
}

fn frames(messages: &[&str]) -> Vec<String> {
    let frame = |(number, message): (usize, &&str)| {
        format!("{} syslog {} {message}\n", number + 2, message.len())
    };
    messages.iter().enumerate().map(frame).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_after_the_server_died_is_stored_once_and_twins_are_two() {
    let mut bench = Bench::new();
    session(&bench, &frames(&["<1>a", "<1>b", "<1>b"])).await;
    bench.restart();
    // The last two were not answered.
    session(&bench, &frames(&["<1>b", "<1>b", "<1>c", "<1>b"])).await;
    assert_eq!(bench.stored(), ["<1>a", "<1>b", "<1>b", "<1>c", "<1>b"]);
    // Another sender, and one that ended in order, sent nothing before.
    let closed = [&frames(&["<1>c"])[..], &["9 close 0\n".to_owned()]].concat();
    session(&bench, &closed).await;
    assert_eq!(bench.stored().len(), 5, "<1>c came again");
}

#[tokio::test(start_paused = true)]
async fn two_sessions_that_break_at_once_both_send_again_and_that_is_stored_once() {
    let bench = Bench::new();
    for _ in 0..3 {
        let (mut one, mut first) = bench.connect(serve);
        let (mut two, mut second) = bench.connect(serve);
        for (client, message) in [(&mut one, "<1>a"), (&mut two, "<1>b")] {
            check(client, OPEN, OPENED).await;
            check(client, &frames(&[message]).concat(), "2 rsp 6 200 OK\n").await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop((one, two));
        first.join_next().await.unwrap().unwrap();
        second.join_next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(bench.stored(), ["<1>a", "<1>b"]);
    // Once that ended in order nothing is left to be sent again.
    let closed = [&frames(&["<1>a"])[..], &["9 close 0\n".to_owned()]].concat();
    for expected in [2, 3] {
        session(&bench, &closed).await;
        assert_eq!(bench.stored().len(), expected);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_alike_is_two_after_a_session_that_ended_in_order() {
    let bench = Bench::new();
    let mut sent = frames(&["<1>same"]);
    sent.push("9 close 0\n".to_owned());
    for count in 1..4 {
        session(&bench, &sent).await;
        assert_eq!(bench.stored().len(), count);
    }
    // Also late in one after a break.
    session(&bench, &frames(&["<1>same"])).await;
    let (mut client, _tasks) = bench.connect(serve);
    check(&mut client, OPEN, OPENED).await;
    tokio::time::sleep(SENT_AGAIN_TIME_MAX * 2).await;
    check(&mut client, "2 syslog 7 <1>same\n", "2 rsp 6 200 OK\n").await;
    assert_eq!(bench.stored().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_server_answers_what_was_received() {
    let bench = Bench::new();
    let (mut client, mut tasks) = bench.connect(serve);
    check(&mut client, OPEN, OPENED).await;
    client
        .write_all(b"2 syslog 6 <1>one\n3 syslog 6 <1>t")
        .await
        .unwrap();
    bench.stopper.send_replace(true);
    let answer = "2 rsp 6 200 OK\n0 serverclose 0\n";
    assert_eq!(rest(&mut client).await, answer);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored(), ["<1>one"]);
}

#[tokio::test(start_paused = true)]
async fn a_frame_or_an_answer_that_takes_too_long_ends_the_session() {
    let bench = Bench::new();
    let begun = Instant::now();
    let (mut client, mut tasks) = bench.connect(serve);
    check(&mut client, OPEN, OPENED).await;
    client.write_all(b"2 syslog 6 <1>").await.unwrap();
    tasks.join_next().await.unwrap().unwrap();
    assert!(begun.elapsed() <= MESSAGE_TIME_MAX + Duration::from_secs(1));

    let (mut client, mut tasks) = bench.connect(serve);
    client.write_all(OPEN.as_bytes()).await.unwrap();
    // The client reads no answer; at some point nothing more goes either way.
    let frames = (2..10_000).map(|number| format!("{number} syslog 1 x\n"));
    for frame in frames {
        if client.write_all(frame.as_bytes()).await.is_err() {
            break;
        }
    }
    let waited = timeout(ANSWER_TIME_MAX * 2, tasks.join_next()).await;
    waited.unwrap().unwrap().unwrap();
}
