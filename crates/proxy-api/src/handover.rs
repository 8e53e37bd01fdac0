//! What an old and a new proxy say to each other while the new one takes over: one JSON line a message, over the
//! connection on which the new one sent [`TakeOver`](crate::ControlRequest::TakeOver).
//!
//! New: `TakeOver`. Old: [`Sockets`](HandoverLine::Sockets), with the descriptors. New, once it has restored the
//! state: [`Ready`](HandoverLine::Ready). Old: [`Go`](HandoverLine::Go). New, once it accepts connections:
//! [`Serving`](HandoverLine::Serving). Only then does the old one stop accepting. If the connection ends before, the
//! old one goes on as if nothing had happened.

use serde::{Deserialize, Serialize};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "handover", rename_all = "snake_case")]
pub enum HandoverLine {
    /// The listening sockets come along with this line, in this order, the control socket last.
    Sockets {
        /// How many for plain HTTP.
        http: usize,
        /// How many for HTTPS.
        https: usize,
        /// How many for metrics: none or one.
        metrics: usize,
        /// The old proxy's process.
        process: u32,
    },
    /// The new proxy could serve now.
    Ready,
    /// It may. The old one has changed nothing since it sent the sockets.
    Go,
    /// It does.
    Serving,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_and_come_back() {
        for (line, text) in [
            (
                HandoverLine::Sockets {
                    http: 2,
                    https: 2,
                    metrics: 0,
                    process: 7,
                },
                r#"{"handover":"sockets","http":2,"https":2,"metrics":0,"process":7}"#,
            ),
            (HandoverLine::Serving, r#"{"handover":"serving"}"#),
        ] {
            assert_eq!(serde_json::to_string(&line).unwrap(), text);
            assert_eq!(serde_json::from_str::<HandoverLine>(text).unwrap(), line);
        }
    }
}
