//! Few file descriptors, little memory, and a clock that is wrong.

use std::path::Path;

use anyhow::Context as _;

use crate::process::{Tally, say};

use super::{Client, Template, judge, subfolder};

/// Limits of open files that are tried; under the smallest the server may refuse to start.
const OPEN_FILES: [u32; 7] = [24, 32, 40, 48, 64, 96, 128];

/// With few file descriptors deliveries may be refused, never lost.
pub(super) fn descriptors(binary: &Path, is_short: bool) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let mut tally = Tally::default();
    let limits = OPEN_FILES
        .iter()
        .filter(|limit| !is_short || **limit % 64 == 32);
    for limit in limits {
        let folder = tempfile::tempdir()?;
        let place = template.place(binary, &subfolder(folder.path(), "place"))?;
        let limited = place.under(&["prlimit".to_owned(), format!("--nofile={limit}")]);
        let mut client = Client::new("r");
        let started = limited.start();
        if let Ok(server) = &started {
            std::thread::scope(|scope| {
                // Idle connections take descriptors away.
                let idle: Vec<_> = (0..limit / 2)
                    .filter_map(|_| std::net::TcpStream::connect(&server.address).ok())
                    .collect();
                for _ in 0..20 {
                    if client.send(server, &template.token, (5, "x")) != 200 {
                        break;
                    }
                }
                scope.spawn(move || drop(idle));
            });
            for _ in 0..20 {
                client.send(server, &template.token, (5, "x"));
            }
        }
        let is_started = started.is_ok();
        drop(started);
        let complaint = judge(&place, &client.promised)?;
        say(format_args!(
            "descriptors: {limit}: started {is_started}, {} acknowledged, {} deliveries refused; {}",
            client.promised.len(),
            client.refused.len(),
            complaint.as_deref().unwrap_or("nothing lost")
        ));
        tally.add(Tally::one(complaint.is_none()));
    }
    Ok(tally)
}

/// Limits of memory under which the server says that they are too low.
const TOO_LITTLE: [&str; 3] = ["--data=167772160", "--data=335544320", "--as=1073741824"];
/// Limits of memory under which it serves.
const ENOUGH: [&str; 2] = ["--data=1073741824", "--as=4294967296"];

/// With too little memory the server does not start and says why; with little of it nothing is lost.
pub(super) fn memory(binary: &Path) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let mut tally = Tally::default();
    for limit in TOO_LITTLE.iter().chain(&ENOUGH) {
        let folder = tempfile::tempdir()?;
        let place = template.place(binary, &subfolder(folder.path(), "place"))?;
        let mut client = Client::new("r");
        let started = place
            .under(&["prlimit".to_owned(), (*limit).to_owned()])
            .start();
        let is_right = match &started {
            Ok(server) => {
                (0..40).for_each(|_| {
                    client.send(server, &template.token, (500, "x"));
                });
                ENOUGH.contains(limit) && !client.promised.is_empty()
            }
            Err(error) => TOO_LITTLE.contains(limit) && error.to_string().contains("MiB at least"),
        };
        drop(started);
        let complaint = judge(&place, &client.promised)?;
        say(format_args!(
            "memory: {limit}: as it must be {is_right}, {} acknowledged; {}",
            client.promised.len(),
            complaint.as_deref().unwrap_or("nothing lost")
        ));
        tally.add(Tally::one(is_right && complaint.is_none()));
    }
    Ok(tally)
}

/// Offsets of the clock from one start to the next.
const OFFSETS: [&str; 4] = ["+0", "+3650d", "-3650d", "-1h"];

/// The library that moves the clock: `faketime` itself would stand between the server and its
/// signals.
fn library() -> anyhow::Result<String> {
    let files = std::process::Command::new("dpkg")
        .args(["-L", "libfaketime"])
        .output()?;
    let files = String::from_utf8(files.stdout)?;
    let library = files
        .lines()
        .find(|line| line.ends_with("/libfaketimeMT.so.1"));
    Ok(library
        .context("the package libfaketime is not installed")?
        .to_owned())
}

/// Restarts with the clock ten years ahead, ten years back, and an hour back.
pub(super) fn clock(binary: &Path) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let folder = tempfile::tempdir()?;
    let place = template.place(binary, &subfolder(folder.path(), "place"))?;
    let mut client = Client::new("r");
    let mut tally = Tally::default();
    let library = library()?;
    for offset in OFFSETS {
        let wrong = place.under(&[
            "env".to_owned(),
            format!("LD_PRELOAD={library}"),
            format!("FAKETIME={offset}"),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ]);
        let mut server = wrong.start()?;
        let mut taken = true;
        for _ in 0..5 {
            taken &= client.send(&server, &template.token, (5, "x")) == 200;
        }
        // What was sent before is known, whatever the time.
        let again = Client::new("r").send(&server, &template.token, (5, "x"));
        let (ready, detail) = server.get("", "/readyz").unwrap_or_default();
        server.kill()?;
        say(format_args!(
            "clock {offset}: taken {taken}, sent again {again}, ready {ready} {detail}"
        ));
        tally.add(Tally::one(taken && again == 200));
    }
    let complaint = judge(&place, &client.promised)?;
    say(format_args!(
        "clock: {}",
        complaint
            .as_deref()
            .unwrap_or("nothing lost, nothing twice")
    ));
    tally.add(Tally::one(complaint.is_none()));
    Ok(tally)
}
