//! What the pages of sessions show: rows, words, badges.

use deedtrail_app::agent_call::AgentCall;
use deedtrail_app::entitlement::Reach;
use deedtrail_app::session::{NextStep, SessionFile};
use deedtrail_core::action::Action;
use deedtrail_core::event::{Environment, OutcomeClass};
use deedtrail_core::id::IdentityId;
use deedtrail_core::session::{
    BlastRadius, KnownBy, PermissionUse, Session, SessionDeparture, SessionVerdict, Trust,
};
use deedtrail_core::time::Timestamp;

use crate::view::{Badge, Chip, Moment, Shown, ago, grouped, span};

/// Tabs above the lists of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    All,
    Blind,
}

impl Tab {
    pub(crate) const ALL: [Self; 2] = [Self::All, Self::Blind];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::All => "Sessions",
            Self::Blind => "Blind sessions",
        }
    }

    pub(crate) const fn address(self) -> &'static str {
        match self {
            Self::All => "/sessions",
            Self::Blind => "/blind-sessions",
        }
    }
}

/// A verdict as word, colour and shape.
pub(crate) const fn verdict_badge(verdict: SessionVerdict) -> Badge {
    let (class, word) = match verdict {
        SessionVerdict::InScope => ("ok", "In scope"),
        SessionVerdict::UnauthorisedChange => ("high", "Unauthorised change"),
        SessionVerdict::Escalated => ("high", "Escalated"),
        SessionVerdict::Persistence => ("crit", "Persistence"),
        SessionVerdict::SecretExtraction => ("crit", "Secret extraction"),
        SessionVerdict::Destructive => ("crit", "Destructive"),
    };
    Badge {
        class,
        word,
        name: verdict.name(),
    }
}

/// A score with its mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score {
    pub(crate) class: &'static str,
    pub(crate) score: u8,
}

impl Score {
    pub(crate) const fn new(score: u8) -> Self {
        Self {
            class: crate::view::trust_class(score),
            score,
        }
    }
}

/// A session in a list.
#[derive(Debug)]
pub(crate) struct SessionRow {
    pub(crate) href: String,
    pub(crate) who: Chip,
    pub(crate) systems: Shown,
    pub(crate) started: Moment,
    pub(crate) lasted: String,
    pub(crate) ago: String,
    pub(crate) events: String,
    pub(crate) verdict: Badge,
    /// It departed from what is learned of its identity.
    pub(crate) departs: bool,
    pub(crate) trust: Score,
    pub(crate) open: bool,
}

impl SessionRow {
    pub(crate) fn new(session: &Session, now: Timestamp) -> Self {
        Self {
            href: format!("/sessions/{}", session.uid),
            who: who(session),
            systems: Shown::cut(&session.systems.join(", "), 60),
            started: Moment::new(session.started),
            lasted: span(session.last.micros_since(session.started)),
            ago: ago(now.micros_since(session.last)),
            events: grouped(session.events),
            verdict: verdict_badge(session.verdict),
            departs: !session.departures.is_empty(),
            trust: Score::new(session.trust.score),
            open: session.ended.is_none(),
        }
    }
}

/// Who acted in a session.
pub(crate) fn who(session: &Session) -> Chip {
    Chip {
        kind: Shown::new(crate::view::kind_word(session.actor_kind)),
        name: Shown::cut(&session.actor, 48),
        href: Some(format!("/identities/{}", session.identity)),
    }
}

/// One action, or a pause.
#[derive(Debug)]
pub(crate) struct StepRow {
    /// The event on the timeline of its identity.
    pub(crate) href: String,
    /// The day, where it begins.
    pub(crate) day: Option<String>,
    /// The pause before it, where it is marked.
    pub(crate) gap: Option<String>,
    pub(crate) at: Moment,
    pub(crate) class: &'static str,
    pub(crate) who: Shown,
    pub(crate) system: Shown,
    pub(crate) action: &'static str,
    pub(crate) operation: Shown,
    pub(crate) target: Option<Shown>,
    pub(crate) environment: Option<&'static str>,
    pub(crate) outcome: &'static str,
    pub(crate) times: u32,
}

impl StepRow {
    /// One row per step; the first of a day names it.
    pub(crate) fn all(file: &SessionFile, steps: &[NextStep]) -> Vec<Self> {
        let all = file.all();
        let mut day = None;
        let rows = steps.iter().map(|step| {
            let today = step.act.at.utc_day();
            let begins = day != Some(today);
            day = Some(today);
            let of = all.iter().find(|session| session.uid == step.session);
            Self::new(
                step,
                of.map_or(file.session.identity, |of| of.identity),
                begins,
            )
        });
        rows.collect()
    }

    fn new(step: &NextStep, identity: IdentityId, begins_day: bool) -> Self {
        let act = &step.act;
        let environment = act.environment;
        Self {
            href: format!(
                "{}&event={}",
                timeline(identity, act.at, act.at),
                act.event_uid
            ),
            day: begins_day.then(|| Moment::new(act.at).heading),
            gap: step
                .gap_s
                .map(|seconds| span(seconds.saturating_mul(Timestamp::SECOND_US))),
            at: Moment::new(act.at),
            class: step_class(step),
            who: Shown::brief(&step.actor),
            system: Shown::brief(&act.system),
            action: act.action.name(),
            operation: Shown::cut(&act.operation, 60),
            target: act.target.as_deref().map(|target| Shown::cut(target, 60)),
            environment: (environment != Environment::Unknown).then(|| environment.name()),
            outcome: match act.outcome {
                OutcomeClass::Success => "",
                outcome => outcome.name(),
            },
            times: act.times,
        }
    }
}

/// How an action is marked on the lanes.
pub(crate) fn step_class(step: &NextStep) -> &'static str {
    match step.act.action {
        Action::Delete | Action::Destroy | Action::LoggingChange => "crit",
        Action::PrivilegeGrant
        | Action::CredentialCreate
        | Action::IdentityCreate
        | Action::ConsentGrant
        | Action::SecretRead
        | Action::Export => "high",
        Action::Read | Action::Enumerate | Action::MessageConsume | Action::Other => "",
        Action::Authenticate | Action::SessionChange | Action::Click => "low",
        _ => "med",
    }
}

/// An agent, below the one that called it.
#[derive(Debug)]
pub(crate) struct AgentRow {
    /// Class that indents it.
    pub(crate) indent: String,
    pub(crate) agent: Shown,
    /// `planner by ask_payer`
    pub(crate) caller: Option<String>,
    pub(crate) on_behalf_of: Option<Shown>,
    pub(crate) first: Moment,
    pub(crate) events: String,
    pub(crate) complete: bool,
}

impl AgentRow {
    pub(crate) fn all(calls: &[AgentCall]) -> Vec<Self> {
        let row = |call: &AgentCall| Self {
            indent: format!("d{}", call.depth),
            agent: Shown::cut(&call.agent, 60),
            caller: call.called_by.as_deref().map(|caller| {
                let by = call.by.as_deref().unwrap_or_default();
                format!("{} by {}", Shown::cut(caller, 60), Shown::cut(by, 60))
            }),
            on_behalf_of: call.on_behalf_of.as_deref().map(|who| Shown::cut(who, 60)),
            first: Moment::new(call.first),
            events: grouped(call.events),
            complete: call.complete,
        };
        calls.iter().map(row).collect()
    }
}

/// How it departed from what is learned.
#[derive(Debug)]
pub(crate) struct DepartureRow {
    pub(crate) at: Moment,
    pub(crate) one_in: String,
    /// What tells of it.
    pub(crate) told: &'static str,
    pub(crate) reasons: Vec<Shown>,
}

impl DepartureRow {
    pub(crate) fn new(departure: &SessionDeparture) -> Self {
        let reasons = departure.reasons.iter();
        Self {
            at: Moment::new(departure.at),
            one_in: format!("{:.0}", departure.one_in()),
            told: departure.told_by.sentence(),
            reasons: reasons.map(|reason| Shown::cut(reason, 160)).collect(),
        }
    }
}

/// A step of trust.
#[derive(Debug)]
pub(crate) struct TrustRow {
    pub(crate) at: Moment,
    pub(crate) points: String,
    pub(crate) row: Shown,
    pub(crate) reason: Shown,
    pub(crate) score: Score,
    pub(crate) crossed: Option<u8>,
}

pub(crate) fn trust_rows(trust: &Trust) -> Vec<TrustRow> {
    let mut steps: Vec<_> = trust.steps.iter().collect();
    steps.sort_by_key(|step| step.at);
    let rows = steps.into_iter().map(|step| TrustRow {
        at: Moment::new(step.at),
        points: format!("{:+}", step.points),
        row: Shown::brief(&step.row),
        reason: Shown::new(&step.reason),
        score: Score::new(step.score),
        crossed: step.crossed,
    });
    rows.collect()
}

/// A permission that was used.
#[derive(Debug)]
pub(crate) struct PermissionRow {
    pub(crate) name: Shown,
    pub(crate) uses: String,
    pub(crate) first: Moment,
    pub(crate) abused: Option<Moment>,
}

impl PermissionRow {
    pub(crate) fn new(used: &PermissionUse) -> Self {
        Self {
            name: Shown::cut(&used.permission, 80),
            uses: grouped(used.uses),
            first: Moment::new(used.first),
            abused: used.first_abuse.map(Moment::new),
        }
    }
}

/// Branches of a blast radius: what each is called, and what is on it.
pub(crate) fn branches(blast: &BlastRadius) -> Vec<(String, Vec<Shown>)> {
    let mut branches: Vec<(String, Vec<Shown>)> = Vec::new();
    for (name, reached) in blast.reached() {
        let things = reached.things.iter().map(|thing| {
            let environment = match thing.environment {
                Environment::Unknown => String::new(),
                known => format!(" ({})", known.name()),
            };
            let times = if thing.times > 1 {
                format!(" × {}", grouped(thing.times))
            } else {
                String::new()
            };
            Shown::cut(
                &format!("{}{environment}{times}", Shown::cut(&thing.name, 60)),
                90,
            )
        });
        let left_out = (reached.left_out > 0)
            .then(|| Shown::new(&format!("and {} times something else", reached.left_out)));
        branches.push((name.to_owned(), things.chain(left_out).collect()));
    }
    branches.push(("files changed".to_owned(), files(blast)));
    branches.push(("people notified".to_owned(), audiences(blast)));
    branches.push(("queues".to_owned(), queues(blast)));
    branches.push(("taken out".to_owned(), taken(blast)));
    branches.retain(|(_, things)| !things.is_empty());
    branches
}

/// What it could have reached by what was imported, the most dangerous first, and whom it affected.
pub(crate) fn reach_branches(reach: &Reach) -> Vec<(String, Vec<Shown>)> {
    let kinds = reach.kinds.iter().map(|kind| {
        let named = kind
            .resources
            .iter()
            .map(|it| Shown::cut(it, 40).to_string());
        let named: Vec<String> = named.collect();
        let more = kind.resources_total - named.len() as u64;
        let more = if more > 0 {
            format!(" and {} more", grouped(more))
        } else {
            String::new()
        };
        let (access, system) = (kind.access.name(), Shown::brief(&kind.system));
        let resources = named.join(", ");
        Shown::cut(&format!("{access} in {system}: {resources}{more}"), 140)
    });
    let mut branches = vec![("resources reachable".to_owned(), kinds.collect::<Vec<_>>())];
    if reach.users_affected > 0 {
        let users = Shown::new(&grouped(reach.users_affected));
        branches.push(("users affected".to_owned(), vec![users]));
    }
    branches.retain(|(_, things)| !things.is_empty());
    branches
}

fn files(blast: &BlastRadius) -> Vec<Shown> {
    let hash = |hash: &Option<deedtrail_core::Text>| {
        let hash = hash.as_deref().unwrap_or("nothing");
        hash.chars().take(12).collect::<String>()
    };
    let changed = blast.files.iter().map(|file| {
        let (before, after) = (hash(&file.before), hash(&file.after));
        let environment = file.environment.name();
        let path = Shown::cut(&file.path, 60);
        Shown::cut(&format!("{path} ({environment}): {before} to {after}"), 140)
    });
    let left_out = (blast.files_left_out > 0)
        .then(|| Shown::new(&format!("and {} more", blast.files_left_out)));
    changed.chain(left_out).collect()
}

fn audiences(blast: &BlastRadius) -> Vec<Shown> {
    if blast.messages == 0 {
        return Vec::new();
    }
    let all = format!(
        "{} people by {} message{}",
        grouped(blast.people_notified),
        grouped(blast.messages),
        if blast.messages == 1 { "" } else { "s" }
    );
    let each = blast.notified.iter().map(|audience| {
        let approver = audience.approver.as_deref().unwrap_or("nobody");
        Shown::cut(
            &format!(
                "{} through {}, approved by {}",
                grouped(audience.count),
                Shown::brief(&audience.through),
                Shown::brief(approver)
            ),
            140,
        )
    });
    std::iter::once(Shown::new(&all)).chain(each).collect()
}

fn queues(blast: &BlastRadius) -> Vec<Shown> {
    let edges = blast.queues.iter().map(|edge| {
        let (from, to) = (Shown::brief(&edge.from_actor), Shown::brief(&edge.to_actor));
        let topic = Shown::brief(&edge.topic);
        Shown::cut(&format!("{from} → {topic} → {to}"), 140)
    });
    edges.collect()
}

fn taken(blast: &BlastRadius) -> Vec<Shown> {
    if blast.objects_out == 0 && blast.bytes_out == 0 {
        return Vec::new();
    }
    let objects = grouped(blast.objects_out);
    let bytes = grouped(blast.bytes_out);
    vec![Shown::new(&format!("{objects} objects, {bytes} bytes"))]
}

/// How it is known which events belong together.
pub(crate) const fn known_by(session: &Session) -> &'static str {
    match session.known_by {
        KnownBy::VendorId => "the vendor names the session",
        KnownBy::Gap => "same actor, credential and client, no long pause",
    }
}

/// An identity's timeline on the days from one instant to another.
pub(crate) fn timeline(identity: IdentityId, from: Timestamp, to: Timestamp) -> String {
    let day = |at: Timestamp| at.to_string().chars().take(10).collect::<String>();
    let to = to.plus_micros(Timestamp::DAY_US);
    format!("/identities/{identity}?from={}&to={}", day(from), day(to))
}
