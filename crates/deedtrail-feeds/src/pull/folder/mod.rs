//! Folders of files that grow, or arrive whole.
//!
//! A file is known by device and inode together with its content: the first and the last kilobyte
//! of what was taken. So it goes on under another name (rotation by rename), begins anew when it
//! was cut off and written again (`copytruncate`), and the copy goes on where the original was
//! left. When in doubt it is read again: what is in the log already is stored once.

mod find;
mod growing;
mod known;
mod look;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deedtrail_app::App;
use deedtrail_core::id::SourceName;

use super::book::Book;
use super::limits::LOOK_EVERY;
use super::way::Way;
use crate::stop::Stop;
pub(super) use look::Folder;

/// What an operator says of one folder.
#[derive(Clone, Debug)]
pub struct FolderSettings {
    pub name: String,
    /// Files of these patterns (`/var/log/audit/*.log*`).
    pub files: Vec<PathBuf>,
    /// `None` where each record tells its own.
    pub source: Option<SourceName>,
}

/// A look takes at most one part in this many of the time.
const LOOK_SHARE: u32 = 5;

pub(super) fn open(
    app: &Arc<App>,
    state: &Path,
    settings: FolderSettings,
    stop: Stop,
) -> io::Result<Folder> {
    let feed = format!("folders.{}", settings.name);
    let (book, memory) = Book::open(app, state, &feed)?;
    Ok(Folder::new(
        Way::new(app, feed, stop),
        book,
        settings,
        memory,
    ))
}

/// Looks at the folder again and again until the end.
pub(super) async fn serve(mut folder: Folder, stop: Stop) {
    let feed = folder.feed().to_owned();
    while !stop.is_requested() {
        let begun = Instant::now();
        let looked = tokio::task::spawn_blocking(move || {
            let is_done = folder.look();
            (folder, is_done)
        });
        let is_done;
        (folder, is_done) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(feed, %error, "a folder is no longer looked at; restart the server");
                return;
            }
        };
        let pause = if is_done {
            LOOK_EVERY.max(begun.elapsed() * LOOK_SHARE)
        } else {
            Duration::ZERO
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.requested() => {}
        }
    }
}
