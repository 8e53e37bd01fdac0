//! Arguments of `deploy`, in both directions: the deployer renders them, the proxy parses them and fills in
//! defaults. A field that is `None` (or an empty list) was not given.

use std::ffi::OsString;

use crate::command::{UsageError, one_service};
use crate::control::DeployRequest;
use crate::deploy_table::FLAGS;
use crate::duration::GoDuration;
use crate::flags::{Parsed, parse};
use crate::options::{
    HealthCheckOptions, STAGING_DIRECTORY, ServiceOptions, TargetOptions, canonical_header,
};
use crate::own_args::OwnArgs;

/// `deploy <service>` as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is the flag of the same name; the table of flags describes them"
)]
pub struct DeployArgs {
    pub service: String,
    pub targets: Vec<String>,
    pub read_targets: Vec<String>,
    pub hosts: Vec<String>,
    pub path_prefixes: Vec<String>,
    pub strip_path_prefix: Option<bool>,
    pub tls: Option<bool>,
    pub tls_on_demand_url: Option<String>,
    pub tls_staging: Option<bool>,
    pub tls_acme_directory: Option<String>,
    pub tls_certificate_path: Option<String>,
    pub tls_private_key_path: Option<String>,
    pub tls_acme_cache_path: Option<String>,
    pub tls_redirect: Option<bool>,
    pub canonical_host: Option<String>,
    pub deploy_timeout: Option<GoDuration>,
    pub drain_timeout: Option<GoDuration>,
    pub force: Option<bool>,
    pub health_check_interval: Option<GoDuration>,
    pub health_check_timeout: Option<GoDuration>,
    pub health_check_path: Option<String>,
    pub health_check_port: Option<i64>,
    pub health_check_host: Option<String>,
    pub writer_affinity_timeout: Option<GoDuration>,
    pub read_target_websockets: Option<bool>,
    pub target_timeout: Option<GoDuration>,
    pub buffer_requests: Option<bool>,
    pub buffer_responses: Option<bool>,
    pub buffer_memory: Option<i64>,
    pub max_request_body: Option<i64>,
    pub max_response_body: Option<i64>,
    pub error_pages: Option<String>,
    pub log_request_headers: Vec<String>,
    pub log_response_headers: Vec<String>,
    pub exclude_metrics_paths: Vec<String>,
    pub forward_headers: Option<bool>,
    pub client_ip_header: Option<String>,
    pub scope_cookie_paths: Option<bool>,
    pub own: OwnArgs,
}

impl DeployArgs {
    /// Parses what follows `deploy` and checks it as far as the client can.
    ///
    /// # Errors
    /// The message to show after `Error: `.
    pub fn parse(args: &[OsString]) -> Result<Self, UsageError> {
        Self::from_parsed(&parse(FLAGS, args)?)
    }

    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, UsageError> {
        let args = Self {
            service: one_service(parsed)?,
            targets: parsed.list("target"),
            read_targets: parsed.list("read-target"),
            hosts: parsed.list("host"),
            path_prefixes: parsed.list("path-prefix"),
            strip_path_prefix: parsed.bool("strip-path-prefix"),
            tls: parsed.bool("tls"),
            tls_on_demand_url: parsed.text("tls-on-demand-url"),
            tls_staging: parsed.bool("tls-staging"),
            tls_acme_directory: parsed.text("tls-acme-directory"),
            tls_certificate_path: parsed.text("tls-certificate-path"),
            tls_private_key_path: parsed.text("tls-private-key-path"),
            tls_acme_cache_path: parsed.text("tls-acme-cache-path"),
            tls_redirect: parsed.bool("tls-redirect"),
            canonical_host: parsed.text("canonical-host"),
            deploy_timeout: parsed.duration("deploy-timeout"),
            drain_timeout: parsed.duration("drain-timeout"),
            force: parsed.bool("force"),
            health_check_interval: parsed.duration("health-check-interval"),
            health_check_timeout: parsed.duration("health-check-timeout"),
            health_check_path: parsed.text("health-check-path"),
            health_check_port: parsed.int("health-check-port"),
            health_check_host: parsed.text("health-check-host"),
            writer_affinity_timeout: parsed.duration("writer-affinity-timeout"),
            read_target_websockets: parsed.bool("read-target-websockets"),
            target_timeout: parsed.duration("target-timeout"),
            buffer_requests: parsed.bool("buffer-requests"),
            buffer_responses: parsed.bool("buffer-responses"),
            buffer_memory: parsed.int("buffer-memory"),
            max_request_body: parsed.int("max-request-body"),
            max_response_body: parsed.int("max-response-body"),
            error_pages: parsed.text("error-pages"),
            log_request_headers: parsed.list("log-request-header"),
            log_response_headers: parsed.list("log-response-header"),
            exclude_metrics_paths: parsed.list("exclude-metrics-path"),
            forward_headers: parsed.bool("forward-headers"),
            client_ip_header: parsed.text("client-ip-header"),
            scope_cookie_paths: parsed.bool("scope-cookie-paths"),
            own: OwnArgs::from_parsed(parsed)?,
        };
        // Only the presence of the buffering flag counts, not its value; the original's order of checks.
        if args.max_request_body.is_some() && args.buffer_requests.is_none() {
            return Err(UsageError::LimitWithoutBuffering {
                limit: "max-request-body",
                side: "request",
            });
        }
        if args.max_response_body.is_some() && args.buffer_responses.is_none() {
            return Err(UsageError::LimitWithoutBuffering {
                limit: "max-response-body",
                side: "response",
            });
        }
        args.service_options("").validate()?;
        if !parsed.given("target") {
            return Err(UsageError::MissingFlag("target"));
        }
        if args.tls_staging == Some(true) && args.tls_acme_directory.is_some() {
            return Err(UsageError::TwoDirectories);
        }
        match (&args.tls_certificate_path, &args.tls_private_key_path) {
            (Some(_), None) => Err(UsageError::CertificatePair("tls-private-key-path")),
            (None, Some(_)) => Err(UsageError::CertificatePair("tls-certificate-path")),
            _ => Ok(args),
        }
    }

    /// The message for the server, defaults filled in; `certificates` is the default certificate cache.
    #[must_use]
    pub fn to_request(&self, certificates: &str) -> DeployRequest {
        let thirty = GoDuration::from_secs(30);
        DeployRequest {
            service: self.service.clone(),
            targets: self.targets.clone(),
            read_targets: self.read_targets.clone(),
            options: self.service_options(certificates),
            target_options: self.target_options(),
            deploy_timeout: self.deploy_timeout.unwrap_or(thirty),
            drain_timeout: self.drain_timeout.unwrap_or(thirty),
            force: self.force.unwrap_or(false),
        }
    }

    fn service_options(&self, certificates: &str) -> ServiceOptions {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let staging = self.tls_staging.unwrap_or(false);
        let mut options = ServiceOptions {
            hosts: self.hosts.clone(),
            path_prefixes: self.path_prefixes.clone(),
            tls_enabled: self.tls.unwrap_or(false),
            tls_certificate_path: text(&self.tls_certificate_path),
            tls_private_key_path: text(&self.tls_private_key_path),
            tls_on_demand_url: text(&self.tls_on_demand_url),
            tls_redirect: self.tls_redirect.unwrap_or(true),
            canonical_host: text(&self.canonical_host),
            acme_directory: if staging {
                STAGING_DIRECTORY.to_owned()
            } else {
                text(&self.tls_acme_directory)
            },
            acme_cache_path: self
                .tls_acme_cache_path
                .clone()
                .unwrap_or_else(|| certificates.to_owned()),
            error_page_path: text(&self.error_pages),
            strip_prefix: self.strip_path_prefix.unwrap_or(true),
            writer_affinity_timeout: self
                .writer_affinity_timeout
                .unwrap_or(GoDuration::from_secs(1)),
            read_targets_accept_websockets: self.read_target_websockets.unwrap_or(false),
            exclude_metrics_paths: self.exclude_metrics_paths.clone(),
            client_ip_header: text(&self.client_ip_header),
        };
        options.normalize();
        options
    }

    fn target_options(&self) -> TargetOptions {
        let canonical =
            |names: &[String]| names.iter().map(|name| canonical_header(name)).collect();
        TargetOptions {
            health_check_config: HealthCheckOptions {
                path: self
                    .health_check_path
                    .clone()
                    .unwrap_or_else(|| "/up".to_owned()),
                port: self.health_check_port.unwrap_or(0),
                interval: self
                    .health_check_interval
                    .unwrap_or(GoDuration::from_secs(1)),
                timeout: self
                    .health_check_timeout
                    .unwrap_or(GoDuration::from_secs(5)),
                host: self.health_check_host.clone().unwrap_or_default(),
            },
            response_timeout: self.target_timeout.unwrap_or(GoDuration::from_secs(30)),
            buffer_requests: self.buffer_requests.unwrap_or(false),
            buffer_responses: self.buffer_responses.unwrap_or(false),
            max_memory_buffer_size: self.buffer_memory.unwrap_or(1_048_576),
            max_request_body_size: self.max_request_body.unwrap_or(0),
            max_response_body_size: self.max_response_body.unwrap_or(0),
            log_request_headers: canonical(&self.log_request_headers),
            log_response_headers: canonical(&self.log_response_headers),
            forward_headers: self
                .forward_headers
                // Who says whom to believe, wants them believed.
                .unwrap_or_else(|| {
                    !self.own.trusted_proxies.is_empty() || !self.tls.unwrap_or(false)
                }),
            scope_cookie_paths: self.scope_cookie_paths.unwrap_or(false),
            dhow: self.own.to_options(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Kind;

    fn read(args: &[&str]) -> Result<DeployArgs, UsageError> {
        DeployArgs::parse(&args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn message(args: &[&str]) -> String {
        read(args).unwrap_err().to_string()
    }

    /// parity: proxy 4-6
    #[test]
    fn checks_come_in_the_originals_order() {
        assert_eq!(
            message(&["--max-request-body", "5"]),
            "accepts 1 arg(s), received 0"
        );
        assert_eq!(
            message(&["s", "--max-request-body", "5"]),
            "max-request-body can only be set when request buffering is enabled"
        );
        assert_eq!(
            message(&["s", "--max-response-body", "5"]),
            "max-response-body can only be set when response buffering is enabled"
        );
        assert_eq!(
            message(&["s", "--tls"]),
            "service options invalid: host must be set when using TLS"
        );
        assert_eq!(message(&["s"]), r#"required flag(s) "target" not set"#);
        assert_eq!(
            message(&["s", "--target=web", "--tls-certificate-path=c"]),
            "if any flags in the group [tls-certificate-path tls-private-key-path] are set they must all be set; missing [tls-private-key-path]"
        );
        assert!(
            read(&[
                "s",
                "--target=web",
                "--buffer-requests=false",
                "--max-request-body=5"
            ])
            .is_ok()
        );
    }

    #[test]
    fn defaults_of_a_plain_deploy() {
        let request = read(&["s", "--target", "web:80"])
            .unwrap()
            .to_request("/certs");
        assert_eq!(request.options.hosts, [""]);
        assert_eq!(request.options.acme_cache_path, "/certs");
        assert!(request.options.tls_redirect && request.options.strip_prefix);
        assert!(request.target_options.forward_headers);
        assert_eq!(request.target_options.health_check_config.path, "/up");
        assert_eq!(request.deploy_timeout, GoDuration::from_secs(30));
    }

    /// parity: proxy 13
    #[test]
    fn forward_headers_follows_tls_unless_given() {
        let forward = |args: &[&str]| {
            let mut all = vec!["s", "--target=web", "--host=a.com"];
            all.extend(args);
            read(&all)
                .unwrap()
                .to_request("")
                .target_options
                .forward_headers
        };
        assert!(forward(&[]));
        assert!(!forward(&["--tls"]));
        assert!(forward(&["--tls", "--forward-headers"]));
        assert!(!forward(&["--forward-headers=false"]));
        assert!(forward(&["--tls", "--trusted-proxy=10.0.0.0/8"]));
        assert!(!forward(&[
            "--forward-headers=false",
            "--trusted-proxy=10.0.0.0/8"
        ]));
    }

    /// parity: proxy 7
    #[test]
    fn an_empty_host_is_no_host() {
        assert_eq!(
            read(&["s", "--target=web", "--host="])
                .unwrap()
                .to_request("")
                .options
                .hosts,
            [""]
        );
    }

    /// parity: proxy 14
    #[test]
    fn staging_selects_its_directory() {
        let request = read(&["s", "--target=web", "--tls-staging"])
            .unwrap()
            .to_request("");
        assert_eq!(request.options.acme_directory, STAGING_DIRECTORY);
        let own = "--tls-acme-directory=https://ca.example.com/dir";
        let request = read(&["s", "--target=web", own]).unwrap().to_request("");
        assert_eq!(request.options.acme_directory, "https://ca.example.com/dir");
        let both = read(&["s", "--target=web", "--tls-staging", own]);
        assert_eq!(both.unwrap_err(), UsageError::TwoDirectories);
    }

    /// parity: proxy 138
    #[test]
    fn rendering_is_what_kamal_sends_and_parses_back() {
        let args = DeployArgs {
            service: "app-web".into(),
            targets: vec!["0123456789ab:80".into()],
            hosts: vec!["a.com".into(), "b.com".into()],
            tls: Some(true),
            deploy_timeout: Some(GoDuration::from_secs(90)),
            drain_timeout: Some(GoDuration::from_secs(30)),
            buffer_requests: Some(true),
            buffer_responses: Some(false),
            max_request_body: Some(0),
            log_request_headers: vec!["Cache-Control".into(), "User-Agent".into()],
            error_pages: Some("/pages".into()),
            ..DeployArgs::default()
        };
        let words: Vec<String> = args
            .render()
            .into_iter()
            .map(|flag| match flag.value {
                Some(value) => format!("{}={value}", flag.flag),
                None => flag.flag.to_owned(),
            })
            .collect();
        insta::assert_snapshot!(words.join(" "), @"--target=0123456789ab:80 --host=a.com --host=b.com --tls --deploy-timeout=90s --drain-timeout=30s --buffer-requests --buffer-responses=false --max-request-body=0 --log-request-header=Cache-Control --log-request-header=User-Agent --error-pages=/pages");
        let mut argv: Vec<OsString> = vec!["app-web".into()];
        argv.extend(words.iter().map(OsString::from));
        assert_eq!(DeployArgs::parse(&argv).unwrap(), args);
    }

    /// parity: proxy 138
    #[test]
    fn every_flag_round_trips() {
        for left_out in ["tls-staging", "tls-acme-directory"] {
            let mut argv: Vec<OsString> = vec!["s".into()];
            for spec in FLAGS {
                let value = match (spec.name, spec.kind) {
                    ("canonical-host" | "host", _) => "a.com",
                    ("tls-on-demand-url", _) => continue,
                    ("trusted-proxy", _) => "10.0.0.0/8",
                    // One of the two at a time.
                    (name, _) if name == left_out => continue,
                    ("tls-acme-directory", _) => "https://ca.example.com/dir",
                    (_, Kind::Bool) => "true",
                    (_, Kind::Int) => "7",
                    (_, Kind::Duration) => "7s",
                    _ => "web",
                };
                argv.push(format!("--{}={value}", spec.name).into());
            }
            argv.push("--path-prefix=/".into());
            let args = DeployArgs::parse(&argv).unwrap();
            let mut again: Vec<OsString> = vec!["s".into()];
            again.extend(args.render().into_iter().map(|flag| match flag.value {
                Some(value) => OsString::from(format!("{}={value}", flag.flag)),
                None => flag.flag.into(),
            }));
            assert_eq!(again.len(), argv.len());
            assert_eq!(DeployArgs::parse(&again).unwrap(), args);
        }
    }
}
