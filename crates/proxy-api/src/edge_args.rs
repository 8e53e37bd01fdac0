//! The flags of `run` that kamal-proxy does not have: what the server asks of connections before any service is concerned.

use crate::cidr::Cidr;
use crate::duration::GoDuration;
use crate::flags::{FlagError, Parsed};
use crate::literal::quote;

/// How client connections are dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeArgs {
    /// Whether connections may, or must, begin with a PROXY protocol header.
    pub proxy_protocol: ProxyProtocol,
    /// Who may send such a header, and whose forwarding headers are believed for services that name nobody; empty is everybody.
    pub trusted_proxies: Vec<Cidr>,
    /// A request head must be complete this long after its first byte.
    pub header_timeout: GoDuration,
    /// A connection without a request is closed after this long.
    pub idle_timeout: GoDuration,
    /// Client connections at a time; 0 is as many as the system allows.
    pub max_connections: i64,
}

/// The PROXY protocol (versions 1 and 2) on the HTTP and HTTPS ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// Its headers are no HTTP, and refused as such.
    #[default]
    Off,
    /// A connection from who is trusted may begin with one.
    Optional,
    /// Every connection begins with one, and comes from who is trusted; others are closed.
    Required,
}

impl EdgeArgs {
    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, FlagError> {
        let given = Self::default();
        Ok(Self {
            proxy_protocol: match parsed.text("proxy-protocol") {
                None => given.proxy_protocol,
                Some(word) => ProxyProtocol::parse(&word).ok_or_else(|| FlagError::Value {
                    name: "proxy-protocol".to_owned(),
                    value: quote(&word),
                    why: "neither off, optional nor required".to_owned(),
                })?,
            },
            trusted_proxies: parsed.networks("trusted-proxy")?,
            header_timeout: parsed
                .duration("header-timeout")
                .unwrap_or(given.header_timeout),
            idle_timeout: parsed
                .duration("idle-timeout")
                .unwrap_or(given.idle_timeout),
            max_connections: parsed.int("max-connections").unwrap_or(0),
        })
    }
}

impl Default for EdgeArgs {
    fn default() -> Self {
        Self {
            proxy_protocol: ProxyProtocol::Off,
            trusted_proxies: Vec::new(),
            header_timeout: GoDuration::from_secs(60),
            // Above what load balancers in front use.
            idle_timeout: GoDuration::from_secs(3600),
            max_connections: 0,
        }
    }
}

impl ProxyProtocol {
    /// Reads `off`, `optional` or `required`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "off" => Self::Off,
            "optional" => Self::Optional,
            "required" => Self::Required,
            _ => return None,
        })
    }
}
