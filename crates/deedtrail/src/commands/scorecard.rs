//! `rule scorecard`: how each rule does, and what to tune.

use deedtrail_app::rule_coverage::Delivery;
use deedtrail_app::rule_score::{RuleScore, UNMATCHED_DAYS_MIN};

use super::{Context, Ended};
use crate::output::counted;

pub(super) fn run(context: &mut Context<'_>, tune: bool) -> anyhow::Result<Ended> {
    let mut scores = context.app().rule_scores(&context.principal)?;
    let all = scores.len();
    let unmatched = scores.iter().filter(|score| score.never_matched).count();
    if tune {
        scores.retain(|score| !score.advice.is_empty());
    }
    // Those with most findings first; what is equal by name.
    scores.sort_by(|a, b| b.matches.cmp(&a.matches).then(a.rule.cmp(&b.rule)));
    if context.console.json {
        for score in &scores {
            context.console.object(score)?;
        }
        return Ok(Ended::Done);
    }
    let rows: Vec<Vec<String>> = scores.iter().map(row).collect();
    let headings = [
        "RULE",
        "MATCHES",
        "FINDINGS",
        "OPEN",
        "TRUE",
        "BENIGN",
        "DRIFT",
        "HELD BACK",
        "LAST",
        "SOURCES",
    ];
    let console = &mut *context.console;
    if !rows.is_empty() {
        console.table(&headings, &rows)?;
    }
    let advised = scores.iter().filter(|score| !score.advice.is_empty());
    if advised.clone().next().is_some() {
        console.section("What to tune")?;
    }
    for score in advised {
        for advice in &score.advice {
            console.line(format_args!("{}: {advice}", score.rule))?;
        }
    }
    if tune && scores.is_empty() {
        console.say(format_args!("{}, none to tune", counted(all, "rule")))?;
    } else {
        console.say(format_args!(
            "{} of {} shown; {unmatched} never matched in {UNMATCHED_DAYS_MIN} days or more although a \
             source delivers: `deedtrail rule coverage --fields` says which of them nothing can match",
            scores.len(),
            counted(all, "rule")
        ))?;
    }
    Ok(Ended::Done)
}

fn row(score: &RuleScore) -> Vec<String> {
    let benign = match score.share_benign {
        Some(share) => format!("{} ({:.0} %)", score.benign, share * 100.0),
        None => score.benign.to_string(),
    };
    let held = if score.exceptions > 0 {
        let exceptions = usize::try_from(score.exceptions).unwrap_or(usize::MAX);
        format!("{} ({})", score.held_back, counted(exceptions, "exception"))
    } else {
        score.held_back.to_string()
    };
    vec![
        score.rule.to_string(),
        score.matches.to_string(),
        score.findings.to_string(),
        score.open.to_string(),
        score.true_positives.to_string(),
        benign,
        score.drift.to_string(),
        held,
        score
            .last
            .map_or_else(|| "never".to_owned(), |at| at.to_string()),
        score.delivery.map_or("-", Delivery::words).to_owned(),
    ]
}
