//! Where events go: one channel, stamped with the time since the command started.

use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::event::{Event, EventKind, Level};

/// The way from the engine to the reporters. Cheap to clone; an event that nobody takes any more is dropped.
#[derive(Clone, Debug)]
pub struct Sink {
    events: UnboundedSender<Event>,
    started: Instant,
}

impl Sink {
    /// Events to `events`, timed from `started`.
    pub fn new(events: UnboundedSender<Event>, started: Instant) -> Self {
        Self { events, started }
    }

    /// Tells that something happened.
    pub fn emit(&self, kind: EventKind) {
        let at = self.started.elapsed();
        // The reporter ends only after the last event, or with the whole process.
        let _ = self.events.send(Event { at, kind });
    }

    /// A status line.
    pub fn say(&self, level: Level, text: impl Into<String>) {
        let text = text.into();
        self.emit(EventKind::Said { level, text });
    }

    /// When the command started.
    pub fn started(&self) -> Instant {
        self.started
    }
}
