//! The server that is measured, as a child process.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Done;
use crate::story::Batch;

/// How often the server is asked whether it is ready or done.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Longest it may take to get ready, or to process everything.
const WAIT_MAX: Duration = Duration::from_mins(10);

pub struct Server {
    binary: PathBuf,
    data: PathBuf,
    child: Child,
    address: String,
    token: String,
    agent: ureq::Agent,
}

impl Server {
    /// Makes an installation and starts it on a free port.
    pub fn start(binary: &Path, data: &Path) -> Done<Self> {
        let run = |arguments: &[&str]| -> Done<String> {
            let output = Command::new(binary)
                .arg("--data")
                .arg(data)
                .args(arguments)
                .stderr(Stdio::null())
                .output()?;
            if !output.status.success() {
                return Err(format!("{arguments:?} failed").into());
            }
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        run(&["init"])?;
        let token = run(&[
            "token", "create", "bench", "--scope", "ingest", "--scope", "read",
        ])?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let server = Self {
            binary: binary.to_owned(),
            data: data.to_owned(),
            child: spawn(binary, data, &address)?,
            address,
            token,
            agent: ureq::Agent::new_with_defaults(),
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Ends the server and starts it again; how long it took until it was ready.
    pub fn restart(&mut self) -> Done<Duration> {
        self.end()?;
        let started = Instant::now();
        self.child = spawn(&self.binary, &self.data, &self.address)?;
        self.wait_until_ready()?;
        Ok(started.elapsed())
    }

    fn wait_until_ready(&self) -> Done {
        let started = Instant::now();
        while self.get("/readyz").is_err() {
            self.pause(started)?;
        }
        Ok(())
    }

    /// Sends a batch; returns when all of it is durable.
    pub fn post(&self, batch: &Batch) -> Done {
        let url = format!("http://{}/v1/ingest/{}", self.address, batch.source);
        let request = self.agent.post(url).header("authorization", self.bearer());
        let mut response = request.send(batch.body.as_slice())?;
        let answer: serde_json::Value =
            serde_json::from_str(&response.body_mut().read_to_string()?)?;
        if answer["accepted"] == batch.records {
            Ok(())
        } else {
            Err(format!("{} were sent: {answer}", batch.records).into())
        }
    }

    /// Waits until nothing in the log is left to process.
    pub fn wait_until_processed(&self, records: usize) -> Done {
        let started = Instant::now();
        loop {
            let metrics = self.get("/metrics")?;
            let value = |name: &str| -> Done<usize> {
                let mut lines = metrics.lines().filter_map(|line| line.split_once(' '));
                let found = lines.find(|(key, _)| *key == name);
                Ok(found.ok_or_else(|| format!("no {name}"))?.1.parse()?)
            };
            let (end, processed) = (value("deedtrail_log_end")?, value("deedtrail_processed")?);
            if end >= records && processed == end {
                return Ok(());
            }
            self.pause(started)?;
        }
    }

    /// Waits before it is asked again, unless that has gone on since `started` for too long.
    fn pause(&self, started: Instant) -> Done {
        if started.elapsed() > WAIT_MAX {
            return Err(format!("{} did not get ready in {WAIT_MAX:?}", self.address).into());
        }
        std::thread::sleep(ASK_AGAIN);
        Ok(())
    }

    /// User and system time the server has used (proc(5), `stat`, in hundredths of a second).
    pub fn processor_time(&self) -> Done<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("stat names the program")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
    }

    /// Largest resident memory since the start, bytes.
    pub fn peak_memory(&self) -> Done<u64> {
        self.memory("VmHWM:")
    }

    /// Resident memory now, bytes.
    pub fn resident_memory(&self) -> Done<u64> {
        self.memory("VmRSS:")
    }

    /// A line of proc(5), `status`, bytes.
    fn memory(&self, name: &str) -> Done<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.ok_or("status names memory")?.parse::<u64>()? << 10)
    }

    /// Ends the server as an operator does, and waits for it.
    pub fn stop(mut self) -> Done {
        self.end()
    }

    fn end(&mut self) -> Done {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        if self.child.wait()?.success() {
            Ok(())
        } else {
            Err("the server did not end well".into())
        }
    }

    /// What is answered to a GET.
    pub fn get(&self, path: &str) -> Done<String> {
        let request = self.agent.get(format!("http://{}{path}", self.address));
        let mut response = request.header("authorization", self.bearer()).call()?;
        Ok(response.body_mut().read_to_string()?)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

fn spawn(binary: &Path, data: &Path, address: &str) -> Done<Child> {
    Ok(Command::new(binary)
        .arg("--data")
        .arg(data)
        .args(["serve", "--listen", address])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill, which is no error here.
        self.child.kill().ok();
    }
}
