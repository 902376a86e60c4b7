//! `/metrics`: the Prometheus text format, version 0.0.4.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::figures::{Figures, ListenerCounters};
use deedtrail_app::timeline::ReadingError;
use deedtrail_core::finding::Severity;
use deedtrail_core::health::SourceHealth;
use deedtrail_core::id::TenantId;

use crate::problem::Problem;
use crate::state::Shared;

/// Metric text under construction.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(&format!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.line(&format!("{name} {value}"));
    }

    /// One sample per source. Source names need no escaping: they are `a-z 0-9 _ . -`.
    fn by_source(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        sources: &[SourceHealth],
        value: impl Fn(&SourceHealth) -> u64,
    ) {
        self.family(name, kind, help);
        for health in sources {
            let (labels, value) = (labels(health), value(health));
            self.line(&format!("{name}{{{labels}}} {value}"));
        }
    }
}

pub(super) async fn text(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Problem> {
    let text = shared.attempt(move |app| render(app, &principal)).await?;
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    Ok((kind, text).into_response())
}

fn render(app: &App, principal: &Principal) -> Result<String, ReadingError> {
    let figures = app.figures()?;
    let open = app.open_by_severity(principal)?;
    let mut page = Page::default();
    intake(&mut page, app);
    listeners(&mut page, app);
    positions(&mut page, &figures);
    sources(&mut page, &figures.sources);
    page.family(
        "deedtrail_findings_open",
        "gauge",
        "Open findings by severity.",
    );
    for (severity, count) in Severity::ALL.iter().zip(open) {
        let name = severity.name();
        page.line(&format!(
            "deedtrail_findings_open{{severity=\"{name}\"}} {count}"
        ));
    }
    Ok(page.0)
}

fn intake(page: &mut Page, app: &App) {
    let counters = &app.counters;
    let rows = [
        (
            "deedtrail_records_total",
            "Records received since start.",
            &counters.records,
        ),
        (
            "deedtrail_duplicates_total",
            "Records sent again, which are not stored anew, since start.",
            &counters.duplicates,
        ),
        (
            "deedtrail_quarantined_total",
            "Records stored but not understood, since start.",
            &counters.quarantined,
        ),
        (
            "deedtrail_refused_total",
            "Records refused at a limit, since start.",
            &counters.refused,
        ),
    ];
    for (name, help, counter) in rows {
        page.single(name, "counter", help, counter.load(Relaxed));
    }
    page.single(
        "deedtrail_views_counted_total",
        "counter",
        "Views that are counted only, not entries of the log, since start.",
        app.views.unwritten(),
    );
}

/// One sample per listener, where there are any. Their names need no escaping either.
fn listeners(page: &mut Page, app: &App) {
    type Of = fn(&ListenerCounters) -> &AtomicU64;
    let rows: [(&str, &str, &str, Of); 7] = [
        (
            "deedtrail_listener_records_total",
            "counter",
            "Messages made durable by listener, since start.",
            |counters| &counters.records,
        ),
        (
            "deedtrail_listener_bytes_total",
            "counter",
            "Bytes of those messages.",
            |counters| &counters.bytes,
        ),
        (
            "deedtrail_listener_refused_total",
            "counter",
            "Messages over a limit or that came in part, since start.",
            |counters| &counters.refused,
        ),
        (
            "deedtrail_listener_denied_total",
            "counter",
            "Connections and datagrams of senders that may not send, since start.",
            |counters| &counters.denied,
        ),
        (
            "deedtrail_listener_lost_total",
            "counter",
            "Datagrams that the system dropped, as far as it tells.",
            |counters| &counters.lost,
        ),
        (
            "deedtrail_listener_connections_total",
            "counter",
            "Connections by listener, since start.",
            |counters| &counters.connections,
        ),
        (
            "deedtrail_listener_connections_open",
            "gauge",
            "Connections that are open.",
            |counters| &counters.open,
        ),
    ];
    for (name, kind, help, of) in rows.into_iter().filter(|_| !app.listeners.is_empty()) {
        page.family(name, kind, help);
        for (listener, counters) in &app.listeners {
            let value = of(counters).load(Relaxed);
            page.line(&format!("{name}{{listener=\"{listener}\"}} {value}"));
        }
    }
}

fn positions(page: &mut Page, figures: &Figures) {
    let lag = figures.log_end.saturating_sub(figures.processed);
    let unarchived = figures.log_end.saturating_sub(figures.archived);
    let archive = figures.archive;
    let rows = [
        (
            "deedtrail_log_end",
            "One past the newest durable log entry.",
            figures.log_end,
        ),
        (
            "deedtrail_processed",
            "One past the newest processed entry.",
            figures.processed,
        ),
        (
            "deedtrail_archived",
            "One past the newest archived entry.",
            figures.archived,
        ),
        (
            "deedtrail_lag_entries",
            "Entries waiting for the pipeline.",
            lag,
        ),
        (
            "deedtrail_unarchived_entries",
            "Entries not yet in the archive.",
            unarchived,
        ),
        (
            "deedtrail_archive_files",
            "Files of the archive.",
            archive.files,
        ),
        (
            "deedtrail_archive_bytes",
            "Bytes of the archive.",
            archive.bytes,
        ),
        (
            "deedtrail_archive_rows",
            "Events in the archive.",
            archive.rows,
        ),
        (
            "deedtrail_hot_rows",
            "Events not yet flushed.",
            archive.hot_rows,
        ),
        (
            "deedtrail_log_damaged",
            "1 when the evidence log is damaged.",
            u64::from(figures.damage.is_some()),
        ),
        (
            "deedtrail_log_passed_over_entries",
            "Entries that were damaged when they were derived; what rests on them may be missing until a rebuild.",
            figures.passed_over,
        ),
    ];
    for (name, help, value) in rows {
        page.single(name, "gauge", help, value);
    }
}

/// The source, and its tenant where that is another than the usual one.
fn labels(health: &SourceHealth) -> String {
    let (tenant, source) = (health.tenant.as_str(), &health.source);
    if tenant == TenantId::DEFAULT {
        format!("source=\"{source}\"")
    } else {
        format!("source=\"{source}\",tenant=\"{tenant}\"")
    }
}

fn sources(page: &mut Page, sources: &[SourceHealth]) {
    let records = (
        "deedtrail_source_records_total",
        "counter",
        "Records by source.",
    );
    page.by_source(records, sources, |health| health.records);
    let events = (
        "deedtrail_source_events_total",
        "counter",
        "Events by source.",
    );
    page.by_source(events, sources, |health| health.events);
    let quarantined = (
        "deedtrail_source_quarantined",
        "gauge",
        "Records in quarantine by source.",
    );
    page.by_source(quarantined, sources, |health| health.quarantined);
    let duplicates = (
        "deedtrail_source_duplicates_total",
        "counter",
        "Records sent again by source, noted once a minute.",
    );
    page.by_source(duplicates, sources, |health| health.duplicates);
    let missing = (
        "deedtrail_source_missing_numbers",
        "gauge",
        "Skipped numbers of records that did not come within two hours, by source; one that comes later is taken out while its range is among the last 16.",
    );
    page.by_source(missing, sources, |health| health.watched.missing_total);
    let forgotten = (
        "deedtrail_source_forgotten_numbers",
        "gauge",
        "Skipped numbers of records that were too many to be waited for, by source; some may have come.",
    );
    page.by_source(forgotten, sources, |health| {
        health.watched.skipped_forgotten
    });
    let bytes = (
        "deedtrail_source_bytes_total",
        "counter",
        "Bytes by source.",
    );
    page.by_source(bytes, sources, |health| health.bytes);
    let name = "deedtrail_source_last_received_seconds";
    page.family(name, "gauge", "Unix time of the newest record by source.");
    for health in sources {
        if let Some(at) = health.last_received {
            let seconds = at.as_micros().div_euclid(1_000_000);
            page.line(&format!("{name}{{{}}} {seconds}", labels(health)));
        }
    }
    let name = "deedtrail_source_grade_events";
    page.family(name, "gauge", "Events by source and evidence grade.");
    for health in sources {
        for (grade, count) in ["A", "B", "C", "D"].iter().zip(health.grades) {
            let labels = format!("{},grade=\"{grade}\"", labels(health));
            page.line(&format!("{name}{{{labels}}} {count}"));
        }
    }
}
