//! `logging`: docker's log driver and its options.

use super::Pairs;

/// Root or role logging. Empty means docker's default driver with `max-size=10m`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logging {
    /// `driver`
    pub driver: Option<String>,
    /// `options`
    pub options: Pairs,
}
