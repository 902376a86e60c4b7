//! The server's certificate, and whose clients it serves: read at the start, and again whenever the
//! files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use deedtrail_core::time::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::sync::watch;
use x509_cert::der::Decode as _;

use crate::config::TlsConfig;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate with its key, as the files hold it now.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsConfig,
    current: RwLock<Arc<CertifiedKey>>,
    /// Why the files as they are now do not serve.
    failed: Mutex<Option<String>>,
    /// Listeners that serve the clients of some authorities alone.
    closed: Mutex<Vec<Closed>>,
}

/// A listener whose clients the authorities in a file vouch for.
#[derive(Debug)]
struct Closed {
    file: PathBuf,
    changed: Option<SystemTime>,
    serving: watch::Sender<Arc<ServerConfig>>,
}

impl Certificate {
    /// Reads the files; what is wrong with them is told in words.
    pub(crate) fn load(files: &TlsConfig) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            files: files.clone(),
            current: RwLock::new(read(files)?),
            failed: Mutex::default(),
            closed: Mutex::default(),
        }))
    }

    /// TLS 1.2 and 1.3 with this certificate, offering the protocols of `alpn`.
    pub(crate) fn server(self: &Arc<Self>, alpn: &[&[u8]]) -> anyhow::Result<Arc<ServerConfig>> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        let resolver: Arc<Self> = Arc::clone(self);
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    /// As [`Self::server`] for a listener; with a file for clients alone that one of the authorities
    /// in it vouches for. When the file changes the next connection is checked against the new ones,
    /// also if it goes on with a session of before.
    pub(crate) fn listener(
        self: &Arc<Self>,
        clients: Option<&Path>,
    ) -> anyhow::Result<watch::Receiver<Arc<ServerConfig>>> {
        let Some(file) = clients else {
            return Ok(watch::Sender::new(self.server(&[])?).subscribe());
        };
        let changed = changed_at(file);
        let serving = watch::Sender::new(self.server_of_clients(file)?);
        let served = serving.subscribe();
        let closed = Closed {
            file: file.to_owned(),
            changed,
            serving,
        };
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(closed);
        Ok(served)
    }

    fn server_of_clients(self: &Arc<Self>, file: &Path) -> anyhow::Result<Arc<ServerConfig>> {
        let mut authorities = RootCertStore::empty();
        for authority in certificates(file, "client_ca_file")? {
            authorities.add(authority)?;
        }
        let clients = WebPkiClientVerifier::builder_with_provider(authorities.into(), provider());
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions()?;
        let resolver: Arc<Self> = Arc::clone(self);
        let config = builder.with_client_cert_verifier(clients.build()?);
        Ok(Arc::new(config.with_cert_resolver(resolver)))
    }

    /// When the one that serves ends.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        end_of(current.cert.first()?)
    }

    /// Why newer files are not used, if they are not.
    pub(crate) fn failed(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone()
    }

    /// Looks at the files now and then, for ever. New ones serve the next connection; broken ones
    /// are told, and the old ones go on.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        let mut known = changed(&self.files);
        loop {
            interval.tick().await;
            let certificate = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || certificate.look(known)).await;
            known = looked.unwrap_or(known);
        }
    }

    /// Reads the files again if they changed since `known`; gives when they did.
    fn look(self: &Arc<Self>, known: Changed) -> Changed {
        self.look_at_clients();
        let now = changed(&self.files);
        if now == known {
            return known;
        }
        let read = read(&self.files);
        let failed = read.as_ref().err().map(|error| format!("{error:#}"));
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        match read {
            Ok(read) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
                tracing::info!("the certificate was read again and serves from now on");
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(
                    error,
                    "the new certificate is not used; the old one goes on"
                );
            }
        }
        now
    }
}

impl Certificate {
    /// Reads the authorities of clients again whose files changed.
    fn look_at_clients(self: &Arc<Self>) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        for one in &mut *closed {
            let now = changed_at(&one.file);
            if now == one.changed {
                continue;
            }
            one.changed = now;
            let file = one.file.display();
            match self.server_of_clients(&one.file) {
                Ok(read) => {
                    one.serving.send_replace(read);
                    tracing::info!(%file, "the authorities of clients were read again and count from now on");
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(
                        error,
                        "the new authorities of clients are not used; the old ones go on"
                    );
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// A client that trusts the authorities in a file, else those the system knows, and shows a
/// certificate with its key where there is one.
pub(crate) fn client(
    authorities_file: Option<&Path>,
    ours: Option<(&Path, &Path)>,
) -> anyhow::Result<ClientConfig> {
    let mut authorities = RootCertStore::empty();
    if let Some(file) = authorities_file {
        for authority in certificates(file, "ca_file")? {
            authorities.add(authority)?;
        }
    } else {
        let known = rustls_native_certs::load_native_certs();
        authorities.add_parsable_certificates(known.certs);
    }
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(authorities);
    let Some((certificate_file, key_file)) = ours else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate_file, "certificate_file")?;
    let key = PrivateKeyDer::from_pem_file(key_file)
        .with_context(|| trouble("key_file", key_file, "one private key in PEM"))?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

/// When the certificate in the file ends; `None` when it cannot be read.
pub(crate) fn ends(files: &TlsConfig) -> Option<Timestamp> {
    let chain = certificates(&files.certificate_file, "tls.certificate_file").ok()?;
    end_of(chain.first()?)
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate.validity.not_after;
    let micros = end.to_unix_duration().as_micros();
    Some(Timestamp::from_micros(i64::try_from(micros).ok()?))
}

/// When both files changed last.
type Changed = [Option<SystemTime>; 2];

fn changed(files: &TlsConfig) -> Changed {
    [&files.certificate_file, &files.key_file].map(|file| changed_at(file))
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|data| data.modified()).ok()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read(files: &TlsConfig) -> anyhow::Result<Arc<CertifiedKey>> {
    let chain = certificates(&files.certificate_file, "tls.certificate_file")?;
    let path = &files.key_file;
    let key = PrivateKeyDer::from_pem_file(path)
        .with_context(|| trouble("tls.key_file", path, "one private key in PEM"))?;
    let key = CertifiedKey::from_der(chain, key, &provider());
    let key = key.with_context(|| {
        format!(
            "`tls.certificate_file` {} and `tls.key_file` {} do not fit each other",
            files.certificate_file.display(),
            path.display()
        )
    })?;
    Ok(Arc::new(key))
}

fn certificates(path: &Path, setting: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let expected = "certificates in PEM";
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = read.with_context(|| trouble(setting, path, expected))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{}: none is in it",
        trouble(setting, path, expected)
    );
    Ok(chain)
}

fn trouble(setting: &str, path: &Path, expected: &str) -> String {
    format!(
        "cannot read `{setting}` {}: expected {expected}",
        path.display()
    )
}
