//! A file taken once, by command: from where an interrupted run left it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_app::intake::{Delivery, IngestAnswer, IngestError, KeyMaker, UNLABELLED};
use deedtrail_core::id::SourceName;
use deedtrail_core::limits::{RECORD_BYTES_MAX, REQUEST_BYTES_MAX};
use deedtrail_core::port::mapper::{Encoding, FrameError};

use super::book::Book;
use super::limits::HEAD_BYTES;
use super::lines::Lines;
use super::part::{End, first_line, is_document, read_part};
use super::stream::{is_packed, unpacked};
use super::way::Untaken;

/// Name of the book.
const BOOK: &str = "ingest";

#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    #[error("it is one document of over {limit_bytes} bytes; write its records one per line")]
    Document { limit_bytes: usize },
    #[error(transparent)]
    Untaken(#[from] Untaken),
}

impl From<io::Error> for OnceError {
    fn from(error: io::Error) -> Self {
        Self::Untaken(error.into())
    }
}

impl From<IngestError> for OnceError {
    fn from(error: IngestError) -> Self {
        Self::Untaken(error.into())
    }
}

/// Files of which a part was taken before a run was cut short.
#[derive(Debug)]
pub struct Interrupted {
    book: Book,
    files: BTreeMap<String, Lines>,
}

impl Interrupted {
    /// Reads them from the folder `state`.
    pub fn open(app: &App, state: &Path) -> io::Result<Self> {
        let (book, files) = Book::open(app, state, BOOK)?;
        Ok(Self { book, files })
    }
}

/// A file, or something else that is read to its end.
pub struct Input<'a> {
    /// `None` where each record tells its own.
    pub source: Option<&'a SourceName>,
    pub reader: Box<dyn Read + Send>,
    /// The file where it is one, its name, and its size in bytes.
    pub file: Option<(&'a File, String, u64)>,
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Input");
        shown
            .field("source", &self.source)
            .field("file", &self.file);
        shown.finish_non_exhaustive()
    }
}

/// Takes all of `input`. Of a file of lines it is noted how far it came, so that another run goes
/// on there if this one is cut short. `progress` is told how many bytes were read.
pub fn take_once(
    app: &App,
    principal: &Principal,
    input: Input<'_>,
    interrupted: &mut Interrupted,
    progress: &mut dyn FnMut(u64) -> io::Result<()>,
) -> Result<IngestAnswer, OnceError> {
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted {
        reader: input.reader,
        read: Arc::clone(&read),
    };
    let mut packed = BufReader::with_capacity(1 << 20, counted);
    let is_packed = is_packed(packed.fill_buf()?);
    let size = input.file.as_ref().map_or(u64::MAX, |(_, _, size)| *size);
    let mut reader = unpacked(&*app.ports.tables, packed, size)?;
    let mut head = Vec::new();
    (&mut reader)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let mut run = Run {
        app,
        principal,
        source: input.source,
        header: app.ports.mapper.header(input.source, &head),
        keys: KeyMaker::of_file(first_line(&head)),
        answer: IngestAnswer::default(),
    };
    let mut told = || progress(read.load(Relaxed));
    if is_document(&head) {
        run.document(&mut head.as_slice().chain(reader))?;
        told()?;
        return Ok(run.answer);
    }
    match input.file.filter(|_| !is_packed) {
        None => run.lines(0, &mut head.as_slice().chain(reader), &mut |_, _| told())?,
        Some((file, name, _)) => {
            drop(reader);
            run.file(file, &name, &head, interrupted, progress)?;
        }
    }
    Ok(run.answer)
}

struct Counted<R> {
    reader: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

struct Run<'a> {
    app: &'a App,
    principal: &'a Principal,
    source: Option<&'a SourceName>,
    header: Option<&'a [u8]>,
    keys: KeyMaker,
    answer: IngestAnswer,
}

impl Run<'_> {
    fn document(&mut self, reader: &mut dyn BufRead) -> Result<(), OnceError> {
        let mut body = Vec::new();
        reader
            .take(REQUEST_BYTES_MAX as u64 + 1)
            .read_to_end(&mut body)?;
        if body.len() > REQUEST_BYTES_MAX {
            let limit_bytes = REQUEST_BYTES_MAX;
            return Err(OnceError::Document { limit_bytes });
        }
        self.take(&body)
    }

    /// A file of lines, from where it was left.
    fn file(
        &mut self,
        file: &File,
        name: &str,
        head: &[u8],
        interrupted: &mut Interrupted,
        progress: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> Result<(), OnceError> {
        let source = self.source.map_or(UNLABELLED, SourceName::as_str);
        let key = format!("{source} {name}");
        let mut from = 0;
        let left = interrupted.files.remove(&key);
        if let Some(left) = left
            && left.are_of(file, file.metadata()?.len())?
        {
            from = left.offset;
            self.keys = left.recall(self.app, self.source, file, head)?;
        }
        let mut reader = file;
        reader.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::with_capacity(1 << 20, reader);
        let app = self.app;
        let Interrupted { book, files } = interrupted;
        self.lines(from, &mut reader, &mut |offset, keys| {
            progress(offset)?;
            if book.is_due() {
                let lines = Lines::until(file, offset, keys.remembered() > 0)?;
                files.insert(key.clone(), lines);
                book.save(app, files)?;
            }
            Ok(())
        })?;
        // Another run reads it from its beginning again.
        if files.remove(&key).is_some() || from > 0 {
            book.save(app, files)?;
        }
        Ok(())
    }

    /// Tells `taken` how far it came, after each part.
    fn lines(
        &mut self,
        from: u64,
        reader: &mut dyn BufRead,
        taken: &mut dyn FnMut(u64, &KeyMaker) -> io::Result<()>,
    ) -> Result<(), OnceError> {
        let mut offset = from;
        loop {
            let mut body = Vec::new();
            // At the beginning it is among the lines.
            if let Some(header) = self
                .header
                .filter(|header| offset > 0 && !header.is_empty())
            {
                body.extend_from_slice(header);
                body.push(b'\n');
            }
            let before = body.len();
            let cut = read_part(reader, &mut body, self.header.is_some())?;
            if cut.end == End::TooLong {
                let lines = memchr::memchr_iter(b'\n', &body[..cut.whole]).count();
                let error = FrameError::RecordTooLarge {
                    line: lines as u64 + 1,
                    limit_bytes: RECORD_BYTES_MAX,
                };
                return Err(IngestError::from(error).into());
            }
            if body.len() > before {
                self.take(&body)?;
                offset += (body.len() - before) as u64;
                taken(offset, &self.keys)?;
            }
            if cut.end == End::Ended {
                return Ok(());
            }
        }
    }

    fn take(&mut self, body: &[u8]) -> Result<(), OnceError> {
        let delivery = Delivery {
            source: self.source,
            encoding: Encoding::Identity,
            body,
        };
        let taken = self
            .app
            .ingest_part(self.principal, delivery, &mut self.keys)?;
        self.answer.absorb(taken);
        Ok(())
    }
}
