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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn item_d14_idle_connections_are_closed_in_time_and_dead_ones_not_given_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut pool = Pool::default();
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut targets = Vec::new();
        for turn in 0..2_u32 {
            let connection = Connection::open(&[address], second * 60).await.unwrap();
            assert!(!connection.reused);
            pool.put(connection, now + second * turn);
            targets.push(listener.accept().await.unwrap().0);
        }
        // Looked at once, the sockets are known to hold nothing.
        pool.sweep(now);
        pool.sweep(now + IDLE_FOR - second);
        assert_eq!(pool.idle.len(), 2);
        pool.sweep(now + IDLE_FOR);
        assert_eq!(pool.idle.len(), 1);
        assert!(pool.take(true).is_some_and(|connection| connection.reused));
        assert!(pool.is_empty());

        let mut connection = Connection::open(&[address], second * 60).await.unwrap();
        let (target, _) = listener.accept().await.unwrap();
        drop(target);
        std::future::poll_fn(|cx| connection.poll_fill(cx, false))
            .await
            .unwrap();
        pool.put(connection, now);
        assert!(pool.take(true).is_none());
    }
}
