//! What goes into the manager and comes out of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::ask_url::Denial;
use crate::host_name::HostName;
use crate::issuer::Pending;
use crate::moment::Moment;

/// Asks the application whether a name may have a certificate.
pub type Ask = Arc<dyn Fn(HostName) -> Pending<'static, Result<(), Denial>> + Send + Sync>;

/// What a service needs.
#[derive(Clone)]
pub struct Coverage {
    /// The certificate cache.
    pub cache: PathBuf,
    /// The authority's directory; `""` is the default one.
    pub directory_url: String,
    /// Hosts to order for ahead of need.
    pub hosts: Vec<HostName>,
    /// For a service that takes any host: orders for names that clients send, if this allows them.
    pub ask: Option<Ask>,
    /// Deployed just now, and not found in a state file: back-off is shortened, since something may have been mended.
    pub deployed: bool,
}

/// An answer to an http-01 request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpChallenge {
    /// 200, as plain text.
    Answer(String),
    /// 404: no order here has that token.
    UnknownToken,
    /// 403: certificates are not ordered for that host.
    HostNotAllowed,
}

/// Something worth a line in the log.
#[derive(Debug)]
pub enum Event {
    /// A certificate is being served that was not before.
    Issued {
        /// For this host.
        host: HostName,
        /// Until when it holds.
        not_after: Moment,
    },
    /// An order failed.
    Failed {
        /// For this host.
        host: HostName,
        /// Why, in the authority's words.
        reason: String,
        /// Until the next attempt.
        next_in: Duration,
    },
    /// The application does not want a certificate for a name.
    OnDemandDenied {
        /// The name.
        host: HostName,
        /// Its answer.
        denial: Denial,
    },
    /// A name was not asked about: too many questions.
    OnDemandLimited {
        /// The name.
        host: HostName,
    },
    /// Something could not be written to the cache. It is used all the same, but lost with the process.
    NotKept {
        /// What.
        what: String,
        /// Why not.
        error: std::io::Error,
    },
}
