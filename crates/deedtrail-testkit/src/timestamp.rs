//! A time stamp authority (RFC 3161) that nobody here wrote: `openssl ts` with certificates of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use crate::python::output;

/// Policy of its stamps unless another is asked for.
pub const POLICY: &str = "1.2.3.4.1";
/// The other policy that it stamps under.
pub const OTHER_POLICY: &str = "1.2.3.4.5";

/// An authority whose keys and certificates are in a folder.
#[derive(Debug)]
pub struct TimestampAuthority {
    folder: PathBuf,
    /// One answer after the other: they share files.
    answering: Mutex<()>,
}

impl TimestampAuthority {
    /// Makes certificates in `folder`, which is there. Needs `openssl`.
    ///
    /// # Panics
    ///
    /// Without `openssl`, with everything that was said.
    pub fn new(folder: &Path) -> Self {
        let this = Self {
            folder: folder.to_owned(),
            answering: Mutex::default(),
        };
        let usage = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                     extendedKeyUsage=critical,timeStamping\n";
        let section = format!(
            "[tsa]\nserial = {}\nsigner_digest = sha256\ndefault_policy = {POLICY}\n\
             other_policies = {OTHER_POLICY}\ndigests = sha256\naccuracy = secs:1, millisecs:500\n\
             clock_precision_digits = 3\nordering = yes\ntsa_name = yes\ness_cert_id_alg = sha256\n",
            this.path("serial")
        );
        this.write("usage.cnf", usage.as_bytes());
        this.write("tsa.cnf", section.as_bytes());
        this.write("serial", b"01\n");
        let made = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=Root \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
             -keyout ca.key -out ca.pem",
            "req -newkey rsa:2048 -nodes -subj /CN=Stamper -keyout tsa.key -out tsa.csr",
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
             -extfile usage.cnf -out tsa.pem",
        ];
        for line in made {
            this.openssl(line);
        }
        this
    }

    /// The certificate in PEM that a verifier trusts.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The answer to a query, both in DER.
    ///
    /// # Panics
    ///
    /// When `openssl` fails; a query that it refuses is answered.
    pub fn answer(&self, query: &[u8]) -> Vec<u8> {
        let _one = self
            .answering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.write("query.tsq", query);
        self.openssl(
            "ts -reply -config tsa.cnf -section tsa -queryfile query.tsq -inkey tsa.key \
             -signer tsa.pem -out answer.tsr",
        );
        std::fs::read(self.folder.join("answer.tsr")).expect("openssl wrote it")
    }

    /// Whether `openssl ts -verify` takes an answer as one about the bytes of a file.
    pub fn verifies(&self, answer: &Path, data: &Path) -> bool {
        let mut verify = Command::new("openssl");
        verify.args(["ts", "-verify", "-in"]).arg(answer);
        verify
            .arg("-data")
            .arg(data)
            .arg("-CAfile")
            .arg(self.ca_file());
        verify.output().expect("openssl starts").status.success()
    }

    /// Answers over HTTP for as long as the process lives; its address.
    ///
    /// # Panics
    ///
    /// When it cannot listen.
    pub fn serve(self: Arc<Self>) -> String {
        serve(move |query| self.answer(query))
    }

    fn openssl(&self, line: &str) {
        let mut command = Command::new("openssl");
        output(
            command
                .args(line.split_whitespace())
                .current_dir(&self.folder),
        );
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).expect("the folder can be written");
    }
}

/// Answers queries over HTTP for as long as the process lives; the address.
///
/// # Panics
///
/// When it cannot listen.
pub fn serve(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who hangs up is not answered.
            exchange(stream, &answer).ok();
        }
    });
    format!("http://{address}/tsr")
}

fn exchange(stream: TcpStream, answer: &dyn Fn(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut is_query) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(told) = line.strip_prefix("content-length:") {
            length = told.trim().parse().map_err(std::io::Error::other)?;
        }
        is_query |= line == "content-type: application/timestamp-query";
    }
    let mut query = vec![0; length];
    reader.read_exact(&mut query)?;
    let (status, body) = if is_query {
        ("200 OK", answer(&query))
    } else {
        ("415 Unsupported Media Type", Vec::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)
}
