//! Idle connections of one core to one target, the one used last first.

use std::time::{Duration, Instant};

use super::Connection;

/// Idle connections kept, a core and a target.
const MOST_IDLE: usize = 512;
/// An idle connection is closed after this long.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// A stack of idle connections.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Vec<(Connection, Instant)>,
}

impl Pool {
    /// A connection that is still usable, if there is one. `thorough` asks the kernel, for requests that must
    /// not meet a connection the target has just closed.
    pub(crate) fn take(&mut self, thorough: bool) -> Option<Connection> {
        while let Some((connection, _)) = self.idle.pop() {
            if connection.is_usable(thorough) {
                return Some(connection);
            }
        }
        None
    }

    /// Puts a connection back after a complete response; `now` may be a moment old.
    pub(crate) fn put(&mut self, mut connection: Connection, now: Instant) {
        if self.idle.len() < MOST_IDLE {
            connection.reused = true;
            connection.rest();
            self.idle.push((connection, now));
        }
    }

    /// Closes what is too old or was closed by the target.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.idle.retain(|(connection, since)| {
            now.saturating_duration_since(*since) < IDLE_FOR && connection.is_usable(false)
        });
    }

    /// Closes everything.
    pub(crate) fn clear(&mut self) {
        self.idle.clear();
    }

    /// Whether nothing idles here.
    pub(crate) fn is_empty(&self) -> bool {
        self.idle.is_empty()
    }
}
