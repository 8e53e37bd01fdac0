//! `x-dhow`: what Kamal has no key for.

/// The section; empty where the file has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// `proxy`
    pub proxy: ProxyExtension,
}

/// `x-dhow.proxy`. Times are seconds; `None` and empty lists leave the proxy's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyExtension {
    /// `trusted_proxies`: addresses and networks, valid ones.
    pub trusted_proxies: Vec<String>,
    /// `client_ip_header`
    pub client_ip_header: Option<String>,
    /// `proxy_protocol`
    pub proxy_protocol: ProxyProtocol,
    /// `http3`
    pub http3: bool,
    /// `max_connections`
    pub max_connections: Option<i64>,
    /// `canonical_host`
    pub canonical_host: Option<String>,
    /// `exclude_metrics_paths`
    pub exclude_metrics_paths: Vec<String>,
    /// `scope_cookie_paths`
    pub scope_cookie_paths: Option<bool>,
    /// `tls_staging`
    pub tls_staging: Option<bool>,
    /// `timeouts.header`
    pub header_timeout: Option<i64>,
    /// `timeouts.idle`
    pub idle_timeout: Option<i64>,
    /// `timeouts.dial`
    pub dial_timeout: Option<i64>,
    /// `healthcheck.fall`
    pub health_fall: Option<i64>,
    /// `healthcheck.rise`
    pub health_rise: Option<i64>,
    /// `healthcheck.watch_interval`
    pub health_watch_interval: Option<i64>,
    /// `healthcheck.port`
    pub health_port: Option<i64>,
    /// `healthcheck.host`
    pub health_host: Option<String>,
    /// `websockets.drain`
    pub websocket_drain: Option<i64>,
    /// `websockets.close_spread`
    pub websocket_close_spread: Option<i64>,
}

/// `proxy_protocol`: whether connections begin with a PROXY header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They don't.
    #[default]
    Off,
    /// They may.
    Optional,
    /// They must.
    Required,
}
