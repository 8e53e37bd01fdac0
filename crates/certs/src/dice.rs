//! Chance for spreading work out: the same seed gives the same rolls, so that schedules can be tested. Not for keys.

use std::time::Duration;

/// A small generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts from `seed`, which the caller draws from the system or fixes in a test.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A duration from zero up to, but not including, `limit`, in whole milliseconds.
    pub(crate) fn up_to(&mut self, limit: Duration) -> Duration {
        match u64::try_from(limit.as_millis()) {
            Ok(0) | Err(_) => Duration::ZERO,
            Ok(millis) => Duration::from_millis(self.next() % millis),
        }
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_stay_in_range_and_repeat_by_seed() {
        let limit = Duration::from_millis(7);
        let rolls = |seed| {
            let mut dice = Dice::seeded(seed);
            (0..100).map(|_| dice.up_to(limit)).collect::<Vec<_>>()
        };
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        assert!(rolls(3).iter().all(|roll| *roll < limit));
        assert_eq!(Dice::seeded(1).up_to(Duration::ZERO), Duration::ZERO);
    }
}
