//! Prefixes of an object store: `CloudTrail`'s layout, or objects of any kind.
//!
//! Keys are listed from where everything was taken, less a look-back, since objects appear late
//! and out of order. An object is known by its key and what the store calls its content.

mod fetch;
mod listing;
mod section;

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deedtrail_app::App;
use deedtrail_app::feeds::Behind;
use deedtrail_app::intake::UNLABELLED;
use deedtrail_core::id::SourceName;
use deedtrail_core::time::Timestamp;
use futures::stream::{StreamExt as _, iter};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use tokio::sync::Semaphore;

use super::book::Book;
use super::limits::{FAILING_MAX, FETCHED_KIB_MAX, FETCHES_MAX, RETRY_PAUSE};
use super::way::{Untaken, Way};
use crate::stop::Stop;
use fetch::{Fetcher, Wanted};
use section::{Section, Version};

/// Objects listed before they are fetched and noted.
const LISTED_MAX: usize = 10_000;
/// How often one request is tried, and for how long.
const TRIES_MAX: usize = 4;
const TRIED_MAX: Duration = Duration::from_mins(1);

/// What the keys of a bucket say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/…`
    CloudTrail,
    /// Later objects have greater keys.
    Ordered,
    /// Nothing: everything is listed each time.
    Any,
}

/// What an operator says of one bucket.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    pub name: String,
    pub store: Arc<dyn ObjectStore>,
    /// Which store and bucket it is: what was taken of another one is none of this one's.
    pub place: String,
    pub prefix: String,
    /// `None` where each record tells its own.
    pub source: Option<SourceName>,
    pub layout: Layout,
    /// Objects may appear this long after newer ones.
    pub look_back: Duration,
    /// Time from one listing to the next.
    pub every: Duration,
    /// Older objects are left.
    pub since: Option<Timestamp>,
}

/// Where an S3 bucket is, and who asks.
#[derive(Clone, Debug, Default)]
pub struct S3 {
    pub bucket: String,
    pub region: Option<String>,
    /// Address of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// Key id, secret and, of a session, its token; else the environment or the instance says.
    pub keys: Option<(String, String, Option<String>)>,
}

impl S3 {
    /// Asks nobody yet.
    pub fn open(self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: TRIES_MAX,
            retry_timeout: TRIED_MAX,
        };
        let mut builder = match self.keys {
            Some((id, secret, token)) => {
                let builder = AmazonS3Builder::new()
                    .with_access_key_id(id)
                    .with_secret_access_key(secret);
                match token {
                    Some(token) => builder.with_token(token),
                    None => builder,
                }
            }
            None => AmazonS3Builder::from_env(),
        };
        builder = builder.with_bucket_name(self.bucket).with_retry(retry);
        if let Some(region) = self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = self.endpoint {
            let is_plain = endpoint.starts_with("http://");
            builder = builder.with_allow_http(is_plain).with_endpoint(endpoint);
        }
        Ok(Arc::new(builder.build()?))
    }
}

/// A bucket that is read.
#[derive(Debug)]
pub(super) struct Bucket {
    way: Way,
    book: Book,
    settings: BucketSettings,
    /// By source, place and prefix.
    sections: BTreeMap<String, Section>,
    fetcher: Fetcher,
    is_changed: bool,
}

pub(super) fn open(
    app: &Arc<App>,
    state: &FilePath,
    settings: BucketSettings,
    stop: Stop,
) -> std::io::Result<Bucket> {
    let feed = format!("buckets.{}", settings.name);
    let (book, sections) = Book::open(app, state, &feed)?;
    let way = Way::new(app, feed, stop);
    let fetcher = Fetcher {
        way: way.clone(),
        store: Arc::clone(&settings.store),
        source: settings.source.clone(),
        room: Arc::new(Semaphore::new(FETCHED_KIB_MAX)),
    };
    Ok(Bucket {
        way,
        book,
        settings,
        sections,
        fetcher,
        is_changed: false,
    })
}

/// Why a pass over a bucket did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the bucket cannot be listed: {}", words(.0))]
    Listing(#[from] object_store::Error),
    #[error(
        "nothing like AWSLogs/ACCOUNT/CloudTrail/REGION is at the prefix; set `layout` if the keys \
         are others"
    )]
    NoTrail,
    #[error(transparent)]
    Untaken(#[from] Untaken),
    #[error("what was taken cannot be noted: {0}")]
    Book(#[from] std::io::Error),
    #[error("{FAILING_MAX} objects cannot be read; further ones wait until some can")]
    Failing,
}

/// A key as it was listed.
fn path(key: &str) -> Path {
    Path::parse(key).unwrap_or_else(|_| Path::from(key))
}

/// An error with everything that is behind it.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// Lists and fetches again and again until the end.
pub(super) async fn serve(mut bucket: Bucket, stop: Stop) {
    let mut pause = RETRY_PAUSE[0];
    while !stop.is_requested() {
        let begun = Instant::now();
        let passed = tokio::select! {
            passed = bucket.pass() => passed,
            () = stop.requested() => break,
        };
        let wait = match passed {
            Ok(()) => {
                pause = RETRY_PAUSE[0];
                bucket.settings.every.saturating_sub(begun.elapsed())
            }
            Err(error) => {
                bucket.way.fail(&error.to_string());
                pause = (pause * 2).min(RETRY_PAUSE[1]);
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.requested() => {}
        }
    }
    if let Err(error) = bucket.save() {
        bucket.way.fail(&error.to_string());
    }
}

impl Bucket {
    async fn pass(&mut self) -> Result<(), Cut> {
        let store = Arc::clone(&self.settings.store);
        let prefix = path(&self.settings.prefix);
        let prefixes = match self.settings.layout {
            Layout::CloudTrail => listing::regions(&*store, &prefix).await?,
            Layout::Ordered | Layout::Any => vec![prefix],
        };
        if prefixes.is_empty() {
            return Err(Cut::NoTrail);
        }
        let mut first_error = None;
        for prefix in &prefixes {
            self.retry(prefix, &mut first_error).await?;
            self.new_ones(prefix, &mut first_error).await?;
        }
        self.save()?;
        let failing: usize = self.sections.values().map(|one| one.failing.len()).sum();
        let error = (failing > 0).then(|| {
            let first = first_error.unwrap_or_else(|| self.first_failing());
            format!("{failing} objects cannot be read and are tried again, such as {first}")
        });
        self.way.looked(Behind::Objects(failing as u64), error);
        Ok(())
    }

    fn section(&mut self, prefix: &Path) -> &mut Section {
        let settings = &self.settings;
        let source = settings.source.as_ref();
        let source = source.map_or(UNLABELLED, SourceName::as_str);
        let key = format!("{source} {} {prefix}", settings.place);
        self.sections.entry(key).or_default()
    }

    fn first_failing(&self) -> String {
        let keys = self.sections.values().flat_map(|one| one.failing.keys());
        keys.min().cloned().unwrap_or_default()
    }

    /// Fetches again what could not be read, when it is time.
    async fn retry(&mut self, prefix: &Path, error: &mut Option<String>) -> Result<(), Cut> {
        let now = self.way.app.ports.clock.now().as_micros();
        let section = self.section(prefix);
        let due = section.failing.iter().filter(|(_, one)| one.retry <= now);
        let due = due.filter_map(|(key, one)| {
            Some(Wanted {
                key: key.clone(),
                bytes: one.bytes,
                version: section.version_of_failing(key)?,
            })
        });
        let due = due.collect();
        self.fetch(prefix, due, error).await
    }

    async fn new_ones(&mut self, prefix: &Path, error: &mut Option<String>) -> Result<(), Cut> {
        let store = Arc::clone(&self.settings.store);
        let layout = self.settings.layout;
        let section = self.section(prefix);
        let mut listed = match (&section.after, layout) {
            (Some(after), Layout::CloudTrail | Layout::Ordered) => {
                store.list_with_offset(Some(prefix), &path(after))
            }
            _ => store.list(Some(prefix)),
        };
        loop {
            let mut wanted = Vec::new();
            let mut is_all = false;
            while wanted.len() < LISTED_MAX {
                let Some(object) = listed.next().await.transpose()? else {
                    is_all = true;
                    break;
                };
                wanted.extend(self.wanted(prefix, &object));
            }
            self.fetch(prefix, wanted, error).await?;
            let look_back = self.settings.look_back;
            self.section(prefix).compact(layout, look_back, is_all);
            if is_all {
                return Ok(());
            }
        }
    }

    /// What is to be fetched of a listed object.
    fn wanted(&mut self, prefix: &Path, object: &object_store::ObjectMeta) -> Option<Wanted> {
        let since = self.settings.since;
        let section = self.section(prefix);
        let key = object.location.to_string();
        let version = Version::of(object);
        if !section.lacks(&key, &version) {
            return None;
        }
        let is_old = |since: Timestamp| version.modified < since.as_micros();
        // Folders of some tools are objects without content.
        if object.size == 0 || since.is_some_and(is_old) {
            section.succeed(&key, version);
            return None;
        }
        let bytes = object.size;
        Some(Wanted {
            key,
            bytes,
            version,
        })
    }

    /// Fetches objects, several at a time, and notes what became of each.
    async fn fetch(
        &mut self,
        prefix: &Path,
        wanted: Vec<Wanted>,
        error: &mut Option<String>,
    ) -> Result<(), Cut> {
        let feed = self.way.feed.clone();
        let mut left = wanted.len() as u64;
        let fetcher = self.fetcher.clone();
        let fetched = iter(wanted).map(|wanted| fetcher.clone().fetch(wanted));
        let mut fetched = fetched.buffer_unordered(FETCHES_MAX);
        let mut passing = None;
        while let Some((wanted, outcome)) = fetched.next().await {
            left -= 1;
            let now = self.way.app.ports.clock.now();
            let section = self.section(prefix);
            match outcome {
                Ok(()) => section.succeed(&wanted.key, wanted.version),
                Err(Untaken::Read(reason)) => {
                    let text = format!("{}: {reason}", wanted.key);
                    section.fail(&wanted.key, wanted.version, wanted.bytes, now);
                    let feed = &feed;
                    tracing::warn!(%feed, "an object cannot be read: {text}");
                    error.get_or_insert(text);
                    if section.failing.len() >= FAILING_MAX {
                        return Err(Cut::Failing);
                    }
                }
                // The log takes nothing, or the server stops: what is under way ends, and the
                // rest is listed again.
                Err(other) => {
                    passing = Some(other);
                    break;
                }
            }
            self.is_changed = true;
            let behind = Behind::Objects(left);
            let feeds = &self.way.app.feeds;
            feeds.update(&self.way.feed, |state| state.behind = Some(behind));
            if self.book.is_due() {
                self.save()?;
            }
        }
        passing.map_or(Ok(()), |error| Err(error.into()))
    }

    fn save(&mut self) -> std::io::Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let (book, app, sections) = (&mut self.book, &self.way.app, &self.sections);
        tokio::task::block_in_place(|| book.save(app, sections))?;
        self.is_changed = false;
        Ok(())
    }
}
