//! The request target a target receives: the path's encoding as the client wrote it, with bytes that do not
//! belong in a path percent-encoded, and the query verbatim.

/// Path and query as they go out.
pub(crate) fn upstream_path(path: &str, query: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    if path.bytes().all(belongs) {
        out.extend_from_slice(path.as_bytes());
    } else {
        for byte in path.bytes() {
            if belongs(byte) {
                out.push(byte);
            } else {
                let digit = |nibble: u8| {
                    if nibble < 10 {
                        b'0' + nibble
                    } else {
                        b'A' + nibble - 10
                    }
                };
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    if let Some(query) = query {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out
}

fn belongs(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'-'
                | b'_'
                | b'.'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'['
                | b']'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 111
    #[test]
    fn paths_and_queries() {
        for (path, query, out) in [
            ("/%41%2f%7e", None, "/%41%2f%7e"),
            ("/a|b", Some("a;b=%x|"), "/a%7Cb?a;b=%x|"),
            ("/é", None, "/%C3%A9"),
            ("", None, "/"),
            ("*", Some(""), "*?"),
        ] {
            assert_eq!(String::from_utf8(upstream_path(path, query)).unwrap(), out);
        }
    }
}
