//! Polling for SETs (RFC 8936): what is durable is acknowledged in the next question, and not
//! before.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deedtrail_app::App;
use deedtrail_app::feeds::FeedError;
use deedtrail_app::signal::{Polled, feed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Client, HttpError};
use crate::stop::Stop;

/// Most SETs that are asked for at once.
const EVENTS_MAX: usize = 100;
/// Largest answer, bytes. Beyond it: fewer SETs are asked for.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Longest token, bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Pause after the first failure; it doubles with each further one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause after a failure, whatever a transmitter says.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// After shutdown was asked for, acknowledging takes at most this long.
const END_TIME_MAX: Duration = Duration::from_secs(5);

/// What an operator says of one polled stream.
#[derive(Clone, Debug)]
pub struct PollSettings {
    /// Name of the stream.
    pub name: String,
    /// The transmitter's `endpoint_url`.
    pub endpoint: String,
    /// File that holds the bearer token; read again for each question.
    pub token_file: PathBuf,
    /// Pause between two questions that bring nothing.
    pub interval: Duration,
    pub client: Client,
}

/// Streams that are ready to be polled.
#[derive(Debug)]
pub struct Polls {
    streams: Vec<Poll>,
    stopper: watch::Sender<bool>,
    stop: Stop,
}

impl Polls {
    pub fn new(app: &Arc<App>, settings: Vec<PollSettings>) -> Self {
        let (stopper, stop) = Stop::new();
        let streams = settings.into_iter().map(|settings| Poll {
            app: Arc::clone(app),
            settings,
            events_max: EVENTS_MAX,
        });
        Self {
            streams: streams.collect(),
            stopper,
            stop,
        }
    }

    /// Polls until `shutdown` completes; then acknowledges what is durable and ends.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut running = JoinSet::new();
        for poll in self.streams {
            running.spawn(poll.serve(self.stop.clone()));
        }
        shutdown.await;
        self.stopper.send_replace(true);
        let ended = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(2 * END_TIME_MAX, ended).await.is_err() {
            tracing::warn!("polls did not end in time; what is not acknowledged comes again");
        }
    }
}

#[derive(Debug)]
struct Poll {
    app: Arc<App>,
    settings: PollSettings,
    /// How many SETs are asked for.
    events_max: usize,
}

/// What the transmitter is to be told with the next question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Owed {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ack: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    set_errs: BTreeMap<String, SetError>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SetError {
    err: &'static str,
    description: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    max_events: usize,
    return_immediately: bool,
    #[serde(flatten)]
    owed: &'a Owed,
}

/// What it says of more to come is not needed: it is asked again until nothing new comes.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    sets: BTreeMap<String, Value>,
}

impl Owed {
    fn of(polled: &Polled) -> Self {
        let error = |(id, refused): (&String, &deedtrail_app::signal::BadSet)| {
            let error = SetError {
                err: refused.code(),
                description: refused.to_string(),
            };
            (id.clone(), error)
        };
        Self {
            ack: polled.taken.iter().cloned().collect(),
            set_errs: polled.refused.iter().map(error).collect(),
        }
    }

    fn is_nothing(&self) -> bool {
        self.ack.is_empty() && self.set_errs.is_empty()
    }

    /// Whether it tells of a SET that `told` did not: there may be more. A transmitter that repeats
    /// what it was told, or what waits with it, has nothing new.
    fn goes_beyond(&self, told: &Self) -> bool {
        let mut ids = self.ack.iter().chain(self.set_errs.keys());
        ids.any(|id| !told.ack.contains(id) && !told.set_errs.contains_key(id))
    }
}

impl Poll {
    async fn serve(mut self, stop: Stop) {
        let mut owed = Owed::default();
        let mut failures = 0;
        loop {
            let asked = Instant::now();
            let answer = tokio::select! {
                answer = self.ask(&owed, false) => answer,
                () = stop.requested() => break,
            };
            let pause = match answer {
                Ok(answer) => {
                    let polled = self.take(answer.sets).await;
                    let told = std::mem::replace(&mut owed, Owed::of(&polled));
                    if polled.postponed.is_some() {
                        failures += 1;
                        backoff(failures)
                    } else {
                        failures = 0;
                        let left = self.settings.interval.saturating_sub(asked.elapsed());
                        if owed.goes_beyond(&told) {
                            Duration::ZERO
                        } else {
                            left
                        }
                    }
                }
                Err(error) => {
                    failures += 1;
                    self.note(&error);
                    retry_after(&error).max(backoff(failures))
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.requested() => break,
            }
        }
        if !owed.is_nothing() {
            let told = tokio::time::timeout(END_TIME_MAX, self.ask(&owed, true)).await;
            tracing::debug!(
                is_told = matches!(told, Ok(Ok(_))),
                "the last acknowledgement"
            );
        }
    }

    /// Asks once, telling what is owed; nothing is asked for where it is `only_telling`.
    async fn ask(&mut self, owed: &Owed, only_telling: bool) -> Result<Answer, HttpError> {
        let PollSettings {
            endpoint,
            token_file,
            client,
            ..
        } = &self.settings;
        let token = tokio::fs::read_to_string(token_file).await;
        let token = token.map_err(|error| HttpError::Token(error.to_string()))?;
        let token = token.trim();
        let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(HttpError::Token("the file holds no token".to_owned()));
        }
        let question = Question {
            max_events: if only_telling { 0 } else { self.events_max },
            return_immediately: only_telling,
            owed,
        };
        let body = client
            .poll(endpoint, token, &question, ANSWER_BYTES_MAX)
            .await;
        self.events_max = match &body {
            Err(HttpError::TooLarge { .. }) => (self.events_max / 2).max(1),
            Ok(_) => (self.events_max * 2).min(EVENTS_MAX),
            Err(_) => self.events_max,
        };
        let body = body?;
        // An answer to an acknowledgement alone may be empty.
        if body.trim_ascii().is_empty() {
            return Ok(Answer {
                sets: BTreeMap::new(),
            });
        }
        serde_json::from_slice(&body).map_err(|error| HttpError::Answer(error.to_string()))
    }

    /// Takes SETs in; returns after those taken are durable.
    async fn take(&self, sets: BTreeMap<String, Value>) -> Polled {
        let text = |(id, set): (String, Value)| (id, set.as_str().unwrap_or_default().to_owned());
        let sets: BTreeMap<String, String> = sets.into_iter().map(text).collect();
        let (app, name) = (Arc::clone(&self.app), self.settings.name.clone());
        let is_empty = sets.is_empty();
        let taking = tokio::task::spawn_blocking(move || app.ingest_polled_signals(&name, &sets));
        let polled = taking.await.unwrap_or_else(|error| {
            tracing::error!(%error, "signals were not taken in");
            Polled::default()
        });
        if let Some(error) = &polled.postponed {
            tracing::warn!(name = self.settings.name, %error, "signals are asked for again");
        }
        if is_empty {
            self.app.feeds.update(&feed(&self.settings.name), |state| {
                state.last_success = Some(self.app.ports.clock.now());
                state.last_error = None;
            });
        }
        polled
    }

    fn note(&self, error: &HttpError) {
        let PollSettings { name, endpoint, .. } = &self.settings;
        tracing::warn!(name, endpoint, %error, "a poll for signals failed");
        self.app.feeds.update(&feed(name), |state| {
            state.last_error = Some(FeedError {
                at: self.app.ports.clock.now(),
                text: error.to_string(),
            });
        });
    }
}

/// 1, 2, 4 … seconds.
fn backoff(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX)
}

/// What a transmitter says about when to come back.
fn retry_after(error: &HttpError) -> Duration {
    match error {
        HttpError::Status {
            retry_after_s: Some(seconds),
            ..
        } => Duration::from_secs(*seconds).min(PAUSE_MAX),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use deedtrail_app::signal::BadSet;

    use super::*;

    #[test]
    fn what_waits_or_was_told_makes_nobody_ask_again_at_once() {
        let polled = |taken: &[&str], refused: &[&str], waiting: &[&str]| {
            let ids =
                |ids: &[&str], why: BadSet| ids.iter().map(|id| (String::from(*id), why)).collect();
            Owed::of(&Polled {
                taken: taken.iter().map(|id| String::from(*id)).collect(),
                refused: ids(refused, BadSet::Signature),
                waiting: ids(waiting, BadSet::UnknownKey),
                postponed: None,
            })
        };
        let told = polled(&["a"], &["b"], &["c"]);
        for (next, goes_on) in [
            (polled(&[], &[], &[]), false),
            (polled(&[], &[], &["c", "d"]), false),
            (polled(&["a"], &["b"], &["c"]), false),
            (polled(&["c"], &[], &[]), true),
            (polled(&[], &["c"], &[]), true),
            (polled(&["d"], &[], &["c"]), true),
        ] {
            assert_eq!(next.goes_beyond(&told), goes_on, "{next:?}");
        }
        let empty = polled(&[], &[], &["c"]);
        assert!(empty.is_nothing(), "what waits is told nobody: {empty:?}");
    }
}
