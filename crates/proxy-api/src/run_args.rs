//! Arguments of `run`: ports and switches, each with a default from the environment.

use crate::edge_args::EdgeArgs;
use crate::flags::{FlagError, Kind, Parsed, Spec, flag};
use crate::places::ProxyEnv;

/// How the server is to run; ports are not range-checked here, the listener's error says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunArgs {
    /// Log `DEBUG` lines too.
    pub debug: bool,
    /// Port for plain HTTP.
    pub http_port: i64,
    /// Port for HTTPS.
    pub https_port: i64,
    /// Port for metrics; 0 is off.
    pub metrics_port: i64,
    /// Serve HTTP/3 on the HTTPS port.
    pub http3: bool,
    /// Take the sockets over from the proxy that runs, if one does. dhow only.
    pub takeover: bool,
    /// How client connections are dealt with.
    pub edge: EdgeArgs,
}

pub(crate) const FLAGS: &[Spec] = &[
    flag("debug", Kind::Bool, "false", "Log debug messages as well"),
    flag("http-port", Kind::Int, "80", "Port for plain HTTP"),
    flag("https-port", Kind::Int, "443", "Port for HTTPS"),
    flag(
        "metrics-port",
        Kind::Int,
        "0",
        "Port for Prometheus metrics (0 is off)",
    ),
    flag(
        "http3",
        Kind::Bool,
        "false",
        "Serve HTTP/3 on the HTTPS port",
    ),
    flag(
        "takeover",
        Kind::Bool,
        "false",
        "Take the place of the proxy that runs, without losing a request",
    ),
    flag(
        "proxy-protocol",
        Kind::Text,
        "off",
        "PROXY protocol header: off, optional or required",
    ),
    flag(
        "trusted-proxy",
        Kind::List,
        "",
        "Network whose PROXY and forwarding headers are believed",
    ),
    flag(
        "header-timeout",
        Kind::Duration,
        "1m0s",
        "Longest time for a request's head",
    ),
    flag(
        "idle-timeout",
        Kind::Duration,
        "1h0m0s",
        "Longest time between requests",
    ),
    flag(
        "max-connections",
        Kind::Int,
        "0",
        "Client connections at a time (0 is no limit)",
    ),
];

impl RunArgs {
    pub(crate) fn from_parsed(parsed: &Parsed, env: &ProxyEnv) -> Result<Self, FlagError> {
        Ok(Self {
            debug: parsed.bool("debug").or(env.debug).unwrap_or(false),
            http_port: parsed.int("http-port").or(env.http_port).unwrap_or(80),
            https_port: parsed.int("https-port").or(env.https_port).unwrap_or(443),
            metrics_port: parsed.int("metrics-port").or(env.metrics_port).unwrap_or(0),
            http3: parsed.bool("http3").unwrap_or(false),
            takeover: parsed.bool("takeover").unwrap_or(false),
            edge: EdgeArgs::from_parsed(parsed)?,
        })
    }
}
