//! Opening a log: lock, recover, compare with what was signed, catch up, start the threads.

mod history;
mod recovery;

use std::io;
use std::path::Path;

use deedtrail_core::port::log::{ReadError, Sequence};
use deedtrail_core::port::{Clock, Entropy};

use crate::batch::Compressors;
use crate::config::LogConfig;
use crate::disk::{Disk, DiskLock, read_file};
use crate::identity::{Adoption, FORMAT, Identity, Origin, signing_seed};
use crate::index::{Index, IndexStore};
use crate::note::{NoteError, NoteSigner};
use crate::queue::{Queue, Refusal};
use crate::segments::{Segments, is_disk_full};
use crate::shared::{Progress, Shared};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Condvar, Mutex, RwLock};
use crate::watermark::Watermark;
use crate::writer::Writer;

use history::History;
use recovery::{catch_up, recover, restore_tree};

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{path} is in use by another process: a server, or a command. Commands go through a server \
         that runs when they are of the same user; else stop it. What is starting, stopping or short \
         is soon done: wait and try again. `fuser {path}` names the process"
    )]
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
    #[error(
        "{path} is gone, and the log was written: nothing else says who it is. Put that of a backup \
         of this log in its place; nothing else of the log is damaged by that"
    )]
    IdentityGone { path: String },
    #[error(
        "the signing key {path} is gone, and the log was written with it: put that of a backup in \
         its place. Without one, `evidence adopt` goes on under another origin with another key"
    )]
    KeyGone { path: String },
    #[error("bad origin or signing key: {0}")]
    Key(#[from] NoteError),
    #[error(
        "the log has {batches} batches, but {signed} were signed: it was rolled back: restored from an \
         old backup, or cut off by somebody. Where nobody restored it, keep the folder as it is: it is \
         evidence. Else take it over with `evidence adopt`"
    )]
    RolledBack { batches: u64, signed: u64 },
    #[error(
        "the log differs from what was signed at {signed} batches: it is a fork. Where nobody \
         restored it, keep the folder as it is: it is evidence. Else take it over with `evidence adopt`"
    )]
    Forked { signed: u64 },
    #[error(
        "the log has signed checkpoints as `{origin}`, but {store} knows of none: it is a copy, \
         was restored or was moved; take it over with `evidence adopt`"
    )]
    Moved { origin: String, store: String },
    #[error(
        "this folder is a copy of {original}, which signs as `{origin}`; use that folder, or give \
         the copy an origin of its own with `evidence adopt`"
    )]
    Copied { origin: String, original: String },
    #[error(
        "nothing to take over: the log continues what was signed as `{origin}`. If a witness saw \
         another history of it, folder and checkpoint store were put back together: `evidence adopt \
         --because REASON` gives it a new origin"
    )]
    Healthy { origin: String },
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

/// The surroundings of a log.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A log that is taken over, and what has to be done before that lasts.
pub(crate) type Takeover<'a> = (&'a Adoption, &'a mut dyn FnMut() -> io::Result<()>);

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
    mut adoption: Option<Takeover<'_>>,
) -> Result<Opened, OpenError> {
    let disk = &around.disk;
    let lock = take_lock(config, &**disk)?;
    let (mut identity, log_id) = identity(config, around)?;
    let seed = seed(config, around, adoption.is_some())?;
    let mut signer = NoteSigner::new(identity.current(), &seed)?;
    let segments = open_segments(config, disk, log_id)?;
    let (watermark, marked) = open_watermark(config, &**disk)?;
    let recovered = recover(&segments, marked, config, &**disk)?;
    let tree = restore_tree(config, disk, &signer, &segments, recovered.batches)?;
    let is_damaged = !segments.damage().is_empty();
    let history = History {
        config,
        disk: &**disk,
        tree: &tree,
        is_damaged,
    };
    if let Some((adoption, _)) = &adoption {
        history.check_adoptable(&identity, &signer, adoption.grounds)?;
        identity.adopt(adoption, recovered.batches, around.clock.now());
        signer = NoteSigner::new(identity.current(), &seed)?;
    }
    let (store, checkpoint) = history.continues(&identity, &signer)?;
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
        progress: Mutex::new(Progress::at(recovered.end)),
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
    if let Some((_, before)) = &mut adoption {
        take_over(&identity, &writer, config, &mut **before)?;
    }
    Ok(Opened {
        shared: Arc::clone(&writer.shared),
        unrecorded: unrecorded(identity, &writer),
        writer,
        lock,
    })
}

/// Makes an adoption last; until here nothing was changed that says so.
fn take_over(
    identity: &Identity,
    writer: &Writer,
    config: &LogConfig,
    before: &mut dyn FnMut() -> io::Result<()>,
) -> Result<(), OpenError> {
    if let Some(damage) = writer.shared.damage_text() {
        return Err(OpenError::Damaged(damage));
    }
    before().map_err(during("prepare to take over", &config.folder))?;
    save_identity(identity, config, &*writer.shared.disk)
}

/// The newest origin, when it comes from an adoption and no batch was written under it yet: the
/// first one holds the adoption's entry.
fn unrecorded(mut identity: Identity, writer: &Writer) -> Option<Origin> {
    let is_adopted = identity.origins.len() > 1 && !writer.shared.is_read_only();
    let newest = identity.origins.pop().filter(|_| is_adopted);
    newest.filter(|newest| newest.from_batch == writer.end.batch)
}

/// The signing key. A log that was written gets another one only with another origin.
fn seed(
    config: &LogConfig,
    around: &Surroundings,
    is_taken_over: bool,
) -> Result<[u8; 32], OpenError> {
    let key = &config.signing_key;
    let found = read_file(&*around.disk, key).map_err(during("read", key))?;
    if found.is_none() && !is_taken_over && is_written(config, &*around.disk)? {
        return Err(OpenError::KeyGone {
            path: key.display().to_string(),
        });
    }
    signing_seed(&*around.disk, key, &*around.entropy)
        .map_err(during("read or create the signing key", key))
}

/// Whether the log has a segment. Who it is and its key are on disk before its first one.
fn is_written(config: &LogConfig, disk: &dyn Disk) -> Result<bool, OpenError> {
    let folder = config.folder.join("segments");
    match disk.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        listed => Ok(!listed.map_err(during("list", &folder))?.is_empty()),
    }
}

fn open_watermark(config: &LogConfig, disk: &dyn Disk) -> Result<(Watermark, Sequence), OpenError> {
    let mark = config.folder.join("watermark");
    Watermark::open(disk, &mark).map_err(during("open", &mark))
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
    if writer.shared.damage_text().is_some() {
        writer.shared.is_read_only.store(true, Ordering::Release);
        // Told once a check finds everything whole; until then it is told what is damaged.
        let reason = "entries were damaged when it was opened and are whole now; start again";
        let reason = reason.to_owned();
        writer.shared.queue.refuse(Refusal::ReadOnly { reason });
        return Ok(());
    }
    caught_up?;
    let marked = match writer.watermark.set(writer.end.sequence) {
        // A full disk must not keep the log from being read.
        Err(error) if is_disk_full(&error) => {
            tracing::warn!(%error, "cannot write the watermark");
            Ok(())
        }
        marked => marked,
    };
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
    let path = Identity::path(&config.folder);
    let wanted = config.origin.as_deref();
    let loaded = Identity::load(&*around.disk, &path).map_err(during("read", &path))?;
    let identity = if let Some(identity) = loaded {
        identity
    } else if is_written(config, &*around.disk)? {
        return Err(OpenError::IdentityGone {
            path: path.display().to_string(),
        });
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
    let path = Identity::path(&config.folder);
    identity.save(disk, &path).map_err(during("write", &path))
}
