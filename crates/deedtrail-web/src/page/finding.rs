//! One finding: what happened, why it fired, what to do, how to prove it.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::activity::Window;
use deedtrail_app::findings::{Conclusion, DISPOSITIONS, FindingFile};
use deedtrail_core::Text;
use deedtrail_core::control;
use deedtrail_core::exception::RuleException;
use deedtrail_core::finding::{Briefing, FindingStatus, Hypothesis};
use deedtrail_core::id::{EventUid, FindingId};
use deedtrail_core::limits::NOTE_CHARACTERS_MAX;
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::rules::rule_address;
use super::{Chrome, Failure, Section, filters, show};
use crate::api::{Asked, id};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{
    Badge, Bars, Checkpoint, Chip, EventPanel, Lanes, Moment, Order, Row, Selection, Shown,
    grouped, rows, span,
};

/// A silence longer than this gets a row of its own, µs.
const GAP_US: i64 = 2 * Timestamp::MINUTE_US;

/// A scored explanation.
#[derive(Debug)]
struct HypothesisView {
    name: Shown,
    percent: String,
    facts_for: Vec<Shown>,
    facts_against: Vec<Shown>,
}

/// A control the finding answers to.
#[derive(Debug)]
struct ControlView {
    id: &'static str,
    framework: &'static str,
    title: &'static str,
}

/// An exception in force to the rule.
#[derive(Debug)]
struct ExceptionView {
    number: u32,
    covers: Shown,
    owner: Shown,
    reason: Shown,
    until: Moment,
    held_back: String,
    last: Option<Moment>,
}

#[derive(Debug, Template)]
#[template(path = "finding.html")]
struct FindingPage {
    chrome: Chrome,
    id: String,
    badge: Badge,
    title: Shown,
    kind_title: Shown,
    meaning: Option<Shown>,
    rule: Shown,
    rule_href: String,
    exceptions: Vec<ExceptionView>,
    /// What an exception may be about; empty where none can be made.
    offered: Vec<(String, Shown)>,
    /// Value of the field for its rule.
    rule_value: String,
    who: Option<Chip>,
    owner: Option<Shown>,
    /// Address of the session it is about, while that is kept.
    session: Option<String>,
    purpose: Option<Shown>,
    status: &'static str,
    disposition: Option<Shown>,
    analyst: Option<Shown>,
    note: Option<Shown>,
    confidence: String,
    repeats: u32,
    event_count: usize,
    duration: String,
    reasons: Vec<Shown>,
    hypotheses: Vec<HypothesisView>,
    allowed: Vec<Shown>,
    refused: Vec<Shown>,
    response: &'static [&'static str],
    controls: Vec<ControlView>,
    techniques: Vec<Shown>,
    printed: &'static [&'static str],
    bars: Bars,
    lanes: Option<Lanes>,
    rows: Vec<Row>,
    /// Events the finding rests on that the archive does not hold.
    absent: usize,
    panel: Option<EventPanel>,
    checkpoint: Option<Checkpoint>,
    /// The person who looks may decide.
    may_decide: bool,
    states: [(&'static str, bool); 3],
    dispositions: Vec<(&'static str, String, bool)>,
    /// Longest note, characters.
    note_max: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindingAsked {
    event: Option<String>,
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct DecisionForm {
    status: String,
    #[serde(default)]
    disposition: String,
    #[serde(default)]
    note: String,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(finding): Path<String>,
    Asked(asked): Asked<FindingAsked>,
) -> Result<Response, Failure> {
    let finding: FindingId = id(&finding)?;
    let selected: Option<EventUid> = asked.event.as_deref().map(id).transpose()?;
    let page = shared
        .attempt(move |app| load(app, &principal, finding, selected))
        .await?;
    Ok(show(&page))
}

pub(super) async fn decide(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(finding): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, Failure> {
    let finding: FindingId = id(&finding)?;
    let wanted = FindingStatus::from_name(&form.status);
    let wanted = wanted.ok_or_else(|| Problem::invalid("choose open, acknowledged or closed"))?;
    let disposition = Some(form.disposition).filter(|name| !name.is_empty());
    let decide = move |app: &App| {
        let conclusion = Conclusion {
            status: wanted,
            disposition: disposition.as_deref(),
            note: Some(&form.note),
        };
        app.decide_finding(&principal, finding, conclusion)
    };
    shared.attempt(decide).await?;
    Ok(Redirect::to(&format!("/findings/{finding}")).into_response())
}

fn load(
    app: &App,
    principal: &Principal,
    id: FindingId,
    selected: Option<EventUid>,
) -> Result<FindingPage, Problem> {
    let file = app.finding_file(principal, id)?;
    let people = app.people(principal, &file.events)?;
    let findings = std::slice::from_ref(&file.finding);
    let selected = selected.or_else(|| file.events.last().map(|event| event.event_uid));
    let selection = Selection {
        people: &people,
        marks: Selection::marks_of(findings),
        selected,
        address: format!("/findings/{id}?event="),
        gap_us: GAP_US,
    };
    let panel = match selected {
        Some(uid) => Some(EventPanel::load(app, principal, uid, &people)?),
        None => None,
    };
    let lanes = Lanes::who_on_whom(&file.events, &people, |event| selection.class(event));
    let timeline = rows(&file.events, &selection, Order::OldestFirst);
    let chrome = Chrome::load(app, principal, Section::Findings)?;
    let bars = activity(app, principal, &file)?;
    let checkpoint = Checkpoint::parse(&app.ports.log.checkpoint());
    let session = match file.finding.draft.session {
        Some(uid) => app.session(principal, uid)?,
        None => None,
    };
    Ok(view(
        &file,
        Parts {
            briefing: app.briefing(file.finding.clone()),
            offered: offered(app, &file),
            exceptions: app.exceptions_to(principal, &file.finding.draft.rule)?,
            session: session.map(|session| format!("/sessions/{}", session.uid)),
            may_decide: principal.require(Scope::Write).is_ok(),
            chrome,
            bars,
            lanes,
            rows: timeline,
            panel,
            checkpoint,
        },
    ))
}

/// What of the page is not the finding itself.
struct Parts {
    briefing: Briefing,
    exceptions: Vec<RuleException>,
    offered: Vec<(String, Shown)>,
    session: Option<String>,
    may_decide: bool,
    chrome: Chrome,
    bars: Bars,
    lanes: Option<Lanes>,
    rows: Vec<Row>,
    panel: Option<EventPanel>,
    checkpoint: Option<Checkpoint>,
}

/// Activity of the identity around the finding; bars that hold its events are marked.
fn activity(app: &App, principal: &Principal, file: &FindingFile) -> Result<Bars, Problem> {
    let window = Window::around(file.finding.first_time, file.finding.last_time);
    let hot: Vec<Timestamp> = file
        .finding
        .draft
        .events
        .iter()
        .map(|event| event.time)
        .collect();
    let activity = match &file.identity {
        Some(identity) => app.activity(principal, identity, window)?,
        None => deedtrail_app::activity::Activity {
            window,
            buckets: Vec::new(),
        },
    };
    Ok(Bars::new(&activity, &hot))
}

fn view(file: &FindingFile, parts: Parts) -> FindingPage {
    let finding = &file.finding;
    let (draft, briefing) = (&finding.draft, &parts.briefing);
    let identity = file.identity.as_ref().map(|file| &file.identity);
    let declared = identity.map(|identity| &identity.declared);
    let texts = |lines: &[String]| lines.iter().map(|line| Shown::new(line)).collect();
    FindingPage {
        id: finding.id.to_string(),
        badge: Badge::new(draft.severity),
        title: Shown::cut(&draft.title, 400),
        kind_title: Shown::new(file.kind.map_or(&draft.kind, |kind| kind.title)),
        meaning: briefing.meaning.as_deref().map(Shown::new),
        rule: Shown::new(&draft.rule),
        rule_href: rule_address(&draft.rule),
        exceptions: parts.exceptions.iter().map(exception).collect(),
        offered: parts.offered,
        rule_value: draft.rule.to_string(),
        who: identity.map(Chip::of),
        session: parts.session,
        owner: declared.and_then(|d| d.owner.as_deref()).map(Shown::new),
        purpose: declared.and_then(|d| d.purpose.as_deref()).map(Shown::new),
        status: finding.status.name(),
        disposition: finding
            .disposition
            .as_deref()
            .map(words)
            .map(|text| Shown::new(&text)),
        analyst: finding.analyst.as_deref().map(Shown::new),
        note: finding.note.as_deref().map(Shown::new),
        confidence: percent(draft.confidence),
        repeats: finding.repeats,
        event_count: draft.events.len(),
        duration: span(finding.last_time.micros_since(finding.first_time)),
        reasons: texts(&draft.reasons),
        hypotheses: draft.hypotheses.iter().map(hypothesis).collect(),
        allowed: texts(&draft.allowed),
        refused: texts(&draft.refused),
        response: file.kind.map_or(&[], |kind| kind.response),
        controls: briefing
            .mapped_ref
            .iter()
            .filter_map(|id| control_view(id))
            .collect(),
        techniques: draft.techniques.iter().map(|id| Shown::new(id)).collect(),
        printed: file.kind.map_or(&[], |kind| kind.seed_ref),
        absent: draft.events.len().saturating_sub(file.events.len()),
        may_decide: parts.may_decide,
        states: FindingStatus::ALL.map(|status| (status.name(), status == finding.status)),
        dispositions: dispositions(finding.disposition.as_deref()),
        note_max: NOTE_CHARACTERS_MAX,
        chrome: parts.chrome,
        bars: parts.bars,
        lanes: parts.lanes,
        rows: parts.rows,
        panel: parts.panel,
        checkpoint: parts.checkpoint,
    }
}

/// Conditions of an exception that the newest event of a finding fits.
fn offered(app: &App, file: &FindingFile) -> Vec<(String, Shown)> {
    let Some(event) = file.events.last() else {
        return Vec::new();
    };
    if !app.takes_exceptions(&file.finding.draft.rule) {
        return Vec::new();
    }
    let mapped = &event.mapped;
    let actor = file.identity.as_ref().map(|it| it.identity.name.clone());
    let given = [
        ("actor", actor.or_else(|| mapped.actor_name.clone())),
        ("resource", mapped.target_name.clone()),
        ("source", Some(Text::new(event.source.as_str()))),
        ("system", Some(mapped.system.clone())),
        ("operation", Some(mapped.operation.clone())),
        ("src_ip", mapped.src_ip.clone()),
        ("credential_ref", mapped.credential_ref.clone()),
    ];
    let given = given.into_iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        let condition = format!("{name}={value}");
        Some((condition.clone(), Shown::cut(&condition, 120)))
    });
    given.collect()
}

fn exception(exception: &RuleException) -> ExceptionView {
    ExceptionView {
        number: exception.number,
        covers: Shown::cut(&exception.covers(), 400),
        owner: Shown::new(&exception.owner),
        reason: Shown::cut(&exception.reason, 400),
        until: Moment::new(exception.expires),
        held_back: grouped(exception.effect.held_back),
        last: exception.effect.last.map(Moment::new),
    }
}

fn dispositions(chosen: Option<&str>) -> Vec<(&'static str, String, bool)> {
    let names = DISPOSITIONS.into_iter();
    names
        .map(|name| (name, words(name), chosen == Some(name)))
        .collect()
}

fn control_view(id: &str) -> Option<ControlView> {
    let control = control::find(id)?;
    Some(ControlView {
        id: control.id,
        framework: control.framework.title(),
        title: control.title,
    })
}

fn hypothesis(hypothesis: &Hypothesis) -> HypothesisView {
    let texts = |lines: &[String]| lines.iter().map(|line| Shown::new(line)).collect();
    HypothesisView {
        name: Shown::new(&words(&hypothesis.name)),
        percent: percent(hypothesis.score),
        facts_for: texts(&hypothesis.facts_for),
        facts_against: texts(&hypothesis.facts_against),
    }
}

/// 0 to 1 in percent; anything else is not a figure.
fn percent(share: f64) -> String {
    if (0.0..=1.0).contains(&share) {
        format!("{:.0} %", share * 100.0)
    } else {
        "–".to_owned()
    }
}

/// `control_gap` as `control gap`.
fn words(name: &str) -> String {
    name.chars()
        .take(80)
        .map(|c| if c == '_' { ' ' } else { c })
        .collect()
}
