//! `doctor`: every source, the disk, the clock, the keys, the checkpoint.

use std::sync::atomic::{AtomicU64, Ordering};

use deedtrail_app::App;
use deedtrail_app::feed_health::{LeftOut, PlaneCoverage};
use deedtrail_app::today::Unattributed;
use deedtrail_core::event::Plane;
use deedtrail_core::health::{MissingNumbers, SYSTEMS_MAX, SourceHealth};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use super::{Context, Ended};
use crate::config::Config;
use crate::output::counted;
use crate::tls;
use crate::warning::warnings;

/// Free space below which the disk is reported, bytes.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Share of quarantined records above which a source is reported, per thousand.
const QUARANTINE_PER_MILLE_MAX: u64 = 10;

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
    checks.extend(witnesses(context));
    checks.extend(timestamps(context));
    checks.push(processing(context)?);
    checks.push(retention(context)?);
    checks.push(rules(context.app()));
    checks.push(sequences(context.app()));
    checks.extend(settings(context));
    checks.extend(certificate(context));
    checks.push(server(context));
    if context.instance.address.get().is_some() {
        checks.extend(feeds(context.app()));
        checks.extend(listeners(context.app()));
    }
    checks.extend(unseen_planes(context)?);
    checks.extend(unattributed(context)?);
    checks.extend(sources(context)?);
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
    if let Some(trouble) = log.damage().or(refusal).or(found) {
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

/// Feeds that this server fetches, which are none without a server, and what is pushed to it.
fn feeds(app: &App) -> Vec<Check> {
    let states = app.feeds.all().into_iter();
    let check = states.map(|(name, state)| {
        let is_well = state.last_error.is_none() && state.refused == 0;
        Check::new(name, is_well, state.summary())
    });
    check.collect()
}

fn sources(context: &Context<'_>) -> anyhow::Result<Vec<Check>> {
    let now = context.app().ports.clock.now();
    let healths = context.app().ports.store.source_health()?;
    if healths.is_empty() {
        let data = context.instance.config.data.display();
        let ways = ways_in(&context.instance.config);
        let detail = format!(
            "no records yet: {ways}`deedtrail --data {data} ingest --source aws.cloudtrail FILE` \
             takes a file in, `deedtrail source list` names the sources"
        );
        return Ok(vec![Check::new("sources", false, detail)]);
    }
    Ok(healths.iter().map(|health| source(health, now)).collect())
}

/// The ways in that the configuration opens, before others are told of.
fn ways_in(config: &Config) -> String {
    let mut ways = Vec::new();
    let mut add = |kind: &str, names: Vec<&String>| {
        ways.extend(names.into_iter().map(|name| format!("{kind}.{name}")));
    };
    add("webhooks", config.webhooks.keys().collect());
    add("signals", config.signals.keys().collect());
    add("listeners", config.listeners.keys().collect());
    add("folders", config.folders.keys().collect());
    add("buckets", config.buckets.keys().collect());
    add("nats", config.nats.keys().collect());
    match ways.as_slice() {
        [] => String::new(),
        ways => format!("nothing came by {} so far; ", ways.join(", ")),
    }
}

/// Listeners that refused or lost something since the start.
fn listeners(app: &App) -> Vec<Check> {
    let listeners = app.listeners.iter().map(|(name, counters)| {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (refused, denied) = (count(&counters.refused), count(&counters.denied));
        let lost = count(&counters.lost);
        let detail = format!(
            "{} records since the start; {refused} messages refused, {denied} senders denied, \
             {lost} datagrams lost",
            count(&counters.records)
        );
        Check::new(
            format!("listeners.{name}"),
            refused + denied + lost == 0,
            detail,
        )
    });
    listeners.collect()
}

/// Planes of systems that a source could show and none does: one line, not an alarm.
fn unseen_planes(context: &Context<'_>) -> anyhow::Result<Option<Check>> {
    let coverage = context.app().coverage(&context.principal)?;
    let missing = coverage.systems.iter().flat_map(|system| {
        let planes = system.planes.iter().zip(Plane::ALL);
        planes.filter_map(|(plane, name)| match plane {
            PlaneCoverage::Missing { sources } => {
                let sources: Vec<&str> = sources.iter().map(SourceName::as_str).collect();
                let (system, plane) = (&system.system, name.name());
                Some(format!("{system} {plane} ({})", sources.join(", ")))
            }
            PlaneCoverage::Seen { .. } | PlaneCoverage::Unknown => None,
        })
    });
    let missing: Vec<String> = missing.collect();
    let left_out = coverage.left_out.iter().map(|one| {
        let LeftOut { source, events } = one;
        format!("; {source} tells of more than {SYSTEMS_MAX} systems, {events} events of others")
    });
    let left_out: String = left_out.collect();
    Ok((!coverage.systems.is_empty()).then(|| {
        let detail = match missing.as_slice() {
            [] => "every plane that a source can show is seen".to_owned(),
            some => format!("not seen: {}", some.join("; ")),
        };
        Check::new("coverage", true, detail + &left_out)
    }))
}

/// Events that name nobody who acted, and the source that most of them come by.
fn unattributed(context: &Context<'_>) -> anyhow::Result<Option<Check>> {
    let healths = context.app().ports.store.source_health()?;
    let all = Unattributed::of(healths.iter());
    if all.events == 0 {
        return Ok(None);
    }
    let of = |health: &SourceHealth| Unattributed::of(std::iter::once(health)).without_identity;
    let worst = healths.iter().max_by_key(|health| of(health));
    let worst = worst.filter(|health| of(health) > 0).map(|health| {
        let (without, name) = (of(health), &health.source);
        format!("; {without} of them by {name}: does its mapping say who acts?")
    });
    let detail = format!(
        "{} of {} events name nobody who acted ({} %, aimed at is less than 1 %){}",
        all.without_identity,
        all.events,
        all.percent(),
        worst.unwrap_or_default()
    );
    Ok(Some(Check::new("identities", !all.is_many(), detail)))
}

fn source(health: &SourceHealth, now: Timestamp) -> Check {
    let (trouble, well) = (troubles(health, now), figures(health));
    let ok = trouble.is_empty();
    let detail = if ok {
        well
    } else {
        format!("{}; {well}", trouble.join("; "))
    };
    let name = match health.tenant.as_str() {
        TenantId::DEFAULT => health.source.to_string(),
        tenant => format!("{tenant}/{}", health.source),
    };
    Check::new(name, ok, detail)
}

/// What needs a look at a source, with what to do.
fn troubles(health: &SourceHealth, now: Timestamp) -> Vec<String> {
    let mut trouble = Vec::new();
    if health.watched.silent {
        let silence = health.last_received.map(|at| now.micros_since(at));
        let hours = silence.unwrap_or_default() / Timestamp::HOUR_US;
        trouble.push(format!(
            "silent for {hours} h against its rhythm: check the shipper and its token, and whether \
             the vendor still writes"
        ));
    }
    if !health.watched.degraded.is_empty() {
        let degraded = health.watched.degraded.join(", ");
        trouble.push(format!(
            "events no longer say: {degraded}; compare a new record with an older one"
        ));
    }
    if let Some(gap) = health.watched.missing.last()
        && now.micros_since(gap.noticed) < Timestamp::DAY_US
    {
        let MissingNumbers { first, last, .. } = gap;
        trouble.push(format!(
            "numbers of its records were skipped within a day, last {first} to {last}: look for \
             losses at the shipper"
        ));
    }
    if health.quarantined * 1000 > health.records * QUARANTINE_PER_MILLE_MAX {
        trouble.push(format!(
            "{} of {} records in quarantine: `deedtrail quarantine list --source {}` says why",
            health.quarantined, health.records, health.source
        ));
    }
    trouble
}

fn figures(health: &SourceHealth) -> String {
    let [a, b, c, d] = health.grades;
    let last = health
        .last_event
        .map_or_else(|| "none".to_owned(), |at| at.to_string());
    let lag = health.lag.within_s(95);
    let lag = lag.map_or(String::new(), |seconds| match seconds {
        0..7_200 => format!(", 95 % within {seconds} s"),
        7_200..172_800 => format!(", 95 % within {} h", seconds.div_ceil(3_600)),
        _ => format!(", 95 % within {} days", seconds.div_ceil(86_400)),
    });
    let gaps = match health.watched.gaps.as_slice() {
        [] => String::new(),
        [.., last] => format!(", last gap {} to {}", last.from, last.to),
    };
    let some = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    let again = some(health.duplicates, "sent again");
    let dismissed = some(health.dismissed, "dismissed in quarantine");
    let skipped = some(health.watched.missing_total, "skipped numbers");
    format!(
        "{} events, grades A {a} B {b} C {c} D {d}, last event {last}{lag}{gaps}{skipped}{again}\
         {dismissed}",
        health.events
    )
}
