//! Who may connect, how many at a time, and the handshake.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::door::Door;
use crate::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, HANDSHAKE_TIME_MAX};
use crate::pace::Connection;
use crate::{relp, syslog};

/// Pause after the system could give no further connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Silence after which the system asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// Networks that may send.
#[derive(Clone, Debug)]
pub(crate) struct Allowed(pub(crate) Arc<[IpNet]>);

impl Allowed {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Syslog,
    Relp,
}

/// What every connection of a listener passes.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) speech: Speech,
    pub(crate) allowed: Allowed,
    pub(crate) tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    pub(crate) door: Door,
    pub(crate) present: Present,
}

/// Connections that are open, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Present(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Present {
    /// A place for one more of this address, given back when dropped.
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Place {
            present: self.clone(),
            address,
        })
    }
}

struct Place {
    present: Present,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .present
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Takes connections until told to stop, and waits for those that are open.
pub(crate) async fn serve(listener: TcpListener, gate: Gate) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = gate.door.stop.requested() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok((stream, peer)) => gate.welcome(&mut connections, stream, peer),
            Err(error) => {
                tracing::warn!(%error, "no further connection could be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    for (stream, peer) in waiting(listener) {
        if connections.len() < CONNECTIONS_MAX {
            gate.welcome(&mut connections, stream, peer);
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Connections that were made before the end and that nobody has taken yet: what was sent over them
/// counts. The system keeps a bounded number of them.
fn waiting(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    let next = || {
        let (stream, peer) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    };
    std::iter::from_fn(next).take(CONNECTIONS_MAX).collect()
}

impl Gate {
    fn welcome(&self, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
        if let Some(place) = self.admit(peer) {
            connections.spawn(self.clone().connection(stream, peer, place));
        }
    }

    fn admit(&self, peer: SocketAddr) -> Option<Place> {
        if !self.allowed.contains(peer.ip()) {
            self.door.deny(peer, "its address is not in `allow`");
            return None;
        }
        let place = self.present.enter(peer.ip());
        if place.is_none() {
            let reason = format!("it has {CONNECTIONS_PER_ADDRESS_MAX} connections already");
            self.door.deny(peer, reason);
        }
        place
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let counters = Arc::clone(&self.door.counters);
        counters.connections.fetch_add(1, Relaxed);
        counters.open.fetch_add(1, Relaxed);
        self.greet(stream, peer).await;
        counters.open.fetch_sub(1, Relaxed);
        drop(place);
    }

    async fn greet(self, stream: TcpStream, peer: SocketAddr) {
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
        let kept = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        if let Err(error) = kept.and_then(|()| stream.set_nodelay(true)) {
            tracing::debug!(%peer, %error, "a connection goes without its options");
        }
        let Some(tls) = self.tls else {
            return speak(self.speech, Box::new(stream), peer, self.door).await;
        };
        let tls = TlsAcceptor::from(Arc::clone(&tls.borrow()));
        match timeout(HANDSHAKE_TIME_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(self.speech, Box::new(stream), peer, self.door).await,
            Ok(Err(error)) => self.door.deny(peer, error),
            Err(_) => self.door.deny(peer, "its TLS handshake took too long"),
        }
    }
}

async fn speak(speech: Speech, stream: Box<dyn Connection>, peer: SocketAddr, door: Door) {
    match speech {
        Speech::Syslog => syslog::stream::serve(stream, peer, door).await,
        Speech::Relp => relp::session::serve(stream, peer, door).await,
    }
}
