//! The thread that runs the pipeline.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use deedtrail_core::port::log::Sequence;

use super::{Pipeline, PipelineError};

/// How long the thread waits for news before it looks at its other duties.
const WAIT: Duration = Duration::from_millis(200);

/// The pipeline's thread ended because of an error; it says which.
#[derive(Clone, Debug, thiserror::Error)]
#[error("processing stopped: {0}; what is in the log is safe, restart to continue")]
pub struct WorkerError(pub String);

#[derive(Debug)]
enum Request {
    Rebuild(Sender<Result<(), WorkerError>>),
    Stop,
}

/// How far the thread has come.
#[derive(Debug, Default)]
struct Reached {
    state: Mutex<(Sequence, Option<WorkerError>)>,
    moved: Condvar,
}

/// Handle of the pipeline's thread.
#[derive(Debug)]
pub struct Worker {
    requests: Sender<Request>,
    reached: Arc<Reached>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts the thread.
    pub fn start(pipeline: Pipeline) -> std::io::Result<Self> {
        let (requests, inbox) = channel();
        let reached = Arc::new(Reached::default());
        let shared = Arc::clone(&reached);
        let thread = std::thread::Builder::new()
            .name("pipeline".into())
            .spawn(move || {
                let result = run(pipeline, &inbox, &shared);
                if let Err(error) = result {
                    tracing::error!(%error, "processing stopped");
                    shared.fail(&error);
                }
            })?;
        Ok(Self {
            requests,
            reached,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Waits until everything below `sequence` is processed.
    pub fn wait_through(&self, sequence: Sequence) -> Result<(), WorkerError> {
        let mut state = lock(&self.reached.state);
        loop {
            if let Some(error) = &state.1 {
                return Err(error.clone());
            }
            if state.0 >= sequence {
                return Ok(());
            }
            state = self
                .reached
                .moved
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One past the newest processed sequence.
    pub fn position(&self) -> Sequence {
        lock(&self.reached.state).0
    }

    /// What stopped the thread, if anything did.
    pub fn error(&self) -> Option<WorkerError> {
        lock(&self.reached.state).1.clone()
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
        self.error().map_or(Ok(()), Err)
    }
}

impl Reached {
    fn set(&self, position: Sequence) {
        lock(&self.state).0 = position;
        self.moved.notify_all();
    }

    fn fail(&self, error: &PipelineError) {
        lock(&self.state).1 = Some(WorkerError(error.to_string()));
        self.moved.notify_all();
    }
}

fn run(
    mut pipeline: Pipeline,
    inbox: &Receiver<Request>,
    reached: &Reached,
) -> Result<(), PipelineError> {
    reached.set(pipeline.position());
    loop {
        match inbox.try_recv() {
            Ok(Request::Stop) | Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                return pipeline.close();
            }
            Ok(Request::Rebuild(done)) => {
                let result = pipeline.rebuild();
                let answer = result
                    .as_ref()
                    .map_err(|e| WorkerError(e.to_string()))
                    .copied();
                if done.send(answer).is_err() {
                    tracing::debug!("nobody waits for the rebuild any more");
                }
                result?;
                reached.set(pipeline.position());
            }
            Err(std::sync::mpsc::TryRecvError::Empty) => {}
        }
        if pipeline.step()? {
            reached.set(pipeline.position());
        } else {
            pipeline.commit_when_due()?;
            pipeline.wait(WAIT);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
