//! Listeners: bound at the start, served until the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use deedtrail_app::App;
use deedtrail_app::access::Principal;
use deedtrail_core::id::{BadName, SourceName, TenantId};
use deedtrail_core::port::store::Scope;
use ipnet::IpNet;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;

use crate::accept::{self, Allowed, Gate, Present, Speech};
use crate::door::Door;
use crate::limits::{APPENDS_MAX, DATAGRAM_BUFFER_BYTES, LARGE_MESSAGES_MAX};
use crate::stop::Stop;
use crate::syslog;
use crate::unheard::Unheard;

/// Under this name records wait of which no source can be told.
const QUARANTINE: &str = "syslog";
/// After shutdown was asked for, listeners get this long to end.
const END_TIME_MAX: Duration = Duration::from_secs(15);

/// Segments that RELP senders are told to make, bytes. librelp keeps back what does not fill one,
/// for 200 ms, and its whole window fits into one of the loopback device's.
const RELP_SEGMENT_BYTES: u32 = 1_400;

/// What is spoken, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Syslog over TCP, or TLS.
    Syslog,
    /// Syslog over UDP.
    SyslogUdp,
    /// RELP over TCP, or TLS.
    Relp,
}

/// What an operator says of one listener.
#[derive(Clone, Debug)]
pub struct Listener {
    pub name: String,
    pub protocol: Protocol,
    pub address: SocketAddr,
    /// Source of everything that comes; else each message tells its own.
    pub source: Option<SourceName>,
    /// Networks that may send.
    pub allowed: Vec<IpNet>,
    /// With it connections are encrypted, the next one as it says then; ignored for datagrams.
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("listener `{name}` cannot listen on {address}: {source}")]
    Address {
        name: String,
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Name(#[from] BadName),
}

/// Listeners that are bound.
#[derive(Debug)]
pub struct Listeners {
    bound: Vec<Bound>,
    stopper: watch::Sender<bool>,
}

#[derive(Debug)]
struct Bound {
    settings: Listener,
    address: SocketAddr,
    socket: Socket,
    door: Door,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Listeners {
    /// Binds every listener: from now on senders can connect, and wait.
    pub async fn bind(app: &Arc<App>, listeners: Vec<Listener>) -> Result<Self, BindError> {
        let (stopper, stop) = Stop::new();
        let appends = Arc::new(Semaphore::new(APPENDS_MAX));
        let large = Arc::new(Semaphore::new(LARGE_MESSAGES_MAX));
        let unheard = unheard(app, &listeners).await;
        let mut bound = Vec::with_capacity(listeners.len());
        for settings in listeners {
            let (socket, address) =
                Socket::bind(&settings)
                    .await
                    .map_err(|source| BindError::Address {
                        name: settings.name.clone(),
                        address: settings.address,
                        source,
                    })?;
            let door = Door {
                app: Arc::clone(app),
                principal: settings.principal(),
                protocol: SourceName::new(QUARANTINE)?,
                source: settings.source.clone(),
                counters: app.listener_counters(&settings.name),
                appends: Arc::clone(&appends),
                large: Arc::clone(&large),
                unheard: unheard.clone(),
                stop: stop.clone(),
            };
            bound.push(Bound {
                settings,
                address,
                socket,
                door,
            });
        }
        Ok(Self { bound, stopper })
    }

    /// Where each listens, with its name and whether connections are encrypted.
    pub fn addresses(&self) -> impl Iterator<Item = (&Listener, SocketAddr)> {
        self.bound.iter().map(|one| (&one.settings, one.address))
    }

    /// Serves until `shutdown` completes; then appends what was received and ends.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut listeners = JoinSet::new();
        for bound in self.bound {
            listeners.spawn(bound.serve());
        }
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(Err(error)) = listeners.join_next() => {
                    tracing::error!(%error, "a listener ended; restart the server");
                }
            }
        }
        self.stopper.send_replace(true);
        let ended = async { while listeners.join_next().await.is_some() {} };
        if tokio::time::timeout(END_TIME_MAX, ended).await.is_err() {
            tracing::warn!(
                ?END_TIME_MAX,
                "listeners did not end in time; they were cut off"
            );
        }
    }
}

async fn unheard(app: &Arc<App>, listeners: &[Listener]) -> Unheard {
    if listeners.iter().all(|one| one.protocol != Protocol::Relp) {
        return Unheard::default();
    }
    let app = Arc::clone(app);
    let read = tokio::task::spawn_blocking(move || Unheard::at_start(&app)).await;
    read.unwrap_or_default()
}

impl Listener {
    /// Who sends: the sender has no token, so the listener stands for it.
    fn principal(&self) -> Principal {
        let kind = match self.protocol {
            Protocol::Syslog | Protocol::SyslogUdp => "syslog",
            Protocol::Relp => "relp",
        };
        Principal {
            name: format!("{kind}:{}", self.name).into(),
            tenant: TenantId::default(),
            scopes: vec![Scope::Ingest],
        }
    }
}

impl Socket {
    async fn bind(settings: &Listener) -> std::io::Result<(Self, SocketAddr)> {
        if settings.protocol == Protocol::SyslogUdp {
            let socket = UdpSocket::bind(settings.address).await?;
            socket2::SockRef::from(&socket).set_recv_buffer_size(DATAGRAM_BUFFER_BYTES)?;
            let address = socket.local_addr()?;
            return Ok((Self::Udp(socket), address));
        }
        let socket = TcpListener::bind(settings.address).await?;
        if settings.protocol == Protocol::Relp {
            socket2::SockRef::from(&socket).set_tcp_mss(RELP_SEGMENT_BYTES)?;
        }
        let address = socket.local_addr()?;
        Ok((Self::Tcp(socket), address))
    }
}

impl Bound {
    async fn serve(self) {
        let allowed = Allowed(self.settings.allowed.into());
        match self.socket {
            Socket::Udp(socket) => syslog::datagram::serve(socket, allowed, self.door).await,
            Socket::Tcp(listener) => {
                let gate = Gate {
                    speech: match self.settings.protocol {
                        Protocol::Relp => Speech::Relp,
                        Protocol::Syslog | Protocol::SyslogUdp => Speech::Syslog,
                    },
                    allowed,
                    tls: self.settings.tls,
                    door: self.door,
                    present: Present::default(),
                };
                accept::serve(listener, gate).await;
            }
        }
    }
}
