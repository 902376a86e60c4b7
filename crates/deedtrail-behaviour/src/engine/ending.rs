//! A session ends: it is scored as a whole, calibrated, and learned or not.

use deedtrail_core::id::SessionUid;

use crate::assessment::{Assessment, Deployment, Moment};
use crate::calibration::Scores;
use crate::engine::feedback::Answerable;
use crate::engine::{
    Behaviour, LEARNED_GROUP_SESSIONS_MIN, LEARNED_SESSIONS_MIN, SEQUENCE_SHARE, day_of,
};
use crate::explanation::assessment;
use crate::model::depth;
use crate::part::Lesson;
use crate::sequence::{Contexts, END};
use crate::session::{Open, Top};
use crate::settings::Learning;
use crate::shape::Cost;

/// What is less rare than this is learned at once.
const LEARNED_P_MIN: f64 = 0.2;
/// What was seen this often is not new.
const KNOWN_COUNT_MIN: u16 = 3;

/// What a session comes to when it ended.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    score_nats: f64,
    p: f64,
    scores: Scores,
    /// Sessions of the very same shape learned so far.
    seen: u16,
    ready: bool,
}

/// When the end of a session is given its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reasons {
    Always,
    /// Where somebody is told.
    WhereTold,
}

impl Behaviour {
    /// Ends a session and says how it compares. `None` when there is no such session.
    pub fn end(&mut self, session: SessionUid) -> Option<Assessment> {
        self.close(session, Reasons::Always)
    }

    /// The same for a session that nobody asked to end: reasons are given where it is told.
    pub(super) fn end_by_itself(&mut self, session: SessionUid) -> Option<Assessment> {
        self.close(session, Reasons::WhereTold)
    }

    fn close(&mut self, session: SessionUid, reasons: Reasons) -> Option<Assessment> {
        let mut open = self.sessions.remove(&session)?;
        self.identities.wake(&open.identity);
        self.leave_stream(open.identity, session);
        self.open_events = self.open_events.saturating_sub(open.symbols.len());
        self.score_end(&mut open);
        let verdict = self.verdict(&open)?;
        let pattern = pattern(&open, &verdict);
        let together = self.together(&open, &verdict, pattern);
        let follows = together.is_some_and(|together| !together.first);
        let rare = verdict.p < self.allowance.share(self.settings.budget);
        let over_floor = open.top.nats.max(verdict.scores.shape) >= self.settings.floor_nats;
        let allowed = verdict.p < self.allowance.alerting(self.settings.budget);
        let alerting = verdict.ready && allowed && over_floor && !follows;
        let again = alerting && !open.alerted && self.was_told(&open, pattern);
        let alerts = open.alerted || (alerting && !again);
        let repeats = again || (open.repeated && !alerts);
        let mut assessment = assessment(session, &open, Moment::End);
        if reasons == Reasons::Always || alerts || repeats {
            self.explain(&open, &mut assessment);
        }
        assessment.score_nats = verdict.score_nats;
        assessment.p = verdict.p;
        assessment.alerts = alerts;
        assessment.repeats = repeats;
        assessment.pattern = pattern;
        assessment.deployment = together.map(|together| Deployment {
            peer_group: open.group.clone(),
            identities: together.identities,
            members: together.members,
        });
        let lesson = self.lesson(&open, &verdict, pattern);
        if alerts && let Some(known) = self.identities.get_mut(&open.identity) {
            known.tell(pattern, day_of(open.last));
        }
        if self.learns() {
            self.calibrate(&open, &verdict, rare);
            // More of what was told already says nothing about the threshold.
            if verdict.ready && !again && !follows {
                let day = open.last.utc_day();
                self.allowance.count(self.settings.budget, day, alerts);
                let p = if over_floor { verdict.p } else { 1.0 };
                self.scored.note(day_of(open.last), p.min(open.rarest));
            }
        }
        self.learn(&open, lesson);
        for part in self.parts.each() {
            part.close(session, lesson);
        }
        if alerts || open.held {
            self.remember(Answerable::of(session, open, pattern, lesson));
        }
        Some(assessment)
    }

    fn was_told(&self, open: &Open, pattern: u64) -> bool {
        let known = self.identities.get(&open.identity);
        known.is_some_and(|known| known.was_told(pattern, day_of(open.last)))
    }

    /// The end is an action too.
    fn score_end(&self, open: &mut Open) {
        let Some(known) = self.identities.get(&open.identity) else {
            return;
        };
        let peers = self.groups.get(&open.group).map(|group| &group.model);
        let contexts = Contexts::after(&open.symbols, depth(open.kind));
        let nats = known.model.nats(peers, &contexts, END);
        open.sequence_nats += nats;
        let nats = SEQUENCE_SHARE * nats;
        if nats > open.top.nats {
            open.top = Top {
                nats,
                sequence_nats: nats,
                place: open.symbols.len(),
                event: open.newest,
                told: Vec::new(),
            };
        }
    }

    fn verdict(&self, open: &Open) -> Option<Verdict> {
        let known = self.identities.get(&open.identity)?;
        let peers = self.groups.get(&open.group).map(|group| &group.model);
        let Cost { nats, seen } = known.model.shape_cost(peers, &open.symbols);
        let stratum = self.stratum(&known);
        let scores = Scores {
            shape: nats,
            event: open.top.nats,
            mean: open.sequence_nats / (open.symbols.len() as f64 + 1.0),
            repeats: seen > 0,
        };
        let score_nats = stratum.combined(&scores);
        Some(Verdict {
            score_nats,
            p: stratum.session.p(score_nats),
            scores,
            seen,
            ready: self.readiness(open.identity).ready(),
        })
    }

    /// Who of the group did the same new thing today, when that is a deployment.
    fn together(
        &mut self,
        open: &Open,
        verdict: &Verdict,
        pattern: u64,
    ) -> Option<crate::subject::Together> {
        let day = day_of(open.last);
        let group = self.groups.get_mut(&open.group)?;
        group.present(open.identity, day);
        if !verdict.ready || verdict.p >= LEARNED_P_MIN {
            return None;
        }
        group.note(pattern, open.identity, day)
    }

    /// Whether what the session showed is learned.
    fn lesson(&mut self, open: &Open, verdict: &Verdict, pattern: u64) -> Lesson {
        let day = day_of(open.last);
        let nothing_new = !self.shows_something_new(open, verdict);
        let Some(known) = self.identities.get_mut(&open.identity) else {
            return Lesson::Forget;
        };
        let learned = match self.settings.learning {
            Learning::Paused => false,
            Learning::Everything => true,
            Learning::Guarded if open.held => known.probation.approved(pattern),
            Learning::Guarded => {
                known.model.sessions() < LEARNED_SESSIONS_MIN
                    || verdict.p > LEARNED_P_MIN
                    || nothing_new
                    || known.probation.note(pattern, day)
            }
        };
        if learned {
            Lesson::Learn
        } else {
            Lesson::Forget
        }
    }

    fn shows_something_new(&self, open: &Open, verdict: &Verdict) -> bool {
        let Some(known) = self.identities.get(&open.identity) else {
            return true;
        };
        let top = &open.top;
        let symbol = open.symbols.get(top.place).copied().unwrap_or(END);
        let previous = Contexts::after(open.before_top(), 1).hashes()[1];
        let seen = known.model.counts.count(previous, symbol);
        !top.told.is_empty() || seen < KNOWN_COUNT_MIN || verdict.seen < KNOWN_COUNT_MIN
    }

    fn calibrate(&mut self, open: &Open, verdict: &Verdict, rare: bool) {
        let Some(known) = self.identities.get_mut(&open.identity) else {
            return;
        };
        let group = self.groups.get_mut(&open.group);
        let peer_sessions = group.as_ref().map_or(0, |group| group.model.sessions());
        let judged = known.model.sessions() >= LEARNED_SESSIONS_MIN
            || peer_sessions >= LEARNED_GROUP_SESSIONS_MIN;
        if !judged {
            return;
        }
        let strata = [
            Some(&mut known.calibration),
            group.map(|group| &mut group.calibration),
        ];
        for stratum in strata.into_iter().flatten().chain([&mut self.calibration]) {
            stratum.add(&verdict.scores, verdict.score_nats, rare);
        }
    }

    fn learn(&mut self, open: &Open, lesson: Lesson) {
        let day = day_of(open.last);
        let Some(known) = self.identities.get_mut(&open.identity) else {
            return;
        };
        if self.settings.learning != Learning::Paused {
            known.drift.count(&open.symbols, day / 7);
            self.drifting.insert(open.identity);
        }
        if known.age(day) {
            for part in self.parts.each() {
                part.age(open.identity, day);
            }
        }
        if lesson == Lesson::Forget {
            return;
        }
        let depth = depth(open.kind);
        known.model.learn(&open.symbols, depth, day);
        if let Some(group) = self.groups.get_mut(&open.group) {
            group.age(day);
            group.model.learn(&open.symbols, depth, day);
        }
    }
}

/// What is most unusual about a session, as a key: the same thing done again has the same.
fn pattern(open: &Open, verdict: &Verdict) -> u64 {
    let top = &open.top;
    if verdict.seen == 0 && verdict.scores.shape > 2.0 * top.nats {
        let mut pairs = Vec::new();
        crate::shape::count(&open.symbols, &mut pairs);
        return crate::shape::hash(&pairs);
    }
    event_pattern(open)
}

/// The same for its most surprising event.
pub(super) fn event_pattern(open: &Open) -> u64 {
    let top = &open.top;
    let at = |place: Option<usize>| place.and_then(|place| open.symbols.get(place)).copied();
    let previous = at(top.place.checked_sub(1)).unwrap_or(0);
    let symbol = at(Some(top.place)).unwrap_or(END);
    let told = top.told.iter().max_by(|a, b| a.nats.total_cmp(&b.nats));
    let kind = told.map_or(0, |term| 1 + term.kind as u16);
    crate::shape::hash(&[(previous, kind), (symbol, 0)])
}
