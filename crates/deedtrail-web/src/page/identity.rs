//! One identity: what it is for, what leads to it, what it did.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::activity::Window;
use deedtrail_app::charter::ToolsInForce;
use deedtrail_app::timeline::{IdentityFile, alias_uids};
use deedtrail_core::event::Event;
use deedtrail_core::finding::Finding;
use deedtrail_core::id::EventUid;
use deedtrail_core::identity::{AliasRecord, CredentialRecord, Identity};
use deedtrail_core::port::archive::EventFilter;
use deedtrail_core::port::store::FindingFilter;
use deedtrail_core::time::Timestamp;
use serde::Deserialize;

use super::entitlement::EntitlementSection;
use super::findings::FindingRow;
use super::identities::state;
use super::standing_view::StandingView;
use super::{Chrome, Failure, Section, filters, query_string, show};
use crate::api::{Asked, cursor, id, next_cursor, time};
use crate::problem::Problem;
use crate::state::Shared;
use crate::view::{
    Bars, Chip, EventPanel, Fact, HabitView, Lanes, Moment, Order, Row, Selection, Shown, ago,
    grouped, rows,
};

/// Events on one page.
const PAGE_EVENTS: usize = 100;
/// Findings shown, and looked at for marks.
const FINDINGS_MAX: usize = 100;
/// Aliases and credentials shown.
const REFERENCES_MAX: usize = 50;
/// Declared tools shown; the API has all.
const TOOLS_MAX: usize = 40;
/// A silence longer than this gets a row of its own, µs.
const GAP_US: i64 = Timestamp::HOUR_US;
/// The histogram looks back this far from the last event, µs.
const LOOK_BACK_US: i64 = 60 * Timestamp::DAY_US;

#[derive(Debug)]
struct AliasRow {
    namespace: Shown,
    value: Shown,
    evidence: Shown,
}

#[derive(Debug)]
struct CredentialRow {
    kind: &'static str,
    reference: Shown,
    system: Shown,
    age: String,
    last_used: String,
    uses: String,
    state: String,
}

/// What an exception held back of the identity.
#[derive(Debug)]
struct HeldBackRow {
    number: u32,
    rule: Shown,
    matches: String,
    last: Moment,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IdentityAsked {
    event: Option<String>,
    text: String,
    from: String,
    to: String,
    cursor: String,
}

#[derive(Debug, Template)]
#[template(path = "identity.html")]
struct IdentityPage {
    chrome: Chrome,
    address: String,
    sessions: String,
    who: Chip,
    state: &'static str,
    last: Option<(Moment, String)>,
    purpose: Option<Shown>,
    facts: Vec<Fact>,
    aliases: Vec<AliasRow>,
    aliases_more: usize,
    credentials: Vec<CredentialRow>,
    credentials_more: usize,
    findings: Vec<FindingRow>,
    standing: StandingView,
    entitled: EntitlementSection,
    bars: Bars,
    habits: HabitView,
    lanes: Option<Lanes>,
    rows: Vec<Row>,
    panel: Option<EventPanel>,
    on_event: Vec<FindingRow>,
    held_back: Vec<HeldBackRow>,
    text: String,
    from: String,
    to: String,
    filtered: bool,
    further: Option<String>,
}

pub(super) async fn page(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Path(who): Path<String>,
    Asked(asked): Asked<IdentityAsked>,
) -> Result<Response, Failure> {
    let page = shared
        .attempt(move |app| load(app, &principal, &who, asked))
        .await?;
    Ok(show(&page))
}

fn load(
    app: &App,
    principal: &Principal,
    who: &str,
    asked: IdentityAsked,
) -> Result<IdentityPage, Problem> {
    let file = app.open_identity(principal, who)?;
    let events = events(app, principal, &file, &asked)?;
    let people = app.people(principal, &events)?;
    let of_identity = FindingFilter {
        identity: Some(file.identity.id),
        ..FindingFilter::default()
    };
    let findings = app.findings(principal, &of_identity, FINDINGS_MAX)?;
    let selected: Option<EventUid> = asked.event.as_deref().map(id).transpose()?;
    let address = format!("/identities/{}", file.identity.id);
    let selection = Selection {
        people: &people,
        marks: Selection::marks_of(&findings),
        selected,
        address: format!("{address}{}", asked.with_event()),
        gap_us: GAP_US,
    };
    let panel = match selected {
        Some(uid) => Some(EventPanel::load(app, principal, uid, &people)?),
        None => None,
    };
    let now = app.ports.clock.now();
    let names = BTreeMap::from([(file.identity.id, file.identity.clone())]);
    let on_event = findings.iter().filter(|f| rests_on(f, selected));
    Ok(IdentityPage {
        chrome: Chrome::load(app, principal, Section::Identities)?,
        who: Chip::of(&file.identity),
        state: state(&file.identity),
        last: file
            .identity
            .last_seen
            .map(|at| (Moment::new(at), ago(now.micros_since(at)))),
        purpose: file.identity.declared.purpose.as_deref().map(Shown::new),
        facts: facts(
            &file.identity,
            app.tools_in_force(principal, &file)?.as_ref(),
        ),
        aliases: file
            .aliases
            .iter()
            .take(REFERENCES_MAX)
            .map(alias_row)
            .collect(),
        aliases_more: file.aliases.len().saturating_sub(REFERENCES_MAX),
        credentials: credentials(&file, now),
        credentials_more: file.credentials.len().saturating_sub(REFERENCES_MAX),
        on_event: on_event.map(|f| FindingRow::new(f, &names, now)).collect(),
        held_back: held_back(app, principal, &file)?,
        findings: findings
            .iter()
            .map(|f| FindingRow::new(f, &names, now))
            .collect(),
        standing: StandingView::load(app, principal, &file)?,
        entitled: EntitlementSection::load(app, principal, &file)?,
        bars: activity(app, principal, &file, &findings)?,
        habits: HabitView::new(&app.habits(principal, &file)?),
        lanes: Lanes::by_system(&events, |event| selection.class(event)),
        rows: rows(&events, &selection, Order::NewestFirst),
        panel,
        sessions: format!("/sessions?identity={}", file.identity.id),
        filtered: asked.filtered(),
        further: asked.further(&address, &events),
        text: asked.text,
        from: asked.from,
        to: asked.to,
        address,
    })
}

fn held_back(
    app: &App,
    principal: &Principal,
    file: &IdentityFile,
) -> Result<Vec<HeldBackRow>, Problem> {
    let held = app.held_back_of(principal, file.identity.id)?;
    let rows = held.iter().map(|one| HeldBackRow {
        number: one.number,
        rule: Shown::new(&one.rule),
        matches: grouped(one.matches),
        last: Moment::new(one.last),
    });
    Ok(rows.collect())
}

fn rests_on(finding: &Finding, selected: Option<EventUid>) -> bool {
    selected.is_some_and(|uid| {
        finding
            .draft
            .events
            .iter()
            .any(|event| event.event_uid == uid)
    })
}

fn events(
    app: &App,
    principal: &Principal,
    file: &IdentityFile,
    asked: &IdentityAsked,
) -> Result<Vec<Event>, Problem> {
    let filter = EventFilter {
        aliases: alias_uids(file),
        from: time("from", Some(&asked.from))?,
        to: time("to", Some(&asked.to))?,
        text: (!asked.text.is_empty()).then(|| asked.text.clone()),
        ..EventFilter::default()
    };
    if filter.aliases.is_empty() {
        return Ok(Vec::new());
    }
    let cursor = cursor(Some(&asked.cursor))?;
    Ok(app.events(principal, &filter, cursor, PAGE_EVENTS)?)
}

fn activity(
    app: &App,
    principal: &Principal,
    file: &IdentityFile,
    findings: &[Finding],
) -> Result<Bars, Problem> {
    let last = file
        .identity
        .last_seen
        .unwrap_or_else(|| app.ports.clock.now());
    let seen = file.identity.first_seen.unwrap_or(last);
    let first = seen.max(last.plus_micros(-LOOK_BACK_US));
    let activity = app.activity(principal, file, Window::around(first, last))?;
    let events = findings.iter().flat_map(|finding| &finding.draft.events);
    let hot: Vec<Timestamp> = events.map(|event| event.time).collect();
    Ok(Bars::new(&activity, &hot))
}

/// The tools it declares, and who says so.
fn tools_fact(tools: &ToolsInForce) -> Fact {
    let names = tools.tools.iter().take(TOOLS_MAX);
    let mut names: Vec<&str> = names.map(deedtrail_core::Text::as_str).collect();
    let more = tools.tools.len().saturating_sub(TOOLS_MAX);
    let more = format!("{more} more");
    if tools.tools.len() > TOOLS_MAX {
        names.push(&more);
    }
    let text = format!("{} (by {})", names.join(", "), tools.told_by);
    Fact::new("Declared tools", &text)
}

fn facts(identity: &Identity, tools: Option<&ToolsInForce>) -> Vec<Fact> {
    let declared = &identity.declared;
    let mut facts = Vec::new();
    facts.push(Fact::new(
        "Owner",
        declared.owner.as_deref().unwrap_or("nobody: assign one"),
    ));
    let optional: [(&'static str, Option<&str>); 6] = [
        ("Backup owner", declared.backup_owner.as_deref()),
        ("Department", declared.department.as_deref()),
        ("Employment", declared.employment.as_deref()),
        ("Manager", declared.manager.as_deref()),
        ("Workload", declared.workload.as_deref()),
        (
            "Orphaned",
            declared
                .orphaned_since
                .is_some()
                .then_some("the owner has left"),
        ),
    ];
    for (name, value) in optional {
        facts.extend(value.map(|value| Fact::new(name, value)));
    }
    if let Some(tools) = tools {
        facts.push(tools_fact(tools));
    }
    facts.push(Fact::new("Environment", declared.environment.name()));
    for (name, at) in [
        ("First seen", identity.first_seen),
        ("Last seen", identity.last_seen),
    ] {
        facts.extend(at.map(|at| Fact::new(name, &Moment::new(at).full)));
    }
    let known = if identity.discovered {
        "discovered in events"
    } else {
        "declared"
    };
    facts.push(Fact::new("Known as", known));
    facts
}

fn alias_row(alias: &AliasRecord) -> AliasRow {
    AliasRow {
        namespace: Shown::cut(&alias.namespace, 40),
        value: Shown::new(&alias.value),
        evidence: Shown::new(&alias.evidence),
    }
}

fn credentials(file: &IdentityFile, now: Timestamp) -> Vec<CredentialRow> {
    let row = |credential: &CredentialRecord| credential_row(credential, now);
    file.credentials
        .iter()
        .take(REFERENCES_MAX)
        .map(row)
        .collect()
}

fn credential_row(credential: &CredentialRecord, now: Timestamp) -> CredentialRow {
    let made = credential.last_rotated.or(credential.created);
    let days = |at: Timestamp| now.micros_since(at).max(0) / Timestamp::DAY_US;
    let state = if credential.revoked.is_some() {
        "revoked".to_owned()
    } else {
        match credential.expires {
            Some(at) if at <= now => "expired".to_owned(),
            Some(at) => format!("expires in {} d", at.micros_since(now) / Timestamp::DAY_US),
            None => "active".to_owned(),
        }
    };
    CredentialRow {
        kind: credential.kind.name(),
        reference: Shown::cut(&credential.reference, 60),
        system: Shown::cut(&credential.system, 40),
        age: made.map_or_else(|| "unknown".to_owned(), |at| format!("{} d", days(at))),
        last_used: credential
            .last_used
            .map_or_else(|| "never".to_owned(), |at| ago(now.micros_since(at))),
        uses: grouped(credential.uses),
        state,
    }
}

impl IdentityAsked {
    fn filtered(&self) -> bool {
        [&self.text, &self.from, &self.to]
            .iter()
            .any(|text| !text.is_empty())
    }

    fn pairs<'a>(&'a self, cursor: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("text", &self.text),
            ("from", &self.from),
            ("to", &self.to),
            ("cursor", cursor),
        ]
    }

    /// Start of an address that selects an event on this very page.
    fn with_event(&self) -> String {
        match query_string(&self.pairs(&self.cursor)).as_str() {
            "" => "?event=".to_owned(),
            query => format!("{query}&event="),
        }
    }

    fn further(&self, address: &str, events: &[Event]) -> Option<String> {
        let cursor = next_cursor(events, PAGE_EVENTS)?;
        Some(format!(
            "{address}{}#timeline",
            query_string(&self.pairs(&cursor))
        ))
    }
}
