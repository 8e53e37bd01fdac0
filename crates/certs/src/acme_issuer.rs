//! Certificates from an ACME authority (RFC 8555): account, order, challenge, certificate.
//!
//! In: a host and which challenge to try. Out: a checked certificate, or why not and how long to wait. The account's key lives in the
//! cache; the account itself is looked up by that key.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier,
    NewOrder, Order, OrderStatus,
};
use rcgen::{CertificateParams, DistinguishedName, DnType};
use rustls::crypto::CryptoProvider;

use crate::acme_account::{AcmeAccount, AcmeSettings, is_problem};
use crate::acme_client::{AcmeClient, Clock};
use crate::certificate::Certificate;
use crate::challenge_certificate::ChallengeCertificate;
use crate::challenges::{Challenges, Published};
use crate::host_name::HostName;
use crate::issuer::{ChallengeKind, Issuer, Pending};
use crate::memory::OrderFailure;
use crate::moment::Moment;
use crate::private_key::PrivateKey;
use crate::renewal::{RenewalInfo, Window};
use crate::store::CertStore;

/// The directory that an empty directory URL stands for.
pub const DEFAULT_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// A whole order: authorities take seconds, busy ones a minute.
const ORDER_TIME: Duration = Duration::from_secs(240);
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LAST_LOOK: Duration = Duration::from_secs(5);

/// One ACME authority.
pub struct AcmeIssuer {
    account: AcmeAccount,
    /// To try in turn.
    kinds: Vec<ChallengeKind>,
    store: CertStore,
    challenges: Challenges,
    provider: Arc<CryptoProvider>,
    now: Clock,
    client: AcmeClient,
}

impl AcmeIssuer {
    /// For the authority at `directory_url` (`""` is the default one), with its account's key in `store`.
    #[must_use]
    pub fn new(
        settings: AcmeSettings,
        directory_url: &str,
        store: CertStore,
        challenges: Challenges,
        provider: Arc<CryptoProvider>,
        now: Clock,
    ) -> Self {
        let directory = if directory_url.is_empty() {
            DEFAULT_DIRECTORY
        } else {
            directory_url
        };
        let client = AcmeClient::new(
            settings.fetcher.clone(),
            settings.user_agent.clone(),
            Arc::clone(&now),
        );
        let account = AcmeAccount::new(
            &settings,
            directory.to_owned(),
            store.clone(),
            client.clone(),
        );
        Self {
            account,
            kinds: settings.challenges,
            store,
            challenges,
            provider,
            now,
            client,
        }
    }

    async fn order_now(
        &self,
        host: &HostName,
        method: u32,
        replaces: Option<&Certificate>,
    ) -> Result<Certificate, OrderFailure> {
        // Whatever keeps the account from being opened keeps every host's order from it.
        let account = self
            .account
            .get()
            .await
            .map_err(|error| OrderFailure::Unavailable {
                reason: error.to_string(),
                retry_after: self.client.retry_after(),
            })?;
        let mut outcome = self.order_with(&account, host, method, replaces).await;
        // The client has tried another nonce twice already; a busy authority takes more, and it is no fault of the order.
        if let Err(Failed::Acme(error)) = &outcome
            && is_problem(error, &["badNonce"])
        {
            outcome = self.order_with(&account, host, method, replaces).await;
        }
        outcome.map_err(|failed| match failed {
            Failed::Acme(error) => self.judge(&error),
            Failed::Refused(reason) => OrderFailure::Refused { reason },
        })
    }

    async fn order_with(
        &self,
        account: &Account,
        host: &HostName,
        method: u32,
        replaces: Option<&Certificate>,
    ) -> Result<Certificate, Failed> {
        let mut order = self.place(account, host, replaces).await?;
        let _published = self.prove(&mut order, host, method).await?;
        let mut pause = Pause::new();
        loop {
            match order.state().status {
                OrderStatus::Ready | OrderStatus::Valid | OrderStatus::Processing => break,
                OrderStatus::Invalid => return Err(why_invalid(&mut order).await),
                OrderStatus::Pending => {
                    pause.wait().await;
                    order.refresh().await?;
                }
            }
        }
        let key = PrivateKey::generate().map_err(Failed::refused)?;
        if order.state().status == OrderStatus::Ready {
            let request = signing_request(host, &key).map_err(Failed::refused)?;
            order.finalize_csr(&request).await?;
        } else {
            // Finalised before, with a key that nobody has any more.
            return Err(Failed::Refused(
                "the order was already completed".to_owned(),
            ));
        }
        let mut pause = Pause::new();
        loop {
            match order.state().status {
                OrderStatus::Valid => break,
                OrderStatus::Invalid => return Err(why_invalid(&mut order).await),
                _ => {
                    pause.wait().await;
                    order.refresh().await?;
                }
            }
        }
        let chain = order
            .certificate()
            .await?
            .ok_or(Error::Str("the certificate of a valid order"))?;
        let now = Moment::from((self.now)());
        Certificate::issued(&key, &chain, host, now, &self.provider).map_err(Failed::refused)
    }

    async fn place(
        &self,
        account: &Account,
        host: &HostName,
        replaces: Option<&Certificate>,
    ) -> Result<Order, Error> {
        let identifiers = [Identifier::Dns(host.to_string())];
        if let Some(identifier) = replaces
            .and_then(Certificate::leaf)
            .and_then(|leaf| CertificateIdentifier::try_from(leaf).ok())
        {
            let order = NewOrder::new(&identifiers).replaces(identifier);
            match self.account.place(account, &order).await {
                // An order that replaces nothing is as good (RFC 9773 §5: it may have been replaced already, or by another account).
                Err(error) if !is_problem(&error, &["rateLimited"]) => {}
                outcome => return outcome,
            }
        }
        self.account
            .place(account, &NewOrder::new(&identifiers))
            .await
    }

    /// Puts up the answers to the order's challenges and tells the authority to look.
    async fn prove(
        &self,
        order: &mut Order,
        host: &HostName,
        method: u32,
    ) -> Result<Vec<Published>, Failed> {
        let mut published = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                other => return Err(Failed::Refused(format!("the authorization is {other:?}"))),
            }
            let offered = |kind: &ChallengeKind| {
                authorization
                    .challenges
                    .iter()
                    .any(|challenge| challenge.r#type == challenge_type(*kind))
            };
            let ours = &self.kinds;
            let turn = usize::try_from(method).unwrap_or(0) % ours.len().max(1);
            let kind = ours
                .iter()
                .cycle()
                .skip(turn)
                .take(ours.len())
                .copied()
                .find(offered)
                .ok_or_else(|| {
                    Failed::Refused("the authority offers no challenge that can be met".to_owned())
                })?;
            let Some(mut challenge) = authorization.challenge(challenge_type(kind)) else {
                continue;
            };
            let answer = challenge.key_authorization();
            published.push(match kind {
                ChallengeKind::Http01 => {
                    self.challenges
                        .publish_http(&challenge.token, answer.as_str(), &self.store)
                }
                ChallengeKind::TlsAlpn01 => {
                    let digest = answer.digest();
                    let certificate =
                        ChallengeCertificate::new(host, digest.as_ref(), &self.provider)
                            .map_err(Failed::refused)?;
                    self.challenges.publish_tls(host, &certificate, &self.store)
                }
            });
            challenge.set_ready().await?;
        }
        Ok(published)
    }

    /// What a failure means for later attempts.
    fn judge(&self, error: &Error) -> OrderFailure {
        let retry_after = self.client.retry_after();
        let reason = error.to_string();
        match error {
            Error::Api(_) if is_problem(error, &["rateLimited"]) => OrderFailure::RateLimited {
                reason,
                retry_after,
            },
            Error::Api(problem)
                if !is_problem(error, &["serverInternal"])
                    && problem.status.is_none_or(|status| status < 500) =>
            {
                OrderFailure::Refused { reason }
            }
            _ => OrderFailure::Unavailable {
                reason,
                retry_after,
            },
        }
    }
}

impl Issuer for AcmeIssuer {
    fn order<'a>(
        &'a self,
        host: &'a HostName,
        method: u32,
        replaces: Option<&'a Certificate>,
    ) -> Pending<'a, Result<Certificate, OrderFailure>> {
        Box::pin(async move {
            tokio::time::timeout(ORDER_TIME, self.order_now(host, method, replaces))
                .await
                .unwrap_or_else(|_| {
                    Err(OrderFailure::Refused {
                        reason: format!("not done after {} s", ORDER_TIME.as_secs()),
                    })
                })
        })
    }

    fn renewal_info<'a>(
        &'a self,
        certificate: &'a Certificate,
    ) -> Pending<'a, Option<Result<RenewalInfo, OrderFailure>>> {
        Box::pin(async move {
            let identifier = certificate
                .leaf()
                .and_then(|leaf| CertificateIdentifier::try_from(leaf).ok())?;
            let answer = match self.account.get().await {
                Ok(account) => account.renewal_info(&identifier).await,
                Err(error) => Err(error),
            };
            match answer {
                Err(Error::Unsupported(_)) => None,
                Err(error) => Some(Err(self.judge(&error))),
                Ok((info, ask_again)) => {
                    let window = info.suggested_window;
                    Some(Ok(RenewalInfo {
                        window: Window {
                            start: Moment::from_unix(window.start.unix_timestamp()),
                            end: Moment::from_unix(window.end.unix_timestamp()),
                        },
                        ask_again,
                    }))
                }
            }
        })
    }
}

/// How an order ends without a certificate.
enum Failed {
    Acme(Error),
    Refused(String),
}

impl Failed {
    fn refused(reason: impl fmt::Display) -> Self {
        Self::Refused(reason.to_string())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Acme(error)
    }
}

/// The reason that the authority gave with the challenge, which says more than the one it gave with the order.
async fn why_invalid(order: &mut Order) -> Failed {
    let mut reason = order
        .state()
        .error
        .as_ref()
        .map_or_else(|| "the order is invalid".to_owned(), ToString::to_string);
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        if let Some(problem) = state
            .challenges
            .iter()
            .find_map(|challenge| challenge.error.as_ref())
        {
            reason = problem.to_string();
        }
    }
    Failed::Refused(reason)
}

/// A request with the host as its one name, and as common name where it fits (RFC 5280: 64 characters).
fn signing_request(host: &HostName, key: &PrivateKey) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new([host.to_string()])?;
    params.distinguished_name = DistinguishedName::new();
    if host.as_str().len() <= 64 {
        params
            .distinguished_name
            .push(DnType::CommonName, host.as_str());
    }
    let request = params.serialize_request(&key.signer()?)?;
    Ok(request.der().to_vec())
}

const fn challenge_type(kind: ChallengeKind) -> ChallengeType {
    match kind {
        ChallengeKind::TlsAlpn01 => ChallengeType::TlsAlpn01,
        ChallengeKind::Http01 => ChallengeType::Http01,
    }
}

/// Looks at an order that take longer and longer.
struct Pause(Duration);

impl Pause {
    const fn new() -> Self {
        Self(FIRST_LOOK)
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 3 / 2).min(LAST_LOOK);
    }
}

impl fmt::Debug for AcmeIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeIssuer")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
