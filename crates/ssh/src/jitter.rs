//! Random spreads for retries, so that many hosts that failed together don't come back together.

use std::time::Duration;

/// A duration evenly spread over `0..max`.
pub(crate) fn up_to(max: Duration) -> Duration {
    // Without randomness the retry still works, it only comes less spread.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    max.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_below_its_bound() {
        for _ in 0..100 {
            assert!(up_to(Duration::from_millis(100)) <= Duration::from_millis(100));
        }
    }
}
