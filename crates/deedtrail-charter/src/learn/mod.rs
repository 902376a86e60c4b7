//! A charter proposed from history: what an identity does again and again becomes its declared use,
//! what was rare is left out and said so.

mod amount;
mod origin;
mod scope;
mod sequence;

use std::collections::BTreeSet;

use deedtrail_core::action::Action;
use deedtrail_core::event::Event;
use deedtrail_core::time::Timestamp;

use crate::document::{Charter, Comments, List, write};
use crate::subject::Subject;

/// Whom a charter is proposed for.
#[derive(Clone, Debug)]
pub struct About {
    pub name: String,
    /// `namespace:value` of the identity.
    pub identities: Vec<String>,
    pub purpose: String,
    pub owner: String,
}

/// A proposed charter.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub charter: Charter,
    /// As text, with what was left out as comments.
    pub text: String,
    /// Events it was learned from.
    pub events: usize,
    /// Days (UTC) with such events.
    pub days: usize,
}

/// Proposes a charter from the events of one identity, in order of time. The same events give the
/// same charter.
pub fn learn<'a>(about: About, history: impl IntoIterator<Item = Subject<'a>>) -> Proposal {
    let history: Vec<Subject<'a>> = history.into_iter().filter(is_use).collect();
    let days: BTreeSet<i64> = history
        .iter()
        .map(|s| s.event.time_effective.utc_day())
        .collect();
    let mut comments = Comments::new();
    comments.push(("", head(&history, days.len())));
    let scope = scope::learn(&history, &mut comments);
    let charter = Charter {
        charter: about.name,
        identities: List(about.identities),
        group: None,
        purpose: about.purpose,
        owner: about.owner,
        allow: scope.allow,
        never: scope.never,
        when: origin::times(&history, days.len(), &mut comments),
        from: origin::origins(&history, &mut comments),
        limits: amount::limits(&history, &mut comments),
        sequence: sequence::learn(&history, &mut comments),
        tools: scope.tools,
        change_ticket: scope.change_ticket,
    };
    Proposal {
        text: write(&charter, &comments),
        charter,
        events: history.len(),
        days: days.len(),
    }
}

/// What went through and was use: nobody declares what is refused.
fn is_use(subject: &Subject<'_>) -> bool {
    let mapped = &subject.event.mapped;
    mapped.meaningful && !subject.refused() && mapped.action != Action::Click
}

fn head(history: &[Subject<'_>], days: usize) -> String {
    let times = history.iter().map(|subject| subject.event.time_effective);
    match (times.clone().min(), times.max()) {
        (Some(first), Some(last)) => format!(
            "Proposed from {} events on {days} days, from {} to {}. Read it, change it, approve it.",
            history.len(),
            day(first),
            day(last)
        ),
        _ => "Proposed without any event: fill it in by hand.".to_owned(),
    }
}

fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// Whether it says something about work, beside that a session began or ended.
fn is_work(event: &Event) -> bool {
    !matches!(
        event.mapped.action,
        Action::Authenticate | Action::SessionChange
    )
}
