//! Work beside the pipeline: results being stored, commits of the archive and its upkeep.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use super::PipelineError;
use super::pace::Where;

type Done = Result<(), PipelineError>;
type Job = Box<dyn FnOnce() -> Done + Send>;

/// At most one piece of work that is under way beside the pipeline.
#[derive(Debug)]
pub(super) struct Beside {
    /// Name of the thread.
    name: &'static str,
    lane: Option<Lane>,
    work: Option<Work>,
    place: Place,
}

/// Work that is under way.
enum Work {
    /// On the lane; how it ended, once somebody looked.
    Thread(Option<Done>),
    /// It is done when somebody waits for it.
    #[cfg(feature = "simulation")]
    Stepped(Job),
}

/// Where it is done.
#[derive(Debug)]
enum Place {
    Thread,
    /// State of the dice that decide when it is over.
    #[cfg(feature = "simulation")]
    Stepped(u64),
}

/// A thread that does one piece of work after the other, for as long as this lives.
#[derive(Debug)]
struct Lane {
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    fn start(name: &'static str) -> std::io::Result<Self> {
        let (jobs, taken) = channel::<Job>();
        let (tell, done) = channel();
        let thread = std::thread::Builder::new().name(name.into());
        let thread = thread.spawn(move || {
            for job in taken {
                if tell.send(job()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self {
            jobs: Some(jobs),
            done,
            thread: Some(thread),
        })
    }

    /// False when its thread is gone.
    fn takes(&self, job: Job) -> bool {
        let jobs = self.jobs.as_ref();
        jobs.is_some_and(|jobs| jobs.send(job).is_ok())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::debug!("work beside the pipeline panicked, which was told");
        }
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl Beside {
    pub(super) fn new(name: &'static str, place: Where) -> Self {
        let place = match place {
            Where::Thread => Place::Thread,
            #[cfg(feature = "simulation")]
            Where::Stepped(seed) => Place::Stepped(seed),
        };
        Self {
            name,
            lane: None,
            work: None,
            place,
        }
    }

    /// Starts `work`. Waits for the work before it, if there is some, and tells how that ended.
    pub(super) fn start(
        &mut self,
        work: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
    ) -> Result<(), PipelineError> {
        self.finish()?;
        self.work = Some(match self.place {
            Place::Thread => {
                self.on_lane(Box::new(work))?;
                Work::Thread(None)
            }
            #[cfg(feature = "simulation")]
            Place::Stepped(_) => Work::Stepped(Box::new(work)),
        });
        Ok(())
    }

    fn on_lane(&mut self, job: Job) -> Result<(), PipelineError> {
        let lane = match self.lane.take() {
            Some(lane) => lane,
            None => Lane::start(self.name).map_err(|error| self.failed(&error))?,
        };
        if !lane.takes(job) {
            return Err(self.failed(&"its thread is gone"));
        }
        self.lane = Some(lane);
        Ok(())
    }

    /// Whether some is still under way.
    pub(super) fn is_running(&mut self) -> bool {
        match &mut self.work {
            None | Some(Work::Thread(Some(_))) => false,
            Some(Work::Thread(ended)) => match self.lane.as_ref().map(|it| it.done.try_recv()) {
                Some(Err(TryRecvError::Empty)) => true,
                Some(Ok(done)) => {
                    *ended = Some(done);
                    false
                }
                // Its thread is gone, which is told to who waits for it.
                Some(Err(TryRecvError::Disconnected)) | None => false,
            },
            #[cfg(feature = "simulation")]
            Some(Work::Stepped(_)) => self.draw(),
        }
    }

    /// Waits for what is under way and tells how it ended; false when there was nothing.
    pub(super) fn finish(&mut self) -> Result<bool, PipelineError> {
        match self.work.take() {
            None => Ok(false),
            Some(Work::Thread(ended)) => {
                let wait = || self.lane.as_ref().and_then(|lane| lane.done.recv().ok());
                let Some(ended) = ended.or_else(wait) else {
                    // The next work gets a thread of its own.
                    self.lane = None;
                    return Err(self.failed(&"it panicked"));
                };
                ended.map(|()| true)
            }
            #[cfg(feature = "simulation")]
            Some(Work::Stepped(work)) => work().map(|()| true),
        }
    }

    /// Whether it goes on: every other time, as the seed has it.
    #[cfg(feature = "simulation")]
    const fn draw(&mut self) -> bool {
        let Place::Stepped(dice) = &mut self.place else {
            return false;
        };
        let before = *dice;
        *dice = before.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        before >> 63 == 1
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> PipelineError {
        PipelineError::Beside {
            work: self.name,
            reason: reason.to_string(),
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the last work beside the pipeline failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn one_piece_of_work_is_under_way_at_a_time_on_one_thread() {
        let mut beside = Beside::new("test-lane", Where::Thread);
        let (goes_on, waits) = channel::<()>();
        let (tell, threads) = channel();
        let also = tell.clone();
        let id = || std::thread::current().id();
        let first = move || {
            tell.send(id()).unwrap();
            waits.recv().unwrap();
            Ok(())
        };
        beside.start(first).unwrap();
        assert!(beside.is_running());
        goes_on.send(()).unwrap();
        let second = move || {
            also.send(id()).unwrap();
            Ok(())
        };
        beside.start(second).unwrap();
        assert!(beside.finish().unwrap());
        assert!(!beside.is_running());
        assert!(!beside.finish().unwrap());
        let threads: Vec<_> = threads.iter().collect();
        assert_eq!(threads.len(), 2);
        assert_eq!(threads[0], threads[1]);
    }

    #[test]
    fn a_panic_is_an_error_once_and_the_next_work_is_done() {
        let mut beside = Beside::new("test-panic", Where::Thread);
        beside.start(|| panic!("on purpose")).unwrap();
        while beside.is_running() {
            std::thread::yield_now();
        }
        let error = beside.start(|| Ok(())).unwrap_err().to_string();
        assert!(
            error.contains("test-panic") && error.contains("panicked"),
            "{error}"
        );
        beside.start(|| panic!("on purpose")).unwrap();
        beside.finish().unwrap_err();
        beside.start(|| Ok(())).unwrap();
        assert!(beside.finish().unwrap());
    }
}
