//! One look at every file of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use deedtrail_app::feeds::Behind;
use deedtrail_app::intake::KeyMaker;
use deedtrail_core::time::Timestamp;

use super::FolderSettings;
use super::find::{Found, find};
use super::growing::{Growing, Rest, Turn};
use super::known::{Extent, Inode, Known, Memory, Taken};
use crate::pull::book::Book;
use crate::pull::limits::{
    CONTENTS_KEPT, FORMER_MAX, HEAD_BYTES, OPEN_FILES_MAX, REMEMBERED_H, RETRY_PAUSE, RETRY_SHARE,
    SETTLED,
};
use crate::pull::lines::{Lines, Mark};
use crate::pull::part::{first_line, is_document};
use crate::pull::stream::{is_packed, take_whole, unpacked};
use crate::pull::way::{Untaken, Way};

/// A folder that is looked at.
#[derive(Debug)]
pub(in crate::pull) struct Folder {
    way: Way,
    book: Book,
    settings: FolderSettings,
    known: BTreeMap<Inode, Known>,
    former: Vec<Lines>,
    watched: BTreeMap<Inode, Watched>,
    open: BTreeMap<Inode, Open>,
    is_changed: bool,
    /// How long a file must not have changed to be taken as complete.
    pub(super) settled: Duration,
}

/// What was seen of a file since the start.
#[derive(Debug)]
struct Watched {
    extent: Extent,
    /// Since when it is like this.
    since: Instant,
    /// Where it stood when there was nothing to take until it changes.
    done: Option<PathBuf>,
    /// When it may be tried again, and after how long a pause the next time.
    retry: Option<(Instant, Duration)>,
}

/// A file that is kept open.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    keys: Option<KeyMaker>,
    used: Instant,
}

/// What a look came to.
#[derive(Default)]
struct Report {
    behind: u64,
    /// What went wrong first.
    error: Option<String>,
    more: bool,
}

impl Report {
    fn fail(&mut self, text: String) {
        self.error.get_or_insert(text);
    }
}

/// Whether more is to be expected of a file as it is.
#[derive(PartialEq)]
enum Visit {
    /// Nothing until it changes.
    Done,
    Later,
    More,
}

impl Folder {
    pub(super) fn new(way: Way, book: Book, settings: FolderSettings, memory: Memory) -> Self {
        // What was taken as another source is taken again.
        let memory = if memory.source == settings.source {
            memory
        } else {
            Memory::default()
        };
        let files = memory.files.into_iter();
        Self {
            way,
            book,
            settings,
            known: files.map(|one| (one.inode, one)).collect(),
            former: memory.former,
            watched: BTreeMap::new(),
            open: BTreeMap::new(),
            is_changed: false,
            settled: SETTLED,
        }
    }

    pub(in crate::pull) fn feed(&self) -> &str {
        &self.way.feed
    }

    /// Takes what is new; false when there is more at once.
    pub(super) fn look(&mut self) -> bool {
        let mut report = Report::default();
        let mut files = find(&self.settings.files, &mut |trouble| report.fail(trouble));
        let here: BTreeSet<Inode> = files.iter().map(|file| file.inode).collect();
        files.extend(self.gone(&here));
        for file in &files {
            if self.way.stop.is_requested() {
                break;
            }
            self.visit(file, &mut report);
            if self.is_changed && self.book.is_due() {
                self.save(&mut report);
            }
        }
        self.forget(&here);
        if self.is_changed {
            self.save(&mut report);
        }
        self.way.looked(Behind::Bytes(report.behind), report.error);
        !report.more
    }

    /// Files that were kept open and stand nowhere any more.
    fn gone(&mut self, here: &BTreeSet<Inode>) -> Vec<Found> {
        let open = self.open.iter().filter(|(inode, _)| !here.contains(inode));
        let facts = open.filter_map(|(_, open)| Some((open, open.file.metadata().ok()?)));
        let gone = facts.map(|(open, facts)| Found {
            is_gone: true,
            ..Found::new(open.path.clone(), &facts)
        });
        gone.collect()
    }

    fn visit(&mut self, file: &Found, report: &mut Report) {
        let now = Instant::now();
        let watched = self.watched.entry(file.inode).or_insert(Watched {
            extent: file.extent,
            since: now,
            done: None,
            retry: None,
        });
        if watched.extent != file.extent {
            watched.extent = file.extent;
            watched.since = now;
            watched.done = None;
        }
        let is_settled = watched.since.elapsed() >= self.settled;
        if watched.done.as_ref() == Some(&file.path) && !file.is_gone {
            return;
        }
        if watched.retry.is_some_and(|(at, _)| at > now) {
            report.behind += file.extent.bytes;
            report.error.get_or_insert_with(|| self.last_error());
            return;
        }
        let visit = self.take(file, is_settled, report);
        let watched = self.watched.get_mut(&file.inode);
        match visit {
            Ok(visit) => {
                if let Some(watched) = watched {
                    watched.retry = None;
                    watched.done = (visit == Visit::Done).then(|| file.path.clone());
                }
                report.more |= visit == Visit::More;
                if visit == Visit::Done && file.is_gone && is_settled {
                    self.open.remove(&file.inode);
                    self.watched.remove(&file.inode);
                }
            }
            Err(Untaken::Stopped) => {}
            Err(error) => {
                report.behind += file.extent.bytes;
                report.fail(format!("{}: {error}", file.shown()));
                if let Some(watched) = watched {
                    let pause = watched.retry.map_or(RETRY_PAUSE[0], |(_, pause)| pause * 2);
                    let pause = pause.min(RETRY_PAUSE[1]).max(now.elapsed() * RETRY_SHARE);
                    watched.retry = Some((now + pause, pause));
                }
                if let Some(open) = self.open.get_mut(&file.inode) {
                    // What a failed attempt has counted must not count for the next.
                    open.keys = None;
                }
            }
        }
    }

    /// What went wrong last, which still does.
    fn last_error(&self) -> String {
        let states = self.way.app.feeds.all();
        let error = states
            .get(&self.way.feed)
            .and_then(|state| state.last_error.clone());
        error.map_or_else(
            || "a file is tried again soon".to_owned(),
            |error| error.text,
        )
    }

    fn take(
        &mut self,
        file: &Found,
        is_settled: bool,
        report: &mut Report,
    ) -> Result<Visit, Untaken> {
        let known = self.known.get(&file.inode).map(|known| &known.taken);
        if known == Some(&Taken::Whole(file.extent)) {
            return Ok(Visit::Done);
        }
        let Some(opened) = self.opened(file)? else {
            return Ok(Visit::Later);
        };
        let mut head = Vec::new();
        let mut reader = &opened;
        reader.seek(SeekFrom::Start(0))?;
        reader.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        if is_packed(&head) || is_document(&head) {
            if !is_settled && !file.is_gone {
                report.behind += file.extent.bytes;
                return Ok(Visit::Later);
            }
            return self.take_whole(file, &opened);
        }
        self.take_lines(file, opened, &head, is_settled, report)
    }

    /// The file, unless another one stands at its path by now.
    fn opened(&self, file: &Found) -> io::Result<Option<File>> {
        if let Some(open) = self.open.get(&file.inode) {
            return open.file.try_clone().map(Some);
        }
        let opened = File::open(&file.path)?;
        let is_same = Inode::of(&opened.metadata()?) == file.inode;
        Ok(is_same.then_some(opened))
    }

    fn take_whole(&mut self, file: &Found, opened: &File) -> Result<Visit, Untaken> {
        let mut reader = opened;
        reader.seek(SeekFrom::Start(0))?;
        let reader = BufReader::with_capacity(1 << 20, reader);
        let mut input = unpacked(&*self.way.app.ports.tables, reader, file.extent.bytes)?;
        let (source, place) = (self.settings.source.as_ref(), file.shown());
        take_whole(&self.way, source, &mut *input, None, &place)?;
        drop(input);
        self.remember(file, Taken::Whole(file.extent));
        Ok(Visit::Done)
    }

    fn take_lines(
        &mut self,
        file: &Found,
        opened: File,
        head: &[u8],
        is_settled: bool,
        report: &mut Report,
    ) -> Result<Visit, Untaken> {
        let before = self.resume(file, &opened)?;
        let offset = before.as_ref().map_or(0, |lines| lines.offset);
        let was_moved = |known: &Known| known.path != file.shown();
        let is_moved = file.is_gone || self.known.get(&file.inode).is_some_and(was_moved);
        let rest = match (is_settled, is_moved) {
            (false, _) => Rest::Waits,
            (true, false) => Rest::IfComplete,
            (true, true) => Rest::Taken,
        };
        let shown = file.shown();
        let source = self.settings.source.as_ref();
        let app = &self.way.app;
        let mut growing = Growing {
            way: &self.way,
            source,
            file: &opened,
            header: app.ports.mapper.header(source, head),
            path: &shown,
            offset,
        };
        let kept = self
            .open
            .get_mut(&file.inode)
            .and_then(|open| open.keys.take());
        let mut keys = match (kept, before) {
            (Some(keys), _) => keys,
            (None, Some(lines)) => lines.recall(app, source, &opened, head)?,
            (None, None) => KeyMaker::of_file(first_line(head)),
        };
        let turn = growing.turn(&mut keys, rest);
        let offset_now = growing.offset;
        if offset_now > offset {
            let counted = keys.remembered() > 0;
            let lines = Lines::until(&opened, offset_now, counted)?;
            self.remember(file, Taken::Lines(lines));
        }
        report.behind += file.extent.bytes.saturating_sub(offset_now);
        let turn = turn?;
        // Before anything was taken it is open how the file begins, which keys depend on.
        self.keep(file, opened, (offset_now > 0).then_some(keys));
        Ok(match turn {
            Turn::More => Visit::More,
            // What waits for its newline may be taken once it stands still.
            Turn::Done if !is_settled && offset_now < file.extent.bytes => Visit::Later,
            Turn::Done => Visit::Done,
        })
    }

    /// What was taken of this file, or of the one it is a copy of.
    fn resume(&mut self, file: &Found, opened: &File) -> io::Result<Option<Lines>> {
        let bytes = opened.metadata()?.len();
        if let Some(known) = self.known.get(&file.inode) {
            match &known.taken {
                Taken::Lines(lines) if lines.are_of(opened, bytes)? => {
                    return Ok(Some(lines.clone()));
                }
                Taken::Lines(lines) => {
                    self.former.push(lines.clone());
                    let excess = self.former.len().saturating_sub(FORMER_MAX);
                    self.former.drain(..excess);
                }
                Taken::Whole(_) => {}
            }
            self.known.remove(&file.inode);
            self.open.remove(&file.inode);
        }
        let copied = self.original(opened, bytes)?;
        if let Some(lines) = &copied {
            self.remember(file, Taken::Lines(lines.clone()));
        }
        Ok(copied)
    }

    /// The longest content taken that this file begins with.
    fn original(&self, opened: &File, bytes: u64) -> io::Result<Option<Lines>> {
        let of_files = self.known.values().filter_map(|known| match &known.taken {
            Taken::Lines(lines) => Some(lines),
            Taken::Whole(_) => None,
        });
        let mut heads: BTreeMap<u64, Mark> = BTreeMap::new();
        let mut longest: Option<&Lines> = None;
        for lines in of_files.chain(&self.former) {
            if lines.offset > bytes || longest.is_some_and(|found| found.offset >= lines.offset) {
                continue;
            }
            let head = if let Some(head) = heads.get(&lines.head.bytes) {
                head
            } else {
                let mark = Mark::read(opened, 0, lines.head.bytes)?;
                heads.entry(lines.head.bytes).or_insert(mark)
            };
            if *head == lines.head && lines.are_of(opened, bytes)? {
                longest = Some(lines);
            }
        }
        Ok(longest.cloned())
    }

    fn remember(&mut self, file: &Found, taken: Taken) {
        let seen = self.way.app.ports.clock.now().as_micros();
        let known = self.known.entry(file.inode).or_insert_with(|| Known {
            inode: file.inode,
            path: file.shown(),
            taken: taken.clone(),
            seen,
        });
        known.taken = taken;
        self.is_changed = true;
    }

    fn keep(&mut self, file: &Found, opened: File, keys: Option<KeyMaker>) {
        let open = Open {
            file: opened,
            path: file.path.clone(),
            keys,
            used: Instant::now(),
        };
        self.open.insert(file.inode, open);
        while self.open.len() > OPEN_FILES_MAX {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.used);
            let Some(oldest) = oldest.map(|(inode, _)| *inode) else {
                break;
            };
            self.open.remove(&oldest);
        }
        let size = |open: &Open| open.keys.as_ref().map_or(0, KeyMaker::remembered);
        while self.open.values().map(size).sum::<usize>() > CONTENTS_KEPT {
            let kept = self.open.values_mut().filter(|open| size(open) > 0);
            let Some(oldest) = kept.min_by_key(|open| open.used) else {
                break;
            };
            oldest.keys = None;
        }
    }

    /// Lets go of files that are gone for long.
    fn forget(&mut self, here: &BTreeSet<Inode>) {
        let now = self.way.app.ports.clock.now();
        let limit = REMEMBERED_H * Timestamp::HOUR_US;
        self.known.retain(|inode, known| {
            if here.contains(inode) {
                known.seen = now.as_micros();
            }
            now.as_micros() - known.seen < limit
        });
        let open = &self.open;
        self.watched
            .retain(|inode, _| here.contains(inode) || open.contains_key(inode));
    }

    fn save(&mut self, report: &mut Report) {
        let memory = Memory {
            source: self.settings.source.clone(),
            files: self.known.values().cloned().collect(),
            former: self.former.clone(),
        };
        match self.book.save(&self.way.app, &memory) {
            Ok(()) => self.is_changed = false,
            Err(error) => report.fail(format!("what was taken cannot be noted: {error}")),
        }
    }
}
