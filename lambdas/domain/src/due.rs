//! When a request is due. Every moment compared here was written by S3's clock, except `deleteOn`, which a phone
//! wrote: it can put an erasure off, never bring it forward.

use fault_point::planted;
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Timestamp;

/// A `deleteOn` further than this past the end of the grace period is alarmed: a phone's clock is wrong, and the
/// request would wait longer than anybody expects.
const FAR_OFF_SECONDS: u32 = 2 * 24 * 60 * 60;

/// What asks for an erasure later than now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A schedule entry without a record: an app wrote it directly.
    Entry {
        /// Its `LastModified`.
        modified: Timestamp,
        /// Its `deleteOn`.
        delete_on: Timestamp,
    },
    /// A record that waits. Only a record can waive the grace period.
    Record {
        /// When S3 wrote down the request.
        accepted: Timestamp,
        /// Its `notBefore`.
        not_before: Timestamp,
    },
}

impl Asked {
    /// The first moment at which the request may be acted on.
    pub fn due_at(&self, grace_seconds: u32) -> Timestamp {
        match *self {
            Self::Entry { modified, delete_on } => grace_end(modified, grace_seconds).max(delete_on),
            Self::Record { not_before, .. } => not_before,
        }
    }
}

/// Whether an entry written at `modified` for this UTC day is so far past the end of the grace period that somebody
/// should look. It is still acted on when it is due.
pub fn is_far_off(day: Date, modified: Timestamp, grace_seconds: u32) -> bool {
    let latest = later(grace_end(modified, grace_seconds), FAR_OFF_SECONDS);
    day > TimeZone::UTC.to_datetime(latest).date()
}

/// When the grace period of something written at `modified` ends. An entry is not due before, whatever its body
/// says, so the listing alone tells which bodies need not be read yet.
pub fn grace_end(modified: Timestamp, grace_seconds: u32) -> Timestamp {
    planted!("d12-no-grace" => return modified);
    later(modified, grace_seconds)
}

/// The `notBefore` of a request accepted at `now`, which its entry's `deleteOn` and its status's `deleteDate` repeat.
/// No grace, for the next run, is 0 seconds.
pub fn not_before(now: Timestamp, grace_seconds: u32) -> Timestamp {
    whole_second(grace_end(now, grace_seconds))
}

/// The first whole second that is not before `at`: what is written without fractions must not come early.
pub fn whole_second(at: Timestamp) -> Timestamp {
    let up = i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(at.as_second() + up)
        .or_else(|_| Timestamp::from_second(at.as_second()))
        .expect("the whole seconds of a moment are a moment")
}

/// At the end of time rather than an overflow.
fn later(at: Timestamp, seconds: u32) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GRACE: u32 = 180;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(modified: i64, delete_on: i64) -> Asked {
        Asked::Entry { modified: at(modified), delete_on: at(delete_on) }
    }

    #[test]
    fn a_phone_puts_an_erasure_off_but_never_brings_it_forward() {
        assert_eq!(entry(1_000, 0).due_at(GRACE), at(1_180), "a phone 30 days slow");
        assert_eq!(entry(1_000, 1_180).due_at(GRACE), at(1_180));
        assert_eq!(entry(1_000, 9_000).due_at(GRACE), at(9_000), "a phone that is fast");
    }

    #[test]
    fn a_record_waives_the_grace_period() {
        let asked = Asked::Record { accepted: at(1_000), not_before: at(1_000) };
        assert_eq!(asked.due_at(GRACE), at(1_000));
    }

    #[test]
    fn more_than_two_days_past_the_grace_period_is_far_off() {
        let day = |text: &str| text.parse().unwrap();
        let modified = "2026-01-02T12:00:00Z".parse().unwrap();
        assert!(!is_far_off(day("2026-01-02"), modified, GRACE));
        assert!(!is_far_off(day("2026-01-04"), modified, GRACE));
        assert!(is_far_off(day("2026-01-05"), modified, GRACE));
        assert!(!is_far_off(day("2026-01-05"), modified, 86_400));
    }

    #[test]
    fn what_a_request_is_given_has_whole_seconds_and_is_not_early() {
        let now: Timestamp = "2026-01-02T03:04:05.000000001Z".parse().unwrap();
        assert_eq!(not_before(now, GRACE), "2026-01-02T03:07:06Z".parse().unwrap());
        assert_eq!(not_before(at(7), 0), at(7));
        assert_eq!(whole_second(Timestamp::MAX).subsec_nanosecond(), 0);
        assert_eq!(whole_second("1969-12-31T23:59:58.5Z".parse().unwrap()), at(-1));
    }

    proptest! {
        #[test]
        fn an_entry_is_never_early(modified: i32, delete_on: i32, grace: u32) {
            let due = entry(modified.into(), delete_on.into()).due_at(grace);
            prop_assert!(due.as_second() >= i64::from(modified) + i64::from(grace));
            prop_assert!(due >= at(delete_on.into()));
        }

        #[test]
        fn no_moment_overflows(
            seconds in -377_705_023_201_i64..=253_402_207_200,
            nanos in 0..1_000_000_000,
            grace: u32,
        ) {
            let asked_at = Timestamp::new(seconds, nanos).unwrap_or(Timestamp::MAX);
            prop_assert!(not_before(asked_at, grace) >= at(asked_at.as_second()));
        }
    }
}
