//! `doctor`: every source, the disk, the clock, the keys, the checkpoint.

mod intake;

use std::time::Duration;

use deedtrail_app::App;
use deedtrail_app::pipeline::PassedOver;
use deedtrail_core::port::log::EvidenceLog as _;
use serde::Serialize;

use super::evidence::segments_place;
use super::{Context, Ended};
use crate::output::counted;
use crate::tls;
use crate::warning::warnings;

/// Free space below which the disk is reported, bytes.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Time in which the archive's files are read back.
const ARCHIVE_TIME_MAX: Duration = Duration::from_secs(10);

/// Ranges of entries of which each is named.
const RANGES_SHOWN_MAX: usize = 5;

/// Said of an archive that the start made anew or filled.
const LACKED_EVENTS: &str = "it was gone or lacked events when it was opened";

/// One check: what was looked at, whether it is well, and what to do if not.
#[derive(Debug, Serialize)]
struct Check {
    id: String,
    ok: bool,
    detail: String,
}

impl Check {
    fn new(id: impl Into<String>, ok: bool, detail: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ok,
            detail: detail.into(),
        }
    }
}

pub(super) fn run(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let mut checks = vec![log(context), clock(context), disk(context)?, keys(context)?];
    checks.extend([archive(context), control(context)]);
    checks.extend(witnesses(context));
    checks.extend(timestamps(context));
    checks.push(processing(context)?);
    checks.extend(passed_over(context.app())?);
    checks.push(retention(context)?);
    checks.push(rules(context.app()));
    checks.push(sequences(context.app()));
    checks.push(rule_folders(context.app()));
    checks.extend(settings(context));
    checks.extend(certificate(context));
    checks.push(server(context));
    if context.instance.address.get().is_some() {
        checks.extend(intake::feeds(context.app()));
        checks.extend(intake::listeners(context.app()));
    }
    checks.extend(intake::unseen_planes(context)?);
    checks.extend(intake::unattributed(context)?);
    checks.extend(intake::sources(context)?);
    let sick = checks.iter().any(|check| !check.ok);
    if context.console.json {
        for check in &checks {
            context.console.object(check)?;
        }
    } else {
        let mark = |ok| if ok { "ok" } else { "LOOK" };
        let rows: Vec<Vec<String>> = checks
            .iter()
            .map(|c| vec![mark(c.ok).to_owned(), c.id.clone(), c.detail.clone()])
            .collect();
        context
            .console
            .table(&["STATE", "CHECK", "DETAIL"], &rows)?;
    }
    Ok(if sick { Ended::Found } else { Ended::Done })
}

fn log(context: &Context<'_>) -> Check {
    let log = &context.instance.log;
    let checked = log.last_check();
    let refusal = log.refusal().map(|refusal| refusal.to_string());
    let found = checked.as_ref().and_then(|checked| checked.damage.clone());
    if let Some(damage) = log.damage() {
        let place = segments_place(log);
        let detail = format!("{damage}{place}; then run `deedtrail evidence check`");
        return Check::new("evidence log", false, detail);
    }
    if let Some(trouble) = refusal.or(found) {
        return Check::new("evidence log", false, trouble);
    }
    let read = match checked {
        Some(checked) => format!(
            "the first {} were read back and checked at {}",
            checked.entries, checked.at
        ),
        None => "never read back as a whole: `deedtrail evidence check`".to_owned(),
    };
    let detail = format!("{} entries, origin {}; {read}", log.end(), log.origin());
    Check::new("evidence log", true, detail)
}

/// Whether the archive's files are what was written, the newest first.
fn archive(context: &Context<'_>) -> Check {
    let found = context.instance.archive.read_back(ARCHIVE_TIME_MAX);
    if let Some(first) = found.damaged.first() {
        let number = counted(found.damaged.len(), "file");
        return Check::new(
            "archive",
            false,
            format!("{number} damaged: {first}; `deedtrail rebuild` makes the archive anew"),
        );
    }
    let position = context.app().processing.position();
    let refills = context.app().processing.refills();
    if let Some(through) = refills.filter(|through| position < *through) {
        let detail = format!(
            "{LACKED_EVENTS}: they are derived again from the log, which has come to entry {position} of \
             {through}"
        );
        return Check::new("archive", false, detail);
    }
    let refilled = refills.map_or_else(String::new, |_| {
        format!("; {LACKED_EVENTS}: they were derived again from the log")
    });
    let detail = format!(
        "{} of {} files were read back and are what was written, {} have no check sums{refilled}",
        found.compared, found.files, found.without_sums
    );
    Check::new("archive", true, detail)
}

/// What `SQLite` finds in the control plane.
fn control(context: &Context<'_>) -> Check {
    let found = match context.instance.store.check() {
        Ok(found) => found,
        Err(error) => return Check::new("control plane", false, error.to_string()),
    };
    match found.first() {
        Some(first) => {
            let first = first.replace('\n', " ");
            let detail = format!(
                "control.db is damaged: {first}; stop the server, put that of the newest backup in its \
                 place and remove control.db-wal, control.db-shm and control.db.seal"
            );
            Check::new("control plane", false, detail)
        }
        None => Check::new(
            "control plane",
            true,
            "the structure of control.db is sound",
        ),
    }
}

/// Who vouches for the log, where somebody is asked.
fn witnesses(context: &Context<'_>) -> Option<Check> {
    let client = context.instance.witnesses.as_ref()?;
    let standings = client.standings();
    let faults = standings.iter().filter_map(|(witness, standing)| {
        let fault = standing.fault.as_ref()?;
        Some(format!("{}: {fault}", witness.name))
    });
    let faults: Vec<String> = faults.collect();
    let vouching = standings
        .iter()
        .filter(|(_, standing)| standing.cosigned_s > 0 && standing.fault.is_none())
        .count();
    let detail = format!(
        "{vouching} of {} vouch, {} must",
        standings.len(),
        client.policy().quorum
    );
    let detail = [vec![detail], faults].concat().join("; ");
    let ok = vouching >= client.policy().quorum;
    Some(Check::new("witnesses", ok, detail))
}

/// When authorities stamped the log, where some are asked.
fn timestamps(context: &Context<'_>) -> Option<Check> {
    let client = context.instance.timestamps.as_ref()?;
    let authorities = client.authorities().iter();
    let said = authorities.map(|authority| {
        let standing = client.standing(authority);
        let name = &authority.name;
        match (standing.fault, standing.newest) {
            (Some(fault), _) => (false, format!("{name}: {fault}")),
            (None, Some((size, time))) => (true, format!("{name}: {size} batches at {time}")),
            (None, None) => (true, format!("{name}: not asked yet")),
        }
    });
    let (ok, details): (Vec<bool>, Vec<String>) = said.unzip();
    let ok = ok.into_iter().all(|ok| ok);
    Some(Check::new("time stamps", ok, details.join("; ")))
}

fn clock(context: &Context<'_>) -> Check {
    let now = context.app().ports.clock.now();
    let newest = context
        .app()
        .ports
        .store
        .source_health()
        .unwrap_or_default();
    let ahead = newest
        .iter()
        .filter_map(|h| h.last_received)
        .max()
        .filter(|at| *at > now);
    match ahead {
        Some(at) => Check::new(
            "clock",
            false,
            format!("it is {now}, but a record was received at {at}: the clock went back"),
        ),
        None => Check::new("clock", true, format!("{now}")),
    }
}

fn disk(context: &Context<'_>) -> anyhow::Result<Check> {
    let stat = rustix::fs::statvfs(&context.instance.config.data)?;
    let free = stat.f_bavail * stat.f_frsize;
    let detail = format!("{} GiB free", free >> 30);
    if free < FREE_BYTES_MIN {
        return Ok(Check::new(
            "disk",
            false,
            format!("{detail}; the log refuses records at 0"),
        ));
    }
    Ok(Check::new("disk", true, detail))
}

fn keys(context: &Context<'_>) -> anyhow::Result<Check> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = context.instance.config.data.join("keys");
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        let mode = entry.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = entry.path();
            let detail = format!("others can read {0}: chmod 600 {0}", path.display());
            return Ok(Check::new("keys", false, detail));
        }
    }
    Ok(Check::new(
        "keys",
        true,
        context.instance.log.verifier_key(),
    ))
}

fn processing(context: &Context<'_>) -> anyhow::Result<Check> {
    let figures = context.app().figures()?;
    let detail = format!(
        "{} of {} entries processed, {} archived, {} events",
        figures.processed,
        figures.log_end,
        figures.archived,
        figures.archive.rows + figures.archive.hot_rows
    );
    Ok(match figures.stopped {
        Some(error) => Check::new("processing", false, error),
        None if figures.is_rebuilding => {
            let detail = format!("a rebuild is under way: {detail}");
            Check::new("processing", false, detail)
        }
        None => Check::new("processing", true, detail),
    })
}

/// Entries that were damaged when everything else was derived, if there are any: what rests on them may be
/// missing, also once they are whole.
fn passed_over(app: &App) -> anyhow::Result<Vec<Check>> {
    let (still, whole): (Vec<_>, Vec<_>) = app
        .passed_over()?
        .into_iter()
        .partition(|one| one.damage.is_some());
    let mut checks = Vec::new();
    if !whole.is_empty() {
        let then = "Whole now: run `deedtrail rebuild`";
        checks.push(Check::new("passed over", false, passed(&whole, then)));
    }
    if let Some(damage) = still.iter().find_map(|one| one.damage.as_deref()) {
        let then = format!("Still so: {damage}, then run `deedtrail rebuild`");
        checks.push(Check::new("passed over", false, passed(&still, &then)));
    }
    Ok(checks)
}

fn passed(some: &[PassedOver], then: &str) -> String {
    let number: u64 = some.iter().map(|one| one.range.entries()).sum();
    let shown = some.iter().take(RANGES_SHOWN_MAX);
    let shown = shown.map(|one| format!("{}..={}", one.range.first, one.range.last));
    let mut shown: Vec<String> = shown.collect();
    if some.len() > RANGES_SHOWN_MAX {
        shown.push("…".to_owned());
    }
    let shown = shown.join(", ");
    let (entries, were) = match number {
        1 => ("entry", "was"),
        _ => ("entries", "were"),
    };
    format!(
        "{number} {entries} of the log ({shown}) {were} damaged when identities, findings and events \
         were derived: what rests on that may be missing. {then}"
    )
}

/// How long events stay in the archive, and what left it last.
fn retention(context: &Context<'_>) -> anyhow::Result<Check> {
    let retention = context.instance.config.retention.read()?;
    let stays = |days: u32| match days {
        0 => "for ever".to_owned(),
        days => counted(days as usize, "day"),
    };
    let others = stays(retention.days.unwrap_or(0));
    let sources = retention.sources.iter();
    let sources = sources.map(|(source, days)| format!(", those of {source} {}", stays(*days)));
    let sources: String = sources.collect();
    let left = match deedtrail_app::retention::last(&context.app().ports)? {
        Some(left) => format!(
            "; last at {}: {} events left, {}",
            left.at, left.events, left.of
        ),
        None => String::new(),
    };
    let detail = format!("events stay in the archive {others}{sources}{left}");
    Ok(Check::new("retention", true, detail))
}

fn rules(app: &App) -> Check {
    let in_force = app.in_force();
    let left_out = &in_force.rules_left_out;
    match left_out.first() {
        None => Check::new("rules", true, "every rule file is in force"),
        Some(first) => {
            let number = counted(left_out.len(), "mistake");
            let detail = format!(
                "{number}, those rules are left out: {first}; `deedtrail rule list` shows all"
            );
            Check::new("rules", false, detail)
        }
    }
}

/// Whether what is in force is what the folders hold.
fn rule_folders(app: &App) -> Check {
    let (ok, detail) = match app.are_rules_as_in_folders() {
        Ok(true) => (true, "what is in force is what they hold".to_owned()),
        Ok(false) => (
            false,
            "they changed since they were read: `deedtrail rule reload` puts what they hold in force, \
             where the log takes entries"
                .to_owned(),
        ),
        Err(reason) => (false, reason),
    };
    Check::new("rule folders", ok, detail)
}

fn sequences(app: &App) -> Check {
    let in_force = app.in_force();
    let left_out = &in_force.sequences_left_out;
    match left_out.first() {
        None => Check::new("sequences", true, "every unsafe sequence is in force"),
        Some(first) => {
            let number = counted(left_out.len(), "mistake");
            let detail = format!(
                "{number}, those unsafe sequences are left out: {first}; `deedtrail config check` \
                 shows all"
            );
            Check::new("sequences", false, detail)
        }
    }
}

/// What the configuration says that is probably not meant.
fn settings(context: &Context<'_>) -> Vec<Check> {
    let now = context.app().ports.clock.now();
    let found = warnings(&context.instance.config, now).into_iter();
    found
        .map(|warning| Check::new(warning.setting, false, warning.text))
        .collect()
}

/// The certificate that serves, or would.
fn certificate(context: &Context<'_>) -> Option<Check> {
    let files = context.instance.config.tls.as_ref()?;
    let serves = context.instance.certificate.get();
    let ends = serves.map_or_else(|| tls::ends(files), |serves| serves.ends());
    let ends = ends.map_or_else(String::new, |at| format!("it ends at {at}"));
    let failed = serves.and_then(|serves| serves.failed());
    Some(match failed {
        Some(error) => {
            let detail = format!("newer files are not used, the old one goes on: {error}; {ends}");
            Check::new("certificate", false, detail)
        }
        None => Check::new("certificate", true, ends),
    })
}

/// Whether a server runs on the data folder: only it takes what ways in of the configuration bring.
fn server(context: &Context<'_>) -> Check {
    if let Some(address) = context.instance.address.get() {
        return Check::new("server", true, format!("it serves at {address}"));
    }
    let config = &context.instance.config;
    let ways = config.webhooks.len()
        + config.signals.len()
        + config.listeners.len()
        + config.folders.len()
        + config.buckets.len()
        + config.nats.len();
    let detail = match ways {
        0 => "none is running; `deedtrail serve` starts it".to_owned(),
        _ => {
            "none is running, so nothing comes in by the ways of the configuration: start it with \
              `deedtrail serve`"
                .to_owned()
        }
    };
    Check::new("server", ways == 0, detail)
}
