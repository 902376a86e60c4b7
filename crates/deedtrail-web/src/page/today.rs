//! Today: what needs a look first, which feeds went silent, is the evidence sound?

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::feed_health::SourceState;
use deedtrail_app::timeline::ReadingError;
use deedtrail_app::today::{BENCHMARK, Benchmark, NonHumanShare, SHARE_DAYS, Today};
use deedtrail_core::finding::Severity;

use super::findings::FindingRow;
use super::here::Here;
use super::{Chrome, Failure, Section, filters, show};
use crate::state::Shared;
use crate::view::{Badge, Checkpoint, Shown, ago, grouped};

/// Findings shown on the first page.
const URGENT_MAX: usize = 12;
/// Mistakes of rule files shown.
const MISTAKES_MAX: usize = 5;

/// Open findings of one severity.
#[derive(Debug)]
struct SeverityCount {
    badge: Badge,
    count: String,
    none: bool,
}

#[derive(Debug)]
struct SilentFeed {
    name: String,
    quiet: String,
}

/// Where log, pipeline and archive stand.
#[derive(Debug)]
struct EvidenceHealth {
    log_end: String,
    processed: String,
    archived: String,
    lag: u64,
    damage: Option<Shown>,
    checkpoint: Option<Checkpoint>,
    origin: Shown,
}

#[derive(Debug, Template)]
#[template(path = "today.html")]
struct TodayPage {
    chrome: Chrome,
    /// Address of this server.
    here: String,
    headline: String,
    counts: Vec<SeverityCount>,
    urgent: Vec<FindingRow>,
    silent: Vec<SilentFeed>,
    delivering: usize,
    /// Records that wait in quarantine; empty for none.
    quarantined: String,
    records: String,
    identities: String,
    unowned: u64,
    evidence: EvidenceHealth,
    /// Share of events that name nobody, per cent.
    unattributed: String,
    unattributed_many: bool,
    benchmark: Benchmark,
    /// The same of this organisation, per cent, and of how many findings.
    local: Option<(u64, String)>,
    local_days: i64,
    /// Mistakes of rule files, as many as are shown.
    rules_left_out: Vec<Shown>,
    rules_left_out_more: usize,
    empty: bool,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    here: Here,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, here))
        .await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal, here: Here) -> Result<TodayPage, ReadingError> {
    let today = app.today(principal, URGENT_MAX)?;
    let ids = today.urgent.iter().map(|finding| finding.draft.identity);
    let names = app.identity_names(principal, ids)?;
    let urgent = today.urgent.iter();
    let delivering = today
        .sources
        .iter()
        .filter(|source| source.health.is_some())
        .count();
    let healths = today
        .sources
        .iter()
        .filter_map(|source| source.health.as_ref());
    let quarantined: u64 = healths.clone().map(|health| health.quarantined).sum();
    let records: u64 = healths.map(|health| health.records).sum();
    let in_force = app.in_force();
    Ok(TodayPage {
        chrome: Chrome::load(app, principal, Section::Today)?,
        here: here.0,
        headline: headline(&today),
        counts: counts(&today),
        urgent: urgent
            .map(|f| FindingRow::new(f, &names, today.now))
            .collect(),
        silent: silent(&today),
        delivering,
        quarantined: match quarantined {
            0 => String::new(),
            count => grouped(count),
        },
        records: grouped(records),
        identities: grouped(today.identities),
        unowned: today.unowned,
        evidence: evidence(app, &today),
        unattributed: today.unattributed.percent(),
        unattributed_many: today.unattributed.is_many(),
        benchmark: BENCHMARK,
        local: local(today.non_human),
        local_days: SHARE_DAYS,
        rules_left_out: in_force
            .rules_left_out
            .iter()
            .take(MISTAKES_MAX)
            .map(|mistake| Shown::new(mistake))
            .collect(),
        rules_left_out_more: in_force.rules_left_out.len().saturating_sub(MISTAKES_MAX),
        empty: delivering == 0,
    })
}

fn local(share: NonHumanShare) -> Option<(u64, String)> {
    let known = share.findings.saturating_sub(share.unknown);
    Some((share.percent()?, grouped(known)))
}

fn headline(today: &Today) -> String {
    let open: u64 = today.open_by_severity.iter().sum();
    let urgent: u64 = today.open_by_severity[Severity::High as usize..]
        .iter()
        .sum();
    match (open, urgent) {
        (0, _) => "Nothing is open".to_owned(),
        (1, 0) => "One finding is open, not urgent".to_owned(),
        (open, 0) => format!("{} findings are open, none urgent", grouped(open)),
        (_, 1) => "One finding needs you now".to_owned(),
        (_, urgent) => format!("{} findings need you now", grouped(urgent)),
    }
}

fn counts(today: &Today) -> Vec<SeverityCount> {
    let pairs = Severity::ALL.into_iter().zip(today.open_by_severity).rev();
    pairs
        .map(|(severity, count)| SeverityCount {
            badge: Badge::new(severity),
            count: grouped(count),
            none: count == 0,
        })
        .collect()
}

fn silent(today: &Today) -> Vec<SilentFeed> {
    let silent = today
        .sources
        .iter()
        .filter(|source| source.state == SourceState::Silent);
    silent
        .map(|source| SilentFeed {
            name: source.name.to_string(),
            quiet: source.quiet_us.map(ago).unwrap_or_default(),
        })
        .collect()
}

fn evidence(app: &App, today: &Today) -> EvidenceHealth {
    let figures = &today.figures;
    EvidenceHealth {
        log_end: grouped(figures.log_end),
        processed: grouped(figures.processed),
        archived: grouped(figures.archived),
        lag: figures.log_end.saturating_sub(figures.processed),
        damage: figures.damage.as_deref().map(Shown::new),
        checkpoint: Checkpoint::parse(&app.ports.log.checkpoint()),
        origin: Shown::new(app.ports.log.origin()),
    }
}
