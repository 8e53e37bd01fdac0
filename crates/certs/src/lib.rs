//! Certificates: kept, served, ordered ahead of need, renewed in time.
//!
//! In: which hosts are to be served over TLS, and the folder of the certificate cache. Out: the certificate for each handshake.
//! Knows nothing of what is deployed or routed.
//!
//! - [`Manager`] is what a proxy holds: it runs the rest.
//! - [`Resolver`] answers handshakes, [`CustomCertificate`] is a certificate from files that reloads.
//! - [`Schedule`] decides what to order when, and [`Gate`] whom to ask about; both are state machines that get the time passed in.
//! - [`AcmeIssuer`] talks to an authority; [`Issuer`] is the seam in front of it.
//! - [`CertStore`] reads and writes the cache in the layout that kamal-proxy keeps.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::todo
    )
)]

mod acme_account;
mod acme_client;
mod acme_issuer;
mod ask_url;
mod certificate;
mod challenge_certificate;
mod challenges;
mod custom_certificate;
mod dice;
mod durable_file;
mod fetch;
mod gate;
mod host_name;
mod issuer;
mod manager;
mod memory;
mod moment;
mod pem;
mod private_key;
mod rate;
mod renewal;
mod resolver;
mod schedule;
mod store;
#[cfg(test)]
mod test_authority;

pub use acme_account::{AcmeSettings, ExternalAccount};
pub use acme_client::Clock;
pub use acme_issuer::{AcmeIssuer, DEFAULT_DIRECTORY};
pub use ask_url::{
    ASK_TIMEOUT, AskTarget, AskUrlError, Denial, MAX_ANSWER, ask, ask_target, read_answer,
};
pub use certificate::{Certificate, CertificateError, KeyKind, Validity};
pub use challenge_certificate::ACME_TLS_ALPN;
pub use challenges::Challenges;
pub use custom_certificate::{CustomCertificate, CustomCertificateError, WATCH_INTERVAL};
pub use dice::Dice;
pub use fetch::{FetchError, Fetcher};
pub use gate::{Gate, GateLimits, Verdict};
pub use host_name::{HostName, HostNameError};
pub use issuer::{ChallengeKind, Issuer, Pending};
pub use manager::{Ask, Coverage, Event, HttpChallenge, Issuers, Manager, Surroundings};
pub use memory::OrderFailure;
pub use moment::Moment;
pub use private_key::{PrivateKey, PrivateKeyError};
pub use rate::Rate;
pub use renewal::{RenewalInfo, Window};
pub use resolver::Resolver;
pub use schedule::{Action, AuthorityId, Demand, Schedule, ScheduleLimits, Standing};
pub use store::CertStore;
