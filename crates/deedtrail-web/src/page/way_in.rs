//! The ways in that the configuration opens: webhooks, signals, listeners, what is fetched.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use deedtrail_app::App;
use deedtrail_app::feeds::FeedState;
use deedtrail_app::figures::ListenerCounters;
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
    let webhooks = app.webhooks.iter().map(|(name, webhook)| WayIn {
        name: Shown::new(&format!("webhooks.{name}")),
        address: Some(format!("/v1/webhooks/{name}")),
        source: Some(Shown::new(webhook.source.as_str())),
        doing: "awaits signed deliveries".to_owned(),
        trouble: None,
    });
    let signals = app.signals.keys().map(|name| WayIn {
        name: Shown::new(&format!("signals.{name}")),
        address: None,
        source: Some(Shown::new(deedtrail_app::signal::SOURCE)),
        doing: "awaits or polls signed signals".to_owned(),
        trouble: None,
    });
    let listeners = app.listeners.iter().map(|(name, it)| listener(name, it));
    let feeds = app.feeds.all();
    let feeds = feeds.iter().map(|(name, state)| fetched(name, state, now));
    webhooks
        .chain(signals)
        .chain(listeners)
        .chain(feeds)
        .collect()
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
