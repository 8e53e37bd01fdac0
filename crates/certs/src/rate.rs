//! A limit of so many events in so long, with the whole amount free at first (the generic cell rate algorithm: its state is
//! one point in time, so it can be kept on disk).

use std::time::Duration;

use crate::moment::Moment;

/// So many events in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

impl Rate {
    /// When the next event may happen, given the `mark` of those before and that a `reserve` (in percent) of the amount is
    /// kept for others. Not later than `now` means now.
    pub(crate) fn next(&self, mark: Moment, reserve: u32) -> Moment {
        let usable = self.per.saturating_mul(100 - reserve.min(100)) / 100;
        mark.plus(self.interval())
            .minus(usable.max(self.interval()))
    }

    /// The mark after an event at `now`.
    pub(crate) fn spend(&self, mark: Moment, now: Moment) -> Moment {
        mark.max(now).plus(self.interval())
    }

    fn interval(&self) -> Duration {
        self.per / self.count.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        count: 4,
        per: Duration::from_secs(40),
    };

    fn events(reserve: u32, until: u64) -> Vec<u64> {
        let mut mark = Moment::default();
        let mut seen = Vec::new();
        for second in 1000..1000 + until {
            let now = Moment::from_millis(second * 1000);
            while RATE.next(mark, reserve) <= now {
                mark = RATE.spend(mark, now);
                seen.push(second - 1000);
            }
        }
        seen
    }

    #[test]
    fn the_whole_amount_at_once_then_one_by_one() {
        assert_eq!(events(0, 31), [0, 0, 0, 0, 10, 20, 30]);
    }

    #[test]
    fn a_reserve_is_left_to_others() {
        assert_eq!(events(50, 21), [0, 0, 10, 20]);
        // Even where the reserve would leave nothing, one goes through.
        assert_eq!(events(100, 21), [0, 10, 20]);
    }
}
