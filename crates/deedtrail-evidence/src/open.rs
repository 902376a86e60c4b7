//! Opening a log: lock, recover, compare with what was signed, catch up, start the threads.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};

use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::port::{Clock, Entropy};

use crate::batch::Compressors;
use crate::config::LogConfig;
use crate::disk::{Disk, DiskLock, read_file};
use crate::identity::{FORMAT, Identity, Origin, signing_seed};
use crate::index::{Index, IndexStore, Row};
use crate::merkle;
use crate::note::{Checkpoint, NoteError, NoteSigner};
use crate::queue::{Queue, Refusal};
use crate::record;
use crate::segment::Check;
use crate::segments::{Damage, OpenSegment, Segments, Tail};
use crate::shared::{CheckpointStore, Progress, Shared};
use crate::tree::Tree;
use crate::watermark::Watermark;
use crate::writer::{End, Writer};

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path} is in use by another process; stop it first")]
    InUse { path: String },
    #[error("cannot {operation}: {source}")]
    Io {
        operation: String,
        source: io::Error,
    },
    #[error("cannot read the log: {0}")]
    Read(#[from] ReadError),
    #[error("{path} has format {found}; this version reads format {FORMAT}")]
    Format { path: String, found: u32 },
    #[error("the log's origin is `{is}`, not `{wanted}`; use `evidence adopt` to change it")]
    OtherOrigin { is: String, wanted: String },
    #[error("bad origin or signing key: {0}")]
    Key(#[from] NoteError),
    #[error(
        "the log has {batches} batches, but {signed} were signed: it was rolled back, for example \
         restored from an old backup; take it over with `evidence adopt`"
    )]
    RolledBack { batches: u64, signed: u64 },
    #[error(
        "the log differs from what was signed at {signed} batches: it is a fork; take it over \
         with `evidence adopt`"
    )]
    Forked { signed: u64 },
    #[error(
        "the log has signed checkpoints as `{origin}`, but {store} knows of none: it is a copy, \
         was restored or was moved; take it over with `evidence adopt`"
    )]
    Moved { origin: String, store: String },
    #[error("the log cannot be taken over while entries are damaged: {0}")]
    Damaged(String),
}

/// Names the operation an I/O error belongs to.
fn during(operation: &str, path: &Path) -> impl Fn(io::Error) -> OpenError {
    let operation = format!("{operation} {}", path.display());
    move |source| OpenError::Io {
        operation: operation.clone(),
        source,
    }
}

/// A new name for a log whose history cannot be continued under the old one.
#[derive(Clone, Debug)]
pub(crate) struct Adoption {
    pub origin: String,
    pub reason: String,
}

impl Adoption {
    fn to_origin(&self, from_batch: u64, around: &Surroundings) -> Origin {
        let since = around.clock.now();
        Origin {
            origin: self.origin.clone(),
            from_batch,
            since,
            reason: self.reason.clone(),
        }
    }
}

/// The surroundings of a log.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What opening yields.
pub(crate) struct Opened {
    pub shared: Arc<Shared>,
    pub writer: Writer,
    pub lock: Box<dyn DiskLock>,
    /// The origin of an adoption whose entry is not in the log yet.
    pub unrecorded: Option<Origin>,
}

pub(crate) fn open(
    config: &LogConfig,
    around: &Surroundings,
    adoption: Option<&Adoption>,
) -> Result<Opened, OpenError> {
    let disk = &around.disk;
    let lock = take_lock(config, &**disk)?;
    let (mut identity, log_id) = identity(config, around)?;
    let key = &config.signing_key;
    let seed = signing_seed(&**disk, key, &*around.entropy)
        .map_err(during("read or create the signing key", key))?;
    let mut signer = NoteSigner::new(identity.current(), &seed)?;
    let segments = open_segments(config, disk, log_id)?;
    let mark = config.folder.join("watermark");
    let (watermark, marked) = Watermark::open(&**disk, &mark).map_err(during("open", &mark))?;
    let recovered = recover(&segments, marked, config)?;
    let tree = restore_tree(config, disk, &signer, &segments, recovered.batches)?;
    if let Some(adoption) = adoption {
        signer = NoteSigner::new(&adoption.origin, &seed)?;
        identity
            .origins
            .push(adoption.to_origin(recovered.batches, around));
    }
    let store = CheckpointStore::new(&config.checkpoint_store, identity.current());
    let is_damaged = !segments.damage().is_empty();
    let checkpoint = compare_with_store(config, (&store, &**disk), &signer, &tree, is_damaged)?;
    let end = recovered.writes_at(&segments, is_damaged)?;
    let (index, covered) = open_index(config, disk, recovered.end)?;
    let shared = Arc::new(Shared {
        folder: config.folder.clone(),
        log_id,
        disk: Arc::clone(disk),
        clock: Arc::clone(&around.clock),
        signer,
        origin: identity.current().to_owned(),
        store,
        queue: Queue::default(),
        segments,
        compressors: Compressors::default(),
        index,
        tree: Mutex::new(tree),
        watermark_file: watermark.file(),
        progress: Mutex::new(Progress {
            end: recovered.end,
            is_closing: false,
        }),
        changed: Condvar::new(),
        closing: Condvar::new(),
        checkpoint: RwLock::new(checkpoint),
        sealing: Mutex::default(),
        is_read_only: AtomicBool::new(is_damaged),
    });
    let mut writer = Writer {
        index: Index::new(Arc::clone(&shared.index), covered),
        shared,
        watermark,
        end,
        tail: recovered.tail,
        segment_bytes: config.segment_bytes,
        frame: vec![],
    };
    prepare(&mut writer, covered, config)?;
    if adoption.is_some() {
        take_over(&identity, &writer, config)?;
    }
    Ok(Opened {
        shared: Arc::clone(&writer.shared),
        unrecorded: unrecorded(identity, &writer),
        writer,
        lock,
    })
}

/// Makes an adoption last; until here nothing was changed that says so.
fn take_over(identity: &Identity, writer: &Writer, config: &LogConfig) -> Result<(), OpenError> {
    if let Some(damage) = writer.shared.damage_text() {
        return Err(OpenError::Damaged(damage));
    }
    save_identity(identity, config, &*writer.shared.disk)
}

/// The newest origin, when it comes from an adoption and no batch was written under it yet: the
/// first one holds the adoption's entry.
fn unrecorded(mut identity: Identity, writer: &Writer) -> Option<Origin> {
    let is_adopted = identity.origins.len() > 1 && !writer.shared.is_read_only();
    let newest = identity.origins.pop().filter(|_| is_adopted);
    newest.filter(|newest| newest.from_batch == writer.end.batch)
}

/// A log whose store knows nothing has not signed anything under this origin yet: the copy of the
/// checkpoint, which is written after the store, must not be there either.
fn check_unsigned(
    config: &LogConfig,
    disk: &dyn Disk,
    origin: &str,
    store: &CheckpointStore,
) -> Result<(), OpenError> {
    let path = config.folder.join("checkpoint");
    let copy = read_file(disk, &path).map_err(during("read", &path))?;
    let first_line = copy
        .as_deref()
        .and_then(|note| note.split(|byte| *byte == b'\n').next());
    if first_line == Some(origin.as_bytes()) {
        return Err(OpenError::Moved {
            origin: origin.to_owned(),
            store: store.path.display().to_string(),
        });
    }
    Ok(())
}

fn open_segments(
    config: &LogConfig,
    disk: &Arc<dyn Disk>,
    log_id: u64,
) -> Result<Segments, OpenError> {
    let folder = config.folder.join("segments");
    Segments::new(Arc::clone(disk), folder.clone(), log_id).map_err(during("list", &folder))
}

fn open_index(
    config: &LogConfig,
    disk: &Arc<dyn Disk>,
    end: Sequence,
) -> Result<(Arc<IndexStore>, Sequence), OpenError> {
    let folder = config.folder.join("index");
    IndexStore::open(
        Arc::clone(disk),
        folder.clone(),
        config.index_rows_in_memory,
        end,
    )
    .map_err(during("open", &folder))
}

/// Makes the writer ready, or the log read-only when it is damaged.
fn prepare(writer: &mut Writer, covered: Sequence, config: &LogConfig) -> Result<(), OpenError> {
    let caught_up = if writer.shared.is_read_only() {
        Ok(())
    } else {
        catch_up(writer, covered)
    };
    if let Some(reason) = writer.shared.damage_text() {
        writer.shared.is_read_only.store(true, Ordering::Release);
        writer.shared.queue.refuse(Refusal::ReadOnly { reason });
        return Ok(());
    }
    caught_up?;
    let marked = writer.watermark.set(writer.end.sequence);
    marked.map_err(during("write the watermark in", &config.folder))
}

fn take_lock(config: &LogConfig, disk: &dyn Disk) -> Result<Box<dyn DiskLock>, OpenError> {
    let folders = [&config.lock, &config.signing_key].map(|file| file.parent());
    let also = [
        Some(config.folder.as_path()),
        Some(config.checkpoint_store.as_path()),
    ];
    for folder in folders.into_iter().chain(also).flatten() {
        disk.create_folder(folder)
            .map_err(during("create", folder))?;
    }
    disk.lock(&config.lock).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::InUse {
            path: config.lock.display().to_string(),
        },
        _ => during("lock", &config.lock)(error),
    })
}

/// Loads the log's identity, or creates it for an empty folder.
fn identity(config: &LogConfig, around: &Surroundings) -> Result<(Identity, u64), OpenError> {
    let path = config.folder.join("identity.json");
    let wanted = config.origin.as_deref();
    let loaded = Identity::load(&*around.disk, &path).map_err(during("read", &path))?;
    let identity = if let Some(identity) = loaded {
        identity
    } else {
        let identity = Identity::create(wanted, around.clock.now(), &*around.entropy);
        save_identity(&identity, config, &*around.disk)?;
        identity
    };
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "the log id is not a number");
    let log_id = identity
        .log_id()
        .ok_or_else(bad)
        .map_err(during("read", &path))?;
    if identity.format != FORMAT {
        return Err(OpenError::Format {
            path: path.display().to_string(),
            found: identity.format,
        });
    }
    if let Some(wanted) =
        wanted.filter(|wanted| !identity.origins.iter().any(|o| o.origin == *wanted))
    {
        let (is, wanted) = (identity.current().to_owned(), wanted.to_owned());
        return Err(OpenError::OtherOrigin { is, wanted });
    }
    Ok((identity, log_id))
}

fn save_identity(
    identity: &Identity,
    config: &LogConfig,
    disk: &dyn Disk,
) -> Result<(), OpenError> {
    let path = config.folder.join("identity.json");
    identity.save(disk, &path).map_err(during("write", &path))
}

struct Recovered {
    batches: u64,
    end: Sequence,
    tail: Option<(Arc<OpenSegment>, Tail)>,
}

impl Recovered {
    /// Where the next batch goes. In a damaged log, to which nothing is written, it follows none.
    fn writes_at(&self, segments: &Segments, is_damaged: bool) -> Result<End, ReadError> {
        let previous = match self.batches.checked_sub(1) {
            Some(last) if !is_damaged => segments.batch_header(last)?.leaf(),
            _ => [0; 32],
        };
        Ok(End {
            batch: self.batches,
            sequence: self.end,
            previous,
        })
    }
}

/// Finds the end of the log. What was never acknowledged and is torn is cut; what was
/// acknowledged and is gone is damage, and then nothing is written at all.
fn recover(
    segments: &Segments,
    marked: Sequence,
    config: &LogConfig,
) -> Result<Recovered, OpenError> {
    let io = during("recover", &config.folder);
    let newest = loop {
        let Some(header) = segments.headers().last().copied() else {
            break None;
        };
        let (segment, scan) = segments.load(header, None, Check::Batches)?;
        let is_unused = crate::read_locked(&segment.frames).is_empty();
        if !is_unused || marked > header.first_sequence {
            break Some((segment, scan));
        }
        if scan.header.is_none() || scan.debris || !scan.frames.is_empty() {
            segments.set_aside(&segment, 0).map_err(&io)?;
        }
        tracing::info!(segment = %segment.path.display(), "removing a segment that was never used");
        segments.drop_unused(&header).map_err(&io)?;
    };
    let frames = newest
        .as_ref()
        .map(|(segment, _)| crate::read_locked(&segment.frames).clone());
    let last = frames.as_ref().and_then(|frames| frames.last().copied());
    let end = last.map_or(0, |frame| frame.header.end_sequence());
    let batches = last.map_or(0, |frame| frame.header.batch + 1);
    check_closed(segments, config)?;
    if marked > end {
        let reason = "acknowledged entries are missing at the end".to_owned();
        segments.report(Damage {
            range: end..marked,
            reason,
        });
    }
    let newest_damage = newest.iter().flat_map(|(segment, _)| &segment.damage);
    newest_damage.for_each(|damage| segments.report(damage.clone()));
    let (Some((segment, scan)), Some(frames)) = (newest, frames) else {
        return Ok(Recovered {
            batches,
            end: end.max(marked),
            tail: None,
        });
    };
    if !segments.damage().is_empty() {
        return Ok(Recovered {
            batches,
            end: end.max(marked),
            tail: None,
        });
    }
    let offset = last.map_or(crate::segment::ALIGNMENT, |frame| {
        frame.offset + frame.header.frame_bytes()
    });
    if scan.debris || scan.end > offset {
        tracing::warn!(
            segment = %segment.path.display(), offset, end,
            "cutting a torn tail; nothing says that it was acknowledged"
        );
        segments.set_aside(&segment, offset).map_err(&io)?;
    }
    let unacknowledged = frames.iter().find(|f| f.header.end_sequence() > marked);
    let unsure = unacknowledged.map_or(offset, |frame| frame.offset);
    let tail = segments
        .tail(segment.header, unsure..offset, config.segment_bytes)
        .map_err(&io)?;
    let segment = segments.open_newest(segment.header, Arc::clone(&tail.file), frames);
    segments.set_newest(Arc::clone(&segment));
    Ok(Recovered {
        batches,
        end,
        tail: Some((segment, tail)),
    })
}

/// Checks closed segments, newest first, as far as the configuration says.
fn check_closed(segments: &Segments, config: &LogConfig) -> Result<(), OpenError> {
    let headers = segments.headers();
    if let Some(first) = headers.first().filter(|first| first.first_sequence > 0) {
        let reason = "the first segment is missing".to_owned();
        segments.report(Damage {
            range: 0..first.first_sequence,
            reason,
        });
    }
    let mut left = config.check_on_open_bytes;
    for pair in headers.windows(2).rev() {
        let (segment, scan) =
            segments.load(pair[0], Some(pair[1].first_sequence), Check::Batches)?;
        segment
            .damage
            .iter()
            .for_each(|damage| segments.report(damage.clone()));
        left = left.saturating_sub(scan.end);
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The outer tree over all batches: from the tiles as of the last checkpoint when they are good,
/// the rest (or everything) from the batch headers in the segments.
fn restore_tree(
    config: &LogConfig,
    disk: &Arc<dyn Disk>,
    signer: &NoteSigner,
    segments: &Segments,
    batches: u64,
) -> Result<Tree, OpenError> {
    let path = config.folder.join("checkpoint");
    let note = read_file(&**disk, &path).map_err(during("read", &path))?;
    let head = note
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|note| Checkpoint::verify(&note, &signer.verifier_key()).ok())
        .map(|checkpoint| checkpoint.head)
        .filter(|head| head.size <= batches);
    let restored =
        head.and_then(|head| Tree::restore(Arc::clone(disk), config.folder.clone(), head));
    let mut tree = match restored {
        Some(tree) => tree,
        None => Tree::empty(Arc::clone(disk), config.folder.clone()),
    };
    let mut previous = match tree.size().checked_sub(1) {
        Some(last) => segments.batch_header(last).ok().map(|header| header.leaf()),
        None => Some([0; 32]),
    };
    for batch in tree.size()..batches {
        let header = match segments.batch_header(batch) {
            Ok(header) => header,
            // Damage: what follows cannot be proved until the segment is restored.
            Err(ReadError::Damaged { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        if previous.is_some_and(|previous| previous != header.previous) {
            let range = header.first_sequence..header.first_sequence + u64::from(header.count);
            let reason = format!("batch {batch} does not continue the batch before it");
            segments.report(Damage { range, reason });
            break;
        }
        tree.push(header.leaf());
        previous = Some(header.leaf());
    }
    Ok(tree)
}

/// The stored checkpoint and its size, after checking that this log continues it.
fn compare_with_store(
    config: &LogConfig,
    (store, disk): (&CheckpointStore, &dyn Disk),
    signer: &NoteSigner,
    tree: &Tree,
    is_damaged: bool,
) -> Result<(String, u64), OpenError> {
    let Some(note) = store.load(disk).map_err(during("read", &store.path))? else {
        if !is_damaged {
            check_unsigned(config, disk, signer.verifier_key().name(), store)?;
        }
        return Ok((String::new(), 0));
    };
    let signed = Checkpoint::verify(&note, &signer.verifier_key())?.head;
    if is_damaged {
        return Ok((note, signed.size));
    }
    if signed.size > tree.size() {
        return Err(OpenError::RolledBack {
            batches: tree.size(),
            signed: signed.size,
        });
    }
    if merkle::root_at(tree, signed.size)? != signed.root {
        return Err(OpenError::Forked {
            signed: signed.size,
        });
    }
    Ok((note, signed.size))
}

/// Reads the keyed entries that no run of the index covers.
fn catch_up(writer: &mut Writer, covered: Sequence) -> Result<(), ReadError> {
    let end = writer.end.sequence;
    let mut at = covered;
    while at < end {
        let batch = writer.shared.segments.batch_with(at)?;
        let first = batch.header.first_sequence;
        let skip = usize::try_from(at - first).unwrap_or(0);
        let visited = batch.visit(skip, |index, bytes| {
            if let Some((key, content)) = record::view(bytes)?.prints()? {
                writer.index.insert(Row {
                    key,
                    sequence: first + index as u64,
                    content,
                });
            }
            Ok::<bool, record::RecordError>(true)
        });
        visited.map_err(|error| ReadError::Damaged {
            first,
            last: first + u64::from(batch.header.count) - 1,
            reason: error.to_string(),
        })?;
        at = first + u64::from(batch.header.count);
        writer.freeze_index(at);
    }
    Ok(())
}
