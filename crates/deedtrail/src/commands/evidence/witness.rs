//! `evidence witness`: who vouches for this log, and whom this installation vouches for.

use deedtrail_core::port::log::EvidenceLog as _;
use serde_json::json;

use super::verify::at;
use crate::commands::{Context, Ended};

pub(super) fn run(context: &mut Context<'_>, ask: bool) -> anyhow::Result<Ended> {
    if let (true, Some(client)) = (ask, &context.instance.witnesses) {
        client.ask();
    }
    let sick = asked(context)?;
    witnessed(context)?;
    Ok(if sick { Ended::Found } else { Ended::Done })
}

/// Who is asked; whether one of them did not cosign.
fn asked(context: &mut Context<'_>) -> anyhow::Result<bool> {
    let instance = context.instance;
    let Some(client) = &instance.witnesses else {
        if !context.console.json {
            context.console.line(
                "no `[witnesses]`: nobody but you vouches that this log has no other history",
            )?;
        }
        return Ok(false);
    };
    let standings = client.standings();
    let quorum = client.policy().quorum;
    let mut rows = Vec::new();
    for (witness, standing) in &standings {
        let cosigned = (standing.cosigned_s > 0).then(|| at(standing.cosigned_s));
        if context.console.json {
            context.console.object(&json!({
                "id": witness.name,
                "key": witness.key.to_string(),
                "url": witness.url,
                "cosigned": cosigned,
                "size": standing.size,
                "trouble": standing.fault,
            }))?;
            continue;
        }
        let trouble = standing.fault.clone();
        rows.push(vec![
            witness.name.clone(),
            cosigned.unwrap_or_else(|| "never".to_owned()),
            standing.size.to_string(),
            trouble.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if !context.console.json {
        let heads = ["WITNESS", "COSIGNED", "SIZE", "TROUBLE"];
        context.console.table(&heads, &rows)?;
        let count = standings.len();
        let origin = instance.log.origin();
        context
            .console
            .say(format_args!("{quorum} of {count} must vouch for {origin}"))?;
    }
    Ok(standings
        .iter()
        .any(|(_, standing)| standing.fault.is_some()))
}

/// The key under which this installation vouches for other logs.
fn witnessed(context: &mut Context<'_>) -> anyhow::Result<()> {
    let instance = context.instance;
    let Some(witness) = &instance.app.witness else {
        return Ok(());
    };
    let logs: Vec<&String> = instance.config.witness.logs.keys().collect();
    let key = witness.key();
    if context.console.json {
        let url = format!("{}/v1/witness", instance.base());
        context
            .console
            .object(&json!({ "id": key, "url": url, "witnesses": logs }))?;
        return Ok(());
    }
    let names = logs.iter().map(|name| name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    context
        .console
        .line(format_args!("this installation witnesses {names} as {key}"))?;
    Ok(())
}
