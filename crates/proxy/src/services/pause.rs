//! A service's gate: open, holding requests back (pause), or turning them away (stop). It outlives deploys.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use dhow_proxy_api::{GoDuration, PauseState};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

const RUNNING: u8 = 0;
const PAUSED: u8 = 1;
const STOPPED: u8 = 2;

/// Open, paused or stopped; the open case costs one atomic read.
#[derive(Debug)]
pub(crate) struct Gate {
    code: AtomicU8,
    state: watch::Sender<PauseState>,
    /// Requests being held.
    held: AtomicUsize,
}

/// Most requests that a pause holds; each keeps a connection open. Those beyond are told that nobody is there.
const MOST_HELD: usize = 10_000;

/// A request being held, until it is dropped: because it may go on, or because its client has left.
struct Held<'g>(&'g Gate);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What became of a request at the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It may go on.
    Open,
    /// It was held for longer than the pause allows.
    Expired,
    /// As many are held as may be.
    Full,
    /// The service is stopped; this is what it says.
    Stopped(String),
}

impl Gate {
    /// A gate in the state a file recorded.
    pub(crate) fn new(state: PauseState) -> Self {
        let code = code(&state);
        Self {
            code: AtomicU8::new(code),
            state: watch::Sender::new(state),
            held: AtomicUsize::new(0),
        }
    }

    /// Nothing is held or turned away. See [`crate::services::target`] for the ordering this takes part in.
    pub(crate) fn is_open(&self) -> bool {
        self.code.load(Ordering::SeqCst) == RUNNING
    }

    /// What the state file records.
    pub(crate) fn state(&self) -> PauseState {
        self.state.borrow().clone()
    }

    /// `running`, `paused` or `stopped`.
    pub(crate) fn word(&self) -> &'static str {
        match self.code.load(Ordering::SeqCst) {
            PAUSED => "paused",
            STOPPED => "stopped",
            _ => "running",
        }
    }

    /// Holds requests that come from now on, each at most `most`.
    pub(crate) fn pause(&self, most: GoDuration) {
        self.set(|state| {
            state.state = PAUSED.into();
            state.fail_after = most;
        });
    }

    /// Turns requests away, also those being held.
    pub(crate) fn stop(&self, message: &str) {
        self.set(|state| {
            state.state = STOPPED.into();
            message.clone_into(&mut state.stop_message);
        });
    }

    /// Opens again.
    pub(crate) fn resume(&self) {
        self.set(|state| state.state = RUNNING.into());
    }

    /// Waits until the gate lets a request that came at `arrival` through, or does not.
    pub(crate) async fn pass(&self, arrival: Instant) -> Passage {
        let before = self.held.fetch_add(1, Ordering::Relaxed);
        let _held = Held(self);
        if before >= MOST_HELD && self.code.load(Ordering::SeqCst) == PAUSED {
            return Passage::Full;
        }
        let mut watch = self.state.subscribe();
        // A pause changed later counts for requests that come later.
        let mut deadline = None;
        loop {
            let state = watch.borrow_and_update().clone();
            match code(&state) {
                PAUSED => {}
                STOPPED => return Passage::Stopped(state.stop_message),
                _ => return Passage::Open,
            }
            let deadline = *deadline.get_or_insert_with(|| arrival + clamp(state.fail_after));
            match timeout_at(deadline, watch.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Passage::Open,
                Err(_) => return Passage::Expired,
            }
        }
    }

    fn set(&self, change: impl FnOnce(&mut PauseState)) {
        self.state.send_modify(|state| {
            change(state);
            self.code.store(code(state), Ordering::SeqCst);
        });
    }
}

fn code(state: &PauseState) -> u8 {
    match state.state {
        1 => PAUSED,
        2 => STOPPED,
        _ => RUNNING,
    }
}

/// Keeps absurdly long pauses within what timers can express.
fn clamp(duration: GoDuration) -> Duration {
    duration.to_std().min(Duration::from_secs(365 * 24 * 3600))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// parity: proxy 101
    #[tokio::test(start_paused = true)]
    async fn held_requests_go_on_after_resume() {
        let gate = Arc::new(Gate::new(PauseState::default()));
        assert_eq!(gate.pass(Instant::now()).await, Passage::Open);
        gate.pause(GoDuration::from_secs(30));
        assert!(!gate.is_open());
        let held = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass(Instant::now()).await }
        });
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert!(!held.is_finished());
        gate.resume();
        assert_eq!(held.await.unwrap(), Passage::Open);
        assert_eq!(gate.state().fail_after, GoDuration::from_secs(30));
    }

    /// parity: proxy 101, 104
    #[tokio::test(start_paused = true)]
    async fn a_pause_expires_counted_from_arrival() {
        let gate = Gate::new(PauseState::default());
        gate.pause(GoDuration::from_secs(5));
        let start = Instant::now();
        assert_eq!(gate.pass(start).await, Passage::Expired);
        assert_eq!(start.elapsed().as_secs(), 5);
        gate.pause(GoDuration::ZERO);
        assert_eq!(gate.pass(Instant::now()).await, Passage::Expired);
    }

    #[tokio::test(start_paused = true)]
    async fn pausing_again_concerns_later_arrivals() {
        let gate = Arc::new(Gate::new(PauseState::default()));
        gate.pause(GoDuration::from_secs(5));
        let start = Instant::now();
        let held = tokio::spawn({
            let gate = gate.clone();
            async move { (gate.pass(start).await, start.elapsed().as_secs()) }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        gate.pause(GoDuration::from_secs(60));
        assert_eq!(held.await.unwrap(), (Passage::Expired, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn item_d18_so_many_are_held_and_no_more_and_who_leaves_makes_room() {
        let gate = Arc::new(Gate::new(PauseState::default()));
        gate.pause(GoDuration::from_secs(30));
        let mut held: Vec<_> = (0..MOST_HELD)
            .map(|_| Box::pin(gate.pass(Instant::now())))
            .collect();
        for request in &mut held {
            assert!(futures_now(request).is_none());
        }
        assert_eq!(gate.pass(Instant::now()).await, Passage::Full);
        held.pop();
        let mut late = Box::pin(gate.pass(Instant::now()));
        assert!(futures_now(&mut late).is_none());
        assert_eq!(gate.pass(Instant::now()).await, Passage::Full);
        gate.resume();
        assert_eq!(late.await, Passage::Open);
        assert_eq!(gate.pass(Instant::now()).await, Passage::Open);
    }

    /// What a future has come to, asked once.
    fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    /// parity: proxy 101
    #[tokio::test(start_paused = true)]
    async fn stop_turns_away_at_once() {
        let gate = Arc::new(Gate::new(PauseState::default()));
        gate.pause(GoDuration::from_secs(30));
        let held = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass(Instant::now()).await }
        });
        tokio::task::yield_now().await;
        gate.stop("gone");
        assert_eq!(held.await.unwrap(), Passage::Stopped("gone".into()));
        assert_eq!(gate.word(), "stopped");
        gate.stop("still gone");
        assert_eq!(
            gate.pass(Instant::now()).await,
            Passage::Stopped("still gone".into())
        );
    }
}
