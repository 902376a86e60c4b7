//! Calls of the system fail, one at a time: strace makes the n-th call of each thread return an error.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::process::{Tally, say};

use super::{Client, Extent, Template, judge, subfolder};

/// Calls by which data come to the disk, or fail to.
const CALLS: [&str; 10] = [
    "openat",
    "write",
    "pwrite64",
    "fdatasync",
    "fsync",
    "rename,renameat,renameat2",
    "unlink,unlinkat",
    "ftruncate",
    "fallocate",
    "mkdir,mkdirat",
];

/// Errors, and the calls that may return them; all when empty. `EINTR` is for those that wait.
const ERRORS: [(&str, &[&str]); 3] = [
    ("EIO", &[]),
    (
        "ENOSPC",
        &[
            "openat",
            "write",
            "pwrite64",
            "fdatasync",
            "fsync",
            "rename,renameat,renameat2",
            "fallocate",
            "mkdir,mkdirat",
        ],
    ),
    (
        "EINTR",
        &["openat", "write", "pwrite64", "fallocate", "ftruncate"],
    ),
];

/// Which of a thread's calls fail.
const NUMBERS: [u32; 8] = [1, 2, 4, 7, 12, 30, 60, 120];
const SHORT_NUMBERS: [u32; 1] = [9];
/// Cases that run beside each other.
const WORKERS: usize = 3;
/// Batches that a client gives up after, one after another.
const REFUSED_MAX: u32 = 3;

/// One call that fails.
#[derive(Clone, Copy, Debug)]
struct Case {
    call: &'static str,
    error: &'static str,
    number: u32,
}

fn cases(extent: Extent) -> Vec<Case> {
    let numbers: &[u32] = if extent.is_short {
        &SHORT_NUMBERS
    } else {
        &NUMBERS
    };
    let mut cases = Vec::new();
    for call in CALLS {
        for (error, only) in ERRORS {
            let is_short_for = extent.is_short && (error != "EIO" || call.contains("mkdir"));
            if is_short_for || !(only.is_empty() || only.contains(&call)) {
                continue;
            }
            let numbers = numbers.iter().filter(|number| **number <= extent.calls);
            cases.extend(numbers.map(|number| Case {
                call,
                error,
                number: *number,
            }));
        }
    }
    cases
}

/// What the cases came to.
#[derive(Default)]
struct Sums {
    struck: AtomicU64,
    not_started: AtomicU64,
    /// Of those, by a panic: tokio cannot do without writing to its own event.
    panicked: AtomicU64,
    promised: AtomicUsize,
    refused: AtomicUsize,
    failed: AtomicU64,
}

pub(super) fn run(binary: &Path, extent: Extent) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let cases = cases(extent);
    let next = AtomicUsize::new(0);
    let sums = Sums::default();
    let broken: Mutex<Option<anyhow::Error>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = one(binary, &template, *case, &sums) {
                        let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        broken.get_or_insert(error.context(format!("{case:?}")));
                        break;
                    }
                }
            });
        }
    });
    if let Some(error) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let failed = sums.failed.into_inner();
    let struck = sums.struck.into_inner();
    say(format_args!(
        "calls: {} cases, the fault struck in {struck}, {} did not start under it ({} by a panic); {} records acknowledged, \
         {} deliveries refused; {failed} failed",
        cases.len(),
        sums.not_started.into_inner(),
        sums.panicked.into_inner(),
        sums.promised.into_inner(),
        sums.refused.into_inner(),
    ));
    let mut tally = Tally {
        passed: cases.len() as u64 - failed,
        failed,
    };
    // A campaign whose faults strike nothing shows nothing.
    tally.add(Tally::one(struck * 2 >= cases.len() as u64));
    Ok(tally)
}

fn one(binary: &Path, template: &Template, case: Case, sums: &Sums) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let place = template.place(binary, &subfolder(folder.path(), "place"))?;
    let trace = folder.path().join("trace");
    let tracer = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        &trace.display().to_string(),
        "-e",
        &format!("trace={}", case.call),
        "-e",
        &format!(
            "inject={}:error={}:when={}",
            case.call, case.error, case.number
        ),
    ];
    let traced = place.under(&tracer.map(str::to_owned));
    let mut client = Client::new("r");
    match traced.start() {
        Ok(mut server) => {
            send(&mut client, &server, &template.token, case.number);
            // Every second one ends in order.
            if case.number.is_multiple_of(2) {
                server.stop().unwrap_or_default();
            }
            server.kill()?;
        }
        Err(error) => {
            let panicked = error.to_string().contains("panicked");
            sums.panicked
                .fetch_add(u64::from(panicked), Ordering::Relaxed);
            sums.not_started.fetch_add(1, Ordering::Relaxed);
        }
    }
    let struck = std::fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("(INJECTED)"));
    sums.struck.fetch_add(u64::from(struck), Ordering::Relaxed);
    sums.promised
        .fetch_add(client.promised.len(), Ordering::Relaxed);
    sums.refused
        .fetch_add(client.refused.len(), Ordering::Relaxed);
    if let Some(complaint) = judge(&place, &client.promised)? {
        sums.failed.fetch_add(1, Ordering::Relaxed);
        say(format_args!("{case:?}: {complaint}"));
    }
    Ok(())
}

/// Enough batches for the fault to come, and some after it; fewer once nothing is taken any more.
fn send(client: &mut Client, server: &crate::server::Server, token: &str, number: u32) {
    let mut refused = 0;
    for _ in 0..(number + 6).min(60) {
        if client.send(server, token, (3, "x")) == 200 {
            refused = 0;
        } else {
            refused += 1;
        }
        if refused == REFUSED_MAX {
            break;
        }
    }
}
