//! `demo`: a bundled story through the real intake, then the server.

use std::sync::Arc;

use deedtrail_app::access::Principal;
use deedtrail_app::identity::ImportMode;
use deedtrail_app::intake::{Delivery, IngestAnswer};
use deedtrail_core::finding::Severity;
use deedtrail_core::id::SourceName;
use deedtrail_core::port::mapper::Encoding;
use deedtrail_core::port::store::FindingFilter;
use deedtrail_story::Story;

use super::Ended;
use crate::args::Demo;
use crate::config::Config;
use crate::instance::Instance;
use crate::output::{Console, Progress};

/// Setting that keeps the story's day: the first run's.
const ANCHOR: &str = "demo.anchor_day";
/// Setting that says the whole story has been told.
const TOLD: &str = "demo.told";
const SEED: u64 = 1;
/// The demo's own data folder, beside the usual one: its story never mixes with real records.
const FOLDER: &str = "deedtrail-demo";
/// About as many records as the story has, for the progress line.
const RECORDS_ABOUT: u64 = 55_000;

pub(super) fn run(mut config: Config, demo: &Demo, console: &mut Console) -> anyhow::Result<Ended> {
    config.listen = demo.listen.unwrap_or(config.listen);
    let usual = Config::default().data;
    if config.data == usual {
        config.data = usual.with_file_name(FOLDER);
    }
    let instance = Arc::new(Instance::open(&config)?);
    let today = demo.as_of.unwrap_or_else(|| instance.app.ports.clock.now());
    tell(&instance, today.utc_day(), console)?;
    summary(&instance, console)?;
    if demo.no_serve {
        instance.close()?;
        return Ok(Ended::Done);
    }
    crate::server::serve_instance(&instance, console)
}

/// Sends the story once; a broken-off run is repeated, and what is known already is a duplicate.
/// `today`: the UTC day number the story ends at, if none was told yet.
fn tell(instance: &Instance, today: i64, console: &mut Console) -> anyhow::Result<()> {
    let store = &instance.app.ports.store;
    if store.setting(TOLD)?.is_some() {
        return Ok(());
    }
    anyhow::ensure!(
        store.setting(ANCHOR)?.is_some() || store.source_health()?.is_empty(),
        "{} holds records of yours, and what is in the log stays there: give the demo a folder of \
         its own with `deedtrail --data FOLDER demo`",
        instance.config.data.display(),
    );
    let anchor = if let Some(day) = store.setting(ANCHOR)? {
        day.parse()?
    } else {
        store.put_setting(ANCHOR, &today.to_string())?;
        today
    };
    let story = Story::new(anchor, SEED);
    let principal = Principal::local();
    declare(instance, &principal, &story)?;
    let mut total = IngestAnswer::default();
    let mut progress = Progress::new(RECORDS_ABOUT, "records");
    for delivery in story.deliveries().chain(story.accidents()) {
        let source = SourceName::new(delivery.source)?;
        let body = Delivery {
            source: Some(&source),
            encoding: Encoding::Identity,
            body: &delivery.body,
        };
        let mut answer = instance.app.ingest(&principal, body)?;
        answer.receipts.clear();
        total.absorb(answer);
        progress.reach(console, total.records)?;
    }
    progress.end(console)?;
    instance.settle()?;
    store.put_setting(TOLD, "yes")?;
    console.say(format_args!(
        "story told: {} records, {} accepted, {} duplicates, {} quarantined",
        total.records, total.accepted, total.duplicates, total.quarantined
    ))?;
    Ok(())
}

fn declare(instance: &Instance, principal: &Principal, story: &Story) -> anyhow::Result<()> {
    let file = story.identities();
    instance
        .app
        .import_identities(principal, &file, ImportMode::default())?;
    Ok(())
}

fn summary(instance: &Instance, console: &mut Console) -> anyhow::Result<()> {
    let filter = FindingFilter {
        severity_min: Some(Severity::High),
        ..FindingFilter::default()
    };
    let findings = instance.app.ports.store.findings(&filter, 50)?;
    console.say(format_args!(
        "{} findings are high or critical:",
        findings.len()
    ))?;
    for finding in &findings {
        let draft = &finding.draft;
        console.say(format_args!(
            "  {:8}  {}",
            draft.severity.name(),
            draft.title
        ))?;
    }
    let folder = instance.config.data.display();
    console.say(format_args!(
        "look around: deedtrail --data {folder} finding list"
    ))?;
    console
        .say("your own logs: deedtrail ingest --source aws.cloudtrail FILE (see source list)")?;
    Ok(())
}
