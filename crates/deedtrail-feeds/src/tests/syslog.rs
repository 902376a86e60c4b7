//! Syslog on a connection: limits of time and size, backpressure, the end.

use std::time::Duration;

use deedtrail_testkit::Refusal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::{Bench, WIRE_BYTES};
use crate::limits::{
    BATCH_BYTES_MAX, FAREWELL_TIME_MAX, IDLE_TIME_MAX, LAST_APPEND_TIME_MAX, MESSAGE_BYTES_MAX,
    MESSAGE_TIME_MAX,
};
use crate::syslog::stream::serve;

#[tokio::test(start_paused = true)]
async fn messages_are_stored_whole_and_in_order() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    let stream = "<1>one\n8 <2>two\n\0<3>\u{fffd}\n<4>last";
    sender.write_all(stream.as_bytes()).await.unwrap();
    sender.write_all(b"\xff\n<5>no end").await.unwrap();
    drop(sender);
    tasks.join_next().await.unwrap().unwrap();
    let expected = [
        "<1>one",
        "<2>two\n\0",
        "<3>\u{fffd}",
        "<4>last\u{fffd}",
        "<5>no end",
    ];
    assert_eq!(bench.stored(), expected);
    assert_eq!(bench.refused(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_takes_too_long_ends_the_connection() {
    for pause in [Duration::from_secs(10), MESSAGE_TIME_MAX * 2] {
        let bench = Bench::new();
        let (mut sender, mut tasks) = bench.connect(serve);
        let begun = Instant::now();
        sender.write_all(b"<1>whole\n<2>par").await.unwrap();
        let drip = async {
            loop {
                tokio::time::sleep(pause).await;
                if sender.write_all(b"t").await.is_err() {
                    return;
                }
            }
        };
        drip.await;
        tasks.join_next().await.unwrap().unwrap();
        assert!(begun.elapsed() <= MESSAGE_TIME_MAX * 2 + pause);
        assert_eq!(bench.stored(), ["<1>whole"]);
        assert_eq!(bench.refused(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn many_messages_may_take_as_long_as_they_like() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    for number in 0..20 {
        sender
            .write_all(format!("{number}\n<1>mess").as_bytes())
            .await
            .unwrap();
        tokio::time::sleep(MESSAGE_TIME_MAX.mul_f32(0.9)).await;
        sender.write_all(b"age ").await.unwrap();
    }
    drop(sender);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored().len(), 21);
    assert_eq!(bench.refused(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_in_order() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    let begun = Instant::now();
    sender.write_all(b"<1>one\n").await.unwrap();
    assert_eq!(sender.read(&mut [0]).await.unwrap(), 0);
    assert!(begun.elapsed() >= IDLE_TIME_MAX);
    // What the sender sent before it noticed is taken.
    sender.write_all(b"<2>two\n").await.unwrap();
    tasks.join_next().await.unwrap().unwrap();
    assert!(begun.elapsed() <= IDLE_TIME_MAX + FAREWELL_TIME_MAX * 2);
    assert_eq!(bench.stored(), ["<1>one", "<2>two"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_received_is_stored_before_the_end() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    sender.write_all(b"<1>one\n<2>two\n<3>hal").await.unwrap();
    bench.stopper.send_replace(true);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored(), ["<1>one", "<2>two"]);
    assert_eq!(bench.refused(), 1);
    assert!(sender.write_all(b"f\n").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_the_log_takes_nothing() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    bench.refuse(Some(Refusal::Busy));
    let message = format!("<1>{}\n", "x".repeat(1_000));
    let mut sent = 0;
    let minute = Duration::from_mins(1);
    while timeout(minute, sender.write_all(message.as_bytes()))
        .await
        .is_ok()
    {
        sent += 1;
    }
    assert!(sent * message.len() <= BATCH_BYTES_MAX + (64 << 10) + WIRE_BYTES);
    assert!(bench.stored().is_empty());
    bench.refuse(None);
    // The last one went in part; here is its rest, and the end of everything.
    sender.write_all(b"\n").await.unwrap();
    drop(sender);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored().len(), sent + 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_log_kept_waiting_is_not_late() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    bench.refuse(Some(Refusal::Busy));
    sender.write_all(b"<1>one\n<2>tw").await.unwrap();
    tokio::time::sleep(MESSAGE_TIME_MAX * 3).await;
    bench.refuse(None);
    tokio::time::sleep(MESSAGE_TIME_MAX.mul_f32(0.9)).await;
    sender.write_all(b"o\n").await.unwrap();
    drop(sender);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored(), ["<1>one", "<2>two"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_takes_nothing_holds_up_no_end() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    bench.refuse(Some(Refusal::DiskFull));
    sender.write_all(b"<1>one\n").await.unwrap();
    bench.stopper.send_replace(true);
    let begun = Instant::now();
    tasks.join_next().await.unwrap().unwrap();
    assert!(begun.elapsed() <= LAST_APPEND_TIME_MAX + FAREWELL_TIME_MAX);
    assert!(bench.stored().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_refused_and_the_next_is_taken() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    let long = "x".repeat(MESSAGE_BYTES_MAX);
    let short = "x".repeat(MESSAGE_BYTES_MAX);
    let counted = format!("{} <1>{long}", long.len() + 3);
    for message in [&format!("<1>{long}\n"), &counted, "<2>next\n", &short, "\n"] {
        sender.write_all(message.as_bytes()).await.unwrap();
    }
    drop(sender);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.refused(), 2);
    let stored = bench.stored();
    assert_eq!(stored[0], "<2>next");
    assert_eq!(stored[1].len(), MESSAGE_BYTES_MAX);
}

#[tokio::test(start_paused = true)]
async fn what_is_alike_and_says_no_time_is_two_on_one_connection_and_on_two() {
    let bench = Bench::new();
    let copies = b"<1>Nov  1 10:00:00 h a: same\n<1>Nov  1 10:00:00 h a: same\n";
    for _ in 0..2 {
        let (mut sender, mut tasks) = bench.connect(serve);
        for copy in copies.split_inclusive(|byte| *byte == b'\n') {
            sender.write_all(copy).await.unwrap();
            // Another append for each.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        drop(sender);
        tasks.join_next().await.unwrap().unwrap();
    }
    assert_eq!(bench.stored().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_tried_again_makes_no_copies() {
    let bench = Bench::new();
    let (mut sender, mut tasks) = bench.connect(serve);
    bench.refuse(Some(Refusal::Busy));
    sender
        .write_all(b"<1>Nov  1 10:00:00 h a: same\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    bench.refuse(None);
    tokio::time::sleep(Duration::from_mins(1)).await;
    drop(sender);
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(bench.stored().len(), 1);
}
