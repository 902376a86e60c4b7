//! `rule reload`: the folders of rules and unsafe sequences, read again.

use deedtrail_app::rule_set::{InForce, Reloaded};
use serde_json::json;

use super::{Context, Ended};
use crate::output::counted;

pub(super) fn run(context: &mut Context<'_>) -> anyhow::Result<Ended> {
    let Reloaded {
        changed, in_force, ..
    } = context.app().reload_rules(&context.principal)?;
    let left_out = in_force.rules_left_out.iter();
    let left_out: Vec<&String> = left_out.chain(&in_force.sequences_left_out).collect();
    if context.console.json {
        context.console.object(&json!({
            "changed": changed,
            "digest": in_force.digest,
            "since": in_force.since,
            "rules": in_force.rules.findings().count(),
            "sequences": in_force.sequences.forms().count(),
            "left_out": left_out,
            "warnings": in_force.warnings,
        }))?;
    } else {
        context.console.line(words(changed, &in_force))?;
        for warning in &in_force.warnings {
            context.console.line(format_args!("doubtful  {warning}"))?;
        }
        for problem in &left_out {
            context.console.line(format_args!("LEFT OUT  {problem}"))?;
        }
    }
    Ok(if left_out.is_empty() {
        Ended::Done
    } else {
        Ended::Found
    })
}

fn words(changed: bool, in_force: &InForce) -> String {
    let rules = counted(in_force.rules.findings().count(), "rule");
    let sequences = counted(in_force.sequences.forms().count(), "unsafe sequence");
    let since = in_force.since.as_ref().map(|since| {
        format!(
            ", since {} (entry {}, by {})",
            since.at, since.sequence, since.by
        )
    });
    format!(
        "{}: {rules} and {sequences}, digest {}{}",
        if changed {
            "other rules are in force"
        } else {
            "nothing changed"
        },
        in_force.digest.get(..16).unwrap_or_default(),
        since.unwrap_or_default()
    )
}
