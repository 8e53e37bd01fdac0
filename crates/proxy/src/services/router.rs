//! Which service answers a request: by host, then by the longest path prefix. A table never changes; every
//! change of a service makes a new one.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::services::service::Service;

/// All services with an index over hosts and prefixes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    services: Vec<Arc<Service>>,
    hosts: HashMap<String, Vec<Route>>,
}

#[derive(Debug)]
struct Route {
    prefix: String,
    service: usize,
}

/// A match: the service's place in [`Table::services`] and the prefix that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit<'a> {
    /// Place of the service.
    pub(crate) service: usize,
    /// `/` or `/a/b`.
    pub(crate) prefix: &'a str,
}

impl Table {
    /// Indexes `services`. A service below `/` takes its TLS switches from the one that serves `/` on its first
    /// host.
    pub(crate) fn new(services: &BTreeMap<Arc<str>, Arc<Service>>) -> Self {
        let mut table = Self::default();
        for service in services.values() {
            let place = table.services.len();
            table.services.push(Arc::clone(service));
            for host in &service.options.hosts {
                let routes = table.hosts.entry(host.to_ascii_lowercase()).or_default();
                for prefix in &service.options.path_prefixes {
                    routes.push(Route {
                        prefix: prefix.clone(),
                        service: place,
                    });
                }
            }
        }
        for routes in table.hosts.values_mut() {
            routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        }
        table.inherit_tls();
        table
    }

    /// Every service, in the order of names.
    pub(crate) fn services(&self) -> &[Arc<Service>] {
        &self.services
    }

    /// The service for a host without port and a raw (encoded) path. Within the most specific host key that
    /// exists there is no falling back to a wider one.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<Hit<'_>> {
        let routes = self.routes(host)?;
        if let [Route { prefix, service }] = routes
            && prefix == "/"
        {
            return Some(Hit {
                service: *service,
                prefix,
            });
        }
        let path: Cow<'_, [u8]> = percent_decode_str(path).into();
        let route = routes.iter().find(|route| matches(&path, &route.prefix))?;
        Some(Hit {
            service: route.service,
            prefix: &route.prefix,
        })
    }

    /// The service called `name`, as if it had matched on its root.
    pub(crate) fn named(&self, name: &str) -> Option<Hit<'_>> {
        let service = self
            .services
            .iter()
            .position(|service| &*service.name == name)?;
        Some(Hit {
            service,
            prefix: "/",
        })
    }

    /// The service that serves `/` on `host`.
    pub(crate) fn find_root(&self, host: &str) -> Option<&Arc<Service>> {
        self.services.get(self.find(host, "/")?.service)
    }

    /// The host whose certificate clients get that name none: the first one of the first TLS service.
    pub(crate) fn default_tls_host(&self) -> Option<&str> {
        self.services
            .iter()
            .filter(|service| service.options.tls_enabled)
            .filter_map(|service| service.options.hosts.first())
            .map(String::as_str)
            .find(|host| !host.is_empty())
    }

    fn routes(&self, host: &str) -> Option<&[Route]> {
        let host: Cow<'_, str> = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(host.to_ascii_lowercase())
        } else {
            Cow::Borrowed(host)
        };
        let exact = self.hosts.get(host.as_ref());
        let wildcard = || {
            let dot = host.find('.').filter(|dot| *dot > 0)?;
            self.hosts.get(&format!("*{}", host.get(dot..)?))
        };
        exact
            .or_else(wildcard)
            .or_else(|| self.hosts.get(""))
            .map(Vec::as_slice)
    }

    fn inherit_tls(&mut self) {
        let inherited: Vec<(usize, bool, bool)> = self
            .services
            .iter()
            .enumerate()
            .filter(|(_, service)| !service.options.serves_root())
            .map(|(place, service)| {
                let host = service
                    .options
                    .hosts
                    .first()
                    .map_or("", String::as_str)
                    .to_ascii_lowercase();
                let root = self
                    .hosts
                    .get(&host)
                    .and_then(|routes| routes.iter().find(|route| route.prefix == "/"))
                    .and_then(|route| self.services.get(route.service));
                match root {
                    Some(root) => (place, root.options.tls_enabled, root.options.tls_redirect),
                    None => (place, false, true),
                }
            })
            .collect();
        for (place, enabled, redirect) in inherited {
            if let Some(service) = self.services.get_mut(place)
                && (service.options.tls_enabled, service.options.tls_redirect)
                    != (enabled, redirect)
            {
                let service = Arc::make_mut(service);
                service.options.tls_enabled = enabled;
                service.options.tls_redirect = redirect;
            }
        }
    }
}

/// `Host` without its port; brackets of an IPv6 address go too when there is a port.
pub(crate) fn host_without_port(host: &str) -> &str {
    let Some((name, port)) = host.rsplit_once(':') else {
        return host;
    };
    if let Some(inner) = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    {
        return inner;
    }
    // More colons without brackets: an IPv6 address alone, not a port.
    if name.contains(':') || name.ends_with('[') || port.ends_with(']') {
        host
    } else {
        name
    }
}

/// The raw path without the prefix, `/` if nothing remains. Only the prefix is cut; the rest keeps its encoding.
pub(crate) fn strip_prefix<'p>(raw: &'p str, prefix: &str) -> Cow<'p, str> {
    if prefix == "/" {
        return Cow::Borrowed(raw);
    }
    let mut left = prefix.len();
    let bytes = raw.as_bytes();
    let mut at = 0;
    while left > 0 && at < bytes.len() {
        let escaped = bytes.get(at) == Some(&b'%')
            && bytes
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        at += if escaped { 3 } else { 1 };
        left -= 1;
    }
    match raw.get(at..) {
        Some("") | None => Cow::Borrowed("/"),
        Some(rest) => match rest
            .strip_prefix("%2F")
            .or_else(|| rest.strip_prefix("%2f"))
        {
            Some(rest) => Cow::Owned(format!("/{rest}")),
            None => Cow::Borrowed(rest),
        },
    }
}

/// `path` + `/` starts with `prefix` + `/`: whole segments only.
fn matches(path: &[u8], prefix: &str) -> bool {
    let prefix = prefix.as_bytes();
    prefix == b"/"
        || (path.starts_with(prefix) && matches!(path.get(prefix.len()), None | Some(b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::test_services::{service, table_of};

    fn found(table: &Table, host: &str, path: &str) -> String {
        table.find(host, path).map_or_else(String::new, |hit| {
            format!("{} {}", table.services()[hit.service].name, hit.prefix)
        })
    }

    /// parity: proxy 41, D5
    #[test]
    fn exact_beats_wildcard_beats_catch_all() {
        let table = table_of(&[
            service("all", &[""], &["/"]),
            service("exact", &["a.example.com"], &["/"]),
            service("wild", &["*.example.com"], &["/"]),
        ]);
        assert_eq!(found(&table, "a.example.com", "/"), "exact /");
        assert_eq!(found(&table, "A.Example.com", "/"), "exact /");
        assert_eq!(found(&table, "b.example.com", "/"), "wild /");
        assert_eq!(found(&table, "a.b.example.com", "/"), "all /");
        assert_eq!(found(&table, "example.com", "/"), "all /");
        assert_eq!(found(&table, ".example.com", "/"), "all /");
        assert_eq!(found(&Table::default(), "a", "/"), "");
    }

    /// parity: proxy 46, 47
    #[test]
    fn longest_prefix_of_whole_segments() {
        let table = table_of(&[
            service("all", &[""], &["/"]),
            service("api", &["a.com"], &["/api", "/api/v2"]),
            service("app", &["a.com"], &["/app"]),
        ]);
        assert_eq!(found(&table, "a.com", "/api/v2/x"), "api /api/v2");
        assert_eq!(found(&table, "a.com", "/api/v22"), "api /api");
        assert_eq!(found(&table, "a.com", "/api"), "api /api");
        assert_eq!(found(&table, "a.com", "/apiary"), "");
        assert_eq!(found(&table, "a.com", "/app%2Fz"), "app /app");
        assert_eq!(found(&table, "a.com", "//app"), "");
        assert_eq!(found(&table, "a.com", "/app/../x"), "app /app");
        assert_eq!(found(&table, "a.com", "/"), "");
    }

    /// parity: proxy 50, 51
    #[test]
    fn tls_comes_from_the_root_of_the_first_host() {
        let mut root = service("root", &["a.com"], &["/"]);
        root.options.tls_enabled = true;
        let below = service("below", &["a.com"], &["/api"]);
        let table = table_of(&[root, below.clone()]);
        assert!(table.services()[0].options.tls_enabled);
        assert_eq!(table.default_tls_host(), Some("a.com"));
        let table = table_of(&[below]);
        assert!(!table.services()[0].options.tls_enabled);
        assert_eq!(table.default_tls_host(), None);
    }

    /// parity: proxy 51, D12
    #[test]
    fn the_default_tls_host_is_chosen_by_name_and_goes_with_its_service() {
        let tls = |name, host| {
            let mut service = service(name, &[host], &["/"]);
            service.options.tls_enabled = true;
            service
        };
        // One for every host has no name to offer.
        let (on_demand, b, c) = (tls("a", ""), tls("b", "b.com"), tls("c", "c.com"));
        for _ in 0..10 {
            let table = table_of(&[c.clone(), on_demand.clone(), b.clone()]);
            assert_eq!(table.default_tls_host(), Some("b.com"));
        }
        assert_eq!(
            table_of(&[c, on_demand.clone()]).default_tls_host(),
            Some("c.com")
        );
        assert_eq!(table_of(&[on_demand]).default_tls_host(), None);
    }

    /// parity: proxy 40
    #[test]
    fn hosts_lose_their_port() {
        for (host, name) in [
            ("a.com", "a.com"),
            ("a.com:80", "a.com"),
            ("[::1]:80", "::1"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("a.com:", "a.com"),
        ] {
            assert_eq!(host_without_port(host), name, "{host}");
        }
    }

    /// parity: proxy 48, D6
    #[test]
    fn stripping_keeps_the_rest_as_it_was() {
        for (raw, prefix, rest) in [
            ("/app/show", "/app", "/show"),
            ("/app", "/app", "/"),
            ("/app/a%2Fb", "/app", "/a%2Fb"),
            ("/%61pp/x", "/app", "/x"),
            ("/app%2Fz", "/app", "/z"),
            ("/x", "/", "/x"),
        ] {
            assert_eq!(strip_prefix(raw, prefix), rest, "{raw}");
        }
    }
}
