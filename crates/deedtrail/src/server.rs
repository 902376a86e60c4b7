//! `serve`: HTTP, the local socket, ticks, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use deedtrail_app::access::{AccessError, Principal};
use deedtrail_app::rule_set::Reloaded;
use deedtrail_web::{Transport, WebConfig};
use tokio::sync::watch;

use crate::commands::{self, Ended};
use crate::config::Config;
use crate::instance::{Instance, is_installed, making};
use crate::listeners;
use crate::output::Console;
use crate::pullers;
use crate::secret;
use crate::signals;
use crate::socket;
use crate::system::raise_open_files;
use crate::timestamps;
use crate::tls::Certificate;
use crate::warning::{Warning, warnings};
use crate::witnesses;

/// Time between two ticks of the log.
const TICK: Duration = Duration::from_mins(1);
/// Longest wait for views to be written, after which counts of them are looked for.
const VIEWS_WAIT: Duration = Duration::from_secs(1);

/// Opens the data folder and serves it until a signal comes.
pub(crate) fn serve(
    mut config: Config,
    listen: Option<SocketAddr>,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    config.listen = listen.unwrap_or(config.listen);
    if !is_installed(&config.data)? {
        console.say(making(&config.data))?;
    }
    let instance = Arc::new(Instance::open(&config)?);
    instance.log_rule_mistakes();
    serve_instance(&instance, console)
}

/// Serves an open data folder until a signal comes, then closes it.
pub(crate) fn serve_instance(
    instance: &Arc<Instance>,
    console: &mut Console,
) -> anyhow::Result<Ended> {
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(instance, console));
    runtime.shutdown_timeout(Duration::from_secs(5));
    let removed = std::fs::remove_file(instance.config.data.join(socket::SOCKET_NAME));
    if let Err(error) = removed {
        tracing::debug!(%error, "the socket was gone already");
    }
    instance.close()?;
    served?;
    Ok(Ended::Done)
}

async fn run(instance: &Arc<Instance>, console: &mut Console) -> anyhow::Result<()> {
    let config = &instance.config;
    let (sender, ended) = watch::channel(false);
    let telling = tell(sender, Arc::clone(instance), console.terminal)?;
    let certificate = config.tls.as_ref().map(Certificate::load).transpose()?;
    if let Some(certificate) = &certificate {
        instance.certificate.get_or_init(|| Arc::clone(certificate));
    }
    let tls = certificate
        .as_ref()
        .map(|one| one.server(&deedtrail_web::ALPN));
    let tls = tls.transpose()?;
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| {
            format!(
                "cannot listen on {}; try --listen 127.0.0.1:0",
                config.listen
            )
        })?;
    let listeners = listeners::bind(instance, certificate.as_ref()).await?;
    let pullers = pullers::open(instance)?;
    let polls = signals::polls(instance)?;
    let address = listener.local_addr()?;
    instance.address.get_or_init(|| address);
    let local = Arc::clone(instance);
    let handler: socket::Handler =
        Arc::new(move |request, console| commands::answer(&local, request, console));
    socket::listen(&config.data, handler)?;
    greet(instance, console)?;
    listeners::greet(&listeners, console)?;
    for Warning { setting, text } in warnings(config, instance.app.ports.clock.now()) {
        console.say(format_args!("warning: `{setting}`: {text}"))?;
    }
    let router = deedtrail_web::router(Arc::clone(&instance.app), web_config(config));
    let ticks = tick(Arc::clone(instance));
    let views = write_views(Arc::clone(instance));
    let reloads = async {
        match certificate {
            Some(certificate) => certificate.watch().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ((), (), (), (), (), ()) = async {
            let served = deedtrail_web::serve(listener, tls, router, signal(ended.clone()));
            let (listeners, pullers) = (listeners.run(signal(ended.clone())), pullers.run(signal(ended.clone())));
            let polls = polls.run(signal(ended.clone()));
            let asking = witnesses::run(
                instance.witnesses.clone(),
                config.witness.interval_s,
                signal(ended.clone()),
            );
            let stamping = timestamps::run(instance, signal(ended.clone()));
            tokio::join!(served, listeners, pullers, polls, asking, stamping)
        } => {}
        () = reloads => {}
        () = views => {}
        () = telling => {}
        () = secret::watch(Arc::clone(instance)) => {}
        error = ticks => anyhow::bail!("the log takes no more entries: {error}"),
    }
    instance.app.views.end();
    console.say("stopping: everything acknowledged is on disk")?;
    Ok(())
}

fn web_config(config: &Config) -> WebConfig {
    let public = config.public_url.as_deref();
    let https = public.is_some_and(|url| url.starts_with("https://"));
    WebConfig {
        transport: if https || config.tls.is_some() {
            Transport::Https
        } else {
            Transport::LoopbackHttp
        },
        ingest_concurrent_max: config.ingest_concurrency,
        ..WebConfig::default()
    }
}

fn greet(instance: &Instance, console: &mut Console) -> anyhow::Result<()> {
    if let Some(damage) = instance.app.ports.log.damage() {
        console.say(format_args!("READ-ONLY: {damage}"))?;
    }
    console.say(format_args!(
        "serving {} on {}",
        instance.config.data.display(),
        instance.base()
    ))?;
    console.say(sign_in(instance)?)?;
    if let Some(says) = instance.derives()? {
        console.say(says)?;
    }
    Ok(())
}

/// How people get in. A log that takes no entries keeps them out, as signing in is one, and nobody from
/// being served.
fn sign_in(instance: &Instance) -> Result<String, AccessError> {
    let closed = |reason: &str| {
        format!(
            "nobody can sign in now, as that is an entry of the log ({reason}); who is signed in, tokens \
             that read, and the commands here are answered"
        )
    };
    if instance.app.ports.log.damage().is_some() {
        return Ok(closed("it is read-only"));
    }
    match instance.app.first_sign_in_link() {
        Ok(Some(secret)) => {
            let link = instance.sign_in_link(&secret);
            Ok(format!("sign in (once, within 24 h): {link}"))
        }
        Ok(None) => Ok("sign in: `deedtrail sign-in NAME` prints a link".to_owned()),
        Err(AccessError::Append(error)) => Ok(closed(&error.to_string())),
        Err(error) => Err(error),
    }
}

/// Appends a tick every minute; ends only when the log has failed.
async fn tick(instance: Arc<Instance>) -> deedtrail_core::port::log::AppendError {
    use deedtrail_core::port::log::AppendError;
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
        let app = Arc::clone(&instance.app);
        let ticked = tokio::task::spawn_blocking(move || app.tick()).await;
        if let Ok(Err(error @ AppendError::Failed { .. })) = ticked {
            return error;
        }
    }
}

/// Writes who looked at what to the log, beside what is read; never ends itself.
async fn write_views(instance: Arc<Instance>) {
    loop {
        let app = Arc::clone(&instance.app);
        let written = tokio::task::spawn_blocking(move || {
            app.views.wait(VIEWS_WAIT);
            app.write_views()
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "views are counted only"),
            Err(error) => {
                tracing::error!(%error, "views are no longer written");
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Tells `ended` of Ctrl-C and SIGTERM, and never ends itself. They are caught from the call on, before
/// anybody is told that the server is there. On SIGHUP rules are read again; in a terminal it says that
/// the terminal is gone, and the server ends in order.
fn tell(
    ended: watch::Sender<bool>,
    instance: Arc<Instance>,
    in_terminal: bool,
) -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupted = signal(SignalKind::interrupt()).context("SIGINT cannot be watched")?;
    let mut terminated = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    let mut hung_up = signal(SignalKind::hangup()).context("SIGHUP cannot be watched")?;
    Ok(async move {
        let hang_ups = async {
            while hung_up.recv().await.is_some() && !in_terminal {
                reload(Arc::clone(&instance)).await;
            }
        };
        tokio::select! {
            () = hang_ups => {}
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        ended.send_replace(true);
        std::future::pending::<()>().await;
    })
}

/// Reads the rules again, and says in the server's log what came of it.
async fn reload(instance: Arc<Instance>) {
    let told = Arc::clone(&instance);
    let reloading = move || instance.app.reload_rules(&Principal::local());
    match tokio::task::spawn_blocking(reloading).await {
        Ok(Ok(Reloaded {
            changed, in_force, ..
        })) => {
            tracing::info!(changed, digest = in_force.digest, "rules were read again");
            told.log_rule_mistakes();
        }
        Ok(Err(error)) => tracing::error!(%error, "rules were not read again"),
        Err(error) => tracing::error!(%error, "rules were not read again"),
    }
}

/// Ends once `ended` says so.
async fn signal(mut ended: watch::Receiver<bool>) {
    if let Err(error) = ended.wait_for(|ended| *ended).await {
        tracing::error!(%error, "signals are no longer watched");
        std::future::pending::<()>().await;
    }
}
