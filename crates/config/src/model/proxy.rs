//! `proxy`: what the proxy is told of a role or an accessory, and how its container is started.

use super::Pairs;

/// Settings of one service behind the proxy. Times are seconds, sizes bytes; `None` leaves the proxy's own default.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// `host` (split at commas) or `hosts`.
    pub hosts: Vec<String>,
    /// `app_port`, default 80.
    pub app_port: i64,
    /// `ssl`.
    pub ssl: Ssl,
    /// `ssl_redirect`.
    pub ssl_redirect: Option<bool>,
    /// `forward_headers`.
    pub forward_headers: Option<bool>,
    /// `response_timeout`.
    pub response_timeout: Option<i64>,
    /// `path_prefixes` or `path_prefix` (split at commas).
    pub path_prefixes: Vec<String>,
    /// `strip_path_prefix`.
    pub strip_path_prefix: Option<bool>,
    /// `healthcheck`.
    pub healthcheck: Healthcheck,
    /// `buffering`.
    pub buffering: Buffering,
    /// `logging`.
    pub logging: ProxyLogging,
    /// `run`; an empty map counts as absent.
    pub run: Option<ProxyRun>,
}

/// `ssl`: off, automatic, or with certificate and key from secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ssl {
    /// Plain HTTP.
    #[default]
    Off,
    /// Certificates are obtained by the proxy.
    Automatic,
    /// A certificate of one's own; names of secrets.
    Custom {
        /// `certificate_pem`
        certificate_pem: String,
        /// `private_key_pem`
        private_key_pem: String,
    },
}

/// `proxy.healthcheck`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// Seconds.
    pub interval: Option<i64>,
    /// Seconds.
    pub timeout: Option<i64>,
    /// Path.
    pub path: Option<String>,
}

/// `proxy.buffering`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffering {
    /// Default true.
    pub requests: bool,
    /// Default true.
    pub responses: bool,
    /// Bytes.
    pub max_request_body: Option<i64>,
    /// Bytes.
    pub max_response_body: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
}

/// `proxy.logging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyLogging {
    /// Default `Cache-Control`, `Last-Modified`, `User-Agent`.
    pub request_headers: Vec<String>,
    /// Default none.
    pub response_headers: Vec<String>,
}

/// `proxy.run`: how a host's proxy container is started.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyRun {
    /// `http_port`, default 80.
    pub http_port: i64,
    /// `https_port`, default 443.
    pub https_port: i64,
    /// `publish`, default true.
    pub publish: bool,
    /// `bind_ips`.
    pub bind_ips: Vec<String>,
    /// `metrics_port`.
    pub metrics_port: Option<i64>,
    /// `debug`.
    pub debug: bool,
    /// `log_max_size`, default `10m`; empty leaves the option out.
    pub log_max_size: String,
    /// `registry`
    pub registry: Option<String>,
    /// `repository`
    pub repository: Option<String>,
    /// `version`
    pub version: Option<String>,
    /// `options`, docker flags.
    pub options: Pairs,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            app_port: 80,
            ssl: Ssl::Off,
            ssl_redirect: None,
            forward_headers: None,
            response_timeout: None,
            path_prefixes: Vec::new(),
            strip_path_prefix: None,
            healthcheck: Healthcheck::default(),
            buffering: Buffering::default(),
            logging: ProxyLogging::default(),
            run: None,
        }
    }
}

impl Default for Buffering {
    fn default() -> Self {
        Self {
            requests: true,
            responses: true,
            max_request_body: None,
            max_response_body: None,
            memory: None,
        }
    }
}

impl Default for ProxyLogging {
    fn default() -> Self {
        Self {
            request_headers: ["Cache-Control", "Last-Modified", "User-Agent"]
                .map(str::to_owned)
                .into(),
            response_headers: Vec::new(),
        }
    }
}

impl Default for ProxyRun {
    fn default() -> Self {
        Self {
            http_port: 80,
            https_port: 443,
            publish: true,
            bind_ips: Vec::new(),
            metrics_port: None,
            debug: false,
            log_max_size: "10m".to_owned(),
            registry: None,
            repository: None,
            version: None,
            options: Vec::new(),
        }
    }
}
