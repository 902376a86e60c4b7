//! The reasons as sentences, with numbers.

use deedtrail_core::id::SessionUid;

use crate::assessment::{Assessment, Expected, Moment, Term, TermKind};
use crate::dictionary::Dictionary;
use crate::engine::Behaviour;
use crate::kept::Seen;
use crate::model::{Model, depth};
use crate::sequence::{Contexts, END};
use crate::session::Open;
use crate::shape::Difference;
use crate::subject::Known;

/// Most terms told.
const TERMS_MAX: usize = 8;
/// Alternatives told.
const EXPECTED_MAX: usize = 3;
/// A term of the next action below this many nats is not told.
const SEQUENCE_TOLD_NATS_MIN: f64 = 1.0;

/// What explaining a session needs.
struct View<'a> {
    dictionary: &'a Dictionary,
    known: Seen<'a, Known>,
    peers: Option<&'a Model>,
    open: &'a Open,
}

/// An assessment without reasons; the caller adds score and verdict.
pub(crate) fn assessment(session: SessionUid, open: &Open, moment: Moment) -> Assessment {
    let mut assessment = Assessment {
        identity: open.identity,
        session,
        at: open.last,
        moment,
        score_nats: 0.0,
        event_nats: open.top.nats,
        p: 1.0,
        alerts: false,
        repeats: false,
        pattern: 0,
        terms: Vec::new(),
        expected: Vec::new(),
        events: vec![open.top.event],
        deployment: None,
    };
    if open.newest != open.top.event {
        assessment.events.push(open.newest);
    }
    assessment
}

impl Behaviour {
    /// Adds the reasons.
    pub(crate) fn explain(&self, open: &Open, assessment: &mut Assessment) {
        if let Some(view) = self.view(open) {
            assessment.terms = view.terms(assessment.moment);
            assessment.expected = view.expected();
        }
    }

    fn view<'a>(&'a self, open: &'a Open) -> Option<View<'a>> {
        let (known, peers) = self.models(open)?;
        Some(View {
            dictionary: self.dictionary(),
            known,
            peers,
            open,
        })
    }
}

impl View<'_> {
    fn terms(&self, moment: Moment) -> Vec<Term> {
        let mut terms = self.open.top.told.clone();
        terms.extend(self.sequence());
        if moment == Moment::End {
            terms.extend(self.shape());
        }
        terms.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.kind.cmp(&b.kind)));
        terms.truncate(TERMS_MAX);
        terms
    }

    /// The place of the most surprising event.
    fn place(&self) -> (Contexts, u32) {
        let top = &self.open.top;
        let contexts = Contexts::after(self.open.before_top(), depth(self.open.kind));
        let symbol = self.open.symbols.get(top.place).copied().unwrap_or(END);
        (contexts, symbol)
    }

    fn sequence(&self) -> Option<Term> {
        let top = &self.open.top;
        if top.sequence_nats < SEQUENCE_TOLD_NATS_MIN {
            return None;
        }
        let (contexts, symbol) = self.place();
        let p = self.known.model.probability(self.peers, &contexts, symbol);
        let (length, context) = contexts.longest(&self.known.model.counts).unwrap_or((0, 0));
        let seen = self.known.model.counts.count(context, symbol);
        let total = self
            .known
            .model
            .counts
            .total(context)
            .map_or(0, |total| total.count);
        let after = self.after(length);
        let label = self.dictionary.label(symbol);
        let share = percent(p);
        let sentence = match (total, seen) {
            (0, _) => format!("{label}{after}: nothing is known of this identity yet"),
            (1, 0) => format!("{label}{after}; the one time before it was something else"),
            (_, 0) => format!("{label}{after}; all {total} times before it was something else"),
            _ => format!("{label}{after}: {seen} of {total} times, {share} likely"),
        };
        Some(Term {
            kind: TermKind::Sequence,
            nats: top.sequence_nats,
            event: Some(top.event),
            sentence,
        })
    }

    /// What came before, as far as it was seen before.
    fn after(&self, length: usize) -> String {
        let before = self.open.before_top();
        let before = &before[before.len().saturating_sub(length.max(1))..];
        if before.is_empty() {
            return " as the first action".to_owned();
        }
        let labels: Vec<_> = before
            .iter()
            .map(|symbol| self.dictionary.label(*symbol))
            .collect();
        format!(" after {}", labels.join(", "))
    }

    fn shape(&self) -> Vec<Term> {
        let shape = self.known.model.shape_of(self.peers);
        let sessions = shape.sessions();
        let differences = shape.differences(&self.open.symbols);
        let told = differences.iter().map(|difference| Term {
            kind: TermKind::Shape,
            nats: difference.nats,
            event: None,
            sentence: self.difference(difference, sessions),
        });
        let mut terms: Vec<_> = told.collect();
        let cost = self.known.model.shape_cost(self.peers, &self.open.symbols);
        if terms.is_empty() && cost.nats >= SEQUENCE_TOLD_NATS_MIN {
            let seen = cost.seen;
            terms.push(Term {
                kind: TermKind::Shape,
                nats: cost.nats,
                event: None,
                sentence: format!("these steps together: {seen} of {sessions} sessions"),
            });
        }
        terms
    }

    fn difference(&self, difference: &Difference, sessions: u32) -> String {
        let label = self.dictionary.label(difference.symbol);
        let &Difference {
            number,
            usual,
            sessions: seen,
            ..
        } = difference;
        if number == 0 {
            format!(
                "{label} is missing: usually {}, in {seen} of {sessions} sessions",
                times(usual)
            )
        } else if seen == 0 {
            format!(
                "{label} {}: in none of {sessions} sessions before",
                times(number)
            )
        } else if usual == 0 {
            format!(
                "{label} {}: not in sessions like this one, in {seen} of {sessions} at all",
                times(number)
            )
        } else {
            format!("{label} {}: usually {}", times(number), times(usual))
        }
    }

    fn expected(&self) -> Vec<Expected> {
        let (contexts, _) = self.place();
        let models = [Some(&self.known.model), self.peers];
        let known = models.into_iter().flatten().find_map(|model| {
            let (_, context) = contexts.longest(&model.counts)?;
            Some((model, context))
        });
        let Some((model, context)) = known else {
            return Vec::new();
        };
        let total = model.counts.total(context).map_or(1, |total| total.count);
        let symbols = model.counts.symbols(context).into_iter().take(EXPECTED_MAX);
        let expected = symbols.map(|(symbol, count)| Expected {
            label: self.dictionary.label(symbol),
            share: f64::from(count) / f64::from(total),
        });
        expected.collect()
    }
}

fn times(number: u16) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{number} times"),
    }
}

/// A share as people read it: two digits that mean something.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 10.0 {
        format!("{percent:.0} %")
    } else if percent >= 0.01 {
        format!("{percent:.2} %")
    } else {
        "less than 0.01 %".to_owned()
    }
}
