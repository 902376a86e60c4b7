//! Why a finding was raised, against what it was judged, and what an answer to it changes.

use deedtrail_core::Text;
use deedtrail_core::behaviour::IdentityBehaviour;
use deedtrail_core::exception::RuleException;
use deedtrail_core::finding::Briefing;
use deedtrail_core::id::{FindingId, SessionUid};
use deedtrail_core::session::SessionVerdict;
use deedtrail_core::time::Timestamp;
use serde::Serialize;

use crate::App;
use crate::access::Principal;
use crate::behaviour::{Active, Danger};
use crate::findings::{LEARNED, raising_sequence};
use crate::timeline::ReadingError;

/// A finding, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub finding: Briefing,
    /// What raised it, and where that is described.
    pub raised_by: String,
    /// What it was judged against, a sentence each.
    pub judged_against: Vec<String>,
    /// Exceptions in force to what raised it, a sentence each.
    pub exceptions: Vec<String>,
    /// The session it is about, where it is about one.
    pub session: Option<AboutSession>,
    /// How much the identity does, and how dangerous it is, now.
    pub active: Option<Active>,
    pub danger: Option<Danger>,
    /// What an analyst's answer changes, a sentence each.
    pub answers: Vec<&'static str>,
}

/// The session a finding is about.
#[derive(Clone, Debug, Serialize)]
pub struct AboutSession {
    pub uid: SessionUid,
    pub started: Timestamp,
    pub systems: Vec<Text>,
    pub verdict: SessionVerdict,
    pub trust: u8,
}

impl Explanation {
    /// Reasons of the finding that do not stand in `judged_against`.
    pub fn observed(&self) -> impl Iterator<Item = &String> {
        let reasons = self.finding.finding.draft.reasons.iter();
        reasons.filter(|reason| !self.judged_against.contains(reason))
    }
}

impl App {
    /// Why a finding was raised.
    pub fn explain_finding(
        &self,
        principal: &Principal,
        id: FindingId,
    ) -> Result<Explanation, ReadingError> {
        let file = self.finding_file(principal, id)?;
        let finding = file.finding;
        let session = match finding.draft.session {
            Some(uid) => self.ports.store.session(&principal.tenant, uid)?,
            None => None,
        };
        let standing = match &file.identity {
            Some(identity) => Some(self.standing(principal, identity)?),
            None => None,
        };
        let known = standing.as_ref().and_then(|it| it.behaviour.as_ref());
        let exceptions = self.exceptions_to(principal, &finding.draft.rule)?;
        let learned = finding.draft.rule == "code/behaviour";
        let learns = LEARNED.contains(&finding.draft.kind.as_str())
            || self.is_departure(principal, &finding)?;
        let mut judged_against = Vec::new();
        if learned && let Some(known) = known {
            judged_against.extend(against_behaviour(
                known,
                self.detection.behaviour_alerts_per_day,
            ));
        }
        let said = |reason: &&String| {
            let marks = ["expected: ", "charter: ", "mission: ", "baseline: "];
            marks.iter().any(|mark| reason.starts_with(mark))
        };
        judged_against.extend(finding.draft.reasons.iter().filter(said).cloned());
        Ok(Explanation {
            raised_by: self.raised_by(&finding.draft.rule),
            exceptions: exceptions.iter().map(in_words).collect(),
            judged_against,
            session: session.map(|session| AboutSession {
                uid: session.uid,
                started: session.started,
                systems: session.systems,
                verdict: session.verdict,
                trust: session.trust.score,
            }),
            active: standing.as_ref().map(|it| it.active),
            danger: standing.as_ref().map(|it| it.danger),
            answers: answers(learns),
            finding: self.briefing(finding),
        })
    }

    fn raised_by(&self, rule: &str) -> String {
        if rule == "code/behaviour" {
            return "learned behaviour (docs/reference/behaviour.md): what this identity and its \
                    peers did before"
                .to_owned();
        }
        if let Some(name) = rule.strip_prefix("charter/") {
            return format!(
                "the charter `{name}`; `deedtrail charter show {name}` prints its text"
            );
        }
        if let Some(id) = raising_sequence(rule) {
            return self.raising(id);
        }
        if rule.starts_with("code/") {
            return format!("the detector `{rule}` (docs/reference/findings.md)");
        }
        format!("the rule `{rule}`; `deedtrail rule explain {rule}` says when it fires")
    }

    /// An unsafe sequence, and where it is written.
    fn raising(&self, id: &str) -> String {
        let sequences = self.sequences();
        let Some(form) = sequences.form(id) else {
            return format!("the unsafe sequence `{id}`, which is no longer in force");
        };
        let title = form.title.trim();
        if sequences.is_own(id) {
            format!("the unsafe sequence `{id}` of the folder that `sequences` names: {title}")
        } else {
            format!("the unsafe sequence `{id}` (docs/reference/unsafe-sequences.md): {title}")
        }
    }
}

fn against_behaviour(known: &IdentityBehaviour, per_day: u32) -> Vec<String> {
    let ready = &known.readiness;
    let mut told = vec![format!(
        "by now {} learned sessions of its own, {} of its peers (`{}`)",
        ready.sessions, ready.peer_sessions, known.peer_group
    )];
    told.push(format!(
        "a budget of {per_day} alerts a day (`behaviour_alerts_per_day`): only what is rarer than \
         it lets pass is told, and it is a finding because something in its session has weight"
    ));
    told
}

fn in_words(exception: &RuleException) -> String {
    format!(
        "exception {} ({}; owner {}) is in force until {} and held back {} so far",
        exception.number,
        exception.covers(),
        exception.owner,
        exception.expires,
        exception.effect.held_back
    )
}

/// What dispositions do besides closing the finding.
fn answers(learns: bool) -> Vec<&'static str> {
    let mut told = Vec::new();
    if learns {
        told.push("benign: what the session showed is learned as usual from now on");
        told.push("drift: likewise, and what is done now is what drift is measured from");
        told.push("misuse, intrusion, coerced: it never becomes usual by itself");
    } else {
        told.push("benign, drift: the finding no longer counts as danger of the identity");
    }
    told.push("any answer can be taken back by another; a new event opens the finding again");
    told
}
