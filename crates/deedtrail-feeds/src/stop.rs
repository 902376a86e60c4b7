//! Being told to stop.

use tokio::sync::watch;

/// Tells every connection of a set of listeners to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The signal, and what gives it: `true` or its end.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends once stopping was asked for.
    pub(crate) async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that nobody is left to ask for it: the same thing.
        drop(receiver.wait_for(|stop| *stop).await);
    }
}
