//! The two groups of settings a service is deployed with, in the shape of the state file: what the service
//! does ([`ServiceOptions`]) and how its targets are talked to ([`TargetOptions`]). Durations are integer
//! nanoseconds; keys that are missing or null take zero values, unknown keys are ignored.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cidr::Cidr;
use crate::duration::GoDuration;

/// ACME directory that `--tls-staging` selects (Let's Encrypt's staging environment).
pub const STAGING_DIRECTORY: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Routing, TLS and page settings of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceOptions {
    /// Host names; `[""]` is the catch-all.
    #[serde(deserialize_with = "null_as_default")]
    pub hosts: Vec<String>,
    /// Path prefixes, each `/` or `/a/b`.
    #[serde(deserialize_with = "null_as_default")]
    pub path_prefixes: Vec<String>,
    /// TLS is served for this service.
    pub tls_enabled: bool,
    /// PEM chain, path inside the proxy's container; empty for automatic certificates.
    pub tls_certificate_path: String,
    /// PEM key belonging to it.
    pub tls_private_key_path: String,
    /// Asked before a certificate for an unknown name is ordered.
    pub tls_on_demand_url: String,
    /// Plain HTTP is redirected to HTTPS when TLS is enabled.
    pub tls_redirect: bool,
    /// Every other host is redirected to this one; empty for none.
    pub canonical_host: String,
    /// ACME directory URL; empty is Let's Encrypt's production one.
    pub acme_directory: String,
    /// Folder of the certificate cache.
    pub acme_cache_path: String,
    /// Folder with `<status>.html` files; empty for the built-in pages.
    pub error_page_path: String,
    /// The matched prefix is cut from the path sent to the target.
    pub strip_prefix: bool,
    /// How long a writer keeps its reads on writers.
    pub writer_affinity_timeout: GoDuration,
    /// Readers take WebSocket upgrades too.
    pub read_targets_accept_websockets: bool,
    /// Paths left out of the metrics.
    #[serde(deserialize_with = "null_as_default", serialize_with = "empty_as_null")]
    pub exclude_metrics_paths: Vec<String>,
    /// Header that carries the client's address.
    pub client_ip_header: String,
}

impl ServiceOptions {
    /// Fills empty hosts with the catch-all and brings prefixes to the form `/a/b`.
    pub fn normalize(&mut self) {
        if self.hosts.is_empty() {
            self.hosts.push(String::new());
        }
        if self.path_prefixes.is_empty() {
            self.path_prefixes.push(String::new());
        }
        for prefix in &mut self.path_prefixes {
            *prefix = format!("/{}", prefix.trim_matches('/'));
        }
    }

    /// Both certificate paths are given.
    #[must_use]
    pub fn has_custom_certificate(&self) -> bool {
        !self.tls_certificate_path.is_empty() && !self.tls_private_key_path.is_empty()
    }

    /// Requests for `path`, as the service sees it (decoded, without query), are not counted.
    #[must_use]
    pub fn leaves_out_of_metrics(&self, path: &str) -> bool {
        self.exclude_metrics_paths
            .iter()
            .any(|left_out| left_out == path)
    }

    /// `/` is among the prefixes.
    #[must_use]
    pub fn serves_root(&self) -> bool {
        self.path_prefixes.iter().any(|prefix| prefix == "/")
    }
}

/// How a target's health is probed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheckOptions {
    /// Path of the probe.
    pub path: String,
    /// Port of the probe; 0 is the target's own.
    pub port: i64,
    /// Time from the start of one probe to the next.
    pub interval: GoDuration,
    /// A probe that takes longer has failed.
    pub timeout: GoDuration,
    /// `Host` of the probe; empty is the target's address.
    pub host: String,
}

/// How requests and responses travel to and from a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetOptions {
    /// The probe.
    pub health_check_config: HealthCheckOptions,
    /// Longest wait for response headers; 0 waits for ever.
    pub response_timeout: GoDuration,
    /// Request bodies are read whole before the target is contacted.
    pub buffer_requests: bool,
    /// Responses are read whole before the client gets them.
    pub buffer_responses: bool,
    /// Bytes of a buffered body kept in memory; the rest goes to a file.
    pub max_memory_buffer_size: i64,
    /// Largest buffered request body in bytes; 0 is unlimited.
    pub max_request_body_size: i64,
    /// Largest buffered response body in bytes; 0 is unlimited.
    pub max_response_body_size: i64,
    /// Request headers added to the access log, canonical case.
    #[serde(deserialize_with = "null_as_default", serialize_with = "empty_as_null")]
    pub log_request_headers: Vec<String>,
    /// Response headers added to the access log, canonical case.
    #[serde(deserialize_with = "null_as_default", serialize_with = "empty_as_null")]
    pub log_response_headers: Vec<String>,
    /// `X-Forwarded-*` of the client are trusted and extended.
    pub forward_headers: bool,
    /// Cookie paths are put under the stripped prefix.
    pub scope_cookie_paths: bool,
    /// What kamal-proxy does not know; it skips the key, which is left out where nothing is set.
    #[serde(
        deserialize_with = "null_as_default",
        skip_serializing_if = "DhowOptions::is_default"
    )]
    pub dhow: DhowOptions,
}

/// dhow's own options of a target. Zero, empty and none mean the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DhowOptions {
    /// Networks whose forwarding headers are believed; empty leaves it to `forward_headers` alone.
    pub trusted_proxies: Vec<Cidr>,
    /// Failed checks in a row that take a serving target out; 0 ends checking as kamal-proxy does.
    pub fall: u32,
    /// Good checks in a row that bring it back.
    pub rise: u32,
    /// Time between checks of a target that serves; 0 is the health check's own.
    pub watch_interval: GoDuration,
    /// Longest wait for a connection; 0 is the default.
    pub dial_timeout: GoDuration,
    /// How long upgraded connections live after a switch; none is as long as the drain.
    pub websocket_drain_timeout: Option<GoDuration>,
    /// Over which time they are closed then; none is the default.
    pub websocket_close_spread: Option<GoDuration>,
}

impl DhowOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `x-forwarded-FOR` becomes `X-Forwarded-For`: the case in which header names are stored and sent.
pub(crate) fn canonical_header(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let cased = if start {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            start = c == '-';
            cased
        })
        .collect()
}

pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

pub(crate) fn empty_as_null<S: Serializer>(
    list: &Vec<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if list.is_empty() {
        serializer.serialize_none()
    } else {
        list.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 30, 49
    #[test]
    fn normalizing() {
        let mut options = ServiceOptions {
            path_prefixes: vec!["api/v1/".to_owned(), "/".to_owned(), String::new()],
            ..ServiceOptions::default()
        };
        options.normalize();
        assert_eq!(options.hosts, [""]);
        assert_eq!(options.path_prefixes, ["/api/v1", "/", "/"]);
    }

    #[test]
    fn canonical_case() {
        assert_eq!(canonical_header("x-forwarded-FOR"), "X-Forwarded-For");
    }
}
