//! What a sender may send again on its next connection, because it saw no answer to it (RELP).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deedtrail_app::App;
use deedtrail_app::intake::{ConnectionKeys, KeyMaker};
use deedtrail_core::Text;
use deedtrail_core::port::log::ReadError;
use tokio::time::Instant;

use crate::limits::{
    CONTENTS_REMEMBERED, UNHEARD_ENTRIES, UNHEARD_PEERS_MAX, UNHEARD_SESSIONS_MAX,
};

/// Bytes read from the log at a time.
const READ_BYTES: usize = 4 << 20;

/// Keys of the newest records without id and time of each peer, whose answers it may not have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unheard(Arc<Mutex<BTreeMap<String, Vec<Left>>>>);

/// What one session took before it ended.
#[derive(Clone, Debug)]
struct Left {
    at: Instant,
    keys: Vec<Text>,
}

impl Unheard {
    /// What stands at the end of the log: the answers may have died with the server.
    pub(crate) fn at_start(app: &App) -> Self {
        let unheard = Self::default();
        if let Err(error) = unheard.read(app) {
            tracing::warn!(%error, "what senders send again may be stored twice");
        }
        unheard
    }

    fn read(&self, app: &App) -> Result<(), ReadError> {
        let (log, at) = (&app.ports.log, Instant::now());
        let end = log.end();
        let mut found: BTreeMap<String, Vec<Text>> = BTreeMap::new();
        let mut next = end.saturating_sub(UNHEARD_ENTRIES);
        while next < end {
            let entries = log.read(next, READ_BYTES)?;
            let Some(last) = entries.last() else { break };
            next = last.sequence + 1;
            let keys = entries.into_iter().map(|one| one.entry.idempotency_key);
            for key in keys.flatten() {
                if let Some(peer) = ConnectionKeys::peer_of(&key) {
                    found.entry(peer.to_owned()).or_default().push(key);
                }
            }
        }
        let found = found.into_iter();
        let left = found.map(|(peer, keys)| (peer, vec![Left { at, keys }]));
        self.peers().extend(left);
        Ok(())
    }

    /// Keys for a session of a peer that sends again what it saw no answer to.
    pub(crate) fn keys_of_session(&self, app: &App, listener: &str, peer: IpAddr) -> KeyMaker {
        let peer = name(listener, Some(peer));
        let unheard = self.peers().get(&peer).cloned().unwrap_or_default();
        let unheard: Vec<Text> = unheard.into_iter().flat_map(|left| left.keys).collect();
        keys(app, &peer, &unheard)
    }

    /// Remembers what a session took that began at this time, unless it ended in order. Whatever was
    /// left before it began it has sent again.
    pub(crate) fn leave(
        &self,
        (listener, peer): (&str, IpAddr),
        begun: Instant,
        keys: Option<&KeyMaker>,
    ) {
        let mut peers = self.peers();
        if peers.len() >= UNHEARD_PEERS_MAX {
            peers.clear();
        }
        let name = name(listener, Some(peer));
        let mut lefts = peers.remove(&name).unwrap_or_default();
        lefts.retain(|left| left.at >= begun);
        let keys = keys.map(KeyMaker::made).filter(|made| !made.is_empty());
        lefts.extend(keys.map(|keys| Left {
            at: Instant::now(),
            keys,
        }));
        let excess = lefts.len().saturating_sub(UNHEARD_SESSIONS_MAX);
        lefts.drain(..excess);
        if !lefts.is_empty() {
            peers.insert(name, lefts);
        }
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Left>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys for senders that hear no answer and send nothing again.
pub(crate) fn keys_of_stream(app: &App, listener: &str) -> KeyMaker {
    keys(app, &name(listener, None), &[])
}

fn keys(app: &App, peer: &str, unheard: &[Text]) -> KeyMaker {
    let mut session = [0; 8];
    app.ports.entropy.fill(&mut session);
    let session = u64::from_be_bytes(session);
    let connection = ConnectionKeys::new(peer, session, unheard);
    KeyMaker::of_connection(CONTENTS_REMEMBERED, connection)
}

/// A peer of a listener, by the same name after a restart. The port is another each time.
fn name(listener: &str, peer: Option<IpAddr>) -> String {
    let peer = peer.map_or_else(String::new, |peer| peer.to_canonical().to_string());
    let hash = blake3::hash(format!("{listener} {peer}").as_bytes());
    hash.to_hex().chars().take(16).collect()
}
