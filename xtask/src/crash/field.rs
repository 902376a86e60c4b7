//! Where clients find a server that is killed and started again while they send.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::server::Server;

use super::protocol::{Line, Sender};

/// A client that was not acknowledged tries again after this long.
const REPEAT_AFTER: Duration = Duration::from_millis(50);
/// A client that gets no answer for this long is itself a failure.
pub(super) const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What the clients and the killer share.
pub(super) struct Field {
    /// Where the server is; its ports change with every restart.
    line: Mutex<Line>,
    /// Tells clients that wait for it that the server is somewhere else.
    has_moved: Condvar,
    over: AtomicBool,
}

impl Field {
    pub(super) fn of(line: Line) -> Self {
        Self {
            line: Mutex::new(line),
            has_moved: Condvar::new(),
            over: AtomicBool::new(false),
        }
    }

    pub(super) fn line(&self) -> Line {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone()
    }

    pub(super) fn moved(&self, server: &Server) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        *line = Line::to(server, &line.token);
        self.has_moved.notify_all();
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits until the server has moved, or for [`REPEAT_AFTER`]: clients that try again at once
    /// would take the cores from a server that starts.
    fn wait(&self) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.has_moved.wait_timeout(line, REPEAT_AFTER));
    }

    /// Sends these again and again until they are acknowledged.
    pub(super) fn send_until_promised(
        &self,
        sender: &mut Sender,
        records: &[&str],
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            match sender.send(&self.line(), records) {
                Some(200..300) => return Ok(()),
                Some(status) if !matches!(status, 429 | 503) => {
                    anyhow::bail!("the server answered {status}");
                }
                _ => {
                    let waited = begun.elapsed();
                    anyhow::ensure!(waited < SILENCE_MAX, "no acknowledgement in {waited:?}");
                    self.wait();
                }
            }
        }
    }
}
