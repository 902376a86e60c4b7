//! Listeners of the configuration: syslog and RELP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use deedtrail_app::figures::ListenerCounters;
use deedtrail_core::id::SourceName;
use deedtrail_feeds::{Listener, Listeners, Protocol};
use ipnet::IpNet;
use rustls::ServerConfig;
use tokio::sync::watch;

use crate::config::{Config, ListenerConfig, ListenerProtocol};
use crate::instance::{Instance, known_source};
use crate::output::Console;
use crate::tls::Certificate;

/// Counters of every listener, by name.
pub(crate) fn counters(config: &Config) -> BTreeMap<String, Arc<ListenerCounters>> {
    let names = config.listeners.keys().cloned();
    names.map(|name| (name, Arc::default())).collect()
}

/// Binds every listener of the configuration. Encrypted ones use the server's certificate.
pub(crate) async fn bind(
    instance: &Instance,
    certificate: Option<&Arc<Certificate>>,
) -> anyhow::Result<Listeners> {
    let facts = instance.app.ports.mapper.sources().into_iter();
    let sources: Vec<SourceName> = facts.map(|facts| facts.name).collect();
    let settings = instance.config.listeners.iter().map(|(name, listener)| {
        let read = read(name, listener, &sources, certificate);
        read.with_context(|| format!("listeners.{name}"))
    });
    let settings = settings.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Listeners::bind(&instance.app, settings).await?)
}

/// Says where each listens.
pub(crate) fn greet(listeners: &Listeners, console: &mut Console) -> anyhow::Result<()> {
    for (listener, address) in listeners.addresses() {
        let encrypted = listener.tls.as_ref().map_or("", |_| " with TLS");
        let protocol = match listener.protocol {
            Protocol::Syslog => "syslog",
            Protocol::SyslogUdp => "syslog by UDP",
            Protocol::Relp => "RELP",
        };
        let name = &listener.name;
        console.say(format_args!(
            "listener {name}: {protocol}{encrypted} at {address}"
        ))?;
    }
    Ok(())
}

/// What is wrong with each of them.
pub(crate) fn mistakes(config: &Config, sources: &[SourceName]) -> Vec<String> {
    let certificate = config.tls.as_ref().map(Certificate::load);
    let is_broken = matches!(certificate, Some(Err(_)));
    let certificate = certificate.and_then(Result::ok);
    let wrong = config.listeners.iter().filter_map(|(name, listener)| {
        let mut listener = listener.clone();
        if is_broken {
            // That is told of the certificate itself.
            (listener.tls, listener.client_ca_file) = (false, None);
        }
        let error = read(name, &listener, sources, certificate.as_ref()).err()?;
        Some(format!("`listeners.{name}`: {error:#}"))
    });
    wrong.collect()
}

fn read(
    name: &str,
    listener: &ListenerConfig,
    sources: &[SourceName],
    certificate: Option<&Arc<Certificate>>,
) -> anyhow::Result<Listener> {
    // It stands in the log output and names who sent.
    SourceName::new(name)?;
    let source = listener.source.as_deref();
    let source = source.map(|source| known_source(source, sources.iter().cloned()));
    let allowed = listener.allow.iter().map(|text| network(text));
    Ok(Listener {
        name: name.to_owned(),
        protocol: match listener.protocol {
            ListenerProtocol::Syslog => Protocol::Syslog,
            ListenerProtocol::SyslogUdp => Protocol::SyslogUdp,
            ListenerProtocol::Relp => Protocol::Relp,
        },
        address: listener.listen,
        source: source.transpose()?,
        allowed: allowed.collect::<anyhow::Result<_>>()?,
        tls: encryption(listener, certificate)?,
    })
}

/// An address stands for itself alone.
fn network(text: &str) -> anyhow::Result<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    network.with_context(|| format!("`allow`: `{text}` is no address and no network"))
}

fn encryption(
    listener: &ListenerConfig,
    certificate: Option<&Arc<Certificate>>,
) -> anyhow::Result<Option<watch::Receiver<Arc<ServerConfig>>>> {
    if !listener.tls {
        let authority = listener.client_ca_file.as_ref();
        anyhow::ensure!(
            authority.is_none(),
            "`client_ca_file` is of no use without `tls = true`"
        );
        return Ok(None);
    }
    anyhow::ensure!(
        listener.protocol != ListenerProtocol::SyslogUdp,
        "`tls`: datagrams are not encrypted; take `protocol = \"syslog\"`"
    );
    let certificate = certificate.context("`tls` needs the server's certificate: `[tls]`")?;
    certificate
        .listener(listener.client_ca_file.as_deref())
        .map(Some)
}
