//! What was taken, kept on disk: written after the log has it, and believed only while the log
//! has it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use deedtrail_app::App;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::limits::SAVE_EVERY;

/// Version of the files.
const VERSION: u32 = 1;
/// Saving takes at most one part in this many of the time.
const SAVE_SHARE: u32 = 20;

/// A file of the data folder's `state` that says what one feed has taken.
#[derive(Debug)]
pub(crate) struct Book {
    path: PathBuf,
    saved: Option<Instant>,
    pause: Duration,
}

#[derive(Serialize, Deserialize)]
struct Page<T> {
    version: u32,
    /// Log that has what was taken, and its end when this was written.
    origin: String,
    end: u64,
    taken: T,
}

impl Book {
    /// Opens the book of `name` in `folder`, and reads what was taken: nothing where the log does
    /// not have it, as after an older backup was restored.
    pub(crate) fn open<T: DeserializeOwned + Default>(
        app: &App,
        folder: &Path,
        name: &str,
    ) -> io::Result<(Self, T)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let book = Self {
            path: folder.join(format!("{name}.json")),
            saved: None,
            pause: SAVE_EVERY,
        };
        let taken = match fs::read(&book.path) {
            Ok(bytes) => book.read(app, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok((book, taken.unwrap_or_default()))
    }

    fn read<T: DeserializeOwned>(&self, app: &App, bytes: &[u8]) -> Option<T> {
        let path = self.path.display();
        let page: Page<T> = match serde_json::from_slice(bytes) {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%path, %error, "what a feed has taken cannot be read: it is read again from its beginning, which stores nothing twice");
                return None;
            }
        };
        let log = &app.ports.log;
        let is_known = page.version == VERSION && page.origin == log.origin();
        if !is_known || page.end > log.end() {
            tracing::warn!(%path, "the log is not the one this feed was taken into: it is read again from its beginning, which stores nothing twice");
            return None;
        }
        Some(page.taken)
    }

    /// Whether it is time to save while there is more to take.
    pub(crate) fn is_due(&self) -> bool {
        self.saved.is_none_or(|at| at.elapsed() >= self.pause)
    }

    /// Saves what was taken; everything of it is in the log already. Returns when it is durable.
    pub(crate) fn save<T: Serialize>(&mut self, app: &App, taken: &T) -> io::Result<()> {
        let begun = Instant::now();
        let log = &app.ports.log;
        let page = Page {
            version: VERSION,
            origin: log.origin().to_owned(),
            end: log.end(),
            taken,
        };
        let bytes = serde_json::to_vec(&page)?;
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.pause = SAVE_EVERY.max(begun.elapsed() * SAVE_SHARE);
        self.saved = Some(Instant::now());
        Ok(())
    }
}
