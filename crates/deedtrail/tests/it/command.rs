//! Running the binary on a data folder of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// A data folder that goes when it is dropped.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// With an installation that nothing was given to.
    pub(crate) fn new() -> Self {
        let folder = Self::bare();
        let data = folder.path("data");
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700).create(data).unwrap();
        folder.write("data/VERSION", "1\n");
        folder
    }

    /// Without an installation.
    pub(crate) fn bare() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deedtrail"));
        command
            .arg("--data")
            .arg(self.path("data"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {talk}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must succeed with `--json`; one value per line.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let text = self.ok(&all);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Runs a command with this standard input.
    pub(crate) fn with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Starts the server; returns it and the address it serves on.
    pub(crate) fn serve(&self) -> Server {
        served_by(self.command())
    }
}

/// As [`Folder::serve`], by a command that runs the binary.
pub(crate) fn served_by(mut command: Command) -> Server {
    let mut child = command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| Some(line.split_once(" on ")?.1.trim().to_owned()))
        .unwrap();
    let line = lines.next().unwrap().unwrap();
    let (sender, talk) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            drop(sender.send(line));
        }
    });
    assert!(address.starts_with("http"), "{address}");
    Server {
        child,
        address,
        line,
        talk,
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// `http://127.0.0.1:PORT`, or `https` with a certificate.
    pub(crate) address: String,
    /// What it says about signing in.
    pub(crate) line: String,
    /// What it says after that.
    talk: Receiver<String>,
}

impl Server {
    /// The next line that it says with `text` in it.
    pub(crate) fn says(&self, text: &str) -> String {
        let mut lines = self.talk.iter();
        lines.find(|line| line.contains(text)).unwrap()
    }

    /// What the page or endpoint answers to a token, with status 200.
    pub(crate) fn get(&self, token: &str, path: &str) -> String {
        let host = self.address.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Asks it to end in order, and waits.
    pub(crate) fn stop(&mut self) {
        self.stop_by("-TERM");
    }

    pub(crate) fn stop_by(&mut self, signal: &str) {
        let mut kill = Command::new("kill");
        let asked = kill.arg(signal).arg(self.child.id().to_string());
        assert!(asked.status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One CloudTrail record of an invented account.
pub(crate) fn cloudtrail(id: &str, name: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","principalId":"AIDAEXAMPLE1","arn":"arn:aws:iam::111122223333:user/ana","accountId":"111122223333","userName":"ana","accessKeyId":"AKIAEXAMPLE1"}},"eventTime":"2026-11-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.0","requestParameters":{{"userName":"ben"}},"responseElements":null,"eventID":"{id}","readOnly":false,"eventType":"AwsApiCall","recipientAccountId":"111122223333"}}"#
    )
}

/// Whether a file exists.
pub(crate) fn there(path: &Path) -> bool {
    path.try_exists().unwrap()
}
