//! Time on the hot path: one monotonic reading a request, turned into wall-clock values and log text without
//! further calls.

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::HeaderValue;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Relates monotonic instants to wall-clock time. Resynchronised now and then, since the wall clock may be set.
pub(crate) struct WallClock {
    date: RefCell<Option<(u64, HeaderValue)>>,
    base: Cell<Instant>,
    unix_nanos: Cell<u64>,
}

impl WallClock {
    pub(crate) fn new() -> Self {
        Self {
            date: RefCell::default(),
            base: Cell::new(Instant::now()),
            unix_nanos: Cell::new(unix_nanos_now()),
        }
    }

    /// Reads both clocks again.
    pub(crate) fn resync(&self) {
        self.base.set(Instant::now());
        self.unix_nanos.set(unix_nanos_now());
    }

    /// The time as a `Date` header has it; worked out once a second.
    pub(crate) fn http_date(&self) -> HeaderValue {
        let second = self.unix_nanos(Instant::now()) / 1_000_000_000;
        let mut date = self.date.borrow_mut();
        match &*date {
            Some((known, value)) if *known == second => value.clone(),
            _ => {
                let time = UNIX_EPOCH + Duration::from_secs(second);
                let value = HeaderValue::from_str(&httpdate::fmt_http_date(time))
                    .unwrap_or(HeaderValue::from_static(""));
                *date = Some((second, value.clone()));
                value
            }
        }
    }

    /// Nanoseconds since 1970 at `at`, which is a recent instant.
    pub(crate) fn unix_nanos(&self, at: Instant) -> u64 {
        let base = self.base.get();
        match at.checked_duration_since(base) {
            Some(after) => self.unix_nanos.get() + nanos(after),
            None => self
                .unix_nanos
                .get()
                .saturating_sub(nanos(base.duration_since(at))),
        }
    }
}

/// Writes RFC 3339 times with nanoseconds in local time, as the log has them; the date is worked out once a second.
pub(crate) struct TimeText {
    zone: TimeZone,
    second: i64,
    date: Vec<u8>,
    offset: Vec<u8>,
}

impl TimeText {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            second: i64::MIN,
            date: Vec::new(),
            offset: Vec::new(),
        }
    }

    /// Appends e.g. `2026-11-22T10:00:05.123456789Z`; trailing zeros of the fraction are left out.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, unix_nanos: u64) {
        let second = i64::try_from(unix_nanos / 1_000_000_000).unwrap_or(0);
        if second != self.second {
            self.render(second);
        }
        out.extend_from_slice(&self.date);
        let mut fraction = unix_nanos % 1_000_000_000;
        if fraction != 0 {
            let mut digits = [b'0'; 9];
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + (fraction % 10) as u8;
                fraction /= 10;
            }
            let kept = digits
                .iter()
                .rposition(|digit| *digit != b'0')
                .map_or(0, |last| last + 1);
            out.push(b'.');
            out.extend_from_slice(digits.get(..kept).unwrap_or(&digits));
        }
        out.extend_from_slice(&self.offset);
    }

    fn render(&mut self, second: i64) {
        self.second = second;
        self.date.clear();
        self.offset.clear();
        let instant = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let offset = self.zone.to_offset(instant);
        let local = offset.to_datetime(instant);
        let _ = write!(
            self.date,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        );
        let seconds = offset.seconds();
        if seconds == 0 {
            self.offset.push(b'Z');
        } else {
            let minutes = seconds.unsigned_abs() / 60;
            let sign = if seconds < 0 { '-' } else { '+' };
            let _ = write!(self.offset, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
    }
}

/// The wall clock, in nanoseconds since 1970.
pub(crate) fn unix_nanos_now() -> u64 {
    nanos(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(zone: TimeZone, unix_nanos: u64) -> String {
        let mut out = Vec::new();
        TimeText::new(zone).push(&mut out, unix_nanos);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_look_like_the_originals() {
        assert_eq!(
            text(TimeZone::UTC, 1_700_000_000_123_456_789),
            "2023-11-14T22:13:20.123456789Z"
        );
        assert_eq!(
            text(TimeZone::UTC, 1_700_000_000_120_000_000),
            "2023-11-14T22:13:20.12Z"
        );
        assert_eq!(
            text(TimeZone::UTC, 1_700_000_000_000_000_000),
            "2023-11-14T22:13:20Z"
        );
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(
            text(zone, 1_700_000_000_000_000_000),
            "2023-11-15T00:13:20+02:00"
        );
    }

    #[test]
    fn instants_before_and_after_the_base() {
        let clock = WallClock::new();
        let base = clock.base.get();
        let at = clock.unix_nanos(base + Duration::from_millis(5));
        assert_eq!(at - clock.unix_nanos(base), 5_000_000);
        if let Some(earlier) = base.checked_sub(Duration::from_millis(5)) {
            assert_eq!(
                clock.unix_nanos(base) - clock.unix_nanos(earlier),
                5_000_000
            );
        }
    }
}
