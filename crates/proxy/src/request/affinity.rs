//! Readers and writers: which requests readers may take, and the cookie that keeps a client which has just
//! written on writers, so that it reads what it wrote.

use std::time::{Duration, UNIX_EPOCH};

use dhow_proxy_api::ServiceOptions;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use crate::request::cookie::cookie;
use crate::services::balance::Role;

/// The cookie's name; its value is the time in milliseconds until which it counts.
const COOKIE_NAME: &str = "kamal-writer";

/// The year 9000; later ones cannot be written as dates.
const LATEST_MILLIS: u64 = 221_845_392_000_000;

/// With `false` an application declines the cookie for one response.
static OPT_OUT: HeaderName = HeaderName::from_static("x-writer-affinity");

/// What kind of request this is. Only for services that have readers; all others write.
pub(crate) fn role(method: &Method, websocket: bool, options: &ServiceOptions) -> Role {
    let read = matches!(*method, Method::GET | Method::HEAD)
        && (!websocket || options.read_targets_accept_websockets);
    if read { Role::Read } else { Role::Write }
}

/// The client has written a moment ago. `now` is in milliseconds since 1970.
pub(crate) fn has_written(headers: &HeaderMap, now: u64) -> bool {
    cookie(headers, COOKIE_NAME)
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|text| text.parse::<i64>().ok())
        .is_some_and(|until| u64::try_from(until).is_ok_and(|until| until > now))
}

/// Puts the cookie on the response to a request that wrote, unless the application declines. `now` is in
/// milliseconds since 1970.
pub(crate) fn mark(headers: &mut HeaderMap, timeout: Duration, now: u64) {
    let declined = headers
        .remove(&OPT_OUT)
        .is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"false"));
    if declined {
        return;
    }
    let until = now.saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    let until = until.min(LATEST_MILLIS);
    // Clients keep it a second longer than it counts, so that a clock a little off does no harm.
    let expires = UNIX_EPOCH + Duration::from_millis(until + 1000);
    let expires = httpdate::fmt_http_date(expires);
    let cookie = format!("{COOKIE_NAME}={until}; Path=/; Expires={expires}; HttpOnly");
    if let Ok(value) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::COOKIE;

    /// parity: proxy 91, 92
    #[test]
    fn who_reads() {
        let mut options = ServiceOptions::default();
        for (method, websocket, read) in [
            (Method::GET, false, true),
            (Method::HEAD, false, true),
            (Method::OPTIONS, false, false),
            (Method::POST, false, false),
            (Method::GET, true, false),
        ] {
            assert_eq!(
                role(&method, websocket, &options) == Role::Read,
                read,
                "{method}"
            );
        }
        options.read_targets_accept_websockets = true;
        assert_eq!(role(&Method::GET, true, &options), Role::Read);
    }

    /// parity: proxy 94
    #[test]
    fn only_a_live_cookie_counts() {
        for (value, live) in [
            ("kamal-writer=1001", true),
            ("kamal-writer=1000", false),
            ("kamal-writer=999", false),
            ("kamal-writer=-5", false),
            ("kamal-writer=soon", false),
            ("kamal-writer=", false),
            ("other=2000", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(value));
            assert_eq!(has_written(&headers, 1000), live, "{value}");
        }
        assert!(!has_written(&HeaderMap::new(), 0));
    }

    /// parity: proxy 93
    #[test]
    fn the_cookie_and_declining_it() {
        let mut headers = HeaderMap::new();
        mark(&mut headers, Duration::from_millis(250), 1_700_000_000_000);
        assert_eq!(
            headers[SET_COOKIE],
            "kamal-writer=1700000000250; Path=/; Expires=Tue, 14 Nov 2023 22:13:21 GMT; HttpOnly"
        );
        for (value, cookies) in [("false", 0), ("true", 1)] {
            let mut headers = HeaderMap::new();
            headers.insert(OPT_OUT.clone(), HeaderValue::from_static(value));
            mark(&mut headers, Duration::from_secs(1), 0);
            assert_eq!(headers.get_all(SET_COOKIE).iter().count(), cookies);
            assert!(!headers.contains_key(&OPT_OUT));
        }
        // Even a timeout beyond all dates does no harm.
        mark(&mut HeaderMap::new(), Duration::MAX, 5);
    }
}
