//! Arguments of `rollout deploy` and `rollout set`.

use crate::command::{UsageError, one_service};
use crate::duration::GoDuration;
use crate::flags::{Kind, Parsed, Spec, flag};

/// `rollout deploy <service>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutDeployArgs {
    /// The service's name.
    pub service: String,
    /// Writers.
    pub targets: Vec<String>,
    /// Readers.
    pub read_targets: Vec<String>,
    /// All targets must be healthy within this time.
    pub deploy_timeout: GoDuration,
    /// Requests in flight on the old targets get this long.
    pub drain_timeout: GoDuration,
}

/// `rollout set <service>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutSetArgs {
    /// The service's name.
    pub service: String,
    /// Share of cookie values in percent, not range-checked.
    pub percentage: i64,
    /// Cookie values that always take the rollout slot.
    pub allowlist: Vec<String>,
}

pub(crate) const DEPLOY_FLAGS: &[Spec] = &[
    flag(
        "target",
        Kind::List,
        "",
        "Target host[:port], required; repeat for several",
    ),
    flag("read-target", Kind::List, "", "Target for read requests"),
    flag(
        "deploy-timeout",
        Kind::Duration,
        "30s",
        "Targets must be healthy within this time",
    ),
    flag(
        "drain-timeout",
        Kind::Duration,
        "30s",
        "Wait this long for requests in flight",
    ),
];

pub(crate) const SET_FLAGS: &[Spec] = &[
    flag("percent", Kind::Int, "0", "Share of traffic in percent"),
    flag(
        "list",
        Kind::List,
        "",
        "Cookie values that always take the rollout targets",
    ),
];

impl RolloutDeployArgs {
    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, UsageError> {
        let service = one_service(parsed)?;
        if !parsed.given("target") {
            return Err(UsageError::MissingFlag("target"));
        }
        let thirty = GoDuration::from_secs(30);
        Ok(Self {
            service,
            targets: parsed.list("target"),
            read_targets: parsed.list("read-target"),
            deploy_timeout: parsed.duration("deploy-timeout").unwrap_or(thirty),
            drain_timeout: parsed.duration("drain-timeout").unwrap_or(thirty),
        })
    }
}

impl RolloutSetArgs {
    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, UsageError> {
        let service = one_service(parsed)?;
        if !parsed.given("percent") && !parsed.given("list") {
            return Err(UsageError::OneOf("percent list"));
        }
        Ok(Self {
            service,
            percentage: parsed.int("percent").unwrap_or(0),
            allowlist: parsed.list("list"),
        })
    }
}
