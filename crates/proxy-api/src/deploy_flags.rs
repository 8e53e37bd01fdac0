//! Rendering `deploy`'s arguments: the flags as Kamal writes them, for the deployer to quote and send.

use crate::deploy_args::DeployArgs;
use crate::duration::GoDuration;

/// One flag as Kamal writes it: bare (`--tls`), or with a value that the caller quotes (`--host="…"`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagValue {
    /// The flag with its dashes.
    pub flag: &'static str,
    /// Its value; none for a bare flag.
    pub value: Option<String>,
}

impl FlagValue {
    pub(crate) fn with(flag: &'static str, value: impl Into<String>) -> Self {
        Self {
            flag,
            value: Some(value.into()),
        }
    }

    fn bool(flag: &'static str, value: bool) -> Self {
        Self {
            flag,
            value: (!value).then(|| "false".to_owned()),
        }
    }
}

impl DeployArgs {
    /// Flags in the order Kamal emits them, then those it never sends; the service name is not among them.
    #[must_use]
    pub fn render(&self) -> Vec<FlagValue> {
        let mut flags = Rendered::default();
        flags.list("--target", &self.targets);
        flags.list("--host", &self.hosts);
        flags.bool("--tls", self.tls);
        flags.text(
            "--tls-certificate-path",
            self.tls_certificate_path.as_deref(),
        );
        flags.text(
            "--tls-private-key-path",
            self.tls_private_key_path.as_deref(),
        );
        flags.duration("--deploy-timeout", self.deploy_timeout);
        flags.duration("--drain-timeout", self.drain_timeout);
        flags.duration("--health-check-interval", self.health_check_interval);
        flags.duration("--health-check-timeout", self.health_check_timeout);
        flags.text("--health-check-path", self.health_check_path.as_deref());
        flags.duration("--target-timeout", self.target_timeout);
        flags.bool("--buffer-requests", self.buffer_requests);
        flags.bool("--buffer-responses", self.buffer_responses);
        flags.int("--buffer-memory", self.buffer_memory);
        flags.int("--max-request-body", self.max_request_body);
        flags.int("--max-response-body", self.max_response_body);
        flags.list("--path-prefix", &self.path_prefixes);
        flags.bool("--strip-path-prefix", self.strip_path_prefix);
        flags.bool("--forward-headers", self.forward_headers);
        flags.bool("--tls-redirect", self.tls_redirect);
        flags.list("--log-request-header", &self.log_request_headers);
        flags.list("--log-response-header", &self.log_response_headers);
        flags.text("--error-pages", self.error_pages.as_deref());
        flags.list("--read-target", &self.read_targets);
        flags.text("--tls-on-demand-url", self.tls_on_demand_url.as_deref());
        flags.bool("--tls-staging", self.tls_staging);
        flags.text("--tls-acme-directory", self.tls_acme_directory.as_deref());
        flags.text("--tls-acme-cache-path", self.tls_acme_cache_path.as_deref());
        flags.text("--canonical-host", self.canonical_host.as_deref());
        flags.bool("--force", self.force);
        flags.int("--health-check-port", self.health_check_port);
        flags.text("--health-check-host", self.health_check_host.as_deref());
        flags.duration("--writer-affinity-timeout", self.writer_affinity_timeout);
        flags.bool("--read-target-websockets", self.read_target_websockets);
        flags.list("--exclude-metrics-path", &self.exclude_metrics_paths);
        flags.text("--client-ip-header", self.client_ip_header.as_deref());
        flags.bool("--scope-cookie-paths", self.scope_cookie_paths);
        flags.0.extend(self.own.render());
        flags.0
    }
}

#[derive(Default)]
struct Rendered(Vec<FlagValue>);

impl Rendered {
    fn list(&mut self, flag: &'static str, values: &[String]) {
        self.0
            .extend(values.iter().map(|value| FlagValue::with(flag, value)));
    }

    fn bool(&mut self, flag: &'static str, value: Option<bool>) {
        self.0
            .extend(value.map(|value| FlagValue::bool(flag, value)));
    }

    fn text(&mut self, flag: &'static str, value: Option<&str>) {
        self.0
            .extend(value.map(|value| FlagValue::with(flag, value)));
    }

    fn int(&mut self, flag: &'static str, value: Option<i64>) {
        self.0
            .extend(value.map(|value| FlagValue::with(flag, value.to_string())));
    }

    fn duration(&mut self, flag: &'static str, value: Option<GoDuration>) {
        self.0
            .extend(value.map(|value| FlagValue::with(flag, value.in_seconds())));
    }
}
