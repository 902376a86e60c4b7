//! The ways in that the configuration opens: webhooks, signals, listeners, what is fetched.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use deedtrail_app::App;
use deedtrail_app::feeds::FeedState;
use deedtrail_app::figures::ListenerCounters;
use deedtrail_app::{signal, webhook};
use deedtrail_core::time::Timestamp;

use super::source_view::bytes;
use crate::view::{Shown, ago, grouped};

/// One way in.
#[derive(Debug)]
pub(super) struct WayIn {
    /// As in the configuration: `webhooks.github`.
    pub(super) name: Shown,
    /// Where the sender sends, if one does.
    pub(super) address: Option<String>,
    pub(super) source: Option<Shown>,
    /// What happened since the start.
    pub(super) doing: String,
    pub(super) trouble: Option<Shown>,
}

/// All of them, by kind and name.
pub(super) fn all(app: &App, now: Timestamp) -> Vec<WayIn> {
    let mut feeds = app.feeds.all();
    let mut ways = Vec::new();
    for (name, webhook) in &app.webhooks {
        let feed = feeds.remove(&webhook::feed(name)).unwrap_or_default();
        ways.push(WayIn {
            address: Some(format!("/v1/webhooks/{name}")),
            source: Some(Shown::new(webhook.source.as_str())),
            ..pushed(&webhook::feed(name), &feed, now)
        });
    }
    for (name, stream) in &app.signals {
        let feed = feeds.remove(&signal::feed(name)).unwrap_or_default();
        let is_pushed = stream.delivery != signal::Delivery::Poll;
        ways.push(WayIn {
            address: is_pushed.then(|| format!("/v1/signals/{name}")),
            source: Some(Shown::new(signal::SOURCE)),
            ..pushed(&signal::feed(name), &feed, now)
        });
    }
    ways.extend(app.listeners.iter().map(|(name, it)| listener(name, it)));
    let fetched = feeds.iter().map(|(name, state)| fetched(name, state, now));
    ways.extend(fetched);
    for way in &mut ways {
        let source = app.sources_of_ways.get(way.name.as_str());
        way.source = way
            .source
            .take()
            .or_else(|| Some(Shown::new(source?.as_str())));
    }
    ways
}

fn pushed(name: &str, state: &FeedState, now: Timestamp) -> WayIn {
    let mut doing = match state.last_success {
        None => "awaits the first signed delivery since the start".to_owned(),
        Some(at) => format!(
            "{} records, {}; last {}",
            grouped(state.records),
            bytes(state.bytes),
            ago(now.micros_since(at))
        ),
    };
    if state.denied > 0 {
        doing = format!(
            "{doing}; {} refused, not signed as agreed",
            grouped(state.denied)
        );
    }
    let trouble = state.last_error.as_ref();
    WayIn {
        name: Shown::new(name),
        address: None,
        source: None,
        doing,
        trouble: trouble.map(|error| Shown::new(&error.text)),
    }
}

fn listener(name: &str, counters: &ListenerCounters) -> WayIn {
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let mut troubles = Vec::new();
    for (counter, what) in [
        (&counters.refused, "messages refused at a limit or cut off"),
        (
            &counters.denied,
            "connections or datagrams of senders that may not send",
        ),
        (&counters.lost, "datagrams dropped by the system"),
    ] {
        if count(counter) > 0 {
            troubles.push(format!("{} {what}", grouped(count(counter))));
        }
    }
    WayIn {
        name: Shown::new(&format!("listeners.{name}")),
        address: None,
        source: None,
        doing: format!(
            "{} records, {}; {} connections open",
            grouped(count(&counters.records)),
            bytes(count(&counters.bytes)),
            grouped(count(&counters.open))
        ),
        trouble: (!troubles.is_empty()).then(|| Shown::new(&troubles.join("; "))),
    }
}

fn fetched(name: &str, state: &FeedState, now: Timestamp) -> WayIn {
    let mut doing = format!("{} records, {}", grouped(state.records), bytes(state.bytes));
    if let Some(at) = state.last_success {
        doing = format!("{doing}; took all there was {}", ago(now.micros_since(at)));
    }
    if let Some(behind) = state.behind {
        doing = format!("{doing}; {behind} behind");
    }
    WayIn {
        name: Shown::new(name),
        address: None,
        source: None,
        doing,
        trouble: state
            .last_error
            .as_ref()
            .map(|error| Shown::new(&error.text)),
    }
}
