//! Connections in memory, on a clock that runs ahead whenever everybody waits.

mod framers;
mod relp;
mod syslog;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use deedtrail_app::access::Principal;
use deedtrail_app::{App, Ports};
use deedtrail_core::id::{SourceName, TenantId};
use deedtrail_core::port::log::EvidenceLog as _;
use deedtrail_core::port::store::Scope;
use deedtrail_testkit::FakeMapper;
use deedtrail_testkit::FakeTables;
use deedtrail_testkit::Refusal;
use deedtrail_testkit::sample::Sample;
use tokio::io::DuplexStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::door::Door;
use crate::pace::Connection;
use crate::stop::Stop;
use crate::unheard::Unheard;

/// Bytes that are under way between a sender and the listener.
const WIRE_BYTES: usize = 4 << 10;

/// A listener without sockets.
struct Bench {
    sample: Sample,
    door: Door,
    stopper: watch::Sender<bool>,
}

impl Bench {
    fn new() -> Self {
        let sample = Sample::empty();
        let ports = Ports {
            log: Arc::clone(&sample.log) as _,
            mapper: Arc::new(FakeMapper),
            tables: Arc::new(FakeTables),
            archive: Arc::clone(&sample.archive) as _,
            store: Arc::clone(&sample.store) as _,
            clock: Arc::clone(&sample.clock) as _,
            entropy: Arc::clone(&sample.entropy) as _,
        };
        let (stopper, stop) = Stop::new();
        let door = Door {
            app: Arc::new(App::new(ports)),
            principal: Principal {
                name: "syslog:test".into(),
                tenant: TenantId::default(),
                scopes: vec![Scope::Ingest],
            },
            protocol: SourceName::new("syslog").unwrap(),
            source: None,
            counters: Arc::default(),
            appends: Arc::new(Semaphore::new(4)),
            large: Arc::new(Semaphore::new(4)),
            unheard: Unheard::default(),
            stop,
        };
        Self {
            sample,
            door,
            stopper,
        }
    }

    /// Connects; `serve` speaks for the listener.
    fn connect<F>(
        &self,
        serve: impl FnOnce(Box<dyn Connection>, SocketAddr, Door) -> F,
    ) -> (DuplexStream, JoinSet<()>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ours, theirs) = tokio::io::duplex(WIRE_BYTES);
        let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
        let served = serve(Box::new(theirs), peer, self.door.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(served);
        (ours, tasks)
    }

    /// The server dies and starts again: all that is left is the log.
    fn restart(&mut self) {
        self.door.unheard = Unheard::at_start(&self.door.app);
    }

    fn refuse(&self, refusal: Option<Refusal>) {
        self.sample.log.refuse_with(refusal);
    }

    /// What is in the log, in order.
    fn stored(&self) -> Vec<String> {
        let entries = self.sample.log.read(0, usize::MAX).unwrap().into_iter();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        entries.map(|entry| text(&entry.bytes())).collect()
    }

    fn refused(&self) -> u64 {
        self.door.counters.refused.load(Relaxed)
    }
}
