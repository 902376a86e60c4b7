//! The real server on a folder of its own: started, stopped, killed, asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

/// Name of the configuration file in a place's folder.
const CONFIGURATION: &str = "deedtrail.toml";

/// A data folder with its state folder and configuration, and the binary that serves it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    binary: PathBuf,
    folder: PathBuf,
    /// Programs with arguments that run the server, such as a tracer.
    wrapped: Vec<String>,
    listeners: usize,
}

impl Place {
    /// Below `folder`, with this configuration.
    pub(crate) fn new(binary: &Path, folder: &Path, settings: &str) -> anyhow::Result<Self> {
        std::fs::write(folder.join(CONFIGURATION), settings)?;
        Ok(Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            wrapped: vec![],
            listeners: settings.matches("[listeners.").count(),
        })
    }

    /// The same place, served under another program.
    pub(crate) fn under(&self, program: &[String]) -> Self {
        Self {
            wrapped: program.to_vec(),
            ..self.clone()
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.folder.join("state/deedtrail/checkpoints")
    }

    fn command(&self) -> Command {
        let mut words = self.wrapped.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command
            .arg("--data")
            .arg(self.data())
            .arg("--config")
            .arg(self.folder.join(CONFIGURATION))
            .env("XDG_STATE_HOME", self.folder.join("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command of the binary; what it printed, or what it said when it failed.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command().args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        anyhow::ensure!(output.status.success(), "{said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A token of this scope.
    pub(crate) fn token(&self, name: &str, scope: &str) -> anyhow::Result<String> {
        // It outlives a clock that is ten years ahead.
        let printed = self.run(&["token", "create", name, "--scope", scope, "--days", "7300"])?;
        Ok(printed.trim().to_owned())
    }

    /// Events in the archive.
    pub(crate) fn events(&self) -> anyhow::Result<u64> {
        let sql = "SELECT count(*) AS n FROM events";
        let row: serde_json::Value =
            serde_json::from_str(&self.run(&["query", "--format", "json", sql])?)?;
        row["n"].as_u64().context("no count")
    }

    /// Starts the server and waits until it says where it serves; what it said instead is the error.
    pub(crate) fn start(&self) -> anyhow::Result<Server> {
        let mut process = self
            .command()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = process.stderr.take().context("no standard error")?;
        let mut lines = BufReader::new(stderr).lines();
        let (mut talk, mut address) = (String::new(), None);
        let mut ports = BTreeMap::new();
        while let Some(line) = lines.next() {
            let line = line?;
            if let Some((_, rest)) = line.split_once(" on http://") {
                address = Some(rest.trim().to_owned());
            } else if let Some((name, at)) = line
                .strip_prefix("listener ")
                .and_then(|l| l.split_once(": "))
            {
                let port = at.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
                ports.insert(name.to_owned(), port.context("a listener without a port")?);
            }
            if let Some(address) = address.clone().filter(|_| ports.len() == self.listeners) {
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Server {
                    process,
                    address,
                    ports,
                });
            }
            talk.push_str(&line);
            talk.push('\n');
        }
        process.wait()?;
        anyhow::bail!("the server did not start:\n{talk}")
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Child,
    /// Host and port.
    pub(crate) address: String,
    /// Port of each listener.
    pub(crate) ports: BTreeMap<String, u16>,
}

impl Server {
    /// Asks for an orderly end, as an operator would.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let ended = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()?;
        anyhow::ensure!(ended.success(), "SIGTERM could not be sent");
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Status and body of an answer, whatever the status; `None` when there was no answer.
    pub(crate) fn get(&self, token: &str, path: &str) -> Option<(u16, String)> {
        let answer = agent(Duration::from_secs(20))
            .get(format!("http://{}{path}", self.address))
            .header("Authorization", format!("Bearer {token}"))
            .call();
        answered(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill().and_then(|()| self.process.wait()));
    }
}

/// A client that takes any status for an answer.
pub(crate) fn agent(silence_max: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(silence_max))
        .http_status_as_error(false)
        .build()
        .into()
}

/// Status and body; `None` without an answer.
pub(crate) fn answered(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Option<(u16, String)> {
    let mut answer = answer.ok()?;
    let body = answer.body_mut().read_to_string().unwrap_or_default();
    Some((answer.status().as_u16(), body))
}
