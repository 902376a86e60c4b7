//! `query`: read-only SQL over the archive.

use std::time::Duration;

use deedtrail_core::port::archive::{OutputFormat, QueryBudget};

use super::{Context, Ended};
use crate::args::{Format, Query};

pub(super) fn run(context: &mut Context<'_>, query: &Query) -> anyhow::Result<Ended> {
    let config = &context.instance.config;
    let budget = QueryBudget {
        memory_bytes_max: query.memory.unwrap_or(config.query_memory_mib) << 20,
        time_max: Duration::from_secs(query.timeout.unwrap_or(config.query_timeout_s)),
        ..QueryBudget::default()
    };
    let format = match query.format {
        Format::Table if context.console.json => OutputFormat::Json,
        Format::Table => OutputFormat::Table,
        Format::Json => OutputFormat::Json,
        Format::Csv => OutputFormat::Csv,
        Format::Parquet => OutputFormat::Parquet,
    };
    let archive = &context.instance.app.ports.archive;
    let tenant = &context.principal.tenant;
    let out = &mut context.console.out;
    let cost = archive.query(tenant, &query.sql, format, budget, out)?;
    context.console.say(format_args!(
        "{} rows in {:.3} s (archive version {}, {} hot rows)",
        cost.rows,
        cost.elapsed.as_secs_f64(),
        cost.version,
        cost.hot_rows
    ))?;
    Ok(Ended::Done)
}
