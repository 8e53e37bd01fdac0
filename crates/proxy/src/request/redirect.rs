//! Redirects the proxy answers itself: plain HTTP to HTTPS, other hosts to the canonical one, both in one hop.

use dhow_proxy_api::ServiceOptions;

/// Where a request should have gone, or `None` when it is right here. `host` has no port; `path_and_query` is
/// as received.
pub(crate) fn location(
    options: &ServiceOptions,
    host: &str,
    tls: bool,
    path_and_query: &str,
) -> Option<String> {
    let to_https = options.tls_enabled && options.tls_redirect && !tls;
    let other_host =
        !options.canonical_host.is_empty() && !options.canonical_host.eq_ignore_ascii_case(host);
    if !to_https && !other_host {
        return None;
    }
    let scheme = if tls || to_https { "https" } else { "http" };
    let host = if other_host {
        &options.canonical_host
    } else {
        host
    };
    let (open, close) = if host.contains(':') {
        ("[", "]")
    } else {
        ("", "")
    };
    Some(format!("{scheme}://{open}{host}{close}{path_and_query}"))
}

/// The little page that goes with it.
pub(crate) fn page(location: &str) -> String {
    format!(
        "<a href=\"{}\">Moved Permanently</a>.\n\n",
        crate::request::template::escape_html(location)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(tls: bool, redirect: bool, canonical: &str) -> ServiceOptions {
        ServiceOptions {
            tls_enabled: tls,
            tls_redirect: redirect,
            canonical_host: canonical.into(),
            ..ServiceOptions::default()
        }
    }

    /// parity: proxy 54, 56
    #[test]
    fn every_case() {
        let at = |options: &ServiceOptions, host, tls| location(options, host, tls, "/a%20b?c;d");
        assert_eq!(at(&options(false, true, ""), "a.com", false), None);
        assert_eq!(
            at(&options(true, true, ""), "a.com", false).unwrap(),
            "https://a.com/a%20b?c;d"
        );
        assert_eq!(at(&options(true, true, ""), "a.com", true), None);
        assert_eq!(at(&options(true, false, ""), "a.com", false), None);
        assert_eq!(
            at(&options(false, true, "b.com"), "a.com", false).unwrap(),
            "http://b.com/a%20b?c;d"
        );
        assert_eq!(
            at(&options(true, true, "b.com"), "a.com", false).unwrap(),
            "https://b.com/a%20b?c;d"
        );
        assert_eq!(
            at(&options(true, false, "b.com"), "a.com", true).unwrap(),
            "https://b.com/a%20b?c;d"
        );
        assert_eq!(at(&options(false, true, "b.com"), "b.com", false), None);
    }
}
