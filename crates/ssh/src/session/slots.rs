//! The limit on session channels: so many for each connection of a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Session channels at the same time on one connection. OpenSSH allows 10 (`MaxSessions`); two are left for sessions that the server has
/// not ended yet.
pub(crate) const PER_LINK: usize = 8;

/// The channels of all connections of a session; waiters are served in the order they came.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Semaphore>);

/// The right to one channel.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    used: Option<Arc<AtomicUsize>>,
}

impl Slots {
    /// The slots of one connection.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(PER_LINK)))
    }

    /// Another connection is there.
    pub(crate) fn add_link(&self) {
        self.0.add_permits(PER_LINK);
    }

    /// Whether a slot is free just now.
    pub(crate) fn has_free(&self) -> bool {
        self.0.available_permits() > 0
    }

    /// A slot, if one comes free in time.
    pub(crate) async fn take(&self, patience: Duration) -> Option<Slot> {
        let permit = timeout(patience, self.0.clone().acquire_owned())
            .await
            .ok()?
            .ok()?;
        Some(Slot {
            _permit: permit,
            used: None,
        })
    }

    /// A slot, if there is one to spare beside it.
    pub(crate) fn take_spare(&self) -> Option<Slot> {
        if self.0.available_permits() < 2 {
            return None;
        }
        let permit = self.0.clone().try_acquire_owned().ok()?;
        Some(Slot {
            _permit: permit,
            used: None,
        })
    }
}

impl Slot {
    /// Counts this slot against a connection until it is given back.
    pub(crate) fn charge(&mut self, counter: &Arc<AtomicUsize>) {
        counter.fetch_add(1, Ordering::SeqCst);
        if let Some(before) = self.used.replace(counter.clone()) {
            before.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(counter) = &self.used {
            counter.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
