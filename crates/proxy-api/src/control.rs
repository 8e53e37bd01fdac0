//! Messages on the control socket: one JSON line each way per connection. Only this program's own client
//! speaks it, always of the same build as the server, but the version is checked all the same.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::list_table::ListRow;
use crate::options::{ServiceOptions, TargetOptions};

/// Version of the messages below.
pub const CONTROL_VERSION: u32 = 1;

/// A request with the version it was written for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SocketMessage {
    /// [`CONTROL_VERSION`] of the client.
    pub version: u32,
    /// What is asked.
    #[serde(flatten)]
    pub request: ControlRequest,
}

/// What a client may ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", content = "args", rename_all = "snake_case")]
pub enum ControlRequest {
    /// Create a service or replace its targets and options.
    Deploy(Box<DeployRequest>),
    /// Delete a service.
    Remove {
        /// Its name.
        service: String,
    },
    /// Hold new requests.
    Pause {
        /// The service's name.
        service: String,
        /// Wait this long for requests in flight.
        drain_timeout: GoDuration,
        /// Hold a request at most this long.
        max_pause: GoDuration,
    },
    /// Answer new requests with 503.
    Stop {
        /// The service's name.
        service: String,
        /// Wait this long for requests in flight.
        drain_timeout: GoDuration,
        /// Shown on the 503 page.
        message: String,
    },
    /// Undo pause or stop.
    Resume {
        /// The service's name.
        service: String,
    },
    /// All services.
    List,
    /// Set the rollout slot's targets.
    RolloutDeploy(RolloutDeployRequest),
    /// Set the traffic split.
    RolloutSet {
        /// The service's name.
        service: String,
        /// Share of cookie values in percent.
        percentage: i64,
        /// Cookie values that always take the rollout slot.
        allowlist: Vec<String>,
    },
    /// Drop the traffic split.
    RolloutStop {
        /// The service's name.
        service: String,
    },
    /// Hand the listening sockets over; the rest of the connection speaks [`HandoverLine`](crate::HandoverLine).
    TakeOver,
    /// Start another program with the server's own arguments, let it take over, then become that program.
    Upgrade {
        /// Its path.
        program: PathBuf,
    },
}

/// A deploy with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// The service's name.
    pub service: String,
    /// Writers.
    pub targets: Vec<String>,
    /// Readers.
    pub read_targets: Vec<String>,
    /// Routing, TLS and pages, normalised.
    pub options: ServiceOptions,
    /// How targets are talked to.
    pub target_options: TargetOptions,
    /// All targets must be healthy within this time.
    pub deploy_timeout: GoDuration,
    /// Requests in flight on the old targets get this long.
    pub drain_timeout: GoDuration,
    /// Install without waiting for health.
    pub force: bool,
}

/// A deploy into the rollout slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutDeployRequest {
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

/// The server's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum ControlReply {
    /// Done.
    Done,
    /// Answer to [`ControlRequest::List`].
    Services {
        /// One row a service.
        rows: Vec<ListRow>,
    },
    /// Not done.
    Failed {
        /// The line after `Error: `.
        message: String,
        /// Further lines, for people.
        #[serde(default)]
        details: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_comes_back_whole() {
        let message = SocketMessage {
            version: CONTROL_VERSION,
            request: ControlRequest::Stop {
                service: "web".into(),
                drain_timeout: GoDuration::from_secs(30),
                message: "back\nsoon".into(),
            },
        };
        let line = serde_json::to_string(&message).unwrap();
        assert_eq!(
            line,
            r#"{"version":1,"command":"stop","args":{"service":"web","drain_timeout":30000000000,"message":"back\nsoon"}}"#
        );
        let back: SocketMessage = serde_json::from_str(&line).unwrap();
        assert!(
            matches!(back.request, ControlRequest::Stop { message, .. } if message == "back\nsoon")
        );
    }

    #[test]
    fn a_command_without_arguments_needs_none() {
        let back: SocketMessage =
            serde_json::from_str(r#"{"version":1,"command":"list"}"#).unwrap();
        assert!(matches!(back.request, ControlRequest::List));
    }
}
