//! What every handler shares: the use cases, the settings, and the turnstile of intake.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deedtrail_app::App;
use tokio::sync::Semaphore;

use crate::api::ReportGate;
use crate::config::{
    LARGE_BODIES_MAX, PUSH_BYTES_SMALL, PUSH_ROOM_BYTES, PUSHES_CONCURRENT_MAX, WITNESSING,
    WebConfig,
};
use crate::gate::Gate;
use crate::problem::Problem;

/// Of each webhook, or each stream of signals, by name. Of their own, so that whoever knows one
/// cannot keep others waiting.
type Named = Arc<BTreeMap<String, Pushes>>;

/// What one webhook, or one stream of signals, takes at the same time.
#[derive(Debug)]
pub(crate) struct Pushes {
    pub(crate) turns: Arc<Semaphore>,
    /// Of [`PUSH_ROOM_BYTES`], one for each [`PUSH_BYTES_SMALL`].
    pub(crate) room: Arc<Semaphore>,
}

/// Shared by all requests; cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    pub(crate) config: WebConfig,
    pub(crate) ingest_turns: Arc<Semaphore>,
    /// For deliveries with large bodies, which take one of the turns as well.
    pub(crate) large_places: Arc<Semaphore>,
    pub(crate) webhooks: Named,
    pub(crate) signals: Named,
    pub(crate) reports: Arc<ReportGate>,
    pub(crate) witnessing: Arc<Gate>,
}

impl Shared {
    pub(crate) fn new(app: Arc<App>, config: WebConfig) -> Self {
        let webhooks = named(app.webhooks.keys());
        let signals = named(app.signals.keys());
        Self {
            app,
            config,
            ingest_turns: Arc::new(Semaphore::new(config.ingest_concurrent_max)),
            large_places: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            webhooks,
            signals,
            reports: Arc::default(),
            witnessing: Arc::new(Gate::new(WITNESSING)),
        }
    }

    /// Runs blocking work (every use case blocks) outside the async threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(&self.app);
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || span.in_scope(|| work(&app)));
        task.await.map_err(|error| {
            tracing::error!(%error, "a request's work ended without an answer");
            Problem::internal()
        })
    }

    /// As [`Shared::run`], for work that may fail; the failure becomes a problem.
    pub(crate) async fn attempt<T, E>(
        &self,
        work: impl FnOnce(&App) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        self.run(work).await?.map_err(Into::into)
    }

    /// As [`Shared::attempt`], for work that takes long: what it is given says whether somebody still
    /// waits for it.
    pub(crate) async fn attempt_while_awaited<T, E>(
        &self,
        work: impl FnOnce(&App, &dyn Fn() -> bool) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let waiting = Waiting::default();
        let goes_on = waiting.asker();
        self.attempt(move |app: &App| work(app, &goes_on)).await
    }
}

/// Work goes on while somebody waits for it: dropped with the request when its client goes.
#[derive(Debug, Default)]
struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// Asks whether somebody still waits.
    fn asker(&self) -> impl Fn() -> bool + Send + use<> {
        let gone = Arc::clone(&self.0);
        move || !gone.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn named<'a>(names: impl Iterator<Item = &'a String>) -> Named {
    let pushes = || Pushes {
        turns: Arc::new(Semaphore::new(PUSHES_CONCURRENT_MAX)),
        room: Arc::new(Semaphore::new(PUSH_ROOM_BYTES / PUSH_BYTES_SMALL)),
    };
    Arc::new(names.map(|name| (name.clone(), pushes())).collect())
}
