//! What a backtest found, as pages show it.

use deedtrail_app::pipeline::{Backtest, Counted, ExceptionInTrial};
use deedtrail_app::rule_backtest::{SERVED_FINDINGS_MAX, SERVED_SECONDS_MAX};

use crate::view::{Moment, Shown, grouped, share};

#[derive(Debug)]
pub(super) struct BacktestView {
    pub(super) headline: String,
    pub(super) read: String,
    /// What is missing in the figures.
    pub(super) limits: Vec<String>,
    pub(super) days: Vec<(String, String)>,
    pub(super) identities: Vec<(Shown, String)>,
    pub(super) examples: Vec<ExampleView>,
    pub(super) exceptions: Vec<InTrialView>,
}

#[derive(Debug)]
pub(super) struct ExampleView {
    pub(super) title: Shown,
    pub(super) at: Moment,
    pub(super) events: usize,
}

/// An exception in force, and what it does to the matches.
#[derive(Debug)]
pub(super) struct InTrialView {
    pub(super) number: u32,
    pub(super) covers: Shown,
    pub(super) held_back: String,
    pub(super) would_hold_back: String,
}

impl BacktestView {
    pub(super) fn new(report: &Backtest) -> Self {
        let examples = report.examples.iter().map(|example| ExampleView {
            title: Shown::cut(&example.title, 400),
            at: Moment::new(example.at),
            events: example.events.len(),
        });
        let day = |(day, findings): (&String, &u64)| (day.clone(), grouped(*findings));
        Self {
            headline: format!(
                "{} findings in {} days, {:.2} a day",
                grouped(report.findings),
                grouped(report.days),
                report.findings_per_day
            ),
            read: read(report),
            limits: limits(report),
            days: report.by_day.iter().map(day).collect(),
            identities: counted(&report.by_identity),
            examples: examples.collect(),
            exceptions: report.exceptions.iter().map(InTrialView::new).collect(),
        }
    }
}

impl InTrialView {
    pub(super) fn new(one: &ExceptionInTrial) -> Self {
        Self {
            number: one.number,
            covers: Shown::cut(&one.covers, 400),
            held_back: grouped(one.held_back),
            would_hold_back: grouped(one.would_hold_back),
        }
    }
}

fn read(report: &Backtest) -> String {
    let touched = share(report.identities_touched, report.identities);
    let events = format!(
        "{} events of {} identities, of which findings touch {} ({touched})",
        grouped(report.events),
        grouped(report.identities),
        grouped(report.identities_touched)
    );
    match report.first.zip(report.last) {
        Some((first, last)) => format!(
            "{events}; from {} to {}",
            Moment::new(first).full,
            Moment::new(last).full
        ),
        None => "There is no event in this time.".to_owned(),
    }
}

fn limits(report: &Backtest) -> Vec<String> {
    let mut limits = Vec::new();
    if !report.complete {
        limits.push(format!(
            "Reading was given up after {SERVED_SECONDS_MAX} s: the figures tell of the older part. \
             `deedtrail rule backtest` has no such limit."
        ));
    }
    if report.damaged_entries > 0 {
        limits.push(format!(
            "{} damaged entries of the log were left out.",
            grouped(report.damaged_entries)
        ));
    }
    if report.matches_beyond > 0 {
        limits.push(format!(
            "{SERVED_FINDINGS_MAX} findings are told apart; {} further matches are in no figure.",
            grouped(report.matches_beyond)
        ));
    }
    limits
}

fn counted(all: &[Counted]) -> Vec<(Shown, String)> {
    let all = all.iter();
    all.map(|one| (Shown::new(&one.name), grouped(one.findings)))
        .collect()
}
