//! Disks that run full, and disks that are slow.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Tally, say};
use crate::server::Server;

use super::{Client, Template, judge, subfolder};

/// Size of the disk in memory: room for the segments and the archive of some fills.
const DISK: &str = "size=1g";
/// After there is space again, requests are taken within this time.
const RECOVERY_MAX: Duration = Duration::from_secs(10);
/// Deliveries of 3 MiB until the reserved space of a segment must be full.
const DELIVERIES_MAX: u32 = 60;
const RECORDS: u64 = 50;
/// Bytes of a record, which compress badly.
const PADDING_BYTES: usize = 60_000;

/// A small disk in memory; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(folder)
            .status()?;
        anyhow::ensure!(
            mounted.success(),
            "a small disk cannot be mounted: run this as root, with the right to mount"
        );
        Ok(Self(folder.to_owned()))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all space there is.
    fn fill(&self) -> anyhow::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.filler())?;
        for size in [1 << 20, 4096] {
            let block = vec![1; size];
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            say(format_args!("{} is still mounted", self.0.display()));
        }
    }
}

/// The disk runs full, requests get 507 and reads go on; then there is space, and they are taken
/// again without a restart.
pub(super) fn full(binary: &Path, fills: u32) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let folder = tempfile::tempdir()?;
    let mount = Mount::new(&folder.path().join("disk"))?;
    let place = template.place(binary, &subfolder(&mount.0, "place"))?;
    let reader = place.token("reader", "read")?;
    let mut server = place.start()?;
    let mut client = Client::new("r");
    let mut dice = fastrand::Rng::with_seed(1);
    let mut tally = Tally::default();
    for fill in 1..=fills {
        let (refusal, reads) = fill_up(
            &mount,
            &server,
            &mut client,
            (&template.token, &reader),
            &mut dice,
        )?;
        mount.free()?;
        let begun = Instant::now();
        let mut is_back = false;
        while !is_back && begun.elapsed() < RECOVERY_MAX {
            is_back = client.send(&server, &template.token, (1, "x")) == 200;
        }
        say(format_args!(
            "full {fill}: refused with {refusal}, reading answered {reads:?}, taken again after {:.1} s: {is_back}",
            begun.elapsed().as_secs_f64()
        ));
        let is_right = refusal == 507 && reads.iter().all(|status| *status == 200) && is_back;
        tally.add(Tally::one(is_right));
    }
    let stopped = server.stop();
    if let Err(error) = &stopped {
        say(format_args!("full: {error:#}"));
    }
    tally.add(Tally::one(stopped.is_ok()));
    let complaint = judge(&place, &client.promised)?;
    let statuses: std::collections::BTreeSet<u16> = client.refused.iter().copied().collect();
    say(format_args!(
        "full: {} acknowledged, {} deliveries refused with {statuses:?}; {}",
        client.promised.len(),
        client.refused.len(),
        complaint.as_deref().unwrap_or("nothing lost")
    ));
    // Whatever is refused is told as a full disk, or as to be tried later.
    tally.add(Tally::one(
        complaint.is_none() && statuses.iter().all(|s| matches!(s, 429 | 503 | 507)),
    ));
    Ok(tally)
}

/// Fills the disk and sends until something is refused; its status, and those of reads meanwhile.
fn fill_up(
    mount: &Mount,
    server: &Server,
    client: &mut Client,
    (token, reader): (&str, &str),
    dice: &mut fastrand::Rng,
) -> anyhow::Result<(u16, Vec<u16>)> {
    mount.fill()?;
    let mut refusal = 200;
    for _ in 0..DELIVERIES_MAX {
        // Each its own: several alike in one block would compress to one.
        let padding = || (0..PADDING_BYTES).map(|_| dice.alphanumeric()).collect();
        refusal = client.send_padded(server, token, RECORDS, padding);
        if refusal != 200 {
            break;
        }
    }
    let reads = ["/healthz", "/v1/sources", "/v1/findings", "/v1/events"];
    let statuses = reads
        .iter()
        .map(|path| server.get(reader, path).map_or(0, |(status, _)| status));
    Ok((refusal, statuses.collect()))
}

/// How long each sync takes, ms.
const SYNC_MS: u64 = 400;
/// Most memory the server may have meanwhile, KiB.
const RESIDENT_KIB_MAX: u64 = 1 << 20;

/// Every sync takes long: nobody is answered before it is over, and memory stays bounded.
pub(super) fn slow(binary: &Path) -> anyhow::Result<Tally> {
    let template = Template::new(binary)?;
    let folder = tempfile::tempdir()?;
    let place = template.place(binary, &subfolder(folder.path(), "place"))?;
    let delayed = place.under(
        &[
            "strace",
            "-D",
            "-f",
            "-qq",
            "--seccomp-bpf",
            "-o",
            "/dev/null",
            "-e",
            "trace=fdatasync",
            "-e",
            &format!("inject=fdatasync:delay_enter={SYNC_MS}ms"),
        ]
        .map(str::to_owned),
    );
    let mut server = delayed.start()?;
    let outcomes: Vec<(Client, Duration)> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..32)
            .map(|number| {
                let (server, token) = (&server, &template.token);
                scope.spawn(move || sender(server, token, number))
            })
            .collect();
        senders
            .into_iter()
            .filter_map(|sender| sender.join().ok())
            .collect()
    });
    let quickest = outcomes
        .iter()
        .map(|(_, quickest)| *quickest)
        .min()
        .unwrap_or_default();
    let resident = resident_kib(server.process.id());
    server.kill()?;
    let mut promised = crate::promise::Promised::new();
    let mut refused = 0;
    for (client, _) in outcomes {
        refused += client.refused.len();
        promised.extend(client.promised);
    }
    let complaint = judge(&place, &promised)?;
    say(format_args!(
        "slow: syncs of {SYNC_MS} ms; {} acknowledged, none before {} ms, {refused} deliveries refused, \
         {resident} KiB resident; {}",
        promised.len(),
        quickest.as_millis(),
        complaint.as_deref().unwrap_or("nothing lost")
    ));
    let held = quickest >= Duration::from_millis(SYNC_MS) && resident <= RESIDENT_KIB_MAX;
    Ok(Tally::one(
        held && complaint.is_none() && !promised.is_empty(),
    ))
}

/// Sends some batches; what came of it, and the quickest acknowledgement.
fn sender(server: &Server, token: &str, number: u32) -> (Client, Duration) {
    let mut client = Client::new(&format!("s{number}"));
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        if client.send(server, token, (20, "x")) == 200 {
            quickest = quickest.min(begun.elapsed());
        }
    }
    (client, quickest)
}

/// Resident memory of a process, KiB; 0 when it is gone.
fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
