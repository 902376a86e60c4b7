//! `evidence timestamp`: when authorities saw this log.

use serde_json::json;

use crate::commands::{Context, Ended};

pub(super) fn run(context: &mut Context<'_>, ask: bool) -> anyhow::Result<Ended> {
    let instance = context.instance;
    let Some(client) = &instance.timestamps else {
        if !context.console.json {
            context.console.line(
                "no `[timestamps]`: when this log had what is in it, only your own clock says, and \
                 witnesses if you ask any",
            )?;
        }
        return Ok(Ended::Done);
    };
    let mut rows = Vec::new();
    let mut is_sick = false;
    for authority in client.authorities() {
        if ask {
            // What came of it is in the standing.
            client.ask(authority).ok();
        }
        let standing = client.standing(authority);
        is_sick |= standing.fault.is_some();
        let time = standing.newest.map(|(_, time)| time.to_string());
        let size = standing.newest.map(|(size, _)| size);
        if context.console.json {
            context.console.object(&json!({
                "id": authority.name,
                "url": authority.url,
                "stamped": time,
                "size": size,
                "kept": standing.kept,
                "signer_checked": authority.trusted.is_some(),
                "trouble": standing.fault,
            }))?;
            continue;
        }
        rows.push(vec![
            authority.name.clone(),
            time.unwrap_or_else(|| "never".to_owned()),
            size.map_or_else(|| "-".to_owned(), |size| size.to_string()),
            standing.kept.to_string(),
            standing.fault.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if !context.console.json {
        let heads = ["AUTHORITY", "STAMPED", "SIZE", "KEPT", "TROUBLE"];
        context.console.table(&heads, &rows)?;
    }
    Ok(if is_sick { Ended::Found } else { Ended::Done })
}
