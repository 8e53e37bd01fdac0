//! Whose word counts: what a request says of where it comes from is believed from some peers and not from others.
//!
//! Without a list of networks the rules are kamal-proxy's: `--forward-headers` believes everybody. With a list, the service's own or
//! else the server's, only peers within it are believed, and for them the client is whom the last trusted proxy has seen.

use std::net::{IpAddr, SocketAddr};

use dhow_proxy_api::{Cidr, TargetOptions, is_within};
use http::header::{HeaderMap, HeaderName};

/// What is believed of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trust<'n> {
    /// `X-Forwarded-…` are kept and extended.
    pub(crate) forwarded: bool,
    /// `Forwarded` too: the peer is on the list.
    pub(crate) listed: bool,
    /// `X-Request-ID` and `X-Request-Start` are kept: a proxy in front of this one gave them, and not just anybody.
    pub(crate) tracing: bool,
    /// The header that stands for the client's address counts.
    pub(crate) stand_in: bool,
    networks: &'n [Cidr],
}

impl<'n> Trust<'n> {
    /// For a request from `peer` to a service; `server` is what the server was started with.
    pub(crate) fn new(options: &'n TargetOptions, server: &'n [Cidr], peer: IpAddr) -> Self {
        let networks = match options.dhow.trusted_proxies.as_slice() {
            [] => server,
            own => own,
        };
        let believed = networks.is_empty() || is_within(networks, peer);
        Self {
            forwarded: options.forward_headers && believed,
            listed: options.forward_headers && believed && !networks.is_empty(),
            tracing: believed && (options.forward_headers || !networks.is_empty()),
            stand_in: believed,
            networks,
        }
    }

    /// The address that the forwarding headers give the client; `None` when the peer is the client.
    pub(crate) fn client<'h>(
        &self,
        headers: &'h HeaderMap,
        stand_in: Option<&HeaderName>,
    ) -> Option<&'h [u8]> {
        let stand_in = stand_in
            .filter(|_| self.stand_in)
            .and_then(|name| headers.get(name));
        let given = match stand_in {
            Some(value) => value.as_bytes(),
            None if self.listed => return self.last_untrusted(headers),
            None if self.forwarded => headers.get(FORWARDED_FOR)?.as_bytes(),
            None => return None,
        };
        Some(given).filter(|given| !given.is_empty())
    }

    /// From the nearest hop on, the first that is not on the list; the farthest, if all are. What comes before anything that is no
    /// address was not written by a proxy, and does not count.
    fn last_untrusted<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let mut farthest = None;
        for value in headers.get_all(FORWARDED_FOR).iter().rev() {
            for hop in value.as_bytes().rsplit(|byte| *byte == b',') {
                let hop = hop.trim_ascii();
                let Some(address) = std::str::from_utf8(hop).ok().and_then(address) else {
                    return farthest;
                };
                farthest = Some(hop);
                if !is_within(self.networks, address) {
                    return farthest;
                }
            }
        }
        farthest
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address as proxies write it, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(hop)
        .parse()
        .ok()
        .or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_proxy_api::DhowOptions;
    use http::header::HeaderValue;

    fn options(forward_headers: bool, networks: &[&str]) -> TargetOptions {
        TargetOptions {
            forward_headers,
            dhow: DhowOptions {
                trusted_proxies: cidrs(networks),
                ..DhowOptions::default()
            },
            ..TargetOptions::default()
        }
    }

    fn cidrs(networks: &[&str]) -> Vec<Cidr> {
        networks
            .iter()
            .map(|network| Cidr::parse(network).unwrap())
            .collect()
    }

    /// `X-Forwarded-…`, `Forwarded`, the stand-in.
    fn believed(options: &TargetOptions, server: &[&str], peer: &str) -> (bool, bool, bool) {
        let server = cidrs(server);
        let trust = Trust::new(options, &server, peer.parse().unwrap());
        (trust.forwarded, trust.listed, trust.stand_in)
    }

    /// parity: proxy 106, 107
    #[test]
    fn without_a_list_the_flag_decides() {
        assert_eq!(
            believed(&options(true, &[]), &[], "192.0.2.1"),
            (true, false, true)
        );
        assert_eq!(
            believed(&options(false, &[]), &[], "192.0.2.1"),
            (false, false, true)
        );
    }

    #[test]
    fn with_a_list_only_who_is_on_it_is_believed() {
        let service = options(true, &["10.0.0.0/8"]);
        assert_eq!(believed(&service, &[], "10.1.1.1"), (true, true, true));
        assert_eq!(
            believed(&service, &[], "::ffff:10.1.1.1"),
            (true, true, true)
        );
        assert_eq!(believed(&service, &[], "192.0.2.1"), (false, false, false));
        // The service's own list counts, the server's where it has none.
        assert_eq!(
            believed(&service, &["192.0.2.0/24"], "192.0.2.1"),
            (false, false, false)
        );
        assert_eq!(
            believed(&options(true, &[]), &["192.0.2.0/24"], "192.0.2.1"),
            (true, true, true)
        );
        assert_eq!(
            believed(&options(true, &[]), &["192.0.2.0/24"], "10.1.1.1"),
            (false, false, false)
        );
        // A plain no stays one.
        assert_eq!(
            believed(&options(false, &["10.0.0.0/8"]), &[], "10.1.1.1"),
            (false, false, true)
        );
    }

    fn client(service: &TargetOptions, peer: &str, lines: &[(&str, &str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let stand_in = HeaderName::from_static("cf-connecting-ip");
        let trust = Trust::new(service, &[], peer.parse().unwrap());
        trust
            .client(&headers, Some(&stand_in))
            .map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    /// parity: proxy 133, D17
    #[test]
    fn the_client_is_whom_the_last_trusted_proxy_saw() {
        let service = options(true, &["10.0.0.0/8", "2001:db8::/32"]);
        let chain = |chain: &str| client(&service, "10.1.1.1", &[("x-forwarded-for", chain)]);
        assert_eq!(
            chain("1.1.1.1, 203.0.113.9, 10.2.2.2").unwrap(),
            "203.0.113.9"
        );
        assert_eq!(chain("203.0.113.9").unwrap(), "203.0.113.9");
        assert_eq!(
            chain("1.1.1.1, 203.0.113.9:4711,[2001:db8::1]:80").unwrap(),
            "203.0.113.9:4711"
        );
        assert_eq!(chain("10.3.3.3, [2001:db8::1]").unwrap(), "10.3.3.3");
        assert_eq!(chain("1.1.1.1, nonsense, 10.2.2.2").unwrap(), "10.2.2.2");
        assert_eq!(chain("nonsense"), None);
        assert_eq!(chain(""), None);
        let lines = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "203.0.113.9, 10.2.2.2"),
        ];
        assert_eq!(client(&service, "10.1.1.1", &lines).unwrap(), "203.0.113.9");
        assert_eq!(client(&service, "192.0.2.1", &lines), None);
    }

    /// parity: proxy 108, 133
    #[test]
    fn the_stand_in_counts_from_whom_it_may_come() {
        let lines = [
            ("cf-connecting-ip", "203.0.113.9"),
            ("x-forwarded-for", "1.1.1.1"),
        ];
        let listed = options(true, &["10.0.0.0/8"]);
        assert_eq!(client(&listed, "10.1.1.1", &lines).unwrap(), "203.0.113.9");
        assert_eq!(client(&listed, "192.0.2.1", &lines), None);
        assert_eq!(
            client(&options(true, &[]), "192.0.2.1", &lines).unwrap(),
            "203.0.113.9"
        );
        assert_eq!(
            client(&options(false, &[]), "192.0.2.1", &lines).unwrap(),
            "203.0.113.9"
        );
        assert_eq!(
            client(&options(true, &[]), "192.0.2.1", &lines[1..]).unwrap(),
            "1.1.1.1"
        );
        assert_eq!(client(&options(false, &[]), "192.0.2.1", &lines[1..]), None);
    }
}
