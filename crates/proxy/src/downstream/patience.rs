//! Patience with a connection that asks and takes back: opening and cancelling streams costs a client nothing and
//! the proxy and its targets a request each ("rapid reset", CVE-2023-44487).

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};

use crate::downstream::multiplexed::Outcome;

/// So many more requests may be taken back than answered. Browsers take back what a page left behind asked for.
const MOST: u32 = 200;

/// Patience with one connection.
pub(crate) struct Patience {
    left: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            left: Cell::new(MOST),
            waker: RefCell::default(),
        }
    }
}

impl Patience {
    /// A request has ended.
    pub(crate) fn note(&self, outcome: Outcome) {
        match outcome {
            Outcome::Answered => self.left.set(self.left.get().saturating_add(1).min(MOST)),
            Outcome::TakenBack => self.left.set(self.left.get().saturating_sub(1)),
        }
        if self.is_over()
            && let Some(waker) = self.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// The connection is to be closed.
    pub(crate) fn is_over(&self) -> bool {
        self.left.get() == 0
    }

    /// Has the task woken when patience ends.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if waker
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_back_is_fine_and_nothing_else_is_not() {
        let patience = Patience::default();
        for _ in 0..10_000 {
            patience.note(Outcome::TakenBack);
            patience.note(Outcome::Answered);
        }
        for _ in 1..MOST {
            patience.note(Outcome::TakenBack);
        }
        assert!(!patience.is_over());
        patience.note(Outcome::TakenBack);
        assert!(patience.is_over());
    }
}
