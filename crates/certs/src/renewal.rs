//! When to renew: when the authority suggests (ACME Renewal Information, RFC 9773), otherwise well before the end.
//!
//! In: how long a certificate holds, and the window the authority named. Out: one moment.

use std::time::Duration;

use crate::certificate::Validity;
use crate::dice::Dice;
use crate::moment::Moment;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);

/// What the authority said about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalInfo {
    /// When it would like the certificate to be renewed.
    pub window: Window,
    /// How long until it wants to be asked again.
    pub ask_again: Duration,
}

/// A span in which to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First moment.
    pub start: Moment,
    /// Last moment.
    pub end: Moment,
}

/// Without the authority's word: when a third of the time is left, but not more than 30 days; up to an hour sooner, so that
/// certificates ordered together are not renewed together.
pub(crate) fn without_advice(validity: Validity, dice: &mut Dice) -> Moment {
    let left = (validity.lifetime() / 3).min(DAY * 30);
    let spread = HOUR.min(validity.lifetime() / 20);
    validity.not_after.minus(left).minus(dice.up_to(spread))
}

/// At a moment of the window that chance picks, as the RFC asks; never so late that a failure could not be mended.
pub(crate) fn advised(window: Window, validity: Validity, dice: &mut Dice) -> Moment {
    let picked = window
        .start
        .plus(dice.up_to(window.end.since(window.start)));
    picked.min(validity.not_after.minus(validity.lifetime() / 10))
}

/// When to ask again: as the authority says, within reason (RFC 9773 §4.3 leaves the bounds to clients).
pub(crate) fn ask_again(wish: Duration, dice: &mut Dice) -> Duration {
    let clamped = wish.clamp(Duration::from_secs(60), DAY);
    clamped + dice.up_to(clamped / 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity(days: u32) -> Validity {
        let not_before = Moment::from_unix(1_800_000_000);
        Validity {
            not_before,
            not_after: not_before.plus(DAY * days),
        }
    }

    fn hours_left(validity: Validity, at: Moment) -> u64 {
        validity.not_after.since(at).as_secs() / 3600
    }

    #[test]
    fn a_third_before_the_end_but_at_most_thirty_days() {
        for (days, hours) in [(90, 720), (365, 720), (45, 360), (6, 48)] {
            for seed in 0..50 {
                let held = validity(days);
                let left = hours_left(held, without_advice(held, &mut Dice::seeded(seed)));
                assert!(left == hours, "{days} days: {left} hours left");
            }
        }
    }

    #[test]
    fn the_window_is_used_evenly() {
        let held = validity(90);
        let start = held.not_before.plus(DAY * 58);
        let window = Window {
            start,
            end: start.plus(DAY * 2),
        };
        let mut dice = Dice::seeded(7);
        let picks: Vec<Moment> = (0..200).map(|_| advised(window, held, &mut dice)).collect();
        assert!(
            picks
                .iter()
                .all(|at| window.start <= *at && *at < window.end)
        );
        let early = picks.iter().filter(|at| **at < start.plus(DAY)).count();
        assert!(
            (60..140).contains(&early),
            "{early} of 200 in the first half"
        );
    }

    #[test]
    fn a_window_in_the_past_means_now_and_one_too_late_is_moved() {
        let held = validity(90);
        let mut dice = Dice::seeded(1);
        let past = Window {
            start: held.not_before.minus(DAY * 2),
            end: held.not_before.minus(DAY),
        };
        assert!(advised(past, held, &mut dice) < held.not_before);
        let late = Window {
            start: held.not_after.plus(DAY),
            end: held.not_after.plus(DAY * 2),
        };
        assert_eq!(hours_left(held, advised(late, held, &mut dice)), 216);
    }

    #[test]
    fn asking_again_stays_within_reason() {
        let mut dice = Dice::seeded(1);
        assert!(ask_again(Duration::ZERO, &mut dice) >= Duration::from_secs(60));
        assert!(ask_again(DAY * 30, &mut dice) <= DAY + DAY / 20);
    }
}
