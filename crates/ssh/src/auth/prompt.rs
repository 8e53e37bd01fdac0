//! Asking the person at the terminal, one question at a time over all hosts.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::secret::Secret;
use crate::settings::{Ask, Question};

/// Serialises questions: hosts connect at the same time, a terminal shows one prompt.
#[derive(Clone)]
pub(crate) struct Prompt {
    ask: Option<Ask>,
    turn: Arc<Mutex<()>>,
}

impl Prompt {
    pub(crate) fn new(ask: Option<Ask>) -> Self {
        Self {
            ask,
            turn: Arc::default(),
        }
    }

    /// Whether there is anybody to ask.
    pub(crate) fn is_manned(&self) -> bool {
        self.ask.is_some()
    }

    /// The answer, or `None` when nobody can or wants to give one.
    pub(crate) async fn ask(&self, question: Question) -> Option<Secret> {
        let ask = self.ask.clone()?;
        let _turn = self.turn.lock().await;
        tokio::task::spawn_blocking(move || (ask.0)(&question))
            .await
            .ok()
            .flatten()
    }
}
