//! One object: fetched, unpacked, taken.

use std::io::{self, Cursor};
use std::sync::Arc;

use deedtrail_core::id::SourceName;
use futures::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::sync::Semaphore;

use super::section::Version;
use super::{path, words};
use crate::pull::limits::{FETCHED_KIB_MAX, OBJECT_BYTES_MAX};
use crate::pull::stream::{take_whole, unpacked};
use crate::pull::way::{Refused, Untaken, Way};

/// An object that is listed and was not taken.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) bytes: u64,
    pub(super) version: Version,
}

#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    pub(super) way: Way,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) source: Option<SourceName>,
    /// Memory for objects, KiB.
    pub(super) room: Arc<Semaphore>,
}

impl Fetcher {
    pub(super) async fn fetch(self, wanted: Wanted) -> (Wanted, Result<(), Untaken>) {
        let taken = self.take(&wanted).await;
        (wanted, taken)
    }

    /// After it the object is done with: taken, refused at a limit, or deleted since.
    async fn take(&self, wanted: &Wanted) -> Result<(), Untaken> {
        let held = wanted.bytes.min(OBJECT_BYTES_MAX) / 1024 + 1;
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let held = held.min(u32::try_from(FETCHED_KIB_MAX).unwrap_or(u32::MAX));
        let held = self.room.acquire_many(held).await;
        let _held = held.map_err(|_| Untaken::Stopped)?;
        let Some(body) = self.body(wanted).await? else {
            return Ok(());
        };
        let (way, source, key) = (self.way.clone(), self.source.clone(), wanted.key.clone());
        let taken = tokio::task::spawn_blocking(move || {
            let bytes = body.len() as u64;
            let mut input = unpacked(&*way.app.ports.tables, Cursor::new(body), bytes)?;
            take_whole(
                &way,
                source.as_ref(),
                &mut *input,
                Some(key.as_bytes()),
                &key,
            )
        });
        taken.await.map_err(io::Error::other)?
    }

    /// The object's bytes; nothing when it was deleted since, or is over the limit.
    async fn body(&self, wanted: &Wanted) -> Result<Option<Vec<u8>>, Untaken> {
        let failed = |error: object_store::Error| io::Error::other(words(&error));
        let got = match self.store.get(&path(&wanted.key)).await {
            Err(object_store::Error::NotFound { .. }) => {
                let (feed, key) = (&self.way.feed, &wanted.key);
                tracing::warn!(%feed, %key, "an object was deleted before it was fetched");
                return Ok(None);
            }
            got => got.map_err(failed)?,
        };
        let mut chunks = got.into_stream();
        let mut body = Vec::new();
        let mut hasher = blake3::Hasher::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(failed)?;
            hasher.update(&chunk);
            if hasher.count() > OBJECT_BYTES_MAX {
                body.clear();
            } else {
                body.extend_from_slice(&chunk);
            }
        }
        let bytes = hasher.count();
        if bytes > OBJECT_BYTES_MAX {
            let refused = Refused {
                bytes,
                hash: hasher.finalize(),
                reason: &"the object is over 128 MiB",
            };
            self.way.refuse(&wanted.key, &refused);
            return Ok(None);
        }
        Ok(Some(body))
    }
}
