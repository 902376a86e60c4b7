//! `ingest`: files, globs and standard input through the same intake as HTTP.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use deedtrail_app::intake::{Delivery, IngestAnswer, KeyMaker};
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{RECORD_BYTES_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::mapper::Encoding;
use serde::Serialize;

use super::{Context, Ended};
use crate::args::Ingest;
use crate::instance::known_source;
use crate::output::Progress;

/// Bytes of a line-oriented file sent as one delivery.
const DELIVERY_BYTES: usize = 4 << 20;
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
    let source = known_source(&ingest.source, facts.map(|facts| facts.name))?;
    let mut failed = false;
    let mut all = IngestAnswer::default();
    for file in expand(context, &ingest.files)? {
        match take_file(context, &source, &file) {
            Ok(answer) => {
                report(context, &source, &file, &answer)?;
                all.absorb(answer);
            }
            Err(error) => {
                failed = true;
                context.console.say(format_args!("{file}: {error:#}"))?;
            }
        }
    }
    context.instance.settle()?;
    if failed {
        return Ok(Ended::Found);
    }
    if all.records > 0 && all.quarantined == all.records {
        context.console.say(format_args!(
            "nothing was understood as {source}: every record is kept and waits in quarantine; is \
             it the right source? See `deedtrail quarantine list --source {source}`"
        ))?;
        return Ok(Ended::NothingUnderstood);
    }
    Ok(Ended::Done)
}

/// Globs are expanded here too, for shells that do not and for quoted patterns.
fn expand(context: &Context<'_>, files: &[String]) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for file in files {
        if file == "-" || context.path(file).try_exists()? {
            paths.push(file.clone());
            continue;
        }
        let pattern = context.path(file);
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
    source: &SourceName,
    file: &str,
) -> anyhow::Result<IngestAnswer> {
    if file == "-" {
        let input = std::mem::replace(&mut context.console.input, Box::new(std::io::empty()));
        return take(context, source, input, Encoding::Identity, 0);
    }
    let path = context.path(file);
    let opened = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let facts = opened.metadata()?;
    anyhow::ensure!(!facts.is_dir(), "a folder; name its files, or '{file}/*'");
    let encoding = encoding_of(&path);
    take(context, source, Box::new(opened), encoding, facts.len())
}

fn encoding_of(path: &Path) -> Encoding {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Encoding::Gzip,
        Some("zst" | "zstd") => Encoding::Zstd,
        _ => Encoding::Identity,
    }
}

/// A compressed file is one delivery; a plain one is cut at line ends, so that its size has no
/// limit. A JSON document over many lines is one delivery too.
fn take(
    context: &mut Context<'_>,
    source: &SourceName,
    input: Box<dyn Read + Send>,
    encoding: Encoding,
    total: u64,
) -> anyhow::Result<IngestAnswer> {
    let mut reader = BufReader::with_capacity(1 << 20, input);
    let whole = encoding != Encoding::Identity || starts_a_document(reader.fill_buf()?);
    let mut answer = IngestAnswer::default();
    let mut keys = KeyMaker::default();
    let mut progress = Progress::new(total, "bytes");
    let mut body = Vec::new();
    let mut done = 0_u64;
    loop {
        body.clear();
        let ended = if whole {
            read_whole(&mut reader, &mut body)?;
            true
        } else {
            read_lines(&mut reader, &mut body)?
        };
        done += body.len() as u64;
        if !body.is_empty() {
            let delivery = Delivery {
                source,
                encoding,
                body: &body,
            };
            let app = context.app();
            answer.absorb(app.ingest_part(&context.principal, delivery, &mut keys)?);
        }
        progress.reach(context.console, done)?;
        if ended {
            progress.end(context.console)?;
            return Ok(answer);
        }
    }
}

/// Whether the input is no lines of JSON: an array, a pretty-printed document, or compressed.
fn starts_a_document(head: &[u8]) -> bool {
    let is_binary = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    if head.iter().take(4).any(is_binary) || head.starts_with(&[0x28, 0xb5]) {
        return true;
    }
    let trimmed = head.trim_ascii_start();
    let line = trimmed
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let whole_line = trimmed.len() > line.len();
    trimmed.starts_with(b"[") || (whole_line && line.starts_with(b"{") && !line.ends_with(b"}"))
}

fn read_whole(reader: &mut impl Read, body: &mut Vec<u8>) -> anyhow::Result<()> {
    let limit = REQUEST_BYTES_MAX as u64;
    reader.take(limit + 1).read_to_end(body)?;
    anyhow::ensure!(
        body.len() as u64 <= limit,
        "the file is one document of over {limit} bytes; write its records one per line",
    );
    Ok(())
}

/// Reads about [`DELIVERY_BYTES`] up to a line end; true at the end of the file. A line that is
/// longer than any record is read so far that the intake refuses it.
fn read_lines(reader: &mut impl std::io::BufRead, body: &mut Vec<u8>) -> anyhow::Result<bool> {
    let limit = RECORD_BYTES_MAX as u64 + 1;
    while body.len() < DELIVERY_BYTES {
        match reader.by_ref().take(limit).read_until(b'\n', body)? as u64 {
            0 => return Ok(true),
            read if read == limit => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

fn report(
    context: &mut Context<'_>,
    source: &SourceName,
    file: &str,
    answer: &IngestAnswer,
) -> anyhow::Result<()> {
    if context.console.json {
        context.console.object(&Line { file, answer })?;
        return Ok(());
    }
    context.console.line(format_args!(
        "{file}: {} records, {} accepted, {} duplicates, {} id conflicts, {} quarantined",
        answer.records, answer.accepted, answer.duplicates, answer.conflicts, answer.quarantined,
    ))?;
    let shown = answer.quarantine.iter().take(REASONS_MAX);
    let more = answer.quarantined - shown.len() as u64;
    for note in shown {
        context
            .console
            .say(format_args!("  record {}: {}", note.line, note.reason))?;
    }
    if more > 0 {
        context.console.say(format_args!(
            "  and {more} more: `deedtrail quarantine list --source {source}`"
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_up_to_a_delivery_and_an_endless_one_up_to_the_record_limit() {
        let mut short = BufReader::new(&b"{}\n{}\n{}"[..]);
        let mut body = Vec::new();
        assert!(read_lines(&mut short, &mut body).unwrap());
        assert_eq!(body, b"{}\n{}\n{}");

        let line = [b"x".repeat(DELIVERY_BYTES - 1), b"\n".to_vec()].concat();
        let lines = line.repeat(2);
        body.clear();
        assert!(!read_lines(&mut BufReader::new(&lines[..]), &mut body).unwrap());
        assert_eq!(body, line);

        body.clear();
        let mut endless = BufReader::new(std::io::repeat(b'x'));
        assert!(!read_lines(&mut endless, &mut body).unwrap());
        assert_eq!(body.len(), RECORD_BYTES_MAX + 1);
    }
}
