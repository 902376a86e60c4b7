//! One session: what was done in it and in those joined to it, how far it reached, how far it is
//! trusted.

use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::Text;
use deedtrail_core::id::{SessionUid, SourceName};
use deedtrail_core::session::Session;
use deedtrail_core::time::Timestamp;

use super::session_join::{Joins, drawn};
use super::session_view::{
    AgentRow, DepartureRow, PermissionRow, Score, StepRow, TrustRow, branches, known_by,
    reach_branches, step_class, timeline, trust_rows, verdict_badge, who,
};
use super::{Chrome, Failure, Section, filters, show};
use crate::api::id;
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{Badge, Chip, Curve, Fact, JoinedLanes, Moment, Shown, Tree, ago, grouped, span};

/// Why a session is not in scope.
#[derive(Debug)]
struct ReasonRow {
    badge: Badge,
    sentence: Shown,
    at: Moment,
    times: u64,
}

/// A finding that names the session.
#[derive(Debug)]
struct NamedFinding {
    badge: Badge,
    title: Shown,
    /// `None` when it is no longer kept.
    href: Option<String>,
}

#[derive(Debug, Template)]
#[template(path = "session.html")]
struct SessionPage {
    chrome: Chrome,
    title: Shown,
    chip: Chip,
    badge: Badge,
    trust: Score,
    lowest: u8,
    state: String,
    events: String,
    lanes: Option<JoinedLanes>,
    agents: Vec<AgentRow>,
    steps: Vec<StepRow>,
    left_out: u64,
    joined: usize,
    more: bool,
    joins: Joins,
    curve: Option<Curve>,
    trust_steps: Vec<TrustRow>,
    steps_left_out: u64,
    tree: Option<Tree>,
    branches: Vec<(String, Vec<Shown>)>,
    reasons: Vec<ReasonRow>,
    legitimate: Option<Shown>,
    permissions: Vec<PermissionRow>,
    findings: Vec<NamedFinding>,
    departures: Vec<DepartureRow>,
    facts: Vec<Fact>,
    timeline: String,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(uid): Path<String>,
) -> Result<Response, Failure> {
    let uid: SessionUid = id(&uid)?;
    let page = shared
        .attempt(move |app| load(app, &principal, uid))
        .await?;
    Ok(show(&page))
}

fn load(app: &App, principal: &Principal, uid: SessionUid) -> Result<SessionPage, Problem> {
    let file = app.session_file(principal, uid)?;
    let now = app.ports.clock.now();
    let session = &file.session;
    let all = file.all();
    let steps = file.next_steps();
    let mut branches = branches(&session.blast);
    branches.extend(reach_branches(&app.session_reach(principal, &file)?));
    let joined = all.iter().flat_map(|one| &one.systems);
    let joined: BTreeSet<&Text> = joined
        .filter(|system| !session.systems.contains(system))
        .collect();
    Ok(SessionPage {
        chrome: Chrome::load(app, principal, Section::Sessions)?,
        title: title(session, joined.len()),
        chip: who(session),
        badge: verdict_badge(session.verdict),
        trust: Score::new(session.trust.score),
        lowest: session.trust.lowest,
        state: state(session, now),
        events: counted(session.events),
        lanes: JoinedLanes::new(&file, &steps, &drawn(&file), step_class),
        agents: AgentRow::all(&app.agent_calls(principal, &file)?),
        steps: StepRow::all(&file, &steps),
        left_out: all.iter().map(|one| one.next_left_out).sum(),
        joined: file.joined.len(),
        more: file.more,
        joins: Joins::new(&file),
        curve: Curve::new(&session.trust),
        trust_steps: trust_rows(&session.trust),
        steps_left_out: session.trust.steps_left_out,
        tree: Tree::new(&Shown::brief(&session.actor), &branches),
        branches,
        reasons: session.reasons.iter().map(reason).collect(),
        legitimate: session.legitimate_by().map(|text| Shown::new(&text)),
        permissions: session.permissions.iter().map(PermissionRow::new).collect(),
        findings: findings(app, session)?,
        departures: session.departures.iter().map(DepartureRow::new).collect(),
        facts: facts(session),
        timeline: timeline(session.identity, session.started, session.last),
    })
}

/// `joined`: systems of the sessions joined to it that it is not in itself.
fn title(session: &Session, joined: usize) -> Shown {
    let actor = Shown::cut(&session.actor, 48);
    let several = match joined {
        0 => String::new(),
        1 => ", joined with 1 more system".to_owned(),
        many => format!(", joined with {many} more systems"),
    };
    let first = Shown::brief(&session.systems.join(", "));
    let events = counted(session.events);
    let lasted = span(session.last.micros_since(session.started));
    let found = verdict_badge(session.verdict).word.to_lowercase();
    let trust = session.trust.score;
    Shown::new(&format!(
        "{actor}: {events} in {first} within {lasted}{several}, {found}, trust {trust}"
    ))
}

fn counted(events: u64) -> String {
    let ending = if events == 1 { "" } else { "s" };
    format!("{} event{ending}", grouped(events))
}

fn state(session: &Session, now: Timestamp) -> String {
    match session.ended {
        Some(_) => format!("ended {}", ago(now.micros_since(session.last))),
        None => format!(
            "may go on, last active {}",
            ago(now.micros_since(session.last))
        ),
    }
}

fn reason(reason: &deedtrail_core::session::VerdictReason) -> ReasonRow {
    ReasonRow {
        badge: verdict_badge(reason.class),
        sentence: Shown::new(&reason.sentence),
        at: Moment::new(reason.at),
        times: reason.times,
    }
}

fn findings(app: &App, session: &Session) -> Result<Vec<NamedFinding>, Problem> {
    let mut named = Vec::with_capacity(session.findings.len());
    for finding in &session.findings {
        let kept = app.ports.store.finding(finding.id);
        let kept = kept.map_err(deedtrail_app::timeline::ReadingError::from)?;
        named.push(NamedFinding {
            badge: Badge::new(finding.severity),
            title: Shown::new(&finding.title),
            href: kept.map(|_| format!("/findings/{}", finding.id)),
        });
    }
    Ok(named)
}

fn facts(session: &Session) -> Vec<Fact> {
    let fact = |name, value: String| Fact {
        name,
        value: Shown::new(&value),
        href: None,
    };
    let text = |text: &Option<Text>| text.as_deref().map(str::to_owned);
    let listed = |names: Vec<&str>| names.join(", ");
    let mut facts = vec![
        fact("Started", Moment::new(session.started).full),
        fact("Last", Moment::new(session.last).full),
        fact("Known by", known_by(session).to_owned()),
        fact(
            "Systems",
            listed(session.systems.iter().map(Text::as_str).collect()),
        ),
        fact(
            "Sources",
            listed(session.sources.iter().map(SourceName::as_str).collect()),
        ),
        fact(
            "Planes",
            listed(session.planes.iter().map(|p| p.name()).collect()),
        ),
        fact("Refused", grouped(session.refused)),
    ];
    let changes = session.change_tickets.join(", ");
    let changes = Some(changes).filter(|changes| !changes.is_empty());
    let known = [
        ("Network", text(&session.network)),
        ("Country", text(&session.country)),
        ("Client", text(&session.client)),
        ("Credential", text(&session.credential)),
        ("Changes", changes),
    ];
    facts.extend(
        known
            .into_iter()
            .filter_map(|(name, value)| Some(fact(name, value?))),
    );
    facts
}
