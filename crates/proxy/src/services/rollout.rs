//! The rollout slot of a service: targets beside the active ones, and who gets them. In: a request's cookies.
//! Out: whether it takes the rollout. The numbers are kamal-proxy's, so that a client stays where it was when
//! the proxy is exchanged.

use std::sync::Arc;

use dhow_proxy_api::RolloutState;
use http::header::HeaderMap;

use crate::request::cookie::cookie;
use crate::services::balance::TargetSet;

/// The cookie the application sets.
const COOKIE_NAME: &str = "kamal-rollout";

/// The slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct RolloutSlot {
    /// Its targets; none until some were deployed.
    pub(crate) set: Option<Arc<TargetSet>>,
    /// Who gets them; nobody without.
    pub(crate) split: Option<RolloutState>,
}

impl RolloutSlot {
    /// The slot's targets, if a client with these cookies gets them.
    pub(crate) fn takes(&self, headers: &HeaderMap) -> bool {
        match (&self.set, &self.split) {
            (Some(_), Some(split)) => {
                cookie(headers, COOKIE_NAME).is_some_and(|value| includes(split, value))
            }
            _ => false,
        }
    }
}

/// The split for a percentage and a list.
pub(crate) fn split(percentage: i64, allowlist: Vec<String>) -> RolloutState {
    #[expect(
        clippy::cast_precision_loss,
        reason = "percentages are small; others are nonsense anyway"
    )]
    let share = percentage as f64 / 100.0;
    RolloutState {
        percentage,
        percentage_split_point: f64::from(u32::MAX) * share,
        allowlist,
    }
}

fn includes(split: &RolloutState, value: &[u8]) -> bool {
    split.allowlist.iter().any(|item| item.as_bytes() == value)
        || f64::from(fnv1a(value)) <= split.percentage_split_point
}

/// FNV-1a with 32 bits.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::rules::TargetRules;
    use http::header::{COOKIE, HeaderValue};

    /// parity: proxy 99
    #[test]
    fn hashes_are_the_known_ones() {
        for (value, hash) in [
            ("1", 873_244_444),
            ("2", 923_577_301),
            ("3", 906_799_682),
            ("00001", 1_231_224_044),
            ("abc", 440_920_331),
            ("user-42", 39_875_499),
        ] {
            assert_eq!(fnv1a(value.as_bytes()), hash, "{value}");
        }
        let half = split(50, Vec::new());
        for n in 0..30 {
            let value = n.to_string();
            assert_eq!(includes(&half, value.as_bytes()), n < 20, "{n}");
        }
        let all = split(100, Vec::new());
        assert!((0..1000).all(|n: u32| includes(&all, n.to_string().as_bytes())));
    }

    /// parity: proxy 97, 98
    #[test]
    fn a_share_of_the_ids_and_those_listed() {
        let share = split(60, Vec::new());
        let count = (0..1000)
            .filter(|n| includes(&share, format!("{n:05}").as_bytes()))
            .count();
        assert!((580..=620).contains(&count), "{count}");
        let listed = split(0, vec!["abc".into()]);
        assert!(includes(&listed, b"abc"));
        assert!(!includes(&listed, b"abcd") && !includes(&listed, b"ab"));
        let both = split(50, vec!["20".into()]);
        assert!(includes(&both, b"20") && includes(&both, b"19") && !includes(&both, b"21"));
        assert_eq!(share.percentage_split_point, 2_576_980_377.0);
    }

    /// parity: proxy 97, 100
    #[test]
    fn without_cookie_split_or_targets_nobody_takes_it() {
        let set = TargetSet::new(&["web".into()], &[], TargetRules::default(), true, 1).unwrap();
        let mut slot = RolloutSlot {
            set: Some(Arc::new(set)),
            split: Some(split(100, Vec::new())),
        };
        let mut headers = HeaderMap::new();
        assert!(!slot.takes(&headers));
        headers.insert(COOKIE, HeaderValue::from_static("kamal-rollout="));
        assert!(!slot.takes(&headers));
        headers.insert(COOKIE, HeaderValue::from_static("kamal-rollout=x"));
        assert!(slot.takes(&headers));
        slot.split = None;
        assert!(!slot.takes(&headers));
        slot.split = Some(split(100, Vec::new()));
        slot.set = None;
        assert!(!slot.takes(&headers));
    }
}
