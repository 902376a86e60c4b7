//! Calls of ports that fail, and processes that die between two of them.

mod archive;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

pub use archive::FaultyArchive;
pub use store::FaultyStore;

/// What failing calls say.
const REASON: &str = "a simulated mishap";

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It fails and changes nothing.
    FailBefore,
    /// It is carried out, but says that it failed.
    FailAfter,
    /// The process dies before it is carried out.
    DieBefore,
    /// The process dies right after it.
    DieAfter,
}

/// What becomes of a call.
enum Fate {
    Works,
    Struck(Mishap),
    /// The process is dead.
    Fails,
}

/// Counts the calls that one thread makes through the ports of one process, and strikes one of
/// them. After death every call fails, whichever thread makes it.
#[derive(Debug)]
pub struct Mishaps {
    owner: ThreadId,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    due: Option<(u64, Mishap)>,
    struck: Option<Mishap>,
    is_dead: bool,
}

impl Mishaps {
    /// Counts the calls of this thread. Others are not counted, so that it does not matter how
    /// threads happen to run.
    pub fn of_this_thread() -> Self {
        Self {
            owner: std::thread::current().id(),
            state: Mutex::default(),
        }
    }

    /// Lets `mishap` strike the call after the next `calls`.
    pub fn arm(&self, calls: u64, mishap: Mishap) {
        let mut state = self.state();
        state.due = Some((state.calls + calls + 1, mishap));
    }

    /// Nothing is due any more.
    pub fn calm(&self) {
        self.state().due = None;
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// What struck since this was last asked.
    pub fn take_struck(&self) -> Option<Mishap> {
        self.state().struck.take()
    }

    pub fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// The process dies now.
    pub fn die(&self) {
        self.state().is_dead = true;
    }

    /// Carries a call out; `None` when it fails.
    pub fn call<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        match self.next() {
            Fate::Works => Some(work()),
            Fate::Fails | Fate::Struck(Mishap::FailBefore | Mishap::DieBefore) => None,
            Fate::Struck(Mishap::FailAfter | Mishap::DieAfter) => {
                work();
                None
            }
        }
    }

    /// Counts a call and tells what befalls it.
    fn next(&self) -> Fate {
        let mut state = self.state();
        if state.is_dead {
            return Fate::Fails;
        }
        if std::thread::current().id() != self.owner {
            return Fate::Works;
        }
        state.calls += 1;
        let calls = state.calls;
        let Some((_, mishap)) = state.due.take_if(|(at, _)| *at <= calls) else {
            return Fate::Works;
        };
        state.is_dead = matches!(mishap, Mishap::DieBefore | Mishap::DieAfter);
        state.struck = Some(mishap);
        Fate::Struck(mishap)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_armed_call_is_struck_and_after_death_nothing_works() {
        let mishaps = Mishaps::of_this_thread();
        mishaps.arm(1, Mishap::FailAfter);
        let mut done = 0;
        let mut call = || mishaps.call(|| done += 1).is_some();
        assert_eq!([call(), call(), call()], [true, false, true]);
        assert_eq!(mishaps.take_struck(), Some(Mishap::FailAfter));
        mishaps.arm(0, Mishap::DieBefore);
        assert_eq!([call(), call()], [false, false]);
        assert!(mishaps.is_dead());
        assert_eq!((done, mishaps.calls()), (3, 4));
    }

    #[test]
    fn other_threads_are_not_counted() {
        let mishaps = Mishaps::of_this_thread();
        mishaps.arm(0, Mishap::FailBefore);
        let elsewhere = std::thread::scope(|scope| {
            let call = || mishaps.call(|| ()).is_some();
            scope.spawn(call).join().unwrap()
        });
        assert!(elsewhere);
        assert!(mishaps.call(|| ()).is_none());
    }
}
