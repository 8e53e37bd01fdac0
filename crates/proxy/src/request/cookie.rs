//! Cookies as the proxy needs them: the value of one among those a client sent.

use http::header::{COOKIE, HeaderMap};

/// The value of the first cookie called `name`, quotes removed; empty ones count as absent.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs {
        let Some(rest) = pair.trim_ascii().strip_prefix(name.as_bytes()) else {
            continue;
        };
        if let Some(value) = rest.strip_prefix(b"=") {
            let bare = value
                .strip_prefix(b"\"")
                .and_then(|value| value.strip_suffix(b"\""));
            return Some(bare.unwrap_or(value)).filter(|value| !value.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_first_of_that_name_counts() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("ab=0; a=1;a=2; q=\"x\""));
        headers.append(COOKIE, HeaderValue::from_static("b=3; e="));
        assert_eq!(cookie(&headers, "a"), Some(&b"1"[..]));
        assert_eq!(cookie(&headers, "b"), Some(&b"3"[..]));
        assert_eq!(cookie(&headers, "q"), Some(&b"x"[..]));
        assert_eq!(cookie(&headers, "e"), None);
        assert_eq!(cookie(&headers, "c"), None);
    }
}
