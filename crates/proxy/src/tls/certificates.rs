//! Automatic certificates of the running server: one manager for all services, told what each service needs whenever that changes.
//!
//! In: services as they are deployed, restored and removed; what the environment says about authorities. Out: the manager, for
//! handshakes and challenges, and lines in the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use dhow_certs::{
    AcmeIssuer, AcmeSettings, Ask, ChallengeKind, Challenges, Clock, Coverage, Denial, Dice, Event,
    Fetcher, GateLimits, HostName, Issuer, Manager, ScheduleLimits, Surroundings,
};
use dhow_proxy_api::{AcmeEnv, ServiceOptions};
use http::HeaderValue;
use rustls::crypto::CryptoProvider;

use crate::observe::log::{Level, LogSender};
use crate::services::service::Service;
use crate::tls::authority::Authority;
use crate::tls::cert_source::CertSource;

/// How orders name themselves to authorities.
const USER_AGENT: &str = concat!("dhow/", env!("CARGO_PKG_VERSION"));

/// The manager, and what services mean to it.
pub(crate) struct Certificates {
    manager: Manager,
    /// For services that name no directory.
    directory: String,
    /// For services that name no cache.
    cache: PathBuf,
    fetcher: Fetcher,
    log: LogSender,
}

impl Certificates {
    /// Starts on the current runtime; `cache` is for services that name none.
    ///
    /// # Errors
    /// When the provider lacks what is needed.
    pub(crate) fn start(
        env: &AcmeEnv,
        cache: PathBuf,
        provider: &Arc<CryptoProvider>,
        log: LogSender,
    ) -> Result<Self, rustls::Error> {
        let Authority {
            directory,
            contact,
            external,
            roots,
        } = Authority::read(env, &log);
        let fetcher = Fetcher::new(roots, Arc::clone(provider))?;
        let challenges = Challenges::default();
        // As kamal-proxy does: the way that needs no port but the one that is served.
        let kinds = vec![ChallengeKind::TlsAlpn01, ChallengeKind::Http01];
        let now: Clock = Arc::new(SystemTime::now);
        let methods = u32::try_from(kinds.len()).unwrap_or(1);
        let issuers = {
            let (fetcher, own) = (fetcher.clone(), directory.clone());
            let (challenges, now) = (challenges.clone(), Arc::clone(&now));
            let provider = Arc::clone(provider);
            move |url: &str, store: &dhow_certs::CertStore| -> Arc<dyn Issuer> {
                let settings = AcmeSettings {
                    contact: contact.clone(),
                    // Known to the one authority only that gave it.
                    external_account: external.clone().filter(|_| url == own),
                    challenges: kinds.clone(),
                    fetcher: fetcher.clone(),
                    user_agent: HeaderValue::from_static(USER_AGENT),
                };
                Arc::new(AcmeIssuer::new(
                    settings,
                    url,
                    store.clone(),
                    challenges.clone(),
                    Arc::clone(&provider),
                    Arc::clone(&now),
                ))
            }
        };
        let events = log.clone();
        let manager = Manager::start(Surroundings {
            now: Arc::clone(&now),
            dice: Dice::seeded(seed()),
            provider: Arc::clone(provider),
            issuers: Box::new(issuers),
            challenges,
            report: Box::new(move |event| say(&events, &event)),
            limits: ScheduleLimits {
                methods,
                ..ScheduleLimits::default()
            },
            gate: GateLimits::default(),
        });
        Ok(Self {
            manager,
            directory,
            cache,
            fetcher,
            log,
        })
    }

    /// For handshakes and challenges.
    pub(crate) const fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Makes requests of the proxy's own.
    pub(crate) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// `service` is in force from now on. If its certificates are automatic they are served as far as the cache has them, and the
    /// others ordered; `ask` is its question about names that it does not list. `deployed` says that somebody did that just now.
    pub(crate) fn cover(&self, service: &Service, ask: Option<Ask>, deployed: bool) {
        if matches!(service.certificate, CertSource::Automatic) {
            let coverage = self.coverage(&service.name, &service.options, ask, deployed);
            self.manager.cover(&service.name, coverage);
        }
    }

    /// `service` needs no automatic certificates any more.
    pub(crate) fn forget(&self, service: &str) {
        self.manager.uncover(service);
    }

    fn coverage(
        &self,
        service: &str,
        options: &ServiceOptions,
        ask: Option<Ask>,
        deployed: bool,
    ) -> Coverage {
        let or = |text: &str, other: &str| if text.is_empty() { other } else { text }.to_owned();
        let mut hosts = Vec::new();
        for host in options.hosts.iter().filter(|host| !host.is_empty()) {
            match HostName::parse(host) {
                Ok(host) => hosts.push(host),
                Err(error) => {
                    let error = error.to_string();
                    self.log.warn(
                        "No TLS certificate can be ordered for host",
                        &[("service", service), ("host", host), ("error", &error)],
                    );
                }
            }
        }
        let cache = match options.acme_cache_path.as_str() {
            "" => self.cache.clone(),
            path => PathBuf::from(path),
        };
        Coverage {
            cache,
            directory_url: or(&options.acme_directory, &self.directory),
            hosts,
            ask,
            deployed,
        }
    }
}

/// Chance need not be secret here: it spreads work over time.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness every proxy picks the same moments; that is all.
    let _ = getrandom::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

/// The line for an event.
fn say(log: &LogSender, event: &Event) {
    match event {
        Event::Issued { host, not_after } => {
            let until = i64::try_from(not_after.millis()).unwrap_or(i64::MAX);
            let until = jiff::Timestamp::from_millisecond(until)
                .map_or_else(|_| String::new(), |until| until.to_string());
            log.info(
                "TLS certificate issued",
                &[("host", host.as_str()), ("not_after", &until)],
            );
        }
        Event::Failed {
            host,
            reason,
            next_in,
        } => {
            let retry = format!("{}s", next_in.as_secs());
            log.error(
                "Unable to get TLS certificate",
                &[
                    ("host", host.as_str()),
                    ("error", reason),
                    ("retry_in", &retry),
                ],
            );
        }
        Event::OnDemandDenied { host, denial } => {
            const MESSAGE: &str = "TLS on-demand check denied host";
            match denial {
                Denial::Status { status, body } => {
                    if let Some(line) = log.line(Level::Warn, MESSAGE) {
                        line.text("host", host.as_str())
                            .int("status", (*status).into())
                            .text("body", body)
                            .send();
                    }
                }
                Denial::NoAnswer(error) => {
                    log.warn(MESSAGE, &[("host", host.as_str()), ("error", error)]);
                }
            }
        }
        Event::OnDemandLimited { host } => {
            log.warn(
                "TLS on-demand check skipped: too many hosts to ask about",
                &[("host", host.as_str())],
            );
        }
        Event::NotKept { what, error } => {
            let error = error.to_string();
            log.error(
                "Unable to write the TLS certificate cache",
                &[("what", what), ("error", &error)],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use dhow_proxy_api::STAGING_DIRECTORY;
    use jiff::tz::TimeZone;

    use super::*;

    fn certificates(env: &AcmeEnv) -> Certificates {
        let (log, _writer) =
            crate::observe::log::start(std::io::sink(), TimeZone::UTC, false).unwrap();
        Certificates::start(
            env,
            PathBuf::from("/data/certs"),
            &crate::tls::tls_config::provider(),
            log,
        )
        .unwrap()
    }

    #[tokio::test]
    async fn item_14_the_directory_is_the_service_s_own_or_the_default() {
        let env = AcmeEnv {
            directory: Some("https://ca.example.com/dir".to_owned()),
            ..AcmeEnv::default()
        };
        for (env, default) in [
            (AcmeEnv::default(), ""),
            (env, "https://ca.example.com/dir"),
        ] {
            let certificates = certificates(&env);
            let mut options = ServiceOptions::default();
            let directory = |options: &ServiceOptions| {
                let coverage = certificates.coverage("web", options, None, true);
                coverage.directory_url
            };
            assert_eq!(directory(&options), default);
            options.acme_directory = STAGING_DIRECTORY.to_owned();
            assert_eq!(directory(&options), STAGING_DIRECTORY);
        }
    }

    #[tokio::test]
    async fn only_public_names_are_ordered_for_and_the_cache_is_where_it_was_deployed() {
        let certificates = certificates(&AcmeEnv::default());
        let mut options = ServiceOptions {
            hosts: vec![
                "A.example.com".to_owned(),
                "localhost".to_owned(),
                "192.0.2.1".to_owned(),
                String::new(),
            ],
            ..ServiceOptions::default()
        };
        let coverage = certificates.coverage("web", &options, None, false);
        let hosts: Vec<_> = coverage.hosts.iter().map(HostName::as_str).collect();
        assert_eq!(hosts, ["a.example.com"]);
        assert!(!coverage.deployed && coverage.ask.is_none());
        // States of older versions name no cache.
        assert_eq!(coverage.cache, PathBuf::from("/data/certs"));
        options.acme_cache_path = "/elsewhere".to_owned();
        let coverage = certificates.coverage("web", &options, None, true);
        assert_eq!(coverage.cache, PathBuf::from("/elsewhere"));
    }
}
