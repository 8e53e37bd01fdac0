//! The seam to certificate authorities: the manager knows this, behind it stands ACME or, in tests, a fake.

use std::pin::Pin;

use crate::certificate::Certificate;
use crate::host_name::HostName;
use crate::memory::OrderFailure;
use crate::renewal::RenewalInfo;

/// A boxed future, so that issuers can be of any kind.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a host is proved to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeKind {
    /// A certificate shown on port 443 (RFC 8737).
    TlsAlpn01,
    /// A text under `/.well-known/acme-challenge/` on port 80 (RFC 8555 §8.3).
    Http01,
}

/// Somebody who issues certificates.
pub trait Issuer: Send + Sync {
    /// Orders a certificate for `host`, proved by the challenge `method` if it is on offer, in the place of `replaces`.
    fn order<'a>(
        &'a self,
        host: &'a HostName,
        method: u32,
        replaces: Option<&'a Certificate>,
    ) -> Pending<'a, Result<Certificate, OrderFailure>>;

    /// Asks when `certificate` should be renewed. `None` if this issuer never says.
    fn renewal_info<'a>(
        &'a self,
        certificate: &'a Certificate,
    ) -> Pending<'a, Option<Result<RenewalInfo, OrderFailure>>>;
}
