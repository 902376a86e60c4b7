//! Whether records come in, from where, and how they are understood.

use std::sync::atomic::{AtomicU64, Ordering};

use deedtrail_app::App;
use deedtrail_app::feed_health::{LeftOut, PlaneCoverage};
use deedtrail_app::today::Unattributed;
use deedtrail_core::event::Plane;
use deedtrail_core::health::{Lag, MissingNumbers, SYSTEMS_MAX, SourceHealth};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::time::Timestamp;

use super::Check;
use crate::commands::Context;
use crate::config::Config;

/// Share of quarantined records above which a source is reported, per thousand.
const QUARANTINE_PER_MILLE_MAX: u64 = 10;

/// Feeds that this server fetches, which are none without a server, and what is pushed to it.
pub(super) fn feeds(app: &App) -> Vec<Check> {
    let states = app.feeds.all().into_iter();
    let check = states.map(|(name, state)| {
        let is_well = state.last_error.is_none() && state.refused == 0;
        Check::new(name, is_well, state.summary())
    });
    check.collect()
}

pub(super) fn sources(context: &Context<'_>) -> anyhow::Result<Vec<Check>> {
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
pub(super) fn listeners(app: &App) -> Vec<Check> {
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
pub(super) fn unseen_planes(context: &Context<'_>) -> anyhow::Result<Option<Check>> {
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
pub(super) fn unattributed(context: &Context<'_>) -> anyhow::Result<Option<Check>> {
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
    if quarantines_many(health) {
        trouble.push(format!(
            "{} of {} records in quarantine: `deedtrail quarantine list --source {}` says why",
            health.quarantined, health.records, health.source
        ));
    }
    trouble
}

const fn quarantines_many(health: &SourceHealth) -> bool {
    health.quarantined * 1000 > health.records * QUARANTINE_PER_MILLE_MAX
}

fn figures(health: &SourceHealth) -> String {
    let [a, b, c, d] = health.grades;
    let last = health
        .last_event
        .map_or_else(|| "none".to_owned(), |at| at.to_string());
    let lag = match health.lag.within_s(95) {
        Some(seconds @ 0..7_200) => format!(", 95 % came within {seconds} s"),
        Some(seconds @ 7_200..172_800) => {
            format!(", 95 % came within {} h", seconds.div_ceil(3_600))
        }
        Some(seconds) => format!(", 95 % came within {} days", seconds.div_ceil(86_400)),
        None if health.lag.is_long(95) => {
            format!(
                ", over 5 % came later than {} days after the fact",
                Lag::LONG_S / 86_400
            )
        }
        None => String::new(),
    };
    let gaps = match health.watched.gaps.as_slice() {
        [] => String::new(),
        [.., last] => format!(", last gap {} to {}", last.from, last.to),
    };
    let some = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    // Many are told of before, with what to do.
    let few = if quarantines_many(health) {
        0
    } else {
        health.quarantined
    };
    let waiting = some(few, "in quarantine");
    let again = some(health.duplicates, "sent again");
    let dismissed = some(health.dismissed, "dismissed in quarantine");
    let skipped = some(health.watched.missing_total, "skipped numbers");
    format!(
        "{} events, grades A {a} B {b} C {c} D {d}, last event {last}{lag}{gaps}{skipped}{again}\
         {waiting}{dismissed}",
        health.events
    )
}
