//! `query`: read-only SQL over the archive.

use std::time::Duration;

use deedtrail_core::port::archive::{OutputFormat, QueryBudget};

use super::{Context, Ended};
use crate::args::{Format, Query};
use crate::output::{Data, counted};

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
    let form = match format {
        OutputFormat::Table => Data::Table,
        OutputFormat::Json => Data::Json,
        OutputFormat::Csv => Data::Csv,
        OutputFormat::Parquet => {
            anyhow::ensure!(
                !context.console.screen,
                "Parquet is not for a terminal: write it to a file, `… --format parquet > FILE`"
            );
            Data::Bytes
        }
    };
    let archive = &context.instance.app.ports.archive;
    let mut out = context.console.data(form);
    let cost = archive.query(
        &context.principal.tenant,
        &query.sql,
        format,
        budget,
        &mut out,
    )?;
    let rows = |rows: u64, noun| counted(usize::try_from(rows).unwrap_or(usize::MAX), noun);
    context.console.say(format_args!(
        "{} in {:.3} s (archive version {}, {})",
        rows(cost.rows, "row"),
        cost.elapsed.as_secs_f64(),
        cost.version,
        rows(cost.hot_rows, "hot row")
    ))?;
    Ok(Ended::Done)
}
