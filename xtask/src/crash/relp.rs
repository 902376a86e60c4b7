//! A sender of RELP, as little as it takes: one session, messages numbered, all answered before the
//! batch counts.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const OPEN: &str = "relp_version=0\nrelp_software=xtask\ncommands=syslog";

/// A session with a listener.
pub(super) struct Session {
    port: u16,
    stream: BufReader<TcpStream>,
    next: u32,
}

impl Session {
    pub(super) fn open(port: u16, silence_max: Duration) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(silence_max))?;
        let mut session = Self {
            port,
            stream: BufReader::new(stream),
            next: 1,
        };
        session.write("open", OPEN)?;
        session.answer()?;
        Ok(session)
    }

    pub(super) fn leads_to(&self, port: u16) -> bool {
        self.port == port
    }

    /// Sends records and waits until each was answered 200.
    pub(super) fn send(&mut self, records: &[&str]) -> std::io::Result<()> {
        let mut waiting = BTreeSet::new();
        for record in records {
            waiting.insert(self.next);
            let message = format!("<13>1 2026-11-01T00:00:00Z host aws.cloudtrail - - - {record}");
            self.write("syslog", &message)?;
        }
        while !waiting.is_empty() {
            let (number, status) = self.answer()?;
            if status != 200 || !waiting.remove(&number) {
                return Err(std::io::Error::other(format!(
                    "answer {status} to {number}"
                )));
            }
        }
        Ok(())
    }

    fn write(&mut self, command: &str, data: &str) -> std::io::Result<()> {
        let number = self.next;
        self.next += 1;
        let frame = format!("{number} {command} {} {data}\n", data.len());
        self.stream.get_mut().write_all(frame.as_bytes())
    }

    /// Number and status of the next answer.
    fn answer(&mut self) -> std::io::Result<(u32, u32)> {
        let bad = || std::io::Error::other("not an answer of RELP");
        let mut words = Vec::new();
        for _ in 0..3 {
            let mut word = Vec::new();
            self.stream.read_until(b' ', &mut word)?;
            let word = String::from_utf8(word).map_err(|_| bad())?;
            words.push(word.trim().to_owned());
        }
        let [number, _, length] = words.as_slice() else {
            return Err(bad());
        };
        let number = number.parse().map_err(|_| bad())?;
        let mut data = vec![0; length.parse::<usize>().map_err(|_| bad())? + 1];
        self.stream.read_exact(&mut data)?;
        let text = String::from_utf8_lossy(&data);
        let status = text
            .split(' ')
            .next()
            .and_then(|status| status.trim().parse().ok());
        Ok((number, status.ok_or_else(bad)?))
    }
}
