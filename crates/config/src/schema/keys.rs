//! The keys of every section, with the types of their values.
//!
//! Sections that have rules of their own ([`Shape::Any`], [`Shape::Map`]) are looked at where they are parsed.

use super::shape::Shape;

pub(crate) use super::shape::Field;

/// The root of a deploy file.
pub(crate) const ROOT: &[Field] = &[
    ("service", Shape::Text),
    ("image", Shape::Text),
    ("labels", Shape::TextMap),
    ("volumes", Shape::Texts),
    ("registry", Shape::Map),
    ("servers", Shape::Servers),
    ("env", Shape::Map),
    ("asset_path", Shape::Text),
    ("hooks_path", Shape::Text),
    ("hooks_output", Shape::HookLevels),
    ("secrets_path", Shape::Text),
    ("error_pages_path", Shape::Text),
    ("require_destination", Shape::Bool),
    ("primary_role", Shape::Text),
    ("allow_empty_roles", Shape::Bool),
    ("retain_containers", Shape::Int),
    ("minimum_version", Shape::Text),
    ("readiness_delay", Shape::Int),
    ("deploy_timeout", Shape::Int),
    ("drain_timeout", Shape::Int),
    ("stop_timeout", Shape::Int),
    ("run_directory", Shape::Text),
    ("ssh", Shape::Map),
    ("sshkit", Shape::Map),
    ("builder", Shape::Map),
    ("accessories", Shape::Map),
    ("proxy", Shape::Proxy),
    ("boot", Shape::Map),
    ("logging", Shape::Map),
    ("output", Shape::Map),
    ("aliases", Shape::Map),
];

/// `servers.<role>` in its long form.
pub(crate) const ROLE: &[Field] = &[
    ("hosts", Shape::Hosts),
    ("cmd", Shape::Text),
    ("stop_timeout", Shape::Int),
    ("options", Shape::Map),
    ("logging", Shape::Map),
    ("proxy", Shape::Proxy),
    ("labels", Shape::TextMap),
    ("env", Shape::Map),
    ("asset_path", Shape::Text),
];

/// `registry`. User name and password have a rule of their own.
pub(crate) const REGISTRY: &[Field] = &[
    ("server", Shape::Text),
    ("username", Shape::Any),
    ("password", Shape::Any),
];

/// `accessories.<name>`
pub(crate) const ACCESSORY: &[Field] = &[
    ("service", Shape::Text),
    ("image", Shape::Text),
    ("registry", Shape::Map),
    ("host", Shape::Text),
    ("hosts", Shape::Hosts),
    ("role", Shape::Text),
    ("roles", Shape::Texts),
    ("tag", Shape::Text),
    ("tags", Shape::Texts),
    ("cmd", Shape::Text),
    ("port", Shape::Text),
    ("labels", Shape::TextMap),
    ("options", Shape::Map),
    ("env", Shape::Map),
    ("files", Shape::Mounts),
    ("directories", Shape::Mounts),
    ("volumes", Shape::Texts),
    ("network", Shape::Text),
    ("proxy", Shape::Proxy),
];

/// `proxy`, wherever it stands.
pub(crate) const PROXY: &[Field] = &[
    ("host", Shape::Text),
    ("hosts", Shape::Hosts),
    ("app_port", Shape::Int),
    ("ssl", Shape::BoolOrMap),
    ("ssl_redirect", Shape::Bool),
    ("forward_headers", Shape::Bool),
    ("response_timeout", Shape::Int),
    ("path_prefix", Shape::Text),
    ("path_prefixes", Shape::Texts),
    ("strip_path_prefix", Shape::Bool),
    ("healthcheck", Shape::Keys(HEALTHCHECK)),
    ("buffering", Shape::Keys(BUFFERING)),
    ("logging", Shape::Keys(PROXY_LOGGING)),
    ("run", Shape::Keys(PROXY_RUN)),
];

const HEALTHCHECK: &[Field] = &[
    ("interval", Shape::Int),
    ("timeout", Shape::Int),
    ("path", Shape::Text),
];

const BUFFERING: &[Field] = &[
    ("requests", Shape::Bool),
    ("responses", Shape::Bool),
    ("max_request_body", Shape::Int),
    ("max_response_body", Shape::Int),
    ("memory", Shape::Int),
];

const PROXY_LOGGING: &[Field] = &[
    ("request_headers", Shape::Texts),
    ("response_headers", Shape::Texts),
];

const PROXY_RUN: &[Field] = &[
    ("http_port", Shape::Int),
    ("https_port", Shape::Int),
    ("publish", Shape::Bool),
    ("bind_ips", Shape::Texts),
    ("metrics_port", Shape::Int),
    ("debug", Shape::Bool),
    ("log_max_size", Shape::Text),
    ("registry", Shape::Text),
    ("repository", Shape::Text),
    ("version", Shape::Text),
    ("options", Shape::Map),
];

/// `builder`
pub(crate) const BUILDER: &[Field] = &[
    ("arch", Shape::TextOrTexts),
    ("remote", Shape::Text),
    ("local", Shape::Bool),
    (
        "pack",
        Shape::Keys(&[("builder", Shape::Text), ("buildpacks", Shape::Texts)]),
    ),
    (
        "cache",
        Shape::Keys(&[
            ("type", Shape::Text),
            ("options", Shape::Text),
            ("image", Shape::Text),
        ]),
    ),
    ("context", Shape::Text),
    ("dockerfile", Shape::Text),
    ("target", Shape::Text),
    ("args", Shape::Map),
    ("secrets", Shape::Texts),
    ("ssh", Shape::Text),
    ("driver", Shape::Text),
    ("provenance", Shape::Text),
    ("sbom", Shape::Bool),
];

/// `boot`
pub(crate) const BOOT: &[Field] = &[
    ("limit", Shape::Text),
    ("wait", Shape::Int),
    ("parallel_roles", Shape::Bool),
];

/// `logging` of the root and of roles.
pub(crate) const LOGGING: &[Field] = &[("driver", Shape::Text), ("options", Shape::Map)];

/// `output`
pub(crate) const OUTPUT: &[Field] = &[
    ("otel", Shape::Keys(&[("endpoint", Shape::Text)])),
    ("file", Shape::Keys(&[("path", Shape::Text)])),
];

/// `ssh`
pub(crate) const SSH: &[Field] = &[
    ("user", Shape::Text),
    ("port", Shape::Text),
    ("proxy", Shape::Text),
    ("proxy_command", Shape::Text),
    ("log_level", Shape::Text),
    ("keys_only", Shape::Bool),
    ("keys", Shape::Texts),
    ("key_data", Shape::Texts),
    ("config", Shape::SshConfig),
    ("forward_agent", Shape::Bool),
];

/// `sshkit`
pub(crate) const SSHKIT: &[Field] = &[
    ("max_concurrent_starts", Shape::Int),
    ("pool_idle_timeout", Shape::Int),
    ("dns_retries", Shape::Int),
];

/// The special keys of `env`.
pub(crate) const ENV: &[&str] = &["clear", "secret", "tags"];
