//! Rules that tie service options together. Client and server both check them, so that a message crafted by
//! hand cannot install what the command line would refuse.

use crate::options::ServiceOptions;

/// A combination of options that makes no sense; the text is shown after `service options invalid: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    /// On-demand URL without `--tls`.
    #[error("TLS must be enabled to use a TLS on-demand URL")]
    OnDemandWithoutTls,
    /// On-demand URL with hosts.
    #[error("cannot set hosts when using a TLS on-demand URL")]
    OnDemandWithHosts,
    /// On-demand URL with a custom certificate.
    #[error("cannot use a custom TLS certificate with a TLS on-demand URL")]
    OnDemandWithCertificate,
    /// On-demand URL with a canonical host.
    #[error("cannot set a canonical host when using a TLS on-demand URL")]
    OnDemandWithCanonicalHost,
    /// `//host/path`.
    #[error("tls-on-demand-url must be a path or an absolute http(s) URL")]
    OnDemandProtocolRelative,
    /// Neither path nor URL.
    #[error("unsupported scheme \"{0}\" in tls-on-demand-url")]
    OnDemandScheme(String),
    /// A URL without a host.
    #[error("missing host in tls-on-demand-url")]
    OnDemandHost,
    /// An account's key signs what is sent to an authority: never in the clear.
    #[error("tls-acme-directory must be an https URL")]
    AcmeDirectory,
    /// `--tls` needs names to serve.
    #[error("host must be set when using TLS")]
    TlsWithoutHost,
    /// `--tls` on a service that is mounted below `/`.
    #[error("TLS settings must be specified on the root path service")]
    TlsOffRoot,
    /// The canonical host is none of the hosts.
    #[error("canonical-host '{host}' must be present in the hosts list: [{}]", .hosts.join(" "))]
    CanonicalHost {
        /// The canonical host.
        host: String,
        /// The hosts.
        hosts: Vec<String>,
    },
}

impl ServiceOptions {
    /// Checks normalised options.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), InvalidOptions> {
        let named_hosts = !self.hosts.is_empty() && self.hosts.iter().all(|host| !host.is_empty());
        if !self.tls_on_demand_url.is_empty() {
            self.validate_on_demand()?;
        }
        if self.tls_enabled && self.tls_on_demand_url.is_empty() && !named_hosts {
            return Err(InvalidOptions::TlsWithoutHost);
        }
        if self.tls_enabled && !self.serves_root() {
            return Err(InvalidOptions::TlsOffRoot);
        }
        let directory = self.acme_directory.as_str();
        let https = directory.strip_prefix("https://");
        if !directory.is_empty()
            && https.is_none_or(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            return Err(InvalidOptions::AcmeDirectory);
        }
        let first_named = self.hosts.first().is_some_and(|host| !host.is_empty());
        if !self.canonical_host.is_empty()
            && first_named
            && !self.hosts.contains(&self.canonical_host)
        {
            return Err(InvalidOptions::CanonicalHost {
                host: self.canonical_host.clone(),
                hosts: self.hosts.clone(),
            });
        }
        Ok(())
    }

    fn validate_on_demand(&self) -> Result<(), InvalidOptions> {
        if !self.tls_enabled {
            return Err(InvalidOptions::OnDemandWithoutTls);
        }
        if self.hosts.iter().any(|host| !host.is_empty()) {
            return Err(InvalidOptions::OnDemandWithHosts);
        }
        if !self.tls_certificate_path.is_empty() || !self.tls_private_key_path.is_empty() {
            return Err(InvalidOptions::OnDemandWithCertificate);
        }
        if !self.canonical_host.is_empty() {
            return Err(InvalidOptions::OnDemandWithCanonicalHost);
        }
        let url = self.tls_on_demand_url.as_str();
        if url.starts_with("//") {
            return Err(InvalidOptions::OnDemandProtocolRelative);
        }
        if url.starts_with('/') {
            return Ok(());
        }
        let (scheme, rest) = url.split_once(':').unwrap_or(("", url));
        if !matches!(scheme, "http" | "https") {
            return Err(InvalidOptions::OnDemandScheme(scheme.to_owned()));
        }
        let host = rest
            .strip_prefix("//")
            .and_then(|rest| rest.split(['/', '?', '#']).next());
        match host {
            Some(host) if !host.is_empty() => Ok(()),
            _ => Err(InvalidOptions::OnDemandHost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edit: impl FnOnce(&mut ServiceOptions)) -> String {
        let mut options = ServiceOptions::default();
        edit(&mut options);
        options.normalize();
        options
            .validate()
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    }

    /// parity: proxy 8, 11
    #[test]
    fn tls_needs_hosts_on_the_root() {
        assert_eq!(
            check(|o| o.tls_enabled = true),
            "host must be set when using TLS"
        );
        assert_eq!(
            check(|o| {
                o.tls_enabled = true;
                o.hosts = vec!["a.com".into(), String::new()];
            }),
            "host must be set when using TLS"
        );
        assert_eq!(
            check(|o| {
                o.tls_enabled = true;
                o.hosts = vec!["*.example.com".into()];
            }),
            ""
        );
        assert_eq!(
            check(|o| {
                o.tls_enabled = true;
                o.hosts = vec!["a.com".into()];
                o.path_prefixes = vec!["/api".into()];
            }),
            "TLS settings must be specified on the root path service"
        );
    }

    /// parity: proxy 10
    #[test]
    fn the_canonical_host_is_one_of_the_hosts() {
        assert_eq!(
            check(|o| {
                o.canonical_host = "b.com".into();
                o.hosts = vec!["a.com".into()];
            }),
            "canonical-host 'b.com' must be present in the hosts list: [a.com]"
        );
        assert_eq!(check(|o| o.canonical_host = "b.com".into()), "");
    }

    #[test]
    fn an_authority_is_spoken_to_by_https() {
        for (url, message) in [
            (
                "http://ca.example.com/dir",
                "tls-acme-directory must be an https URL",
            ),
            ("https:///dir", "tls-acme-directory must be an https URL"),
            ("ca.example.com", "tls-acme-directory must be an https URL"),
            ("https://ca.example.com/dir", ""),
        ] {
            let found = check(|o| {
                o.tls_enabled = true;
                o.hosts = vec!["a.com".into()];
                o.acme_directory = url.into();
            });
            assert_eq!(found, message, "{url}");
        }
    }

    /// parity: proxy 9
    #[test]
    fn on_demand_rules() {
        for (url, message) in [
            (
                "ftp://x/y",
                "unsupported scheme \"ftp\" in tls-on-demand-url",
            ),
            ("allow", "unsupported scheme \"\" in tls-on-demand-url"),
            (
                "//x/y",
                "tls-on-demand-url must be a path or an absolute http(s) URL",
            ),
            ("http:///y", "missing host in tls-on-demand-url"),
            ("/allow", ""),
            ("https://x/y?z", ""),
        ] {
            let found = check(|o| {
                o.tls_enabled = true;
                o.tls_on_demand_url = url.into();
            });
            assert_eq!(found, message, "{url}");
        }
        assert_eq!(
            check(|o| o.tls_on_demand_url = "/x".into()),
            "TLS must be enabled to use a TLS on-demand URL"
        );
    }
}
