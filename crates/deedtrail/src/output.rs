//! Where a command reads and writes: a terminal, a pipe, or the other end of the socket.

use std::io::{self, BufWriter, IsTerminal as _, Read, Write};
use std::time::Duration;

use deedtrail_core::visible::{Breaks, is_deceptive, visible};
use indicatif::{HumanCount, HumanDuration, ProgressBar};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

/// Least time between two drawings of a progress line.
const REDRAW: Duration = Duration::from_millis(200);

/// Input, output and talk of one command.
pub(crate) struct Console {
    pub(crate) input: Box<dyn Read + Send>,
    pub(crate) out: Box<dyn Write + Send>,
    pub(crate) err: Box<dyn Write + Send>,
    /// Whether a person watches `err`.
    pub(crate) terminal: bool,
    /// Whether `out` goes to a terminal, where bytes of a vendor's field would act.
    pub(crate) screen: bool,
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
            screen: io::stdout().is_terminal(),
            json,
        }
    }

    /// Prints one line of data, whatever is in it.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{}", shown(&text.to_string(), Breaks::Shown))
    }

    /// Prints an empty line and a heading.
    pub(crate) fn section(&mut self, heading: impl std::fmt::Display) -> io::Result<()> {
        self.out.write_all(b"\n")?;
        self.line(heading)
    }

    /// Prints text of our own that has line breaks.
    pub(crate) fn lines(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", shown(text.trim_end(), Breaks::Kept))
    }

    /// Prints one line of talk, whatever is in it.
    pub(crate) fn say(&mut self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.err, "{}", shown(&text.to_string(), Breaks::Shown))
    }

    /// Prints why a command failed; what other parts say may have line breaks.
    pub(crate) fn complain(&mut self, error: &anyhow::Error) -> io::Result<()> {
        let text = format!("error: {}", causes(error));
        writeln!(self.err, "{}", shown(text.trim_end(), Breaks::Kept))
    }

    /// Prints one object as a line of NDJSON.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.data(Data::Json).write_all(&line)
    }

    /// Where data goes. To a pipe or file it stays as it is; on a terminal JSON has escapes (the
    /// same data), and anything else shows what would act.
    pub(crate) fn data(&mut self, form: Data) -> LineWriter<'_> {
        let exact = !self.screen && form != Data::Table;
        LineWriter {
            out: &mut *self.out,
            form: (!exact).then_some(form),
            line: Vec::new(),
        }
    }

    /// Prints rows below headings, columns aligned; the last column is not padded.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let head = headings.iter().map(|h| (*h).to_owned()).collect();
        let cells = |row: &Vec<String>| -> Vec<String> {
            row.iter().map(|cell| shown(cell, Breaks::Shown)).collect()
        };
        let rows: Vec<Vec<String>> = std::iter::once(&head).chain(rows).map(cells).collect();
        let mut widths = vec![0; headings.len()];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        for row in rows {
            let mut line = String::new();
            for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(cell);
                if place + 1 < row.len() {
                    let gap = width.saturating_sub(cell.width()) + 2;
                    line.extend(std::iter::repeat_n(' ', gap));
                }
            }
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `1 event`, `2 events`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// An error and its causes, without those that the text before them ends with already.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text.extend([": ", &cause]);
        }
    }
    text
}

fn shown(text: &str, breaks: Breaks) -> String {
    visible(text.chars(), breaks)
}

/// What data looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// For people; never exact.
    Table,
    Json,
    Csv,
    /// Never on a terminal.
    Bytes,
}

/// Writes data line by line, harmless where somebody looks at it.
pub(crate) struct LineWriter<'a> {
    out: &'a mut (dyn Write + Send),
    /// `None`: bytes pass as they are.
    form: Option<Data>,
    line: Vec<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(form) = self.form else {
            return self.out.write(bytes);
        };
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let text = String::from_utf8_lossy(&line);
                self.out.write_all(harmless(&text, form).as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    /// Everything that is written as data ends with a line break, so no part of a line waits.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn harmless(line: &str, form: Data) -> String {
    if form != Data::Json {
        return shown(line, Breaks::Kept);
    }
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        if is_deceptive(character) && character != '\n' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.extend(["\\u", &format!("{unit:04x}")]);
            }
        } else {
            text.push(character);
        }
    }
    text
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;pwned\u{7}\u{9b}31m\r\nb\u{202e}\u{200b}\u{feff}";

    #[derive(Clone, Default)]
    struct Sheet(Arc<Mutex<Vec<u8>>>);

    impl Write for Sheet {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a console prints on both of its streams.
    fn printed(screen: bool, print: impl FnOnce(&mut Console) -> io::Result<()>) -> String {
        let sheet = Sheet::default();
        let mut console = Console {
            input: Box::new(io::empty()),
            out: Box::new(sheet.clone()),
            err: Box::new(sheet.clone()),
            terminal: screen,
            screen,
            json: false,
        };
        print(&mut console).unwrap();
        let bytes = sheet.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_line_for_people_holds_what_a_terminal_would_obey() {
        let row = vec![HOSTILE.to_owned(), HOSTILE.to_owned()];
        let error = anyhow::anyhow!("{HOSTILE}");
        for text in [
            printed(false, |console| console.line(HOSTILE)),
            printed(false, |console| console.say(HOSTILE)),
            printed(false, |console| console.table(&["A", "B"], &[row])),
        ] {
            let lines = text.lines().count();
            assert!(lines <= 2, "{text:?}");
            assert!(!text.replace('\n', "").contains(is_deceptive), "{text:?}");
        }
        let text = printed(false, |console| console.complain(&error));
        assert!(!text.replace('\n', "").contains(is_deceptive), "{text:?}");
    }

    #[test]
    fn data_is_exact_in_a_pipe_and_harmless_on_a_terminal() {
        let piped = printed(false, |console| console.object(&HOSTILE));
        let screen = printed(true, |console| console.object(&HOSTILE));
        assert_ne!(piped, screen);
        assert!(
            !screen.replace('\n', "").contains(is_deceptive),
            "{screen:?}"
        );
        for text in [piped, screen] {
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), HOSTILE);
        }
        let csv = |console: &mut Console| writeln!(console.data(Data::Csv), "{HOSTILE}");
        assert_eq!(printed(false, csv), format!("{HOSTILE}\n"));
        assert!(!printed(true, csv).replace('\n', "").contains(is_deceptive));
        let table = |console: &mut Console| writeln!(console.data(Data::Table), "{HOSTILE}");
        assert_eq!(printed(false, table), printed(true, table));
    }

    #[test]
    fn columns_align_by_width_and_not_by_length() {
        let rows = [["日本", "x"], ["ab\u{301}", "y"]].map(|row| row.map(str::to_owned).to_vec());
        let text = printed(false, |console| console.table(&["A", "B"], &rows));
        assert_eq!(text, "A     B\n日本  x\nab\u{301}    y\n");
    }
}
