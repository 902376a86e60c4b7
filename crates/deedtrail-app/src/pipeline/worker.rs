//! The thread that runs the pipeline.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use deedtrail_core::port::log::Sequence;

use super::{Pipeline, PipelineError};

/// How long the thread waits for news before it looks at its other duties.
const WAIT: Duration = Duration::from_millis(200);
/// How long the thread waits after an error before it goes on from the newest snapshot.
const RETRY: Duration = Duration::from_secs(5);

/// Why nothing is processed at the moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("processing stopped: {0}; what is in the log is safe, processing goes on by itself")]
pub struct WorkerError(pub String);

#[derive(Debug)]
enum Request {
    Rebuild(Sender<Result<(), WorkerError>>),
    Stop,
}

/// How far processing has come, for everybody who waits for it or shows it.
#[derive(Debug, Default)]
pub struct Processing {
    state: Mutex<Reached>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Reached {
    /// One past the newest processed sequence.
    position: Sequence,
    /// Something processed may wait for a tick.
    awaits_tick: bool,
    error: Option<WorkerError>,
    rebuilding: bool,
    /// Entries that were passed over because they are damaged.
    damaged: u64,
    refills: Option<Sequence>,
    /// Why the archive was not written, until it is.
    overdue: Option<String>,
}

/// Handle of the pipeline's thread.
#[derive(Debug)]
pub struct Worker {
    requests: Sender<Request>,
    processing: Arc<Processing>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts the thread, which tells `processing` how far it is.
    pub fn start(pipeline: Pipeline, processing: &Arc<Processing>) -> std::io::Result<Self> {
        let (requests, inbox) = channel();
        let shared = Arc::clone(processing);
        shared.reach(&pipeline);
        let thread = std::thread::Builder::new()
            .name("pipeline".into())
            .spawn(move || run(pipeline, &inbox, &shared))?;
        Ok(Self {
            requests,
            processing: Arc::clone(processing),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Waits until everything below `sequence` is processed.
    pub fn wait_through(&self, sequence: Sequence) -> Result<(), WorkerError> {
        self.processing.wait_through(sequence)
    }

    /// Derives everything anew from the log; returns when the new table is in place.
    pub fn rebuild(&self) -> Result<(), WorkerError> {
        let (done, answer) = channel();
        let gone = |_| WorkerError("the thread has ended".into());
        self.requests
            .send(Request::Rebuild(done))
            .map_err(|_| WorkerError("the thread has ended".into()))?;
        answer.recv().map_err(gone)?
    }

    /// Finishes the current step, stores everything and ends the thread.
    pub fn stop(&self) -> Result<(), WorkerError> {
        if self.requests.send(Request::Stop).is_err() {
            tracing::debug!("the pipeline has already ended");
        }
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            return Err(WorkerError("the thread panicked".into()));
        }
        self.processing.error().map_or(Ok(()), Err)
    }
}

impl Processing {
    /// Waits until everything below `sequence` is processed, or processing stops.
    fn wait_through(&self, sequence: Sequence) -> Result<(), WorkerError> {
        let mut state = lock(&self.state);
        loop {
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            if state.position >= sequence {
                return Ok(());
            }
            state = self
                .moved
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One past the newest processed entry.
    pub fn position(&self) -> Sequence {
        lock(&self.state).position
    }

    /// Waits until everything below `sequence` is processed, or for `time`.
    pub fn wait_at_most(&self, sequence: Sequence, time: Duration) {
        let waits = |state: &mut Reached| state.error.is_none() && state.position < sequence;
        let waited = self
            .moved
            .wait_timeout_while(lock(&self.state), time, waits);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// What keeps the thread from processing, if anything does.
    pub fn error(&self) -> Option<WorkerError> {
        lock(&self.state).error.clone()
    }

    /// As [`Self::error`], and while processing goes on, why the archive could not be written and was not
    /// since. For people.
    pub fn trouble(&self) -> Option<String> {
        let state = lock(&self.state);
        let overdue = state.overdue.as_ref().map(|reason| {
            format!(
                "the archive could not be written: {reason}; what is in the log is safe, it is tried \
                 again"
            )
        });
        let error = state.error.as_ref().map(WorkerError::to_string);
        error.or(overdue)
    }

    /// Where the archive was gone or lacked events at the start, the position up to which they are
    /// derived again.
    pub fn refills(&self) -> Option<Sequence> {
        lock(&self.state).refills
    }

    /// Whether identities and findings are being derived anew and are incomplete so far.
    pub fn is_rebuilding(&self) -> bool {
        lock(&self.state).rebuilding
    }

    /// Whether something processed so far may wait for a tick.
    pub fn awaits_tick(&self) -> bool {
        lock(&self.state).awaits_tick
    }

    /// Entries that were passed over because they are damaged, since the start or a rebuild.
    pub fn damaged(&self) -> u64 {
        lock(&self.state).damaged
    }

    fn reach(&self, pipeline: &Pipeline) {
        let mut state = lock(&self.state);
        (state.awaits_tick, state.damaged) = (pipeline.awaits_tick(), pipeline.damaged);
        state.refills = pipeline.refills;
        state.overdue.clone_from(&pipeline.overdue);
        drop(state);
        self.set(pipeline.position());
    }

    fn set(&self, position: Sequence) {
        let mut state = lock(&self.state);
        state.position = position;
        state.error = None;
        drop(state);
        self.moved.notify_all();
    }

    fn set_rebuilding(&self, rebuilding: bool) {
        lock(&self.state).rebuilding = rebuilding;
    }

    fn fail(&self, reason: String) {
        lock(&self.state).error = Some(WorkerError(reason));
        self.moved.notify_all();
    }
}

/// Lets nobody wait for a thread that panicked.
struct Watch<'a>(&'a Processing);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .fail("the thread panicked; restart to continue".into());
        }
    }
}

/// Processes until it is told to stop. After an error it waits and goes on from the newest
/// snapshot: a full disk or a locked file heals without a restart.
fn run(mut pipeline: Pipeline, inbox: &Receiver<Request>, processing: &Processing) {
    let _watch = Watch(processing);
    let mut unfinished = pipeline.is_rebuilding();
    loop {
        let turned = unfinished
            .and_then(|begun| {
                if begun {
                    rebuild(&mut pipeline, inbox, processing)
                } else {
                    Ok(true)
                }
            })
            .and_then(|goes_on| {
                if goes_on {
                    turns(&mut pipeline, inbox, processing)
                } else {
                    Ok(())
                }
            });
        let Err(error) = turned else { return };
        tracing::error!(%error, "processing stopped; it is tried again in {} s", RETRY.as_secs());
        processing.fail(error.to_string());
        match inbox.recv_timeout(RETRY) {
            Ok(Request::Stop) | Err(RecvTimeoutError::Disconnected) => {
                return leave(&mut pipeline, processing);
            }
            Ok(Request::Rebuild(done)) => answer(&done, Err(WorkerError(error.to_string()))),
            Err(RecvTimeoutError::Timeout) => {}
        }
        unfinished = pipeline.reopened().and_then(|fresh| {
            pipeline = fresh;
            pipeline.is_rebuilding()
        });
    }
}

/// Tries what failed once more on the way out: whoever frees a full disk and stops the server at once
/// is told of no trouble that is over.
fn leave(pipeline: &mut Pipeline, processing: &Processing) {
    // A commit that failed beside it says so at the first look.
    let fresh = pipeline.reopened().or_else(|_| pipeline.reopened());
    let left = fresh.and_then(|mut fresh| {
        if !fresh.is_rebuilding()? {
            fresh.step()?;
            fresh.settle()?;
        }
        processing.reach(&fresh);
        Ok(())
    });
    if let Err(error) = left {
        tracing::error!(%error, "processing failed again");
        processing.fail(error.to_string());
    }
}

/// Steps until it is told to stop.
fn turns(
    pipeline: &mut Pipeline,
    inbox: &Receiver<Request>,
    processing: &Processing,
) -> Result<(), PipelineError> {
    processing.reach(pipeline);
    loop {
        match inbox.try_recv() {
            Ok(Request::Stop) | Err(TryRecvError::Disconnected) => {
                if let Err(error) = pipeline.close() {
                    processing.fail(error.to_string());
                }
                return Ok(());
            }
            Ok(Request::Rebuild(done)) => {
                let result = rebuild(pipeline, inbox, processing);
                answer(&done, told(&result));
                if !result? {
                    return Ok(());
                }
            }
            Err(TryRecvError::Empty) => {}
        }
        if pipeline.step()? {
            processing.reach(pipeline);
        } else {
            pipeline.rest()?;
            processing.reach(pipeline);
            pipeline.wait(WAIT);
        }
    }
}

/// Rebuilds; false when it was told to stop before the end, which the next start makes good. Who asks
/// for a rebuild meanwhile is told how this one ended: it derives the same, but for damage that was mended
/// meanwhile.
fn rebuild(
    pipeline: &mut Pipeline,
    inbox: &Receiver<Request>,
    processing: &Processing,
) -> Result<bool, PipelineError> {
    processing.set(0);
    processing.set_rebuilding(true);
    let mut waiting = Vec::new();
    let result = pipeline.rebuild(&mut |position| {
        processing.set(position);
        match inbox.try_recv() {
            Ok(Request::Stop) | Err(TryRecvError::Disconnected) => false,
            Ok(Request::Rebuild(done)) => {
                waiting.push(done);
                true
            }
            Err(TryRecvError::Empty) => true,
        }
    });
    if let Ok(done) = result {
        processing.reach(pipeline);
        processing.set_rebuilding(!done);
    }
    for asked in waiting {
        answer(&asked, told(&result));
    }
    result
}

/// What whoever asked for a rebuild is told of it.
fn told(result: &Result<bool, PipelineError>) -> Result<(), WorkerError> {
    match result {
        Ok(true) => Ok(()),
        Ok(false) => Err(WorkerError(
            "it was told to end before the rebuild did".into(),
        )),
        Err(error) => Err(WorkerError(error.to_string())),
    }
}

fn answer(done: &Sender<Result<(), WorkerError>>, result: Result<(), WorkerError>) {
    if done.send(result).is_err() {
        tracing::debug!("nobody waits for the rebuild any more");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
