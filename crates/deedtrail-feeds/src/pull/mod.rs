//! Feeds that this server fetches itself: folders, buckets, queues.
//!
//! A puller reads a part, hands it to [`deedtrail_app::App::ingest_part`], and notes what was
//! taken only after the log has it. What a crash lets it read again is stored once, because the
//! keys of records do not depend on how the parts were cut.

mod book;
mod bucket;
mod folder;
pub mod limits;
mod lines;
mod once;
mod part;
mod queue;
mod stream;
mod way;

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deedtrail_app::App;
use deedtrail_core::id::BadName;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::stop::Stop;

pub use bucket::{BucketSettings, Layout, S3};
pub use folder::FolderSettings;
pub use once::{Input, Interrupted, OnceError, take_once};
pub use queue::{Login, QueueSettings, Subjects, subject_mistake};
pub use way::Untaken;

/// After shutdown was asked for, pullers get this long to end.
const END_TIME_MAX: Duration = Duration::from_secs(15);

/// What an operator says of one puller.
#[derive(Clone, Debug)]
pub enum Puller {
    Folder(FolderSettings),
    Bucket(BucketSettings),
    Queue(Box<QueueSettings>),
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("what was taken by `{name}` cannot be read: {source}")]
    Book { name: String, source: io::Error },
    #[error(transparent)]
    Name(#[from] BadName),
}

/// Pullers that are ready to run.
#[derive(Debug)]
pub struct Pullers {
    folders: Vec<folder::Folder>,
    buckets: Vec<bucket::Bucket>,
    queues: Vec<queue::Queue>,
    stopper: watch::Sender<bool>,
    stop: Stop,
}

impl Pullers {
    /// Reads what each has taken, which is kept in the folder `state`.
    pub fn open(app: &Arc<App>, state: &Path, pullers: Vec<Puller>) -> Result<Self, OpenError> {
        let (stopper, stop) = Stop::new();
        let mut opened = Self {
            folders: Vec::new(),
            buckets: Vec::new(),
            queues: Vec::new(),
            stopper,
            stop: stop.clone(),
        };
        for puller in pullers {
            let stop = stop.clone();
            match puller {
                Puller::Folder(settings) => {
                    let failed = failed(&settings.name);
                    let folder = folder::open(app, state, settings, stop);
                    opened.folders.push(folder.map_err(failed)?);
                }
                Puller::Bucket(settings) => {
                    let failed = failed(&settings.name);
                    let bucket = bucket::open(app, state, settings, stop);
                    opened.buckets.push(bucket.map_err(failed)?);
                }
                Puller::Queue(settings) => opened.queues.push(queue::open(app, *settings, stop)?),
            }
        }
        Ok(opened)
    }

    /// Runs until `shutdown` completes; then ends after the part that is under way.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut running = JoinSet::new();
        for folder in self.folders {
            running.spawn(folder::serve(folder, self.stop.clone()));
        }
        for bucket in self.buckets {
            running.spawn(bucket::serve(bucket, self.stop.clone()));
        }
        for queue in self.queues {
            running.spawn(queue::serve(queue, self.stop.clone()));
        }
        shutdown.await;
        self.stopper.send_replace(true);
        let ended = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(END_TIME_MAX, ended).await.is_err() {
            tracing::warn!(
                ?END_TIME_MAX,
                "pullers did not end in time; they were cut off"
            );
        }
    }
}

fn failed(name: &str) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let name = name.to_owned();
    |source| OpenError::Book { name, source }
}
