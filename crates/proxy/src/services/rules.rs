//! Target options in the form the request path wants: limits as numbers, header names parsed, durations that
//! mean "none" as none.

use std::time::Duration;

use dhow_proxy_api::TargetOptions;
use http::header::HeaderName;

use crate::request::buffer::BufferLimits;

/// A header that goes into the access log.
#[derive(Clone, Debug)]
pub(crate) struct LoggedHeader {
    /// Its name.
    pub(crate) name: HeaderName,
    /// Its key in the log, e.g. `req_cache_control`.
    pub(crate) key: String,
}

/// [`TargetOptions`], prepared.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetRules {
    /// As deployed, for the state file and health checks.
    pub(crate) options: TargetOptions,
    /// Longest wait for response headers.
    pub(crate) response_timeout: Option<Duration>,
    /// Limits of request buffering; none streams.
    pub(crate) request_buffer: Option<BufferLimits>,
    /// Limits of response buffering; none streams.
    pub(crate) response_buffer: Option<BufferLimits>,
    /// Request headers to log.
    pub(crate) log_request: Vec<LoggedHeader>,
    /// Response headers to log.
    pub(crate) log_response: Vec<LoggedHeader>,
}

/// A target that does not even answer the connect has failed; the system's own limit would be minutes.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

impl TargetRules {
    /// Longest wait for a connection.
    pub(crate) fn dial_timeout(&self) -> Duration {
        Some(self.options.dhow.dial_timeout.to_std())
            .filter(|timeout| !timeout.is_zero())
            .unwrap_or(DIAL_TIMEOUT)
    }

    pub(crate) fn new(options: TargetOptions) -> Self {
        let most = |limit: i64| u64::try_from(limit).ok().filter(|limit| *limit > 0);
        let memory = usize::try_from(options.max_memory_buffer_size).unwrap_or(0);
        let buffer = |wanted: bool, limit| {
            wanted.then(|| BufferLimits {
                memory,
                most: most(limit),
            })
        };
        Self {
            response_timeout: Some(options.response_timeout.to_std())
                .filter(|timeout| !timeout.is_zero()),
            request_buffer: buffer(options.buffer_requests, options.max_request_body_size),
            response_buffer: buffer(options.buffer_responses, options.max_response_body_size),
            log_request: logged("req_", &options.log_request_headers),
            log_response: logged("resp_", &options.log_response_headers),
            options,
        }
    }
}

/// Names that cannot be header names never match anything, so they are left out.
fn logged(prefix: &str, names: &[String]) -> Vec<LoggedHeader> {
    names
        .iter()
        .filter_map(|name| {
            Some(LoggedHeader {
                name: HeaderName::from_bytes(name.as_bytes()).ok()?,
                key: format!("{prefix}{}", name.to_ascii_lowercase().replace('-', "_")),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_proxy_api::{DhowOptions, GoDuration};

    #[test]
    fn item_d14_connecting_has_a_limit_whatever_was_deployed() {
        let limit = |dial_timeout| {
            let dhow = DhowOptions {
                dial_timeout,
                ..DhowOptions::default()
            };
            let options = TargetOptions {
                dhow,
                ..TargetOptions::default()
            };
            TargetRules::new(options).dial_timeout()
        };
        assert_eq!(limit(GoDuration::from_secs(0)), Duration::from_secs(10));
        assert_eq!(limit(GoDuration::from_secs(2)), Duration::from_secs(2));
    }
}
