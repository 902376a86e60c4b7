//! Use cases: intake, pipeline, identities, timelines, findings, access. Knows ports, no adapter.
//!
//! [`App`] is what the command line and the pages call. [`pipeline::Pipeline`] is the one consumer
//! of the evidence log; live, catch-up, replay and rebuild are the same function.

pub mod access;
pub mod activity;
pub mod agent_call;
pub mod behaviour;
pub mod charter;
pub mod completeness;
pub mod configuration;
pub mod custody;
pub mod entitlement;
pub mod evidence;
pub mod exception;
pub mod explanation;
pub mod feed_health;
pub mod feeds;
pub mod figures;
pub mod findings;
pub mod habit;
pub mod held_back;
pub mod identity;
pub mod insider_risk;
pub mod intake;
pub mod listing;
mod named;
pub mod pipeline;
pub mod provenance;
pub mod quarantine;
pub mod retention;
pub mod rule_backtest;
pub mod rule_coverage;
pub mod rule_name;
pub mod rule_score;
pub mod rule_set;
pub mod rule_test;
pub mod rule_try;
pub mod saas_readiness;
mod sensitive;
pub mod session;
pub mod signal;
pub mod source_name;
pub mod target;
pub mod timeline;
pub mod today;
pub mod unsettled;
pub mod webhook;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deedtrail_core::id::SourceName;
use deedtrail_core::port::archive::Archive;
use deedtrail_core::port::log::EvidenceLog;
use deedtrail_core::port::mapper::Mapper;
use deedtrail_core::port::store::Store;
use deedtrail_core::port::table::Tables;
use deedtrail_core::port::witness::{Witness, Witnesses};
use deedtrail_core::port::{Clock, Entropy};

/// Everything from the outside that the use cases need.
#[derive(Clone, Debug)]
pub struct Ports {
    pub log: Arc<dyn EvidenceLog>,
    pub mapper: Arc<dyn Mapper>,
    pub tables: Arc<dyn Tables>,
    pub archive: Arc<dyn Archive>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// The use cases over one data folder.
#[derive(Debug)]
pub struct App {
    pub ports: Ports,
    /// Counters since start, for `/metrics`.
    pub counters: figures::Counters,
    /// Records that were sent again, until the next tick notes them.
    pub repeats: intake::Repeats,
    /// Thresholds of detection in force.
    pub detection: deedtrail_detect::Settings,
    /// How far the pipeline's thread is.
    pub processing: Arc<pipeline::Processing>,
    /// Records that intake has mapped, for the pipeline.
    pub handover: Arc<pipeline::Handover>,
    /// Rules and unsafe sequences in force.
    pub current: rule_set::Current,
    /// Rules of the product, to which one's own are added.
    pub book: Arc<rule_set::RuleBook>,
    /// Where those of one's own are; `None` where nobody read a configuration.
    pub own_rules: Option<Arc<dyn rule_set::RuleFolders>>,
    /// What rules are tried over history with; `None` where there is none.
    pub trials: Option<rule_backtest::Trials>,
    /// Webhooks that are awaited, by name.
    pub webhooks: BTreeMap<String, webhook::Webhook>,
    /// Streams of signals, by name.
    pub signals: BTreeMap<String, signal::Stream>,
    /// Counters of the listeners there are, by name.
    pub listeners: BTreeMap<String, Arc<figures::ListenerCounters>>,
    /// How the feeds do that are fetched, and those that are pushed and signed.
    pub feeds: feeds::FeedStates,
    /// Source that the configuration gives to whatever comes by a way in, by `KIND.NAME`.
    pub sources_of_ways: BTreeMap<String, SourceName>,
    /// Cosigns checkpoints of other logs; `None` where it was not asked to.
    pub witness: Option<Arc<dyn Witness>>,
    /// Witnesses of our own log; `None` where none are asked.
    pub witnesses: Option<Arc<dyn Witnesses>>,
    /// Views that are entries of the log soon.
    pub views: custody::Views,
    /// Held while the secret of pseudonyms is looked up or made.
    pub pseudonyms: Mutex<()>,
}

impl App {
    pub fn new(ports: Ports) -> Self {
        Self {
            ports,
            counters: figures::Counters::default(),
            repeats: intake::Repeats::default(),
            detection: deedtrail_detect::Settings::default(),
            processing: Arc::default(),
            handover: Arc::default(),
            current: rule_set::Current::default(),
            book: Arc::default(),
            own_rules: None,
            trials: None,
            webhooks: BTreeMap::new(),
            signals: BTreeMap::new(),
            listeners: BTreeMap::new(),
            feeds: feeds::FeedStates::default(),
            sources_of_ways: BTreeMap::new(),
            witness: None,
            witnesses: None,
            views: custody::Views::default(),
            pseudonyms: Mutex::default(),
        }
    }
}
