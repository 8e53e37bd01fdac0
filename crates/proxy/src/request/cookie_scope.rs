//! Cookies of an application below a path prefix: their paths are moved below it, so that applications on one
//! host do not overwrite each other's. Only where the prefix was cut off on the way to the target, which then
//! knows nothing of it.

use std::time::SystemTime;

use http::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// Rewrites the cookies in `headers` that belong to `host` (without port); others, and what cannot be read as a
/// cookie, stay as they are.
pub(crate) fn scope_cookies(headers: &mut HeaderMap, prefix: &str, host: &str) {
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let cookies: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .map(|value| {
            value
                .to_str()
                .ok()
                .and_then(|text| scoped(text, prefix, host))
                .and_then(|text| HeaderValue::try_from(text).ok())
                .unwrap_or_else(|| value.clone())
        })
        .collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

#[derive(Default)]
struct Attributes<'c> {
    path: &'c str,
    domain: &'c str,
    expires: Option<SystemTime>,
    max_age: Option<u32>,
    http_only: bool,
    secure: bool,
    same_site: Option<&'static str>,
    partitioned: bool,
}

/// The rewritten cookie; `None` when it is to stay as it is.
fn scoped(text: &str, prefix: &str, host: &str) -> Option<String> {
    let mut parts = text.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if !is_token(name) || !is_value(value) {
        return None;
    }
    let attributes = Attributes::read(parts);
    if !attributes.domain.is_empty() && attributes.domain != host {
        return None;
    }
    let below = attributes.path.trim_matches('/');
    let path = if below.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}/{below}")
    };
    let mut out = format!("{name}={value}; Path={path}");
    attributes.write(&mut out);
    Some(out)
}

impl<'c> Attributes<'c> {
    /// Later ones of a kind win; unknown ones are dropped.
    fn read(parts: impl Iterator<Item = &'c str>) -> Self {
        let mut found = Self::default();
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => found.path = value,
                "domain" => found.domain = value,
                "expires" => {
                    // Some write dashes within the date.
                    found.expires = httpdate::parse_http_date(&value.replace('-', " ")).ok();
                }
                "max-age" => {
                    if let Ok(seconds) = value.parse::<i64>() {
                        found.max_age =
                            Some(u32::try_from(seconds.clamp(0, u32::MAX.into())).unwrap_or(0));
                    }
                }
                "httponly" => found.http_only = true,
                "secure" => found.secure = true,
                "samesite" => {
                    found.same_site = ["Lax", "Strict", "None"]
                        .into_iter()
                        .find(|known| known.eq_ignore_ascii_case(value));
                }
                "partitioned" => found.partitioned = true,
                _ => {}
            }
        }
        found
    }

    /// Everything but the path, in a fixed order.
    fn write(&self, out: &mut String) {
        let mut put = |text: &str, value: &str| {
            out.push_str("; ");
            out.push_str(text);
            out.push_str(value);
        };
        if !self.domain.is_empty() {
            put("Domain=", self.domain);
        }
        if let Some(expires) = self.expires {
            put("Expires=", &httpdate::fmt_http_date(expires));
        }
        if let Some(seconds) = self.max_age {
            put("Max-Age=", &seconds.to_string());
        }
        if self.http_only {
            put("HttpOnly", "");
        }
        if self.secure {
            put("Secure", "");
        }
        if let Some(same_site) = self.same_site {
            put("SameSite=", same_site);
        }
        if self.partitioned {
            put("Partitioned", "");
        }
    }
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Quotes may stand around it, nowhere else.
fn is_value(value: &str) -> bool {
    let bare = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    bare.bytes()
        .all(|byte| matches!(byte, 0x20..0x7f) && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(cookies: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        scope_cookies(&mut headers, "/app", "a.com");
        headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    /// parity: proxy 115
    #[test]
    fn own_cookies_move_below_the_prefix() {
        for (before, scoped) in [
            ("a=1", "a=1; Path=/app"),
            ("a=1; Path=/", "a=1; Path=/app"),
            ("a=1; path=/foo/", "a=1; Path=/app/foo"),
            ("a=1; Domain=a.com", "a=1; Path=/app; Domain=a.com"),
            ("a=\"x y\"; Path=/", "a=\"x y\"; Path=/app"),
            (
                "a=1; Partitioned; samesite=LAX; Secure; HttpOnly; Max-Age=60; Priority=High; Expires=Thu, 01-Jan-1970 00:00:10 GMT; Path=/x",
                "a=1; Path=/app/x; Expires=Thu, 01 Jan 1970 00:00:10 GMT; Max-Age=60; HttpOnly; Secure; SameSite=Lax; Partitioned",
            ),
            ("a=1; Max-Age=-1", "a=1; Path=/app; Max-Age=0"),
            ("a=1; Expires=soon; Max-Age=x", "a=1; Path=/app"),
        ] {
            assert_eq!(after(&[before]), [scoped], "{before}");
        }
    }

    /// parity: proxy 115
    #[test]
    fn others_stay_as_they_are() {
        let cookies = [
            "a=1; Domain=b.com; Path=/; Odd",
            "a=1; Domain=.a.com",
            "=1; Path=/",
            "no cookie",
            "b c=1",
            "a=\"x; Path=/",
        ];
        assert_eq!(after(&cookies), cookies);
        assert_eq!(
            after(&["a=1", "b=2; Domain=b.com", "c=3"]),
            ["a=1; Path=/app", "b=2; Domain=b.com", "c=3; Path=/app"]
        );
        assert!(after(&[]).is_empty());
    }
}
