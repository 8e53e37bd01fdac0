//! How a request can fail to get a target's answer, and what the client and the log are told then.

use http::StatusCode;

use crate::downstream::inbound::InboundError;
use crate::upstream::Malformed;

/// Why there is no answer from a target.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No service for this host and path.
    NotFound,
    /// TLS was used to reach a service that has none.
    NoTls,
    /// The service was paused for longer than a request may be held.
    PauseExpired,
    /// The service is stopped, with this message.
    Stopped(String),
    /// No target is healthy.
    NoTarget,
    /// The client sent a body that is not HTTP.
    BadRequest,
    /// The request body is over the limit.
    RequestTooLarge,
    /// The response body is over the limit.
    ResponseTooLarge,
    /// A temporary file failed.
    Spill(std::io::Error),
    /// The target took too long.
    TimedOut,
    /// The target was drained and the time was up.
    Drained,
    /// The target could not be reached, or broke off.
    Target(TargetError),
    /// The client went away.
    ClientGone,
}

/// What went wrong with a target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    /// The connection broke.
    #[error("connection broke: {0}")]
    Io(std::io::Error),
    /// The connection ended before the response did.
    #[error("connection closed before the response was complete")]
    Closed,
    /// The response is not HTTP.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It switched protocols without being asked, or to another one.
    #[error("switched to a protocol that was not asked for")]
    BadUpgrade,
}

impl TargetError {
    /// The system's idea of a timeout counts as one.
    pub(crate) fn into_failure(self) -> Failure {
        match &self {
            Self::Connect(error) | Self::Io(error)
                if error.kind() == std::io::ErrorKind::TimedOut =>
            {
                Failure::TimedOut
            }
            _ => Failure::Target(self),
        }
    }
}

impl Failure {
    /// The status to answer with; none when nobody is there to be answered.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        Some(match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoTls | Self::Stopped(_) | Self::NoTarget => StatusCode::SERVICE_UNAVAILABLE,
            Self::PauseExpired | Self::TimedOut | Self::Drained => StatusCode::GATEWAY_TIMEOUT,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ResponseTooLarge | Self::Spill(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Target(_) => StatusCode::BAD_GATEWAY,
            Self::ClientGone => return None,
        })
    }

    /// What a client's broken body means.
    pub(crate) fn of_client_body(error: InboundError) -> Self {
        match error {
            InboundError::Malformed => Self::BadRequest,
            InboundError::Gone => Self::ClientGone,
        }
    }
}
