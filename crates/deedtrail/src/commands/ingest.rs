//! `ingest`: files, globs and standard input through the same intake as HTTP.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deedtrail_app::intake::IngestAnswer;
use deedtrail_core::id::SourceName;
use deedtrail_feeds::pull::{Input, Interrupted, take_once};
use serde::Serialize;

use super::{Context, Ended};
use crate::args::Ingest;
use crate::instance::known_source;
use crate::output::{Progress, counted};

/// Most quarantine reasons printed for one file.
const REASONS_MAX: usize = 5;

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    #[serde(flatten)]
    answer: &'a IngestAnswer,
}

pub(super) fn run(context: &mut Context<'_>, ingest: &Ingest) -> anyhow::Result<Ended> {
    let facts = context.app().ports.mapper.sources().into_iter();
    let names = facts.map(|facts| facts.name);
    let source = ingest.source.as_deref();
    let source = source.map(|name| known_source(name, names)).transpose()?;
    let source = source.as_ref();
    let mut failed = false;
    let mut all = IngestAnswer::default();
    let state = context.instance.config.data.join("state");
    let mut interrupted = Interrupted::open(context.app(), &state)?;
    let mut count = 0;
    for file in expand(context.folder, &ingest.files)? {
        match take_file(context, source, &file, &mut interrupted) {
            Ok(answer) => {
                report(context, source, &file, &answer)?;
                all.absorb(answer);
                count += 1;
            }
            Err(error) => {
                failed = true;
                context.console.complain(&error.context(file))?;
            }
        }
    }
    context.instance.settle()?;
    if count > 1 && !context.console.json {
        let files = counted(count, "file");
        context
            .console
            .line(format_args!("{files}: {}", figures(&all)))?;
    }
    if all.conflicts > 0 {
        context.console.say(
            "id conflicts: other content under an id that is known. Both are kept and judged, and a finding \
             tells of it",
        )?;
    }
    if failed {
        return Ok(Ended::Found);
    }
    finish(context, source, &all)
}

/// Says what is left to do.
fn finish(
    context: &mut Context<'_>,
    source: Option<&SourceName>,
    all: &IngestAnswer,
) -> anyhow::Result<Ended> {
    let of_source = of_source(source);
    if all.records > 0 && all.quarantined + all.waiting == all.records {
        let understood = source.map_or_else(String::new, |source| format!(" as {source}"));
        let way_out = match source {
            Some(_) => "is it the right source? `deedtrail source detect FILE` tells",
            None => "if you know what they are, take them again with `--source`, and dismiss these",
        };
        context.console.say(format_args!(
            "nothing was understood{understood}: every record is kept and waits in quarantine; \
             {way_out}, `deedtrail quarantine list{of_source}` says why"
        ))?;
        return Ok(Ended::NothingUnderstood);
    }
    if all.waiting > 0 {
        context.console.say(format_args!(
            "{} that came before still wait in quarantine, sending them again does not help: \
             `deedtrail quarantine list{of_source}` says why; mend the mapping, then \
             `deedtrail replay{of_source}`",
            counted(usize::try_from(all.waiting)?, "record")
        ))?;
    }
    Ok(Ended::Done)
}

/// The option of other commands that means the same records.
fn of_source(source: Option<&SourceName>) -> String {
    source.map_or_else(String::new, |source| format!(" --source {source}"))
}

/// Globs are expanded here too, for shells that do not and for quoted patterns.
pub(super) fn expand(folder: &Path, files: &[String]) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for file in files {
        if file == "-" || folder.join(file).try_exists()? {
            paths.push(file.clone());
            continue;
        }
        let pattern = folder.join(file);
        let matches: Vec<PathBuf> =
            glob::glob(&pattern.to_string_lossy())?.collect::<Result<_, _>>()?;
        anyhow::ensure!(!matches.is_empty(), "no file matches {file}");
        paths.extend(
            matches
                .iter()
                .map(|path| path.to_string_lossy().into_owned()),
        );
    }
    Ok(paths)
}

fn take_file(
    context: &mut Context<'_>,
    source: Option<&SourceName>,
    file: &str,
    interrupted: &mut Interrupted,
) -> anyhow::Result<IngestAnswer> {
    let opened;
    let (reader, from): (Box<dyn Read + Send>, _) = if file == "-" {
        let input = std::mem::replace(&mut context.console.input, Box::new(std::io::empty()));
        (input, None)
    } else {
        let path = context.path(file);
        opened = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let facts = opened.metadata()?;
        anyhow::ensure!(!facts.is_dir(), "a folder; name its files, or '{file}/*'");
        let name = path.to_string_lossy().into_owned();
        // A pipe has no place to go on from.
        let from = facts.is_file().then_some((&opened, name, facts.len()));
        (Box::new(opened.try_clone()?), from)
    };
    let app = &context.instance.app;
    let console = &mut *context.console;
    let mut progress = Progress::new(from.as_ref().map_or(0, |(_, _, bytes)| *bytes), "bytes");
    let input = Input {
        source,
        reader,
        file: from,
    };
    let mut told = |bytes| progress.reach(console, bytes);
    let answer = take_once(app, &context.principal, input, interrupted, &mut told)?;
    progress.end(console)?;
    Ok(answer)
}

/// What became of records.
fn figures(answer: &IngestAnswer) -> String {
    let waiting = match answer.waiting {
        0 => String::new(),
        waiting => format!(" ({waiting} of them still in quarantine)"),
    };
    format!(
        "{} records, {} accepted, {} duplicates{waiting}, {} id conflicts, {} quarantined",
        answer.records, answer.accepted, answer.duplicates, answer.conflicts, answer.quarantined,
    )
}

fn report(
    context: &mut Context<'_>,
    source: Option<&SourceName>,
    file: &str,
    answer: &IngestAnswer,
) -> anyhow::Result<()> {
    if context.console.json {
        context.console.object(&Line { file, answer })?;
        return Ok(());
    }
    let figures = figures(answer);
    context.console.line(format_args!("{file}: {figures}"))?;
    if source.is_none() {
        for (source, records) in &answer.sources {
            context
                .console
                .say(format_args!("  {records} as {source}"))?;
        }
    }
    let shown = answer.quarantine.iter().take(REASONS_MAX);
    let more = answer.quarantined - shown.len() as u64;
    for note in shown {
        context
            .console
            .say(format_args!("  record {}: {}", note.line, note.reason))?;
    }
    if more > 0 {
        context.console.say(format_args!(
            "  and {more} more: `deedtrail quarantine list{}`",
            of_source(source)
        ))?;
    }
    Ok(())
}
