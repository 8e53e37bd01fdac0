//! The HTTP side of ACME: requests go over [`Fetcher`], and what the protocol's library does not pass on (when to try again) is
//! kept for whoever judges the failure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::fetch::{FetchError, FetchLimits, Fetcher};
use crate::issuer::Pending;
use crate::moment::Moment;

const LIMITS: FetchLimits = FetchLimits {
    time: Duration::from_secs(30),
    body: 1 << 20,
    whole: true,
};

/// Reads the wall clock.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Requests to one authority.
#[derive(Clone)]
pub(crate) struct AcmeClient {
    fetcher: Fetcher,
    user_agent: HeaderValue,
    now: Clock,
    /// When the authority wants to be asked again, from its last refusal.
    retry_at: Arc<Mutex<Option<Moment>>>,
}

impl AcmeClient {
    pub(crate) fn new(fetcher: Fetcher, user_agent: HeaderValue, now: Clock) -> Self {
        Self {
            fetcher,
            user_agent,
            now,
            retry_at: Arc::default(),
        }
    }

    /// How long the authority asked to wait, if that is not over.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let at = *self.retry_at.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = at?.since(Moment::from((self.now)()));
        (!wait.is_zero()).then_some(wait)
    }

    fn note(&self, status: StatusCode, headers: &HeaderMap) {
        if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
            return;
        }
        let now = (self.now)();
        if let Some(wait) = retry_after(headers, now) {
            let mut at = self.retry_at.lock().unwrap_or_else(PoisonError::into_inner);
            *at = Some(Moment::from(now).plus(wait));
        }
    }
}

impl HttpClient for AcmeClient {
    fn request(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Pending<'static, Result<BytesResponse, Error>> {
        let client = self.clone();
        request
            .headers_mut()
            .insert(USER_AGENT, client.user_agent.clone());
        Box::pin(async move {
            // An account's key signs what is sent: never in the clear, whatever a directory says.
            if request.uri().scheme_str() != Some("https") {
                let refused = FetchError::Url(request.uri().clone());
                return Err(Error::Other(Box::new(refused)));
            }
            let response = client
                .fetcher
                .fetch(request, LIMITS)
                .await
                .map_err(|error| Error::Other(Box::new(error)))?;
            client.note(response.status(), response.headers());
            Ok(BytesResponse::from(response.map(Full::new)))
        })
    }
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse::<u64>() {
        // More than a week is no schedule any more.
        Ok(seconds) => Some(Duration::from_secs(seconds.min(7 * 86_400))),
        Err(_) => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn both_forms_of_retry_after() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(60));
        assert_eq!(read(&date), Some(Duration::from_secs(60)));
        assert_eq!(read(&httpdate::fmt_http_date(UNIX_EPOCH)), None);
        assert_eq!(read("soon"), None);
        assert_eq!(read("99999999999"), Some(Duration::from_secs(7 * 86_400)));
    }
}
