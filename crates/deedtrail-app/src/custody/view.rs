//! Views: who opened what, as entries of the log.
//!
//! Reading never waits for them: they are queued, and written beside. What cannot be written, and
//! what is beyond a limit, is counted, and the count becomes an entry.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deedtrail_core::Text;
use deedtrail_core::custody::{Act, Subject, SubjectKind};
use deedtrail_core::id::TenantId;
use deedtrail_core::port::log::{AppendError, NewEntry};
use deedtrail_core::port::store::Scope;
use deedtrail_core::time::Timestamp;

use super::{Deed, entry, entry_by};
use crate::App;
use crate::access::Principal;
use crate::timeline::{IdentityFile, ReadingError};

/// The same principal opening the same thing again within this time is one view, µs.
pub const VIEW_AGAIN_US: i64 = Timestamp::HOUR_US;
/// Most views of one principal that are entries, each hour; further ones are counted.
pub const VIEWS_PER_HOUR_MAX: u32 = 240;
/// Most views that wait to be written; further ones are counted.
pub const VIEWS_WAITING_MAX: usize = 1_024;
/// Pairs of who and what that are remembered; when there are more, the store is asked again.
const REMEMBERED_MAX: usize = 20_000;
/// Note of an entry that says who opened what.
const VIEWED: &str = "viewed";
/// Note of an entry that counts views.
const COUNTED: &str = "views counted only";

/// Who views.
type Viewer = (TenantId, Text);

/// Views that are not entries yet.
#[derive(Debug, Default)]
pub struct Views {
    state: Mutex<State>,
    /// Told when something waits, or nothing is waited for any more.
    news: Condvar,
    /// Views since start that are counted only.
    unwritten: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// When each was taken down last.
    taken: BTreeMap<(Viewer, Subject), Timestamp>,
    /// The hour since 1970, and the views in it that are entries.
    hours: BTreeMap<Viewer, (i64, u32)>,
    waiting: Vec<Waiting>,
    counted: BTreeMap<Viewer, Uncounted>,
    is_over: bool,
}

#[derive(Debug)]
struct Waiting {
    viewer: Viewer,
    subject: Subject,
    entry: NewEntry,
}

/// Views that are no entries, and that no entry counts yet.
#[derive(Clone, Copy, Debug)]
struct Uncounted {
    views: u64,
    since: Timestamp,
    /// When an entry tells of them.
    due: Timestamp,
}

impl Views {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a view waits to be written, at most `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let waited = self
            .news
            .wait_timeout_while(self.state(), timeout, |state| {
                state.waiting.is_empty() && !state.is_over
            });
        drop(waited);
    }

    /// Whoever waits need not any more.
    pub fn end(&self) {
        self.state().is_over = true;
        self.news.notify_all();
    }

    /// Views since start that are counted only.
    pub fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Views in a tenant that are counted only, and that no entry tells of yet.
    pub(crate) fn untold(&self, tenant: &TenantId) -> u64 {
        let state = self.state();
        let counted = state.counted.iter();
        let own = counted.filter(|((of, _), _)| of == tenant);
        own.map(|(_, of)| of.views).sum()
    }

    fn count(&self, state: &mut State, viewer: Viewer, now: Timestamp) {
        let none = Uncounted {
            views: 0,
            since: now,
            due: now.plus_micros(VIEW_AGAIN_US),
        };
        state.counted.entry(viewer).or_insert(none).views += 1;
        self.unwritten.fetch_add(1, Ordering::Relaxed);
    }
}

impl State {
    fn was_taken(&self, pair: &(Viewer, Subject), now: Timestamp) -> bool {
        let at = self.taken.get(pair);
        at.is_some_and(|at| is_again(*at, now))
    }

    fn remember(&mut self, pair: (Viewer, Subject), now: Timestamp) {
        if self.taken.len() >= REMEMBERED_MAX {
            self.taken.retain(|_, at| is_again(*at, now));
        }
        if self.taken.len() >= REMEMBERED_MAX {
            self.taken.clear();
        }
        self.taken.insert(pair, now);
    }

    /// Takes one of the views that this viewer has in this hour; false when there is none left.
    fn take_turn(&mut self, viewer: &Viewer, now: Timestamp) -> bool {
        let hour = now.as_micros().div_euclid(Timestamp::HOUR_US);
        self.hours.retain(|_, (of, _)| *of == hour);
        let (_, taken) = self.hours.entry(viewer.clone()).or_insert((hour, 0));
        let is_left = *taken < VIEWS_PER_HOUR_MAX;
        *taken += u32::from(is_left);
        is_left
    }

    /// Takes out counts that wait for an hour; all of them at the end.
    fn take_counted(&mut self, now: Timestamp, at_end: bool) -> Vec<(Viewer, Uncounted)> {
        let is_due = |of: &Uncounted| at_end || now >= of.due;
        let due: Vec<Viewer> = self
            .counted
            .iter()
            .filter(|(_, of)| is_due(of))
            .map(|(viewer, _)| viewer.clone())
            .collect();
        due.into_iter()
            .filter_map(|viewer| self.counted.remove_entry(&viewer))
            .collect()
    }
}

/// Whether a view at `now` is the same as one at `at`; a clock that went back makes it another.
fn is_again(at: Timestamp, now: Timestamp) -> bool {
    (0..VIEW_AGAIN_US).contains(&now.micros_since(at))
}

/// What entries that count views are about besides the viewer: they may stand for a view of anything,
/// so that they are part of every bundle. Nobody's name has a colon.
pub(super) fn of_anybody() -> Subject {
    Subject::new(SubjectKind::User, ":anybody")
}

fn counted_entry(viewer: &Viewer, of: Uncounted, now: Timestamp) -> NewEntry {
    let Uncounted { views, since, .. } = of;
    let on = format!(
        "{views} since {since}, beyond {VIEWS_PER_HOUR_MAX} an hour or while the log took none"
    );
    let (tenant, who) = viewer;
    let deed = Deed {
        act: Act::View,
        what: COUNTED,
        on: &on,
        about: &[Subject::new(SubjectKind::User, who), of_anybody()],
    };
    entry_by((tenant, who), &deed, now)
}

impl App {
    /// As [`App::find_identity`], for somebody who looks at it: that is taken down.
    pub fn open_identity(
        &self,
        principal: &Principal,
        who: &str,
    ) -> Result<IdentityFile, ReadingError> {
        principal.require(Scope::Read)?;
        let file = self.find_identity(principal, who)?;
        self.viewed(
            principal,
            Subject::new(SubjectKind::Identity, file.identity.id),
        );
        Ok(file)
    }

    /// Takes down that somebody opened something. It never fails and never waits for the log.
    pub(crate) fn viewed(&self, principal: &Principal, subject: Subject) {
        let now = self.ports.clock.now();
        let viewer = (principal.tenant.clone(), principal.name.clone());
        let pair = (viewer, subject);
        if self.views.state().was_taken(&pair, now) {
            return;
        }
        let (viewer, subject) = &pair;
        let last = self.ports.store.last_view(&viewer.0, subject, &viewer.1);
        let mut state = self.views.state();
        if let Ok(Some(at)) = last
            && is_again(at, now)
        {
            state.remember(pair, at);
            return;
        }
        // Another request may have been quicker.
        if state.was_taken(&pair, now) {
            return;
        }
        let is_room = state.waiting.len() < VIEWS_WAITING_MAX;
        if !is_room || !state.take_turn(viewer, now) {
            let viewer = viewer.clone();
            state.remember(pair, now);
            return self.views.count(&mut state, viewer, now);
        }
        let on = format!("{} {}", subject.kind.name(), subject.id);
        let deed = Deed {
            act: Act::View,
            what: VIEWED,
            on: &on,
            about: std::slice::from_ref(subject),
        };
        state.waiting.push(Waiting {
            viewer: viewer.clone(),
            subject: subject.clone(),
            entry: entry(principal, &deed, now),
        });
        state.remember(pair, now);
        self.views.news.notify_all();
    }

    /// Writes the views that wait, and counts that are due. What the log does not take is counted.
    pub fn write_views(&self) -> Result<(), AppendError> {
        self.write_views_of(false)
    }

    /// The same before the end: all counts are written.
    pub fn close_views(&self) -> Result<(), AppendError> {
        self.write_views_of(true)
    }

    fn write_views_of(&self, at_end: bool) -> Result<(), AppendError> {
        let now = self.ports.clock.now();
        let mut state = self.views.state();
        let waiting = std::mem::take(&mut state.waiting);
        let counted = state.take_counted(now, at_end);
        drop(state);
        let views = waiting.iter().map(|view| view.entry.clone());
        let counts = counted
            .iter()
            .map(|(viewer, of)| counted_entry(viewer, *of, now));
        let entries: Vec<NewEntry> = views.chain(counts).collect();
        if entries.is_empty() {
            return Ok(());
        }
        self.ports.log.append(entries).map(drop).inspect_err(|_| {
            let mut state = self.views.state();
            for Waiting {
                viewer, subject, ..
            } in waiting
            {
                // Opened again, it is written once the log takes it.
                state.taken.remove(&(viewer.clone(), subject));
                self.views.count(&mut state, viewer, now);
            }
            for (viewer, of) in counted {
                let known = state
                    .counted
                    .entry(viewer)
                    .or_insert(Uncounted { views: 0, ..of });
                known.views += of.views;
                known.since = known.since.min(of.since);
                known.due = now.plus_micros(VIEW_AGAIN_US);
            }
        })
    }
}
