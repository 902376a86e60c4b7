//! Streams of NATS `JetStream`, by a durable pull consumer.
//!
//! A message is acknowledged after it is durable, and the acknowledgement is confirmed. One that
//! comes again is the same record: stream and sequence are its id where the record has none.

mod batch;
mod subject;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, Message};
use async_nats::{ConnectOptions, Event, HeaderMap};
use deedtrail_app::App;
use deedtrail_app::feeds::Behind;
use deedtrail_core::id::{BadName, SourceName};
use futures::StreamExt as _;
use rustls::ClientConfig;

use super::limits::{MESSAGE_BYTES_PER_BATCH, MESSAGES_PER_BATCH, PENDING_EVERY, RETRY_PAUSE};
use super::way::{Untaken, Way};
use crate::stop::Stop;
use batch::{Batch, Item};

pub use subject::{Subjects, mistake as subject_mistake};

/// Under this name records wait of which no source can be told.
const PROTOCOL: &str = "nats.message";

/// What an operator says of one stream.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    pub name: String,
    pub servers: Vec<String>,
    pub login: Login,
    /// With it connections are encrypted.
    pub tls: Option<ClientConfig>,
    pub stream: String,
    /// Name of the durable consumer; it is made unless it is there.
    pub consumer: String,
    /// Subjects asked for; all of the stream when there is none.
    pub filter: Option<String>,
    pub subjects: Subjects,
    /// Messages that may be unacknowledged at a time.
    pub in_flight: usize,
    /// How long one may be, before the queue delivers it again.
    pub ack_wait: Duration,
}

/// How one says who one is.
#[derive(Clone, Debug, Default)]
pub enum Login {
    #[default]
    Nobody,
    Password {
        user: String,
        password: String,
    },
    Token(String),
    /// Seed of an nkey.
    Nkey(String),
    /// Text of a `.creds` file.
    Credentials(String),
}

impl Login {
    /// What connects with it; an error when the credentials are none.
    pub fn options(&self) -> std::io::Result<ConnectOptions> {
        let options = ConnectOptions::new();
        Ok(match self {
            Self::Nobody => options,
            Self::Password { user, password } => {
                options.user_and_password(user.clone(), password.clone())
            }
            Self::Token(token) => options.token(token.clone()),
            Self::Nkey(seed) => options.nkey(seed.clone()),
            Self::Credentials(text) => options.credentials(text)?,
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("no connection: {0}")]
    Connect(#[from] async_nats::ConnectError),
    #[error("the credentials are none: {0}")]
    Login(#[from] std::io::Error),
    #[error("stream `{0}`: {1}")]
    Stream(String, String),
    #[error("consumer `{0}`: {1}")]
    Consumer(String, String),
    #[error(transparent)]
    Untaken(#[from] Untaken),
}

/// A stream that is read.
#[derive(Debug)]
pub(super) struct Queue {
    way: Way,
    settings: QueueSettings,
    protocol: SourceName,
}

pub(super) fn open(app: &Arc<App>, settings: QueueSettings, stop: Stop) -> Result<Queue, BadName> {
    Ok(Queue {
        way: Way::new(app, format!("nats.{}", settings.name), stop),
        settings,
        protocol: SourceName::new(PROTOCOL)?,
    })
}

/// Takes messages until the end; connects again for ever.
pub(super) async fn serve(queue: Queue, stop: Stop) {
    let mut pause = RETRY_PAUSE[0];
    while !stop.is_requested() {
        let begun = Instant::now();
        match queue.session().await {
            Ok(()) | Err(Broken::Untaken(Untaken::Stopped)) => return,
            Err(error) => queue.way.fail(&error.to_string()),
        }
        pause = if begun.elapsed() > RETRY_PAUSE[1] {
            RETRY_PAUSE[0]
        } else {
            (pause * 2).min(RETRY_PAUSE[1])
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.requested() => {}
        }
    }
}

impl Queue {
    /// Ends with an error, or when the server stops.
    async fn session(&self) -> Result<(), Broken> {
        let (consumer, origin) = tokio::select! {
            opened = self.consumer() => opened?,
            () = self.way.stop.requested() => return Ok(()),
        };
        let mut asked: Option<Instant> = None;
        loop {
            if asked.is_none_or(|at| at.elapsed() >= PENDING_EVERY) {
                self.ask_pending(&consumer).await?;
                asked = Some(Instant::now());
            }
            let messages = tokio::select! {
                messages = self.messages(&consumer) => messages?,
                () = self.way.stop.requested() => return Ok(()),
            };
            if !messages.is_empty() {
                self.take(messages, &origin).await?;
            }
        }
    }

    async fn consumer(&self) -> Result<(PullConsumer, String), Broken> {
        let settings = &self.settings;
        let feed = self.way.feed.clone();
        let mut options = settings.login.options()?.name("deedtrail");
        options = options.event_callback(move |event| {
            let feed = feed.clone();
            async move {
                if !matches!(event, Event::Connected) {
                    tracing::warn!(feed, "NATS: {event}");
                }
            }
        });
        if let Some(tls) = &settings.tls {
            options = options.require_tls(true).tls_client_config(tls.clone());
        }
        let client = options.connect(settings.servers.as_slice()).await?;
        let context = jetstream::new(client);
        let of_stream = |error: String| Broken::Stream(settings.stream.clone(), error);
        let stream = context.get_stream(&settings.stream).await;
        let stream = stream.map_err(|error| of_stream(error.to_string()))?;
        // One that was made anew counts from the beginning.
        let created = stream.cached_info().created.unix_timestamp_nanos();
        let origin = format!("nats:{}@{created}", settings.stream);
        let config = pull::Config {
            durable_name: Some(settings.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.ack_wait,
            max_ack_pending: i64::try_from(settings.in_flight).unwrap_or(i64::MAX),
            filter_subject: settings.filter.clone().unwrap_or_default(),
            ..pull::Config::default()
        };
        let consumer = stream
            .get_or_create_consumer(&settings.consumer, config)
            .await;
        let consumer = consumer.map_err(|error| self.of_consumer(&error))?;
        if consumer.cached_info().config.ack_policy != AckPolicy::Explicit {
            let reason = "it is there already and does not ask for every acknowledgement";
            return Err(self.of_consumer(&reason));
        }
        Ok((consumer, origin))
    }

    fn of_consumer(&self, error: &dyn std::fmt::Display) -> Broken {
        Broken::Consumer(self.settings.consumer.clone(), error.to_string())
    }

    /// What is there, or else the next that comes within a while.
    async fn messages(&self, consumer: &PullConsumer) -> Result<Vec<Message>, Broken> {
        let failed = |error: async_nats::Error| self.of_consumer(&error);
        let count = MESSAGES_PER_BATCH.min(self.settings.in_flight);
        let there = consumer
            .fetch()
            .max_messages(count)
            .max_bytes(MESSAGE_BYTES_PER_BATCH);
        let there = there.messages().await;
        let mut there = there.map_err(|error| self.of_consumer(&error))?;
        let mut messages = Vec::new();
        while let Some(message) = there.next().await {
            messages.push(message.map_err(failed)?);
        }
        if messages.is_empty() {
            let next = consumer.batch().max_messages(1).expires(PENDING_EVERY);
            let next = next.messages().await;
            let mut next = next.map_err(|error| self.of_consumer(&error))?;
            while let Some(message) = next.next().await {
                messages.push(message.map_err(failed)?);
            }
        }
        Ok(messages)
    }

    /// Takes messages in, and acknowledges them once they are durable.
    async fn take(&self, messages: Vec<Message>, origin: &str) -> Result<(), Broken> {
        let items = messages.iter().map(|message| {
            let info = message.info()?;
            Ok(Item {
                id: format!("{origin}:{}", info.stream_sequence),
                labels: self.labels(message),
                message: message.message.clone(),
            })
        });
        let items = items.collect::<Result<_, async_nats::Error>>();
        let batch = Arc::new(Batch {
            items: items.map_err(|error| self.of_consumer(&error))?,
            way: self.way.clone(),
            protocol: self.protocol.clone(),
        });
        let mut pause = RETRY_PAUSE[0];
        loop {
            let taking = Arc::clone(&batch);
            let taken = tokio::task::spawn_blocking(move || taking.take()).await;
            match taken.map_err(|error| Untaken::Read(std::io::Error::other(error)))? {
                Ok(()) => break,
                Err(Untaken::Stopped) => return Err(Untaken::Stopped.into()),
                Err(error) => self.way.fail(&error.to_string()),
            }
            hold(&messages).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(self.settings.ack_wait / 4),
                () = self.way.stop.requested() => return Err(Untaken::Stopped.into()),
            }
        }
        let acknowledged = messages.iter().map(Message::double_ack);
        for acknowledged in futures::future::join_all(acknowledged).await {
            if let Err(error) = acknowledged {
                // It comes again, and is known by then.
                return Err(self.of_consumer(&error));
            }
        }
        Ok(())
    }

    /// Who sent it says of what kind it is, by a header or the subject.
    fn labels(&self, message: &Message) -> Vec<String> {
        if let Some(source) = self.settings.subjects.source(&message.subject) {
            return vec![source.to_string()];
        }
        let headers = message.headers.iter().flat_map(HeaderMap::iter);
        let mut named: Vec<_> = headers
            .filter_map(|(name, values)| Some((label_rank(name.as_ref())?, values.first()?)))
            .collect();
        named.sort_by_key(|(rank, _)| *rank);
        let labels = named.into_iter().map(|(_, value)| value.to_string());
        labels.chain([message.subject.to_string()]).collect()
    }

    async fn ask_pending(&self, consumer: &PullConsumer) -> Result<(), Broken> {
        let asked = tokio::time::timeout(Duration::from_secs(10), consumer.get_info()).await;
        let info = asked.map_err(|_| self.of_consumer(&"no answer within 10 s"))?;
        let info = info.map_err(|error| self.of_consumer(&error))?;
        let unacknowledged = info.num_ack_pending as u64;
        let behind = Behind::Messages(info.num_pending + unacknowledged);
        self.way.looked(behind, None);
        Ok(())
    }
}

/// Whether a header says of what kind a message is; the most telling have the lowest rank.
fn label_rank(name: &str) -> Option<usize> {
    let headers = [
        "deedtrail-source",
        "source",
        "sourcetype",
        "ce-type",
        "ce-source",
    ];
    let is_it = |header: &&str| header.eq_ignore_ascii_case(name);
    headers.iter().position(is_it)
}

/// Says that messages are being worked on, so that they are not delivered again meanwhile.
async fn hold(messages: &[Message]) {
    for message in messages {
        if let Err(error) = message.ack_with(jetstream::AckKind::Progress).await {
            tracing::debug!(%error, "a message may be delivered again");
        }
    }
}
