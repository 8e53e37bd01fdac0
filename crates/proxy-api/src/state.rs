//! The state file: a JSON array of services in kamal-proxy's own shape, so that either proxy can take over
//! from the other. Reading is forgiving (one bad entry costs only itself), writing is exact.

use serde::{Deserialize, Serialize, Serializer};

use crate::duration::GoDuration;
use crate::options::{ServiceOptions, TargetOptions, empty_as_null, null_as_default};

/// Everything about one service that outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "RawService")]
pub struct ServiceState {
    /// The service's name.
    pub name: String,
    /// Routing, TLS and pages, normalised.
    pub options: ServiceOptions,
    /// How targets are talked to.
    pub target_options: TargetOptions,
    /// Writers, `host[:port]`.
    pub active_targets: Vec<String>,
    /// Readers.
    pub active_readers: Vec<String>,
    /// Writers of the rollout slot; none until one was deployed.
    pub rollout_targets: Option<Vec<String>>,
    /// Readers of the rollout slot.
    pub rollout_readers: Option<Vec<String>>,
    /// Running, paused or stopped.
    pub pause_controller: PauseState,
    /// The traffic split; none without one.
    pub rollout_controller: Option<RolloutState>,
}

/// Pause state: 0 running, 1 paused, 2 stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PauseState {
    /// 0, 1 or 2.
    pub state: i64,
    /// What a stopped service tells its visitors.
    #[serde(deserialize_with = "null_as_default")]
    pub stop_message: String,
    /// The last `--max-pause`.
    pub fail_after: GoDuration,
}

/// The traffic split between the active and the rollout slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutState {
    /// Share of cookie values, 0 to 100 (not checked).
    pub percentage: i64,
    /// `4294967295 * percentage / 100`.
    #[serde(serialize_with = "number_as_go")]
    pub percentage_split_point: f64,
    /// Cookie values that always take the rollout slot.
    #[serde(deserialize_with = "null_as_default", serialize_with = "empty_as_null")]
    pub allowlist: Vec<String>,
}

/// One entry of the file: read, or damaged with the reason.
#[derive(Clone, Debug, PartialEq)]
pub enum StateEntry {
    /// A service.
    Service(Box<ServiceState>),
    /// An entry that is no service.
    Damaged {
        /// Its place in the file, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The file is no state at all.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It does not start like an array.
    #[error("state is not a JSON array")]
    NotAnArray,
    /// It could not be written as JSON.
    #[error("state cannot be written as json: {0}")]
    Encode(#[from] serde_json::Error),
}

/// Reads a state file. After an entry that is not even JSON nothing more can be read; what came before is kept.
///
/// # Errors
/// [`StateError::NotAnArray`] when there is nothing to salvage.
pub fn read_state(bytes: &[u8]) -> Result<Vec<StateEntry>, StateError> {
    let mut rest = bytes.trim_ascii();
    rest = rest
        .strip_prefix(b"[")
        .ok_or(StateError::NotAnArray)?
        .trim_ascii_start();
    let mut entries = Vec::new();
    loop {
        if rest.starts_with(b"]") {
            return Ok(entries);
        }
        let index = entries.len();
        let mut values =
            serde_json::Deserializer::from_slice(rest).into_iter::<serde_json::Value>();
        match values.next() {
            Some(Ok(value)) => entries.push(match serde_json::from_value::<ServiceState>(value) {
                Ok(service) if service.name.is_empty() => StateEntry::Damaged {
                    index,
                    reason: "the entry has no name".to_owned(),
                },
                Ok(service) => StateEntry::Service(Box::new(service)),
                Err(error) => StateEntry::Damaged {
                    index,
                    reason: error.to_string(),
                },
            }),
            Some(Err(error)) => {
                entries.push(StateEntry::Damaged {
                    index,
                    reason: error.to_string(),
                });
                return Ok(entries);
            }
            None => {
                entries.push(StateEntry::Damaged {
                    index,
                    reason: "the file ends early".to_owned(),
                });
                return Ok(entries);
            }
        }
        rest = rest
            .get(values.byte_offset()..)
            .unwrap_or_default()
            .trim_ascii_start();
        match rest.strip_prefix(b",") {
            Some(after) => rest = after.trim_ascii_start(),
            None if rest.starts_with(b"]") => {}
            None => {
                entries.push(StateEntry::Damaged {
                    index: index + 1,
                    reason: "the file ends early".to_owned(),
                });
                return Ok(entries);
            }
        }
    }
}

/// The file's bytes: one line of JSON with a newline, HTML-sensitive characters escaped as Go does.
///
/// # Errors
/// Only if a value cannot be expressed in JSON.
pub fn write_state(services: &[ServiceState]) -> Result<Vec<u8>, StateError> {
    let json = serde_json::to_string(services)?;
    let mut out = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        // These stand only inside strings, where the escape means the same.
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out.push('\n');
    Ok(out.into_bytes())
}

/// The shape on disk, including what releases up to 0.8 and early 0.9 kept at the top level.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RawService {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    options: ServiceOptions,
    #[serde(deserialize_with = "null_as_default")]
    target_options: TargetOptions,
    #[serde(deserialize_with = "null_as_default")]
    active_targets: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    active_readers: Vec<String>,
    rollout_targets: Option<Vec<String>>,
    rollout_readers: Option<Vec<String>>,
    #[serde(deserialize_with = "null_as_default")]
    pause_controller: PauseState,
    rollout_controller: Option<RolloutState>,
    #[serde(deserialize_with = "null_as_default")]
    hosts: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    path_prefixes: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    active_target: String,
    #[serde(deserialize_with = "null_as_default")]
    rollout_target: String,
}

impl From<RawService> for ServiceState {
    fn from(raw: RawService) -> Self {
        let mut options = raw.options;
        if options.hosts.is_empty() {
            options.hosts = raw.hosts;
        }
        if options.path_prefixes.is_empty() {
            options.path_prefixes = raw.path_prefixes;
        }
        options.normalize();
        let mut active_targets = raw.active_targets;
        if active_targets.is_empty() && !raw.active_target.is_empty() {
            active_targets.push(raw.active_target);
        }
        let mut rollout_targets = raw.rollout_targets;
        if rollout_targets.as_ref().is_none_or(Vec::is_empty) && !raw.rollout_target.is_empty() {
            rollout_targets = Some(vec![raw.rollout_target]);
        }
        Self {
            name: raw.name,
            options,
            target_options: raw.target_options,
            active_targets,
            active_readers: raw.active_readers,
            rollout_targets,
            rollout_readers: raw.rollout_readers,
            pause_controller: raw.pause_controller,
            rollout_controller: raw.rollout_controller,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be integral and in range just before"
)]
fn number_as_go<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One service with the defaults of a plain deploy, as the original writes it.
    const PLAIN: &str = r#"[{"name":"svc1","options":{"hosts":[""],"path_prefixes":["/"],"tls_enabled":false,"tls_certificate_path":"","tls_private_key_path":"","tls_on_demand_url":"","tls_redirect":true,"canonical_host":"","acme_directory":"","acme_cache_path":"/home/kamal-proxy/.config/kamal-proxy/certs","error_page_path":"","strip_prefix":true,"writer_affinity_timeout":1000000000,"read_targets_accept_websockets":false,"exclude_metrics_paths":null,"client_ip_header":""},"target_options":{"health_check_config":{"path":"/up","port":0,"interval":1000000000,"timeout":5000000000,"host":""},"response_timeout":30000000000,"buffer_requests":false,"buffer_responses":false,"max_memory_buffer_size":1048576,"max_request_body_size":0,"max_response_body_size":0,"log_request_headers":null,"log_response_headers":null,"forward_headers":true,"scope_cookie_paths":false},"active_targets":["127.0.0.1:9001"],"active_readers":[],"rollout_targets":null,"rollout_readers":null,"pause_controller":{"state":0,"stop_message":"","fail_after":0},"rollout_controller":null}]
"#;

    fn services(bytes: &[u8]) -> Vec<ServiceState> {
        read_state(bytes)
            .unwrap()
            .into_iter()
            .map(|entry| match entry {
                StateEntry::Service(service) => *service,
                StateEntry::Damaged { reason, .. } => panic!("{reason}"),
            })
            .collect()
    }

    /// parity: proxy 24
    #[test]
    fn round_trip_is_byte_exact() {
        let read = services(PLAIN.as_bytes());
        assert_eq!(
            String::from_utf8(write_state(&read).unwrap()).unwrap(),
            PLAIN
        );
    }

    /// parity: proxy 26
    #[test]
    fn rollout_and_stop_survive() {
        let mut read = services(PLAIN.as_bytes());
        read[0].pause_controller = PauseState {
            state: 2,
            stop_message: "<b>&".into(),
            fail_after: GoDuration::from_secs(30),
        };
        read[0].rollout_targets = Some(vec!["b1:80".into()]);
        read[0].rollout_controller = Some(RolloutState {
            percentage: 50,
            percentage_split_point: 2_147_483_647.5,
            allowlist: vec![],
        });
        let bytes = write_state(&read).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(r#""stop_message":"\u003cb\u003e\u0026","fail_after":30000000000"#));
        assert!(text.contains(
            r#"{"percentage":50,"percentage_split_point":2147483647.5,"allowlist":null}"#
        ));
        assert_eq!(services(&bytes), read);
        read[0]
            .rollout_controller
            .as_mut()
            .unwrap()
            .percentage_split_point = 4_294_967_295.0;
        assert!(
            String::from_utf8(write_state(&read).unwrap())
                .unwrap()
                .contains(":4294967295,")
        );
    }

    /// parity: proxy 29
    #[test]
    fn legacy_shape_loads() {
        let read = services(
            br#"[{"name":"old","hosts":["a.com"],"active_target":"web-1:3000","rollout_target":"web-2:3000",
                 "options":{"tls_enabled":true},"target_options":{"response_timeout":5000000000}}]"#,
        );
        assert_eq!(read[0].options.hosts, ["a.com"]);
        assert_eq!(read[0].options.path_prefixes, ["/"]);
        assert_eq!(read[0].active_targets, ["web-1:3000"]);
        assert_eq!(
            read[0].rollout_targets.as_deref(),
            Some(&["web-2:3000".to_owned()][..])
        );
        assert!(!read[0].options.tls_redirect);
        assert_eq!(
            read[0].target_options.response_timeout,
            GoDuration::from_secs(5)
        );
    }

    /// parity: proxy 30, 32, D9
    #[test]
    fn nulls_and_unknown_keys_are_harmless() {
        let read = services(
            br#"[{"name":"n","options":{"hosts":null,"new_key":[1]},"pause_controller":null,"active_targets":null,"x":1}]"#,
        );
        assert_eq!(read[0].options.hosts, [""]);
        assert_eq!(read[0].pause_controller, PauseState::default());
    }

    /// parity: proxy D7
    #[test]
    fn a_bad_entry_costs_only_itself() {
        let entries = read_state(br#"[{"name":"a"},{"name":7},{},{"name":"b"}]"#).unwrap();
        let kinds: Vec<_> = entries
            .iter()
            .map(|e| matches!(e, StateEntry::Service(_)))
            .collect();
        assert_eq!(kinds, [true, false, false, true]);
    }

    /// parity: proxy 33, D7
    #[test]
    fn a_torn_file_keeps_its_beginning() {
        let torn = br#"[{"name":"a"},{"name":"b","opt"#;
        let entries = read_state(torn).unwrap();
        assert!(matches!(
            entries.as_slice(),
            [StateEntry::Service(_), StateEntry::Damaged { index: 1, .. }]
        ));
        assert!(matches!(
            read_state(b"[").unwrap().as_slice(),
            [StateEntry::Damaged { .. }]
        ));
        assert!(read_state(b"[]").unwrap().is_empty());
        for bytes in [&b""[..], b"{}", b"null"] {
            assert!(matches!(read_state(bytes), Err(StateError::NotAnArray)));
        }
    }
}
