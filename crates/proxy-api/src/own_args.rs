//! The flags of `deploy` that kamal-proxy does not have. A deployer sends them to dhow's proxy only.

use crate::cidr::Cidr;
use crate::deploy_flags::FlagValue;
use crate::duration::GoDuration;
use crate::flags::{FlagError, Parsed};
use crate::options::DhowOptions;

/// dhow's part of `deploy`'s arguments; what is `None` or empty was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnArgs {
    /// `--trusted-proxy`: networks whose forwarding headers are believed. Empty leaves it to `--forward-headers` alone.
    pub trusted_proxies: Vec<Cidr>,
    /// `--health-check-fall`: failed checks in a row that take a serving target out; 0 ends checking with the deploy.
    pub health_check_fall: Option<i64>,
    /// `--health-check-rise`: good checks in a row that bring it back.
    pub health_check_rise: Option<i64>,
    /// `--health-check-watch-interval`: time between checks of a target that serves; the health check's own unless given.
    pub health_check_watch_interval: Option<GoDuration>,
    /// `--dial-timeout`: longest wait for a connection to a target.
    pub dial_timeout: Option<GoDuration>,
    /// `--websocket-drain-timeout`: how long upgraded connections live after a switch; the drain's time unless given.
    pub websocket_drain_timeout: Option<GoDuration>,
    /// `--websocket-close-spread`: over which time they are closed then.
    pub websocket_close_spread: Option<GoDuration>,
}

/// Good checks that bring a target back unless told otherwise.
const RISE: u32 = 2;

impl OwnArgs {
    pub(crate) fn from_parsed(parsed: &Parsed) -> Result<Self, FlagError> {
        Ok(Self {
            trusted_proxies: parsed.networks("trusted-proxy")?,
            health_check_fall: parsed.int("health-check-fall"),
            health_check_rise: parsed.int("health-check-rise"),
            health_check_watch_interval: parsed.duration("health-check-watch-interval"),
            dial_timeout: parsed.duration("dial-timeout"),
            websocket_drain_timeout: parsed.duration("websocket-drain-timeout"),
            websocket_close_spread: parsed.duration("websocket-close-spread"),
        })
    }

    /// In the shape of the state file; what is not given stays at zero, which means the default.
    pub(crate) fn to_options(&self) -> DhowOptions {
        // Negative counts make no sense and mean none.
        let count =
            |number: Option<i64>| number.map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX));
        let fall = count(self.health_check_fall).unwrap_or(0);
        let rise = count(self.health_check_rise).unwrap_or(RISE).max(1);
        DhowOptions {
            trusted_proxies: self.trusted_proxies.clone(),
            fall,
            rise: if fall == 0 { 0 } else { rise },
            watch_interval: self.health_check_watch_interval.unwrap_or_default(),
            dial_timeout: self.dial_timeout.unwrap_or_default(),
            websocket_drain_timeout: self.websocket_drain_timeout,
            websocket_close_spread: self.websocket_close_spread,
        }
    }

    /// Flags in the order of the table.
    #[must_use]
    pub fn render(&self) -> Vec<FlagValue> {
        let networks = self.trusted_proxies.iter();
        let mut flags: Vec<FlagValue> = networks
            .map(|network| FlagValue::with("--trusted-proxy", network.to_string()))
            .collect();
        let mut put = |flag, value: Option<String>| {
            flags.extend(value.map(|value| FlagValue::with(flag, value)));
        };
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        let time = |time: Option<GoDuration>| time.map(GoDuration::in_seconds);
        put("--health-check-fall", number(self.health_check_fall));
        put("--health-check-rise", number(self.health_check_rise));
        put(
            "--health-check-watch-interval",
            time(self.health_check_watch_interval),
        );
        put("--dial-timeout", time(self.dial_timeout));
        put(
            "--websocket-drain-timeout",
            time(self.websocket_drain_timeout),
        );
        put(
            "--websocket-close-spread",
            time(self.websocket_close_spread),
        );
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_not_there() {
        assert_eq!(OwnArgs::default().render(), []);
        assert_eq!(OwnArgs::default().to_options(), DhowOptions::default());
    }

    #[test]
    fn counts_make_sense_whatever_is_given() {
        let options = |fall, rise| {
            let args = OwnArgs {
                health_check_fall: fall,
                health_check_rise: rise,
                ..OwnArgs::default()
            };
            let options = args.to_options();
            (options.fall, options.rise)
        };
        assert_eq!(options(None, None), (0, 0));
        assert_eq!(options(None, Some(4)), (0, 0));
        assert_eq!(options(Some(3), None), (3, 2));
        assert_eq!(options(Some(3), Some(0)), (3, 1));
        assert_eq!(options(Some(-3), Some(-1)), (0, 0));
        assert_eq!(options(Some(i64::MAX), Some(1)), (u32::MAX, 1));
    }
}
