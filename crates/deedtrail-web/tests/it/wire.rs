//! Connections in memory to a served router, on a clock that runs ahead whenever everybody waits;
//! HTTP/2 on them, framed by hand (RFC 9113).

use std::io;
use std::time::Duration;

use axum::serve::Listener;
use deedtrail_testkit::sample::Sample;
use deedtrail_web::{WebConfig, serve_within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::caller::Caller;

/// Bytes that are under way each way.
const WIRE_BYTES: usize = 64 << 10;
/// As the server has it.
pub(crate) const HEADER_TIME_MAX: Duration = Duration::from_secs(30);

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
/// The first byte of the headers of an answer with 200 (RFC 7541, appendix A).
pub(crate) const STATUS_200: u8 = 0x88;

struct Wire(mpsc::Receiver<DuplexStream>);

impl Listener for Wire {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A served installation.
pub(crate) struct Served {
    pub(crate) caller: Caller,
    wire: mpsc::Sender<DuplexStream>,
    stop: oneshot::Sender<()>,
    server: JoinSet<()>,
}

impl Served {
    pub(crate) fn new() -> Self {
        let caller = Caller::with_config(Sample::empty(), WebConfig::default());
        let (wire, accepted) = mpsc::channel(8);
        let (stop, stopped) = oneshot::channel();
        let router = caller.router.clone();
        let mut server = JoinSet::new();
        let wait = async {
            stopped.await.unwrap();
        };
        server.spawn(serve_within(
            HEADER_TIME_MAX,
            Wire(accepted),
            None,
            router,
            wait,
        ));
        Self {
            caller,
            wire,
            stop,
            server,
        }
    }

    pub(crate) async fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(WIRE_BYTES);
        self.wire.send(theirs).await.unwrap();
        ours
    }

    /// Connects and says these settings first, each an identifier with its value.
    pub(crate) async fn connect_http2(&self, settings: &[(u16, u32)]) -> Http2 {
        let mut connection = Http2(self.connect().await);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        connection.0.write_all(preface).await.unwrap();
        let settings = settings.iter().flat_map(|(name, value)| {
            let (name, value) = (name.to_be_bytes(), value.to_be_bytes());
            name.into_iter().chain(value)
        });
        let settings: Vec<u8> = settings.collect();
        connection.send(SETTINGS, 0, 0, &settings).await;
        connection
    }

    /// Asks the server to end.
    pub(crate) fn stop(self) -> JoinSet<()> {
        self.stop.send(()).unwrap();
        self.server
    }
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The client's end of a connection.
pub(crate) struct Http2(DuplexStream);

impl Http2 {
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// Begins a request; with `END_STREAM` it has no body.
    pub(crate) async fn ask(&mut self, stream: u32, flags: u8, headers: &[(&str, &str)]) {
        let mut block = Vec::new();
        for (name, value) in headers {
            // A literal that is not indexed, with a name of its own.
            block.push(0);
            for text in [name, value] {
                assert!(text.len() < 127, "{text}");
                block.push(u8::try_from(text.len()).unwrap());
                block.extend(text.as_bytes());
            }
        }
        let flags = flags | END_HEADERS;
        self.send(HEADERS, flags, stream, &block).await;
    }

    /// Waits for a frame; none once the server closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }

    /// Waits for a frame of this kind.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    pub(crate) async fn acknowledge(&mut self, ping: &Frame) {
        self.send(PING, ACK, 0, &ping.payload).await;
    }

    /// Everything that comes until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}
