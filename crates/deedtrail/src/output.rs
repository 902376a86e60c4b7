//! Where a command reads and writes: a terminal, a pipe, or the other end of the socket.

use std::io::{self, BufWriter, IsTerminal as _, Read, Write};
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar};
use serde::Serialize;

/// Least time between two drawings of a progress line.
const REDRAW: Duration = Duration::from_millis(200);

/// Input, output and talk of one command.
pub(crate) struct Console {
    pub(crate) input: Box<dyn Read + Send>,
    pub(crate) out: Box<dyn Write + Send>,
    pub(crate) err: Box<dyn Write + Send>,
    /// Whether a person watches `err`.
    pub(crate) terminal: bool,
    /// Whether `--json` was given.
    pub(crate) json: bool,
}

impl Console {
    /// The process's own streams.
    pub(crate) fn local(json: bool) -> Self {
        Self {
            input: Box::new(io::stdin()),
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            terminal: io::stderr().is_terminal(),
            json,
        }
    }

    /// Prints one line of data.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Prints one line of talk.
    pub(crate) fn say(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.err, "{text}")
    }

    /// Prints one object as a line of NDJSON.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Prints rows below headings, columns aligned; the last column is not padded.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let head: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
        for row in std::iter::once(&head).chain(rows) {
            let mut line = String::new();
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(&printable(cell));
                if place + 1 < row.len() {
                    let used = cell.chars().count();
                    line.extend(std::iter::repeat_n(' ', width.saturating_sub(used) + 2));
                }
            }
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text for a terminal: control characters (escape sequences in a vendor's field) made harmless.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A line with count, rate and time left, redrawn in place; silent when nobody watches.
pub(crate) struct Progress {
    bar: ProgressBar,
    drawn: Duration,
    unit: &'static str,
}

impl Progress {
    /// `total` is what `unit` counts.
    pub(crate) fn new(total: u64, unit: &'static str) -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(total), indicatif::ProgressDrawTarget::hidden());
        Self {
            bar,
            drawn: Duration::ZERO,
            unit,
        }
    }

    /// Moves to `done` and redraws now and then.
    pub(crate) fn reach(&mut self, console: &mut Console, done: u64) -> io::Result<()> {
        self.bar.set_position(done);
        let elapsed = self.bar.elapsed();
        if console.terminal && elapsed.saturating_sub(self.drawn) >= REDRAW {
            self.drawn = elapsed;
            let total = self.bar.length().unwrap_or(done);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive"
            )]
            let rate = HumanCount(rate as u64);
            write!(
                console.err,
                "\r\x1b[2K{} of {} {} · {rate}/s · {} left",
                HumanCount(done),
                HumanCount(total),
                self.unit,
                HumanDuration(self.bar.eta()),
            )?;
            console.err.flush()?;
        }
        Ok(())
    }

    /// Wipes the line.
    pub(crate) fn end(self, console: &mut Console) -> io::Result<()> {
        if console.terminal && self.drawn > Duration::ZERO {
            write!(console.err, "\r\x1b[2K")?;
        }
        Ok(())
    }
}
