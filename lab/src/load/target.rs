//! Where requests go.

use std::net::SocketAddr;
use std::str::FromStr;

/// An `http://ADDRESS[:PORT]` to send load to. An address and not a name, so that a resolver's failures are not the app's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// As it was given; what the summary calls it.
    pub url: String,
    /// Where to connect.
    pub address: SocketAddr,
    /// What the Host header says.
    pub host: String,
}

impl Target {
    /// The same target with another Host header, for a proxy that routes by it.
    pub fn with_host(self, host: Option<&str>) -> Self {
        match host {
            Some(host) => Self {
                host: host.to_owned(),
                ..self
            },
            None => self,
        }
    }
}

/// A URL that is no [`Target`].
#[derive(Debug, thiserror::Error)]
#[error("cannot send load to `{0}`: expected http://ADDRESS[:PORT]")]
pub struct BadTarget(String);

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(url: &str) -> Result<Self, BadTarget> {
        let bad = || BadTarget(url.to_owned());
        let host = url
            .strip_prefix("http://")
            .ok_or_else(bad)?
            .trim_end_matches('/');
        let address = host
            .parse()
            .or_else(|_| host.parse().map(|ip| SocketAddr::new(ip, 80)))
            .map_err(|_| bad())?;
        Ok(Self {
            url: url.to_owned(),
            address,
            host: host.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_80_unless_given() {
        let target: Target = "http://10.77.0.11/".parse().unwrap();
        assert_eq!(
            (target.address.port(), target.host.as_str()),
            (80, "10.77.0.11")
        );
        let target: Target = "http://127.0.0.1:3000".parse().unwrap();
        assert_eq!(
            (target.address.port(), target.host.as_str()),
            (3000, "127.0.0.1:3000")
        );
    }

    #[test]
    fn names_paths_and_https_are_refused() {
        for url in [
            "https://10.0.0.1",
            "10.0.0.1",
            "http://localhost",
            "http://10.0.0.1/path",
        ] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }
}
