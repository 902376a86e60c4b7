//! Measures commits, timelines and bytes per event on made-up data:
//! `cargo run --release -p deedtrail-archive --example measure -- EVENTS DAYS`

use std::io::Write as _;
use std::time::Instant;

use deedtrail_archive::DeltaArchive;
use deedtrail_core::action::Action;
use deedtrail_core::event::{
    ActorKind, Alias, Event, EventKind, EvidenceGrade, MappedEvent, OutcomeClass, Plane,
    TimeQuality,
};
use deedtrail_core::id::{AliasUid, EventUid, ReferenceUid, SessionUid, SourceName, TenantId};
use deedtrail_core::port::archive::{Archive as _, EventFilter, OutputFormat, QueryBudget};
use deedtrail_core::time::Timestamp;

/// Rows of one commit.
const COMMIT_ROWS: u64 = 50_000;
/// Actors; their share of events falls with their number.
const ACTORS: u64 = 2_000;
/// 2026-05-01T00:00:00Z.
const START_US: i64 = 1_777_593_600_000_000;

/// Runs `work` and says how long it took.
fn seconds<E>(work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().ok_or("EVENTS is missing")?.parse()?;
    let days: u64 = arguments.next().ok_or("DAYS is missing")?.parse()?;
    let folder = tempfile::tempdir()?;
    let archive = DeltaArchive::open(folder.path(), "example.com/measure")?;
    let mut out = std::io::stdout();
    let (mut adding, mut committing) = (0.0, 0.0);
    for first in (0..events).step_by(usize::try_from(COMMIT_ROWS)?) {
        let end = (first + COMMIT_ROWS).min(events);
        let rows: Vec<Event> = (first..end).map(|n| event(n, events, days)).collect();
        adding += seconds(|| archive.add(rows, end))?;
        committing += seconds(|| archive.commit())?;
    }
    let compacting = seconds(|| archive.compact())?;
    let figures = archive.figures();
    writeln!(
        out,
        "events {events} days {days}: add {adding:.2} s, commit {committing:.2} s, compact {compacting:.2} s"
    )?;
    writeln!(
        out,
        "files {} bytes/event {:.1}",
        figures.files,
        as_f64(figures.bytes) / as_f64(figures.rows)
    )?;

    for (name, actor) in [("busiest", 0), ("middle", 100), ("rare", 1_900)] {
        let filter = EventFilter {
            aliases: vec![alias(actor)],
            ..EventFilter::default()
        };
        timed(&mut out, &format!("newest 200 of the {name} actor"), || {
            archive.events(&filter, None, 200).map(|e| e.len())
        })?;
    }
    timed(&mut out, "newest 200 of all", || {
        archive
            .events(&EventFilter::default(), None, 200)
            .map(|e| e.len())
    })?;
    timed(&mut out, "histogram of all", || {
        archive
            .histogram(&EventFilter::default(), Timestamp::DAY_US)
            .map(|b| b.len())
    })?;
    let one = EventFilter {
        uids: vec![uid(events / 2)],
        ..EventFilter::default()
    };
    timed(&mut out, "one event by uid", || {
        archive.events(&one, None, 1).map(|e| e.len())
    })?;
    top_actions(&mut out, &archive)?;
    std::fs::remove_dir_all(folder.path().join("events/_needles"))?;
    timed(
        &mut out,
        "one event by uid, without the index of files",
        || archive.events(&one, None, 1).map(|e| e.len()),
    )
}

fn top_actions(
    out: &mut impl std::io::Write,
    archive: &DeltaArchive,
) -> Result<(), Box<dyn std::error::Error>> {
    let sql = "SELECT actor, action, count(*) FROM events GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10";
    timed(out, "top actions by actor", || {
        let mut rows = Vec::new();
        archive
            .query(
                &TenantId::default(),
                sql,
                OutputFormat::Csv,
                QueryBudget::default(),
                &mut rows,
            )
            .map(|_| rows.len())
    })
}

fn timed<E>(
    out: &mut impl std::io::Write,
    name: &str,
    work: impl Fn() -> Result<usize, E>,
) -> Result<(), Box<dyn std::error::Error>>
where
    E: std::error::Error + 'static,
{
    let mut best = f64::INFINITY;
    let mut first = 0.0;
    let mut size = 0;
    for round in 0..5 {
        let started = Instant::now();
        size = work()?;
        let took = started.elapsed().as_secs_f64() * 1e3;
        if round == 0 {
            first = took;
        }
        best = best.min(took);
    }
    writeln!(out, "{name}: {best:.1} ms (first {first:.1} ms), {size}")?;
    Ok(())
}

fn alias(actor: u64) -> AliasUid {
    AliasUid::of(
        &TenantId::default(),
        "email",
        &format!("user{actor}@example.com"),
    )
}

fn uid(number: u64) -> EventUid {
    EventUid::derive(&[&number.to_be_bytes()])
}

fn event(number: u64, events: u64, days: u64) -> Event {
    let mix = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let actor = ((mix >> 32) % ACTORS).min((mix >> 8) % ACTORS);
    let span = i64::try_from(days).unwrap_or(1) * Timestamp::DAY_US;
    let step = span / i64::try_from(events).unwrap_or(1).max(1);
    let at = Timestamp::from_micros(START_US + step * i64::try_from(number).unwrap_or(0));
    Event {
        event_uid: uid(number),
        log_origin: "example.com/measure".into(),
        log_seq: number,
        ordinal: 0,
        mapping_version: "0123456789abcdef".into(),
        derived_at: number,
        tenant: TenantId::default(),
        source: SourceName::new("aws.cloudtrail").unwrap_or_else(|_| unreachable!("a valid name")),
        source_uid: Some(uid(number ^ 1).to_string().into()),
        time_received: at.plus_micros(90_000_000),
        time_effective: at,
        time_quality: TimeQuality::Vendor,
        actor_alias_uid: Some(alias(actor)),
        on_behalf_of_uid: None,
        credential_uid: None,
        session_uid: Some(SessionUid::derive(&[
            &actor.to_be_bytes(),
            &(number / 5_000).to_be_bytes(),
        ])),
        target_uid: Some(ReferenceUid::derive(&[&((mix >> 16) % 500).to_be_bytes()])),
        device_uid: None,
        message_uid: None,
        link_uid: None,
        risk_decision: None,
        id_conflict: false,
        evidence_grade: EvidenceGrade::A,
        mapped: mapped(mix, actor, at),
    }
}

fn mapped(mix: u64, actor: u64, at: Timestamp) -> MappedEvent {
    let name = format!("user{actor}@example.com");
    let actions = [
        Action::Read,
        Action::Read,
        Action::Enumerate,
        Action::Write,
        Action::SecretRead,
        Action::Authenticate,
    ];
    let operations = [
        "GetObject",
        "ListBuckets",
        "DescribeInstances",
        "PutObject",
        "GetSecretValue",
        "ConsoleLogin",
    ];
    let pick = usize::try_from(mix >> 40).unwrap_or(0) % actions.len();
    let target = format!("arn:aws:s3:::bucket-{}", (mix >> 16) % 500);
    MappedEvent {
        kind: EventKind::Activity,
        plane: Plane::Control,
        class_uid: 6003,
        activity_id: 2,
        time: Some(at),
        system: "aws".into(),
        account: Some("111122223333".into()),
        actor_ref: Some(name.as_str().into()),
        actor_name: Some(name.as_str().into()),
        actor_kind: ActorKind::Human,
        actor_aliases: vec![Alias {
            namespace: "email".into(),
            value: name.as_str().into(),
        }],
        operation: operations[pick].into(),
        action: actions[pick],
        meaningful: true,
        target_kind: Some("bucket".into()),
        target_ref: Some(target.as_str().into()),
        outcome: OutcomeClass::Success,
        src_ip: Some(format!("198.51.{}.{}", actor % 250, (mix >> 24) % 250).into()),
        user_agent: Some("aws-cli/2.17 Python/3.12".into()),
        unmapped: vec!["eventVersion".into(), "managementEvent".into()],
        ..MappedEvent::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
