//! What can become of a request other than its answer.

/// Why a request failed. Its text is the name under which failures are counted, so it holds nothing that varies.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection.
    #[error("connect: {0}")]
    Connect(std::io::ErrorKind),
    /// The connection ended after the request was sent, before the whole answer came.
    #[error("connection lost: {0}")]
    Lost(String),
    /// An answer with another status than 200.
    #[error("status {0}")]
    Status(u16),
    /// A 200 whose body is not what the app answers.
    #[error("wrong body")]
    WrongBody,
    /// No whole answer in time.
    #[error("timeout")]
    Timeout,
    /// So many requests unanswered that this one was not even sent.
    #[error("not sent: too many unanswered")]
    Swamped,
}
