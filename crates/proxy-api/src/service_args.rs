//! Arguments of `pause` and `stop`.

use std::ffi::OsString;

use crate::command::{UsageError, one_service};
use crate::deploy_flags::FlagValue;
use crate::duration::GoDuration;
use crate::flags::{Kind, Parsed, Spec, flag, parse};

const THIRTY_SECONDS: GoDuration = GoDuration::from_secs(30);

/// `pause <service>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseArgs {
    /// The service's name.
    pub service: String,
    /// Wait this long for requests in flight.
    pub drain_timeout: GoDuration,
    /// Hold a request at most this long.
    pub max_pause: GoDuration,
}

/// `stop <service>`; a field that is `None` was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopArgs {
    /// The service's name.
    pub service: String,
    /// Wait this long for requests in flight; 30 s unless given.
    pub drain_timeout: Option<GoDuration>,
    /// Shown on the 503 page; empty shows the default text.
    pub message: Option<String>,
}

pub(crate) const PAUSE_FLAGS: &[Spec] = &[
    flag(
        "drain-timeout",
        Kind::Duration,
        "30s",
        "Wait this long for requests in flight",
    ),
    flag(
        "max-pause",
        Kind::Duration,
        "30s",
        "Hold a request at most this long",
    ),
];

pub(crate) const STOP_FLAGS: &[Spec] = &[
    flag(
        "drain-timeout",
        Kind::Duration,
        "30s",
        "Wait this long for requests in flight",
    ),
    flag(
        "message",
        Kind::Text,
        "",
        "Text for the page that visitors see",
    ),
];

impl PauseArgs {
    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, UsageError> {
        Ok(Self {
            service: one_service(parsed)?,
            drain_timeout: parsed.duration("drain-timeout").unwrap_or(THIRTY_SECONDS),
            max_pause: parsed.duration("max-pause").unwrap_or(THIRTY_SECONDS),
        })
    }
}

impl StopArgs {
    /// Parses what follows `stop`.
    ///
    /// # Errors
    /// The message to show after `Error: `.
    pub fn parse(args: &[OsString]) -> Result<Self, UsageError> {
        Self::from_parsed(&parse(STOP_FLAGS, args)?)
    }

    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, UsageError> {
        Ok(Self {
            service: one_service(parsed)?,
            drain_timeout: parsed.duration("drain-timeout"),
            message: parsed.text("message"),
        })
    }

    /// The drain timeout in effect.
    #[must_use]
    pub fn effective_drain_timeout(&self) -> GoDuration {
        self.drain_timeout.unwrap_or(THIRTY_SECONDS)
    }

    /// Flags in Kamal's order; the service name is not among them.
    #[must_use]
    pub fn render(&self) -> Vec<FlagValue> {
        let mut flags = Vec::new();
        if let Some(timeout) = self.drain_timeout {
            flags.push(FlagValue::with("--drain-timeout", timeout.in_seconds()));
        }
        if let Some(message) = &self.message {
            flags.push(FlagValue::with("--message", message.clone()));
        }
        flags
    }
}
